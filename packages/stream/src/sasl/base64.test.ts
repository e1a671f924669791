import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decodeBase64, encodeBase64 } from './base64.ts'

const utf8 = new TextEncoder()

describe('base64 (RFC 4648)', () => {
  const vectors = { '': '', f: 'Zg==', fo: 'Zm8=', foo: 'Zm9v', foob: 'Zm9vYg==', fooba: 'Zm9vYmE=', foobar: 'Zm9vYmFy' }
  for (const [plain, encoded] of Object.entries(vectors)) {
    it(`§10: '${plain}' is '${encoded}'`, () => {
      assert.equal(encodeBase64(utf8.encode(plain)), encoded)
      assert.deepEqual(decodeBase64(encoded), utf8.encode(plain))
    })
  }

  it('encodes as Node does, and decodes what it encoded', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      const text = encodeBase64(bytes)
      assert.equal(text, Buffer.from(bytes).toString('base64'))
      assert.deepEqual(decodeBase64(text), bytes)
    }))
  })

  // RFC 6120 §13.9.1 and RFC 4648 §12.
  const refused = [
    ['no padding', 'Zg'], ['half the padding', 'Zg='], ['too much padding', 'Zm9v===='], ['only padding', '===='],
    ['a lone equals sign', '='], ['padding inside', 'Zg==Zg=='], ['white space', 'Zm9v\n'], ['a space inside', 'Zm 9vYg='],
    ['stray bits', 'Zh=='], ['stray bits of two', 'Zm9='], ['the URL alphabet', 'Zm9-'], ['a character beyond ASCII', 'Zm9\u00e9'],
    ['one digit', 'Z==='],
  ] as const
  for (const [what, text] of refused) {
    it(`refuses ${what}`, () => assert.equal(decodeBase64(text), undefined))
  }

  it('accepts no text but the canonical one', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('A', 'Q', 'g', 'w', 'Z', '+', '/', '=', '-', '\n'), maxLength: 12 }), text => {
      const bytes = decodeBase64(text)
      if (bytes !== undefined) assert.equal(encodeBase64(bytes), text)
    }), { numRuns: 2000 })
  })
})
