/** The server's side of an established connection against a peer that can say anything (RFC 8446 §4.6.3, §5, §6). */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { cipherSuites, HASH_BYTES, TrafficKey } from './key-schedule.ts'
import type { CipherSuite } from './key-schedule.ts'
import { RecordLayer } from './record-layer.ts'
import { openRecord, recordLength, sealRecord, TlsFault } from './record.ts'

const suite = cipherSuites.get('TLS_AES_256_GCM_SHA384') as CipherSuite
const keyFrom = (seed: number) => new TrafficKey(suite, new Uint8Array(HASH_BYTES[suite.hash]).fill(seed))
const alert = (number: number) => (error: unknown) => error instanceof TlsFault && error.alert === number
const UPDATE = '\x18\0\0\x01\0'
const UPDATE_REQUESTED = '\x18\0\0\x01\x01'

/** Both ends: the layer, and a peer with the keys. */
function pair(recordsPerKeyMax?: number) {
  const write = keyFrom(1)
  const read = keyFrom(2)
  const layer = new RecordLayer(keyFrom(1), keyFrom(2), recordsPerKeyMax)
  const heard: string[] = []
  const sink = {
    onPlaintext: (content: Uint8Array) => void heard.push(Buffer.from(content).toString('latin1')),
    onTlsEnd: (isError: boolean) => void heard.push(isError ? '<error>' : '<end>'),
  }
  return {
    write, layer, heard,
    give: (...records: Uint8Array[]) => layer.receive(Buffer.concat(records), sink),
    data: (content: string) => sealRecord(write, 23, content),
    handshake: (content: string) => sealRecord(write, 22, content),
    alert: (content: string) => sealRecord(write, 21, content),
    /** What the layer sealed, as `type content`. */
    read: (records: Uint8Array) => {
      const opened: [number, string][] = []
      for (let at = 0; at < records.length;) {
        const end = at + 5 + recordLength(records, at)
        const { type, content } = openRecord(read, records.subarray(at, end))
        opened.push([type, Buffer.from(content).toString('latin1')])
        if (type === 22) read.update()
        at = end
      }
      return opened
    },
  }
}

