/** Single records: RFC 8448 §3, what is sealed opens, and every rule of RFC 8446 §5 that a record can break. */
import assert from 'node:assert/strict'
import { createCipheriv } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { cipherSuites, HASH_BYTES, TrafficKey } from './key-schedule.ts'
import type { CipherSuite } from './key-schedule.ts'
import { openRecord, recordLength, sealRecord, TlsFault } from './record.ts'

const suite = cipherSuites.get('TLS_AES_128_GCM_SHA256') as CipherSuite
const keyOf = (of = suite, sequence = 0) => new TrafficKey(of, new Uint8Array(HASH_BYTES[of.hash]).fill(5), sequence)
const alert = (number: number) => (error: unknown) => error instanceof TlsFault && error.alert === number
const wire = fc.uint8Array({ maxLength: 2000 }).map((from) => Buffer.from(from).toString('latin1'))

/** Seals what `sealRecord` never would. */
function sealInner(inner: Uint8Array): Buffer {
  const key = keyOf()
  const header = Buffer.from([23, 3, 3, (inner.length + 16) >> 8, (inner.length + 16) & 255])
  const cipher = createCipheriv('aes-128-gcm', key.key, key.nextNonce()).setAAD(header)
  return Buffer.concat([header, cipher.update(inner), cipher.final(), cipher.getAuthTag()])
}

describe('a record', () => {
  it('is the one of RFC 8448 §3', () => {
    const secret = Uint8Array.from(Buffer.from('9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5', 'hex'))
    const content = Buffer.from(Array.from({ length: 50 }, (_, i) => i)).toString('latin1')
    assert.equal(
      sealRecord(new TrafficKey(suite, secret), 23, content).toString('hex'),
      '1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a2' +
        '977014bd1e3deae63aeebb21694915e4',
    )
  })

  for (const [name, of] of cipherSuites) {
    it(`opens to what was sealed, under its own number only: ${name}`, () => {
      fc.assert(fc.property(wire, fc.constantFrom(21, 22, 23), fc.nat(2 ** 40), (content, type, sequence) => {
        const record = sealRecord(keyOf(of, sequence), type, content)
        assert.equal(recordLength(record, 0), record.length - 5)
        const opened = openRecord(keyOf(of, sequence), record)
        assert.equal(opened.type, type)
        assert.equal(Buffer.from(opened.content).toString('latin1'), content)
        assert.throws(() => openRecord(keyOf(of, sequence + 1), record), alert(20))
      }), { numRuns: 50 })
    })
  }

  it('with any bit changed is a bad_record_mac (RFC 8446 §5.2)', () => {
    const record = sealRecord(keyOf(), 23, 'Wherefore art thou')
    fc.assert(fc.property(fc.nat(record.length * 8 - 1), (bit) => {
      const changed = Buffer.from(record)
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
      assert.throws(() => openRecord(keyOf(), changed), alert(20))
    }), { numRuns: 200 })
    assert.throws(() => openRecord(keyOf(), Buffer.alloc(20)), alert(20))
  })

  it('in clear, or too long, is refused by its header (RFC 8446 §5, §5.2)', () => {
    for (const type of [0, 20, 21, 22, 24, 0x80]) assert.throws(() => recordLength(Uint8Array.of(type, 3, 3, 0, 30), 0), alert(10))
    assert.equal(recordLength(Uint8Array.of(23, 3, 3, 0x41, 0), 0), 2 ** 14 + 256)
    assert.throws(() => recordLength(Uint8Array.of(23, 3, 3, 0x41, 1), 0), alert(22))
  })

  it('is read without its padding, and must have a type (RFC 8446 §5.4)', () => {
    const padded = openRecord(keyOf(), sealInner(Buffer.from('hi\x17' + '\0'.repeat(100), 'latin1')))
    assert.deepEqual([padded.type, Buffer.from(padded.content).toString()], [23, 'hi'])
    assert.throws(() => openRecord(keyOf(), sealInner(Buffer.alloc(10))), alert(10))
    assert.throws(() => openRecord(keyOf(), sealInner(Buffer.alloc(0))), alert(10))
  })

  it('has at most 2^14 bytes of content and padding (RFC 8446 §5.4)', () => {
    const full = Buffer.alloc(2 ** 14 + 1, 0x17)
    assert.equal(openRecord(keyOf(), sealInner(full)).content.length, 2 ** 14)
    assert.throws(() => openRecord(keyOf(), sealInner(Buffer.concat([full, Buffer.alloc(1)]))), alert(22))
  })
})
