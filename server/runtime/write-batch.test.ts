/** Writes of one turn to many sockets: what arrives, and what happens to what the kernel does not take. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { acceptBare } from './bare-conduit.ts'
import type { Conduit } from './conduit.ts'
import { StreamConduit } from './stream-conduit.ts'
import { WriteBatch } from './write-batch.ts'
import type { BatchWriter } from './write-batch.ts'
import { RING_BYTES_MAX, RING_WRITES_MAX, writeRing } from './write-ring.ts'
import type { WriteRing } from './write-ring.ts'

const PAIRS = 5

class Rest implements BatchWriter {
  conduit: Conduit | undefined
  rests: (string | Uint8Array)[] = []
  constructor(conduit?: Conduit) {
    this.conduit = conduit
  }
  get fd(): number {
    return this.conduit?.fd ?? -1
  }
  writeRest(rest: string | Uint8Array): void {
    this.rests.push(rest)
  }
}

const found = writeRing()
if (found === undefined) {
  it('without io_uring nothing is gathered', () => {
    const batch = new WriteBatch(writeRing())
    batch.open()
    assert.equal(batch.add('a', new Rest()), false)
    batch.close()
  })
} else describe('the writes of one turn', () => {
  const ring: WriteRing = found
  let near: Conduit[] = []
  let far: Socket[] = []
  const server = createServer()

  beforeEach(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    assert.ok(acceptBare(server, (conduit) => void near.push(conduit)))
    for (let i = 0; i < PAIRS; i++) await pair()
  })
  afterEach(async () => {
    for (const end of [...near, ...far]) end.destroy()
    near = []
    far = []
    server.close()
    await once(server, 'close')
  })

  async function pair(): Promise<Conduit> {
    const socket = createConnection((server.address() as AddressInfo).port, '127.0.0.1').pause().on('error', () => {})
    const count = far.push(socket)
    for (let left = 500; left > 0 && near.length < count; left--) await new Promise((resolve) => setTimeout(resolve, 2))
    return near[count - 1] as Conduit
  }

  async function read(socket: Socket, length: number): Promise<string> {
    let text = ''
    socket.setEncoding('latin1')
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      text += chunk as string
      if (text.length >= length) break
    }
    return text
  }

  it('arrive byte for byte, strings and bytes', async () => {
    const batch = new WriteBatch(ring)
    const writers = near.map((conduit) => new Rest(conduit))
    const every = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i))
    const wireOf = (i: number) => i % 2 === 0 ? `${i}${every}` : Buffer.from(`${i}${every}`, 'latin1')
    for (let round = 0; round < 3; round++) {
      batch.open()
      writers.forEach((writer, i) => assert.equal(batch.add(wireOf(i), writer), true))
      batch.close()
    }
    for (const [i, socket] of far.entries()) assert.equal(await read(socket, 771), `${i}${every}`.repeat(3))
    assert.deepEqual(writers.flatMap(({ rests }) => rests), [])
  })

  it('are only gathered between open and close, and not where they are long or there is no ring', () => {
    const writer = new Rest(near[0])
    const batch = new WriteBatch(ring)
    assert.equal(batch.add('a', writer), false)
    batch.open()
    assert.equal(batch.add('a'.repeat(20_000), writer), false)
    batch.close()
    assert.equal(batch.add('a', writer), false)
    const bare = new WriteBatch(undefined)
    bare.open()
    assert.equal(bare.add('a', writer), false)
    bare.close()
    assert.deepEqual(writer.rests, [])
  })

  it('one alone goes back to its writer', () => {
    const writer = new Rest(near[0])
    const batch = new WriteBatch(ring)
    batch.open()
    batch.add('alone', writer)
    assert.deepEqual(writer.rests, [])
    batch.submit()
    assert.deepEqual(writer.rests, ['alone'])
    batch.close()
    assert.deepEqual(writer.rests, ['alone'])
  })

  it('what a full socket does not take goes back, and nothing of it is lost or twice', async () => {
    const batch = new WriteBatch(ring)
    const writers = near.map((conduit) => new Rest(conduit))
    const block = 'x'.repeat(15_999)
    const wires: string[] = []
    while ((writers[1] as Rest).rests.length === 0 && wires.length < 10_000) {
      const wire = `${String(wires.length).padStart(6, '0')}${block}`
      wires.push(wire)
      batch.open()
      for (const i of [0, 1]) if ((writers[i] as Rest).rests.length === 0) batch.add(wire, writers[i] as Rest)
      batch.add('.', writers[2] as Rest)
      batch.close()
    }
    const [rest] = (writers[1] as Rest).rests
    assert.equal(typeof rest, 'string')
    const all = wires.join('')
    const taken = all.slice(0, all.length - (rest as string).length)
    assert.equal(taken + (rest as string), all)
    assert.equal(await read(far[1] as Socket, taken.length), taken)
    assert.deepEqual((writers[2] as Rest).rests, [])
    assert.equal(await read(far[2] as Socket, wires.length), '.'.repeat(wires.length))
  })

  it('one to a socket that is gone goes back, and the others arrive', async () => {
    const batch = new WriteBatch(ring)
    const writers = near.map((conduit) => new Rest(conduit))
    batch.open()
    writers.forEach((writer, i) => batch.add(`to ${i}`, writer))
    near[1]?.destroy()
    batch.close()
    assert.deepEqual(writers.map(({ rests }) => rests), [[], ['to 1'], [], [], []])
    assert.equal(await read(far[4] as Socket, 4), 'to 4')
  })

  it('a descriptor goes with its handle: who has the number next gets nothing of what was gathered or comes later', async () => {
    const batch = new WriteBatch(ring)
    const round = (writers: readonly Rest[], wire: string) => {
      batch.open()
      for (const writer of writers) batch.add(wire, writer)
      batch.close()
    }
    const [gone, given] = near.map((conduit) => new Rest(conduit)) as [Rest, Rest]
    round([gone, given], 'first')
    const numbers = [gone.fd, given.fd]
    assert.ok(numbers.every((number) => number > 2))
    batch.open()
    for (const writer of [gone, given]) batch.add('gathered', writer)
    given.conduit?.takeHandle()?.handle.close()
    gone.conduit?.destroy()
    await new Promise((resolve) => setTimeout(resolve, 20))
    const strangers = [new Rest(await pair()), new Rest(await pair())]
    batch.close()
    // The kernel gives the lowest free number, so the test is about what it says.
    const owners = [...near.map(({ fd }) => fd), ...far.map(descriptorOf)]
    for (const number of numbers) assert.ok(owners.includes(number))
    const all = [gone, given, ...strangers]
    round(all, 'second')
    assert.deepEqual(all.map(({ rests }) => rests), [['gathered', 'second'], ['gathered', 'second'], [], []])
    assert.deepEqual([gone.fd, given.fd], [-1, -1])
    for (const place of [-2, -1]) assert.equal(await read(far.at(place) as Socket, 6), 'second')
  })

  it('a writer that goes on with another socket writes to that', async () => {
    const batch = new WriteBatch(ring)
    const [moved, other] = near.slice(0, 2).map((conduit) => new Rest(conduit)) as [Rest, Rest]
    for (const wire of ['to one', 'to another']) {
      batch.open()
      batch.add(wire, moved)
      batch.add('.', other)
      batch.close()
      moved.conduit = near[2]
    }
    assert.equal(await read(far[0] as Socket, 6), 'to one')
    assert.equal(await read(far[2] as Socket, 10), 'to another')
  })

  it('more than fit go in several calls, in order', async () => {
    const batch = new WriteBatch(ring)
    const writers = near.map((conduit) => new Rest(conduit))
    const wires: string[] = []
    batch.open()
    for (let i = 0; i < 3 * RING_WRITES_MAX + 7; i++) {
      const wire = `${i},${'y'.repeat(i % 5 === 0 ? 9_000 : 10)};`
      batch.add(wire, writers[i % PAIRS] as Rest)
      if (i % PAIRS === 3) wires.push(wire)
    }
    batch.close()
    assert.deepEqual(writers.flatMap(({ rests }) => rests), [])
    assert.equal(await read(far[3] as Socket, wires.join('').length), wires.join(''))
  })

  it('a ring holds so many and no more, and says of each what became of it', () => {
    const fd = near[0]?.fd as number
    assert.equal(ring.add(fd, new Uint8Array(RING_BYTES_MAX + 1)), false)
    for (let i = 0; i < RING_WRITES_MAX; i++) assert.equal(ring.add(i === 1 ? -1 : fd, 'ab'), true)
    assert.equal(ring.add(fd, 'ab'), false)
    assert.equal(ring.submit(), RING_WRITES_MAX)
    assert.deepEqual([ring.resultOf(0), ring.resultOf(1), ring.resultOf(2)], [2, -9, 2])
    assert.equal(ring.add(fd, 'abc'), true)
    assert.equal(ring.submit(), 1)
    assert.equal(ring.resultOf(0), 3)
  })
})

function descriptorOf(socket: Socket): number {
  return new StreamConduit(socket).fd
}
