/** Conduits of both kinds against real connections: what arrives in either direction, in which order, and how they end. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { acceptBare, bareConduit } from './bare-conduit.ts'
import type { Conduit, ConduitOwner } from './conduit.ts'
import { conduitOn, StreamConduit } from './stream-conduit.ts'

/** More than the kernel takes for a peer that does not read. */
const MUCH = 'x'.repeat(16_000_000)

class Owner implements ConduitOwner {
  text = ''
  /** Everything but bytes. */
  readonly events: string[] = []
  /** Done with what is read. */
  afterRead: () => void = () => {}

  onBytes(chunk: Uint8Array): void {
    this.text += Buffer.from(chunk).toString('latin1')
    this.afterRead()
  }

  onEnd(): void {
    this.events.push('end')
  }

  onDrained(): void {
    this.events.push('drained')
  }

  onGone(): void {
    this.events.push('gone')
  }
}

async function until(isSo: () => boolean): Promise<void> {
  for (let left = 500; left > 0 && !isSo(); left--) await pause(10)
  assert.ok(isSo())
}

/** As much as is asked for, or all that there is. */
async function read(socket: Socket, length = Infinity): Promise<string> {
  const chunks: Buffer[] = []
  let count = 0
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    count += chunk.length
    if (count >= length) break
  }
  return Buffer.concat(chunks).toString('latin1')
}

