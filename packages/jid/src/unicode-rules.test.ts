// Our Bidi Rule, joining types and viramas against the independent tables of tr46, code point by code point.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import tr46 from 'tr46'
import { bidiRuleHolds } from './bidi-rule.ts'
import { contextRulesHold } from './context-rules.ts'
import { idnaProperty, precisProperty } from './derived-property.ts'

const chars: string[] = []

before(() => {
  // Code points both can speak of; Han and Hangul syllables are left-to-right, non-joining and too many.
  for (let code = 0x80; code < 0x20000; code++) {
    const char = String.fromCodePoint(code)
    if (/[\p{Script=Han}\p{Script=Hangul}\p{Script=Egyptian_Hieroglyphs}\p{Script=Tangut}\p{Script=Cuneiform}]/u.test(char)) continue
    if (idnaProperty(char) === 'pvalid' && precisProperty(char) === 'pvalid') chars.push(char)
  }
  assert.ok(chars.length > 10_000)
})

/** Compares our rule with tr46's on every text that tr46 accepts when it does not check the rule; returns how many hold. */
function compare(option: 'checkBidi' | 'checkJoiners', holds: (text: string) => boolean, texts: (char: string) => string[]): number {
  let held = 0
  for (const char of chars) {
    for (const text of texts(char)) {
      const composed = text.normalize('NFC')
      if (tr46.toUnicode(composed).error) continue
      const expected = !tr46.toUnicode(composed, { [option]: true }).error
      assert.equal(holds(composed), expected, `${option} of ${JSON.stringify(composed)} with U+${(char.codePointAt(0) ?? 0).toString(16)}`)
      if (expected) held++
    }
  }
  return held
}

test('the Bidi Rule agrees for every code point at the start, inside and at the end (RFC 5893 §2)', () => {
  const held = compare('checkBidi', bidiRuleHolds, char => [
    `${char}\u05d0`, `\u05d0${char}`, `\u05d0${char}\u05d0`, `\u0627${char}1`, `\u0627${char}\u0661`, `a${char}`,
  ])
  assert.ok(held > 10_000)
})

test('ZERO WIDTH NON-JOINER and JOINER agree for every neighbour (RFC 5892, A.1 and A.2)', () => {
  const held = compare('checkJoiners', contextRulesHold, char => [`${char}\u200c\u0627`, `\u0628\u200c${char}`, `\u0628${char}\u200c\u0627`,
    `\u0628\u200c${char}\u0627`, `a${char}\u200d`])
  assert.ok(held > 1000)
})
