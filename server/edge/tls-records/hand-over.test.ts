/** What is proof, and what is not. Keys and records are made here; real handshakes are in `compact-tls.test.ts`. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HandOver } from './hand-over.ts'
import { cipherSuites, TrafficKey } from './key-schedule.ts'
import type { CipherSuite } from './key-schedule.ts'
import { openRecord, sealRecord } from './record.ts'

const NAME = 'TLS_AES_128_GCM_SHA256'
const suite = cipherSuites.get(NAME) as CipherSuite
const secret = (seed: number) => new Uint8Array(32).fill(seed)
const CLIENT = 0xc1
const SERVER = 0x5e
const RANDOM = 'ab'.repeat(32)
const TICKET = '\x04\0\0\x05abcde'
const CLEAR = Buffer.from([22, 3, 3, 0, 2, 1, 2])

interface Story {
  /** Encrypted records of the handshake. */
  readonly clientFlight?: number
  readonly serverFlight?: number
  /** What came under the keys of the application: type and content. */
  readonly fromClient?: readonly (readonly [number, string])[]
  readonly fromServer?: readonly (readonly [number, string])[]
}

/** A hand-over that has seen all that. */
function after({ clientFlight = 1, serverFlight = 4, fromClient = [[23, 'hello']], fromServer = [[22, TICKET], [22, TICKET]] }: Story = {}): HandOver {
  const handOver = new HandOver()
  const key = (seed: number) => new TrafficKey(suite, secret(seed))
  const flight = (count: number) => Array.from({ length: count }, () => sealRecord(key(99), 22, 'handshake'))
  const records = (seed: number, said: readonly (readonly [number, string])[]) => {
    const from = key(seed)
    return said.map(([type, content]) => sealRecord(from, type, content))
  }
  handOver.fromClient.push(Buffer.concat([CLEAR, ...flight(clientFlight), ...records(CLIENT, fromClient)]))
  handOver.fromServer.push(Buffer.concat([CLEAR, ...flight(serverFlight), ...records(SERVER, fromServer)]))
  handOver.keylog(Buffer.from(`SERVER_HANDSHAKE_TRAFFIC_SECRET ${RANDOM} ${'00'.repeat(32)}\n`))
  handOver.keylog(Buffer.from(`CLIENT_TRAFFIC_SECRET_0 ${RANDOM} ${'c1'.repeat(32)}\n`))
  handOver.keylog(Buffer.from(`SERVER_TRAFFIC_SECRET_0 ${RANDOM} ${'5e'.repeat(32)}\n`))
  return handOver
}

describe('a hand-over', () => {
  it('goes on with the next number of each direction, however long the handshake was', () => {
    for (const clientFlight of [1, 3, 5]) {
      for (const serverFlight of [1, 2, 4, 5, 8]) {
        const layer = after({ clientFlight, serverFlight }).takeOver(NAME)
        assert.ok(layer, `${clientFlight} ${serverFlight}`)
        const heard: string[] = []
        layer.receive(sealRecord(new TrafficKey(suite, secret(CLIENT), 1), 23, 'next'), {
          onPlaintext: (content) => void heard.push(Buffer.from(content).toString()), onTlsEnd: () => {},
        })
        assert.deepEqual(heard, ['next'])
        assert.equal(openRecord(new TrafficKey(suite, secret(SERVER), 2), layer.seal('answer')).type, 23)
      }
    }
  })

  it('overwrites the lines of the key log', () => {
    const line = Buffer.from(`CLIENT_TRAFFIC_SECRET_0 ${RANDOM} ${'c1'.repeat(32)}\n`)
    new HandOver().keylog(line)
    assert.deepEqual(line, Buffer.alloc(line.length))
  })

  it('needs records of both directions, under the keys of the application', () => {
    assert.equal(after({ fromClient: [] }).takeOver(NAME), undefined)
    assert.equal(after({ fromServer: [] }).takeOver(NAME), undefined)
    assert.equal(new HandOver().takeOver(NAME), undefined)
  })

  it('needs secrets of the right length, and a suite that is known', () => {
    assert.equal(after().takeOver('TLS_AES_256_GCM_SHA384'), undefined)
    assert.equal(after().takeOver('TLS_AES_128_CCM_SHA256'), undefined)
  })

  it('does not happen in the middle of a record', () => {
    for (const direction of ['fromClient', 'fromServer'] as const) {
      const handOver = after()
      const record = sealRecord(new TrafficKey(suite, secret(direction === 'fromClient' ? CLIENT : SERVER), direction === 'fromClient' ? 1 : 2), 23, 'rest')
      handOver[direction].push(record.subarray(0, 3))
      assert.equal(handOver.takeOver(NAME), undefined)
      handOver[direction].push(record.subarray(3, 9))
      assert.equal(handOver.takeOver(NAME), undefined)
      handOver[direction].push(record.subarray(9))
      assert.ok(handOver.takeOver(NAME))
    }
  })

  it('does not happen after anything but data of the client: an alert, or a message that may go on', () => {
    for (const last of [[21, '\x01\0'], [22, '\x18\0\0\x01\0'], [22, '\x0b\0']] as const) {
      assert.equal(after({ fromClient: [[23, 'hello'], last] }).takeOver(NAME), undefined)
    }
  })

  it('does not happen after anything of the server but data and whole tickets', () => {
    for (const last of [[21, '\x02\x28'], [22, '\x18\0\0\x01\0'], [22, '\x04\0\0\x06abcde'], [22, '\x04\0'], [22, `${TICKET}\x18`]] as const) {
      assert.equal(after({ fromServer: [[22, TICKET], last] }).takeOver(NAME), undefined)
    }
    assert.ok(after({ fromServer: [[22, TICKET], [23, 'features']] }).takeOver(NAME))
  })

  it('does not happen once keys were updated: nothing opens under the first ones', () => {
    const handOver = after()
    const key = new TrafficKey(suite, secret(CLIENT), 1)
    handOver.fromClient.push(sealRecord(key, 22, '\x18\0\0\x01\0'))
    key.update()
    handOver.fromClient.push(sealRecord(key, 23, 'new'))
    assert.equal(handOver.takeOver(NAME), undefined)
  })

  it('does not happen when a direction is no TLS', () => {
    const handOver = after()
    handOver.fromClient.push(Buffer.from('<presence/>'))
    assert.equal(handOver.takeOver(NAME), undefined)
    handOver.fromClient.push(Buffer.alloc(100))
    assert.equal(handOver.takeOver(NAME), undefined)
  })
})