for (const kind of ['bare', 'stream'] as const) describe(`a conduit, ${kind}`, () => {
  let server: Server
  const peers: Socket[] = []
  const conduits: Conduit[] = []
  const sockets: Socket[] = []

  before(async () => {
    server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    if (kind === 'bare') assert.ok(acceptBare(server, (conduit) => void conduits.push(conduit)), 'this Node has the places')
    server.on('connection', (socket) => {
      sockets.push(socket)
      conduits.push(new StreamConduit(socket))
    })
  })
  after(() => {
    for (const conduit of conduits) conduit.destroy()
    for (const peer of peers) peer.destroy()
    server.close()
  })

  /** A peer that does not read, and what was accepted. */
  async function accept(): Promise<{ readonly peer: Socket; readonly conduit: Conduit }> {
    const count = conduits.length
    const peer = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {}).pause()
    peers.push(peer)
    await until(() => conduits.length > count)
    return { peer, conduit: conduits[count] as Conduit }
  }

  async function start(): Promise<{ readonly peer: Socket; readonly conduit: Conduit; readonly owner: Owner }> {
    const { peer, conduit } = await accept()
    const owner = new Owner()
    conduit.start(owner)
    return { peer, conduit, owner }
  }

  it('knows its peer and its descriptor, until it is closed', async () => {
    const { conduit } = await start()
    assert.equal(conduit.remoteAddress, '127.0.0.1')
    assert.ok(conduit.fd > 2)
    conduit.destroy()
    assert.equal(conduit.fd, -1)
  })

  it('reads all, the end behind it, and then ends too', async () => {
    const { peer, conduit, owner } = await start()
    const text = Array.from({ length: 60_000 }, (_, at) => `m${at} `).join('')
    peer.end(text, 'latin1')
    await until(() => owner.events.length === 2)
    assert.deepEqual(owner.events, ['end', 'gone'])
    assert.equal(owner.text, text)
    assert.equal(conduit.fd, -1)
    assert.equal(await read(peer), '')
  })

  it('reads nothing while it is paused, and loses nothing', async () => {
    const { peer, conduit, owner } = await start()
    let reads = 0
    owner.afterRead = () => {
      conduit.pause()
      reads++
    }
    const text = Array.from({ length: 100_000 }, (_, at) => `m${at} `).join('')
    peer.end(text, 'latin1')
    await until(() => reads === 1)
    const first = owner.text
    await pause(30)
    assert.equal(owner.text, first)
    for (let left = 1_000; left > 0 && !owner.events.includes('end'); left--) {
      conduit.resume()
      await pause(1)
    }
    assert.equal(owner.text, text)
    assert.ok(reads > 1)
    await until(() => owner.events.includes('gone'))
  })

  it('writes strings and bytes, byte for byte and in order', async () => {
    const { peer, conduit } = await start()
    const every = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i))
    assert.equal(conduit.write(every), true)
    assert.equal(conduit.write(Buffer.from(every, 'latin1')), true)
    assert.equal(conduit.waitingBytes, 0)
    conduit.end()
    assert.equal(await read(peer), every + every)
  })

  it('keeps what the kernel does not take, strings among bytes, and says when all is gone', async () => {
    const { peer, conduit, owner } = await start()
    assert.equal(conduit.write(`a${MUCH}`), false)
    for (const wire of ['bc', Buffer.from('d'), Buffer.from('ef'), `g${MUCH}`, 'h', Buffer.from('i')]) conduit.write(wire)
    assert.ok(conduit.waitingBytes > MUCH.length && conduit.waitingBytes <= 2 * MUCH.length + 9)
    const before = conduit.waitingBytes
    await pause(30)
    assert.deepEqual([conduit.waitingBytes, owner.events], [before, []])
    const text = await read(peer, 2 * MUCH.length + 9)
    assert.equal(text.replaceAll('x', ''), 'abcdefghi')
    await until(() => conduit.waitingBytes === 0 && owner.events.length > 0)
    assert.deepEqual(owner.events, ['drained'])
    // And from the beginning again.
    assert.equal(conduit.write('k'), true)
    assert.equal(await read(peer, 1), 'k')
  })

  it('ends behind what waits, reads on until the peer ends, and is gone then', async () => {
    const { peer, conduit, owner } = await start()
    conduit.write(`a${MUCH}`)
    conduit.write('b')
    conduit.end()
    conduit.end()
    conduit.write('late')
    peer.write('still there')
    await until(() => owner.text === 'still there')
    assert.equal((await read(peer)).replaceAll('x', ''), 'ab')
    assert.deepEqual(owner.events.filter((event) => event !== 'drained'), [])
    peer.end()
    await until(() => owner.events.includes('gone'))
    assert.deepEqual(owner.events.filter((event) => event !== 'drained'), ['end', 'gone'])
  })

  it('writes what waits to a peer that has ended, and says of the end once', async () => {
    const { peer, conduit, owner } = await start()
    conduit.write(`a${MUCH}`)
    conduit.write('b')
    peer.end()
    await until(() => owner.events.length > 0)
    conduit.resume()
    await pause(30)
    conduit.resume()
    await pause(30)
    assert.deepEqual(owner.events, ['end'])
    assert.equal((await read(peer)).replaceAll('x', ''), 'ab')
    await until(() => owner.events.includes('gone'))
    assert.deepEqual(owner.events.filter((event) => event !== 'drained'), ['end', 'gone'])
  })

  it('is gone once when the peer resets, whatever waits', async () => {
    const { peer, conduit, owner } = await start()
    conduit.write(MUCH)
    conduit.write('more')
    peer.resetAndDestroy()
    await until(() => owner.events.length > 0)
    await pause(30)
    assert.deepEqual(owner.events, ['gone'])
    conduit.write('late')
    conduit.end()
    conduit.destroy()
    await pause(30)
    assert.deepEqual(owner.events, ['gone'])
  })

  it('is gone once, in a later turn, when it writes to a peer that is gone', async () => {
    const { peer, conduit, owner } = await start()
    conduit.pause()
    const closed = once(peer, 'close')
    peer.resetAndDestroy()
    await closed
    assert.equal(conduit.write('x'), true)
    conduit.write('y')
    // A stream that is paused reads ahead, and knows already.
    if (kind === 'bare') assert.deepEqual(owner.events, [])
    await until(() => owner.events.length > 0)
    await pause(30)
    assert.deepEqual(owner.events, ['gone'])
  })

  it('says nothing to whoever destroys it before hearing that it is gone', async () => {
    const { peer, conduit, owner } = await start()
    conduit.pause()
    const closed = once(peer, 'close')
    peer.resetAndDestroy()
    await closed
    owner.events.length = 0
    conduit.write('x')
    conduit.destroy()
    await pause(30)
    assert.deepEqual(owner.events, [])
  })

  it('may be destroyed by what is read, and calls nobody afterwards', async () => {
    const { peer, conduit, owner } = await start()
    owner.afterRead = () => {
      conduit.write(MUCH)
      conduit.destroy()
      conduit.resume()
    }
    peer.end('one')
    await once(peer.resume(), 'close')
    await pause(30)
    assert.deepEqual([owner.text, owner.events], ['one', []])
    assert.equal(conduit.takeHandle(), undefined)
  })

  it('leaves what is sent in the kernel while it is held', async () => {
    const count = conduits.length
    const peer = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {})
    peers.push(peer)
    let held: Conduit | undefined
    const hold = () => {
      held = conduits[count]
      held?.hold()
    }
    // In the turn in which it is accepted.
    Object.defineProperty(conduits, 'push', { configurable: true, value: (one: Conduit) => { Array.prototype.push.call(conduits, one); hold() } })
    await until(() => held !== undefined)
    Reflect.deleteProperty(conduits, 'push')
    const text = 'O'.repeat(300_000)
    peer.end(text)
    await pause(50)
    assert.deepEqual(sockets.slice(-1).map(({ bytesRead }) => bytesRead), kind === 'bare' ? [] : [0])
    const owner = new Owner()
    held?.start(owner)
    assert.equal(owner.text, '')
    await until(() => owner.events.includes('gone'))
    assert.equal(owner.text, text)
  })

  it('becomes a socket with all that was read and written before, and with what has come meanwhile', async () => {
    const { peer, conduit, owner } = await start()
    peer.write('one')
    await until(() => owner.text === 'one')
    conduit.write(`a${MUCH}`)
    conduit.write('b')
    conduit.write(Buffer.from('c'))
    conduit.pause()
    peer.write('two')
    await pause(30)
    const socket = conduit.toSocket().on('error', () => {})
    socket.write('d'.repeat(10))
    let heard = ''
    socket.on('data', (chunk: Buffer) => { heard += chunk.toString() }).resume()
    peer.write('three')
    await until(() => heard === 'twothree')
    socket.end()
    assert.equal((await read(peer)).replaceAll('x', ''), `abc${'d'.repeat(10)}`)
    await once(socket, 'close')
    assert.deepEqual([heard, owner.text, owner.events], ['twothree', 'one', []])
    if (kind === 'bare') assert.equal(conduit.fd, -1)
  })

  it('becomes a socket whose chunks are its own', async () => {
    const { peer, conduit } = await start()
    const socket = conduit.toSocket()
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => void chunks.push(chunk)).resume()
    for (const word of ['one', 'two']) {
      const count = chunks.length
      peer.write(word)
      await until(() => chunks.length > count)
    }
    assert.equal(Buffer.concat(chunks).toString(), 'onetwo')
    socket.destroy()
  })

  it('gives its handle away when nothing is under way, and all that is sent later goes with it', async () => {
    const { peer, conduit, owner } = await start()
    conduit.write(MUCH)
    assert.equal(conduit.takeHandle(), undefined)
    await read(peer, MUCH.length)
    await until(() => conduit.waitingBytes === 0)
    const passed = conduit.takeHandle()
    assert.ok(passed)
    assert.equal(passed.endpoint, `127.0.0.1 ${peer.localPort} ${(server.address() as AddressInfo).port}`)
    assert.equal(conduit.takeHandle(), undefined)
    peer.write('juliet')
    await pause(30)
    const next = conduitOn(passed.handle)
    const other = new Owner()
    next.start(other)
    next.write('romeo')
    assert.equal(await read(peer, 5), 'romeo')
    await until(() => other.text === 'juliet')
    assert.equal(owner.text, '')
    next.destroy()
  })

  it('is nothing without its handle: a socket that is closed, and no descriptor', async () => {
    const { conduit } = await start()
    conduit.destroy()
    const socket = conduit.toSocket()
    assert.ok(socket.destroyed)
    const other = await accept()
    other.conduit.destroy()
    other.conduit.start(new Owner())
    assert.equal(other.conduit.fd, -1)
  })
})

it('there is no bare conduit on what is no such handle, and no server that does not listen accepts any', () => {
  assert.equal(bareConduit({ close: () => {} }), undefined)
  assert.equal(acceptBare(createServer(), () => {}), false)
})
