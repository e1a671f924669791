/** Both ways to OpenSSL: the same bytes, the same refusals. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Aead, AeadAlgorithm } from './aead.ts'
import { aeadOf } from './aead-best.ts'
import { openNativeAead } from './aead-native.ts'
import { NodeAead } from './aead-node.ts'

const KEY_BYTES = { 'aes-128-gcm': 16, 'aes-256-gcm': 32, 'chacha20-poly1305': 32 } as const
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const content = fc.uint8Array({ maxLength: 3000 }).map((from) => Buffer.from(from).toString('latin1'))

for (const algorithm of Object.keys(KEY_BYTES) as AeadAlgorithm[]) {
  const native = openNativeAead(algorithm)
  const ways: [string, Aead][] = [['node:crypto', new NodeAead(algorithm)], ...(native === undefined ? [] : [['OpenSSL', native] as [string, Aead]])]
  const input = fc.tuple(bytes(KEY_BYTES[algorithm]), bytes(12), bytes(5), content, fc.nat(255))

  describe(`${algorithm}`, () => {
    it('is what node:crypto makes of it, whichever way it goes', () => {
      const node = new NodeAead(algorithm)
      fc.assert(fc.property(input, ([key, nonce, header, text, type]) => {
        const sealed = node.seal(key, nonce, header, text, type)
        assert.equal(sealed.length, 5 + text.length + 1 + 16)
        assert.deepEqual([...sealed.subarray(0, 5)], [...header])
        assert.deepEqual(aeadOf(algorithm).seal(key, nonce, header, text, type), sealed)
      }), { numRuns: 100 })
    })

    for (const [name, aead] of ways) {
      it(`opens to what was sealed, and to nothing when a bit, the key or the nonce is another: ${name}`, () => {
        fc.assert(fc.property(input, fc.nat(), ([key, nonce, header, text, type], bit) => {
          const sealed = aead.seal(key, nonce, header, text, type)
          assert.equal(Buffer.from(aead.open(key, nonce, sealed, 5) ?? []).toString('latin1'), text + String.fromCharCode(type))
          const other = (of: Uint8Array) => of.map((byte, i) => (i === bit % of.length ? byte ^ (1 << (bit & 7)) : byte))
          assert.equal(aead.open(key, nonce, other(sealed), 5), undefined)
          assert.equal(aead.open(other(key), nonce, sealed, 5), undefined)
          assert.equal(aead.open(key, other(nonce), sealed, 5), undefined)
          // A refusal spoils nothing.
          assert.equal(Buffer.from(aead.open(key, nonce, sealed, 5) ?? []).toString('latin1'), text + String.fromCharCode(type))
        }), { numRuns: 50 })
      })

      it(`keeps what was opened while something is sealed, and what was sealed for good: ${name}`, () => {
        const key = new Uint8Array(KEY_BYTES[algorithm]).fill(1)
        const [nonce, header] = [new Uint8Array(12), new Uint8Array(5)]
        const first = aead.seal(key, nonce, header, 'first', 1)
        const opened = aead.open(key, nonce, first, 5)
        const second = aead.seal(key, nonce, header, 'second and longer', 1)
        assert.equal(Buffer.from(opened ?? []).toString('latin1'), 'first\u0001')
        assert.deepEqual(aead.seal(key, nonce, header, 'first', 1), first)
        assert.deepEqual(aead.seal(key, nonce, header, 'second and longer', 1), second)
      })
    }

    it('takes the longest record of TLS, and none beyond its buffer', () => {
      const aead = aeadOf(algorithm)
      const key = new Uint8Array(KEY_BYTES[algorithm])
      const [nonce, header] = [new Uint8Array(12), new Uint8Array(5)]
      const longest = 'x'.repeat(2 ** 14 + 256 - 17)
      assert.equal(aead.open(key, nonce, aead.seal(key, nonce, header, longest, 23), 5)?.length, 2 ** 14 + 256 - 16)
      if (native === undefined) return
      assert.throws(() => native.seal(key, nonce, header, 'x'.repeat(20_000), 23), RangeError)
      assert.throws(() => native.open(key, nonce, new Uint8Array(20_000), 5), RangeError)
      assert.throws(() => native.open(key, nonce, new Uint8Array(20), 5), RangeError)
    })
  })
}
