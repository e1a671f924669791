/** Keys from secrets: the values of RFC 8448 §3 and what follows from RFC 8446 §5.3 and §7.2. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cipherSuites, hkdfExpandLabel, TrafficKey } from './key-schedule.ts'
import type { CipherSuite } from './key-schedule.ts'

const AES_128 = cipherSuites.get('TLS_AES_128_GCM_SHA256') as CipherSuite
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'))
const hex = (from: Uint8Array) => Buffer.from(from).toString('hex')

const vectors = [
  {
    secret: '9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5',
    key: '17422dda596ed5d9acd890e3c63f5051', iv: '5b78923dee08579033e523d9',
  },
  {
    secret: 'a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643',
    key: '9f02283b6c9c07efc26bb9f2ac92e356', iv: 'cf782b88dd83549aadf1e984',
  },
]

describe('traffic keys', () => {
  for (const { secret, key, iv } of vectors) {
    it(`are those of RFC 8448 §3 for the secret ${secret.slice(0, 8)}…`, () => {
      assert.equal(hex(hkdfExpandLabel('sha256', bytes(secret), 'key', 16)), key)
      assert.equal(hex(hkdfExpandLabel('sha256', bytes(secret), 'iv', 12)), iv)
      const traffic = new TrafficKey(AES_128, bytes(secret))
      assert.equal(Buffer.from(traffic.key).toString('hex'), key)
      assert.equal(hex(traffic.nextNonce()), iv)
    })
  }

  it('have nonces that are the sequence number over the end of the IV (RFC 8446 §5.3)', () => {
    const { secret, iv } = vectors[0] as (typeof vectors)[0]
    for (const sequence of [1, 255, 256, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1]) {
      const traffic = new TrafficKey(AES_128, bytes(secret), sequence)
      const expected = (BigInt(`0x${iv}`) ^ BigInt(sequence)).toString(16).padStart(24, '0')
      assert.equal(hex(traffic.nextNonce()), expected)
      assert.equal(traffic.sequence, sequence + 1)
    }
    assert.throws(() => new TrafficKey(AES_128, bytes(secret), 2 ** 48).nextNonce(), RangeError)
  })

  it('begin again at 0 with other values when they are updated, and forget the old secret (RFC 8446 §7.2)', () => {
    const secret = bytes((vectors[0] as (typeof vectors)[0]).secret)
    const next = hkdfExpandLabel('sha256', secret, 'traffic upd', 32)
    const traffic = new TrafficKey(AES_128, secret, 7)
    traffic.update()
    assert.equal(traffic.sequence, 0)
    assert.ok(Buffer.from(traffic.key).equals(new TrafficKey(AES_128, next).key))
    assert.deepEqual(secret, new Uint8Array(32))
  })

  it('need one block of the hash, never more', () => {
    assert.throws(() => hkdfExpandLabel('sha256', new Uint8Array(32), 'key', 33), RangeError)
    assert.equal(hkdfExpandLabel('sha384', new Uint8Array(48), 'key', 48).length, 48)
  })
})
