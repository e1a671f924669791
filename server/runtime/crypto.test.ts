import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SCRAM_HASH_BYTES, SCRAM_HASHES } from '@rollcall/stream'
import { nodeCrypto } from './crypto.ts'

const nodeNames = { 'SHA-1': 'sha1', 'SHA-256': 'sha256', 'SHA-512': 'sha512' } as const

describe('nodeCrypto', () => {
  for (const hash of SCRAM_HASHES) {
    it(`${hash}: digests and HMACs are those of Node's streaming interface, keys longer than a block too`, () => {
      fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (key, data) => {
        assert.deepEqual(Buffer.from(nodeCrypto.hash(hash, data)), createHash(nodeNames[hash]).update(data).digest())
        assert.deepEqual(Buffer.from(nodeCrypto.hmac(hash, key, data)), createHmac(nodeNames[hash], key).update(data).digest())
      }))
      assert.equal(nodeCrypto.hash(hash, new Uint8Array(0)).length, SCRAM_HASH_BYTES[hash])
    })
  }

  it('PBKDF2 as in RFC 6070 §2, of a digest\u2019s length', async () => {
    const key = await nodeCrypto.pbkdf2('SHA-1', 'password', Buffer.from('salt'), 4096)
    assert.equal(Buffer.from(key).toString('hex'), '4b007901b765489abead49d926f721d065a429c1')
    assert.equal((await nodeCrypto.pbkdf2('SHA-512', 'password', Buffer.from('salt'), 1)).length, 64)
  })

  it('PBKDF2 with impossible parameters rejects', async () => {
    await assert.rejects(nodeCrypto.pbkdf2('SHA-1', 'password', Buffer.from('salt'), 0), RangeError)
  })

  it('compares also what differs in length', () => {
    assert.equal(nodeCrypto.timingSafeEqual(Buffer.from('ab'), Buffer.from('ab')), true)
    assert.equal(nodeCrypto.timingSafeEqual(Buffer.from('ab'), Buffer.from('ac')), false)
    assert.equal(nodeCrypto.timingSafeEqual(Buffer.from('ab'), Buffer.from('abc')), false)
  })
})