describe('the record layer', () => {
  it('reads the same however the records are cut into pieces', () => {
    const text = fc.string({ minLength: 1, maxLength: 300, unit: 'binary-ascii' })
    fc.assert(fc.property(fc.array(text, { maxLength: 8 }), fc.array(fc.nat(400)), (contents, cuts) => {
      const { layer, heard, data } = pair()
      const all = Buffer.concat(contents.map(data))
      const sink = { onPlaintext: (content: Uint8Array) => void heard.push(Buffer.from(content).toString('latin1')), onTlsEnd: () => {} }
      let at = 0
      for (const cut of [...cuts, all.length]) {
        layer.receive(all.subarray(at, at + cut), sink)
        at = Math.min(all.length, at + cut)
      }
      assert.deepEqual(heard, contents)
    }), { numRuns: 60 })
  })

  it('writes records of at most 2^14 bytes, together what was given (RFC 8446 §5.1)', () => {
    const { layer, read } = pair()
    for (const length of [1, 2 ** 14, 2 ** 14 + 1, 50_000]) {
      const wire = 'x'.repeat(length)
      const records = read(layer.seal(wire))
      assert.ok(records.every(([type, content]) => type === 23 && content.length <= 2 ** 14))
      assert.equal(records.map(([, content]) => content).join(''), wire)
    }
  })

  it('follows the updates of the peer, and updates its own keys before its next data when asked, once (RFC 8446 §4.6.3)', () => {
    const { layer, heard, give, data, handshake, read, write } = pair()
    const said = [data('a'), handshake(UPDATE)]
    write.update()
    said.push(data('b'), handshake(UPDATE_REQUESTED))
    write.update()
    said.push(handshake(UPDATE_REQUESTED))
    write.update()
    said.push(data('c'))
    give(...said)
    assert.deepEqual(heard, ['a', 'b', 'c'])
    assert.deepEqual(read(layer.seal('d')), [[22, UPDATE], [23, 'd']])
    assert.deepEqual(read(layer.seal('e')), [[23, 'e']])
  })

  it('refuses a record under the keys before an update', () => {
    const { give, data, handshake } = pair()
    assert.throws(() => give(handshake(UPDATE), data('stale')), alert(20))
  })

  it('updates its keys before they have sealed too much (RFC 8446 §5.5)', () => {
    const { layer, read } = pair(3)
    assert.deepEqual(['a', 'b', 'c', 'd'].map((wire) => read(layer.seal(wire)).length), [1, 1, 1, 2])
    assert.deepEqual(read(layer.seal('x'.repeat(4 * 2 ** 14))).map(([type]) => type), [23, 23, 22, 23, 23])
  })

  for (const [what, message, number] of [
    ['of another kind', '\x0b\0\0\x01\0', 10],
    ['that more follows in its record', `${UPDATE}\x18`, 10],
    ['that is not whole', '\x18\0\0', 10],
    ['without content', '', 10],
    ['of a wrong length', '\x18\0\0\x02\0', 50],
    ['that asks for what there is not', '\x18\0\0\x01\x02', 47],
  ] as const) {
    it(`refuses a handshake message ${what} (RFC 8446 §4.6, §5.1)`, () => {
      const { give, handshake } = pair()
      assert.throws(() => give(handshake(message)), alert(number))
    })
  }

  it('refuses records of other types, and of none', () => {
    for (const type of [20, 24, 99]) {
      const { give, write } = pair()
      assert.throws(() => give(sealRecord(write, type, 'x')), alert(10))
    }
  })

  it('hears the end, and nothing after it (RFC 8446 §6.1)', () => {
    const { heard, give, data, alert: warn, layer, read } = pair()
    give(data('a'), warn('\x01\x5a'), data('b'), warn('\x01\0'), data('c'))
    give(Buffer.from('not a record'))
    assert.deepEqual(heard, ['a', 'b', '<end>'])
    assert.deepEqual(read(layer.seal('still open')), [[23, 'still open']])
  })

  it('says nothing more to a peer that reported an error (RFC 8446 §6.2)', () => {
    const { heard, give, alert: warn, layer } = pair()
    give(warn('\x02\x14'))
    assert.deepEqual(heard, ['<error>'])
    assert.equal(layer.sealEnd().length, 0)
    assert.equal(layer.seal('x').length, 0)
    for (const bad of ['', '\x02', '\x02\x14\x14']) {
      const other = pair()
      assert.throws(() => other.give(other.alert(bad)), alert(50))
    }
  })

  it('ends once, with close_notify or with an error, and seals nothing afterwards (RFC 8446 §6)', () => {
    const { layer, read } = pair()
    assert.deepEqual(read(layer.sealEnd()), [[21, '\x01\0']])
    assert.equal(layer.sealEnd().length, 0)
    assert.equal(layer.seal('x').length, 0)
    const other = pair()
    assert.deepEqual(other.read(other.layer.sealEnd(20)), [[21, '\x02\x14']])
  })

  it('reads nothing after a fault', () => {
    const { heard, give, data } = pair()
    assert.throws(() => give(data('a'), Buffer.from([22, 3, 3, 0, 1, 0]), data('b')), alert(10))
    give(data('c'))
    assert.deepEqual(heard, ['a'])
  })

  it('bears 32 records in a row that bring nothing, not more', () => {
    const { give, data } = pair()
    for (let i = 0; i < 32; i++) give(data(''))
    give(data('x'))
    for (let i = 0; i < 32; i++) give(data(''))
    assert.throws(() => give(data('')), alert(10))
    const other = pair()
    assert.throws(() => {
      for (let i = 0; i < 33; i++) {
        other.give(other.handshake(UPDATE_REQUESTED))
        other.write.update()
      }
    }, alert(10))
  })

  it('gathers no record that announces too much', () => {
    const { give } = pair()
    assert.throws(() => give(Uint8Array.of(23, 3, 3, 0xff, 0xff)), alert(22))
  })

  it('throws nothing but TLS faults, whatever comes', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), fc.boolean(), (chunks, isRecord) => {
      const { give, data } = pair()
      try {
        give(data('fine'))
        for (const chunk of chunks) give(isRecord ? Uint8Array.of(23, 3, 3, 0, chunk.length, ...chunk) : chunk)
      } catch (error) {
        assert.ok(error instanceof TlsFault)
      }
    }), { numRuns: 200 })
  })

  it('goes on elsewhere at any moment: between records, within one, across updates of keys, and with an update that it owes', () => {
    const piece = fc.oneof(fc.string({ minLength: 1, maxLength: 60, unit: 'binary-ascii' }), fc.constantFrom(UPDATE, UPDATE_REQUESTED, 'move'))
    fc.assert(fc.property(fc.array(piece, { maxLength: 14 }), fc.nat(100), (pieces, cut) => {
      const { write, layer: first, heard, data, handshake, read } = pair()
      const sink = { onPlaintext: (content: Uint8Array) => void heard.push(Buffer.from(content).toString('latin1')), onTlsEnd: () => {} }
      let layer = first
      let held = Buffer.alloc(0)
      const said: string[] = []
      for (const one of pieces) {
        if (one === 'move') layer = moved(layer)
        else if (one === UPDATE || one === UPDATE_REQUESTED) {
          held = Buffer.concat([held, handshake(one)])
          write.update()
        } else {
          held = Buffer.concat([held, data(one)])
          said.push(one)
        }
        // The last bytes come later, so that it moves with the beginning of a record in hand.
        const now = Math.max(0, held.length - cut)
        layer.receive(held.subarray(0, now), sink)
        held = held.subarray(now)
        assert.deepEqual(read(layer.seal('still here')).at(-1), [23, 'still here'])
      }
      layer = moved(layer)
      layer.receive(held, sink)
      assert.deepEqual(heard, said)
      assert.deepEqual(read(layer.seal('still here')).at(-1), [23, 'still here'])
    }), { numRuns: 200 })
  })

  it('neither reads nor writes after it was given away, and cannot use its keys', () => {
    const { layer, give, heard, data } = pair()
    give(data('good night'))
    const record = data('good morrow')
    const state = layer.giveAway()
    assert.equal(state.suite, 'TLS_AES_256_GCM_SHA384')
    assert.deepEqual([state.read.sequence, state.write.sequence], [1, 0])
    assert.equal(layer.isMovable, false)
    give(record)
    assert.deepEqual(heard, ['good night'])
    assert.equal(layer.seal('parting').length, 0)
    assert.equal(layer.sealEnd().length, 0)
    const key = keyFrom(1)
    assert.deepEqual([...key.giveAway().secret], [...new Uint8Array(48).fill(1)])
    assert.throws(() => key.nextNonce(), RangeError)
    assert.throws(() => RecordLayer.from({ ...state, suite: 'TLS_AES_128_CCM_SHA256' }), RangeError)
  })

  it('does not move while it reads, nor once one side has ended', () => {
    const { layer, give, alert: alertOf, data } = pair()
    const seen: boolean[] = []
    layer.receive(data('good night'), { onPlaintext: () => void seen.push(layer.isMovable), onTlsEnd: () => {} })
    assert.deepEqual(seen, [false])
    assert.equal(layer.isMovable, true)
    give(alertOf('\x01\0'))
    assert.equal(layer.isMovable, false)
    const other = pair()
    other.layer.sealEnd()
    assert.equal(other.layer.isMovable, false)
  })
})

/** Through what another process would get. */
function moved(layer: RecordLayer): RecordLayer {
  assert.ok(layer.isMovable)
  return RecordLayer.from(structuredClone(layer.giveAway()))
}
