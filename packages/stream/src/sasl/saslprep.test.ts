import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { PASSWORD_UNITS_MAX, saslprep } from './saslprep.ts'

describe('SASLprep (RFC 4013)', () => {
  const examples = [
    ['§3: SOFT HYPHEN goes', 'I\u00adX', 'IX'],
    ['§3: nothing to do', 'user', 'user'],
    ['§3: case stays', 'USER', 'USER'],
    ['§3: FEMININE ORDINAL becomes a', '\u00aa', 'a'],
    ['§3: ROMAN NUMERAL NINE becomes two letters', '\u2168', 'IX'],
    ['§3: a control character is prohibited', '\u0007', undefined],
    ['§2.1: other spaces become the space', 'a\u00a0b\u3000c\u2003d', 'a b c d'],
    ['§2.1: joiners and variation selectors go', 'a\u200b\u200c\u200d\ufe0f\ufeffb\u034f\u180b', 'ab'],
    ['§2.2: composed and decomposed are one', 'e\u0301', '\u00e9'],
    ['§2.3: private use is prohibited', 'a\ue000', undefined],
    ['§2.3: a noncharacter is prohibited', 'a\ufdd0', undefined],
    ['§2.3: a noncharacter of plane 2 is prohibited', 'a\u{2ffff}', undefined],
    ['§2.3: a lone surrogate is prohibited', 'a\ud800b', undefined],
    ['§2.3: NUL is prohibited', 'a\0b', undefined],
    ['§2.3: DEL is prohibited', 'a\u007f', undefined],
    ['§2.3: tags are prohibited', 'a\u{e0041}', undefined],
    ['§2.3: marks of direction are prohibited', 'a\u202eb', undefined],
    ['code points newer than Unicode 3.2 pass', 'correct\u{1f40e}\u{1f50b}', 'correct\u{1f40e}\u{1f50b}'],
    ['text of two directions passes', '\u0627\u0031', '\u0627\u0031'],
    ['nothing is no password', '', undefined],
    ['what vanishes is no password', '\u00ad\u200d', undefined],
  ] as const
  for (const [title, password, prepared] of examples) {
    it(title, () => assert.equal(saslprep(password), prepared))
  }

  it('refuses what is too long before and after preparation', () => {
    assert.equal(saslprep('a'.repeat(PASSWORD_UNITS_MAX))?.length, PASSWORD_UNITS_MAX)
    assert.equal(saslprep('a'.repeat(PASSWORD_UNITS_MAX + 1)), undefined)
    // One ligature of Arabic becomes eighteen letters.
    assert.equal(saslprep('\ufdfa'.repeat(PASSWORD_UNITS_MAX / 2)), undefined)
  })

  it('is idempotent', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 20 }), password => {
      const prepared = saslprep(password)
      if (prepared !== undefined) assert.equal(saslprep(prepared), prepared)
    }), { numRuns: 2000 })
  })
})
