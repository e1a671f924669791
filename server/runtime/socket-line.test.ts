/** Sockets that leave over a Unix socket and arrive with what belongs to them, or not at all. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connectLine, landSockets, takeHandle } from './index.ts'
import type { PassedSocket, SocketLanding, SocketLine } from './index.ts'

describe('a line for sockets', () => {
  let folder: string
  let path: string
  let server: Server
  let landing: SocketLanding
  let line: SocketLine
  const arrived: { readonly text: string; readonly socket: Socket }[] = []
  const faults: string[] = []
  const clients: Socket[] = []
  const accepted: Socket[] = []
  let hasEnded = false

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'line-'))
    path = join(folder, 'there.sock')
    server = createServer((socket) => void accepted.push(socket))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    land()
    line = await opened()
  })
  after(async () => {
    line.close()
    landing.close()
    for (const socket of [...clients, ...accepted, ...arrived.map((one) => one.socket)]) socket.destroy()
    server.close()
    await rm(folder, { recursive: true })
  })

  function land(): void {
    landing = landSockets({
      path, broken: (why) => void faults.push(why),
      received: (bytes, socket) => void arrived.push({ text: Buffer.from(bytes).toString('latin1'), socket }),
    })
  }

  async function opened(): Promise<SocketLine> {
    hasEnded = false
    const made = connectLine(path, () => { hasEnded = true })
    assert.equal(made.isOpen, false)
    await until(() => made.isOpen)
    return made
  }

  async function until(isSo: () => boolean): Promise<void> {
    for (let i = 0; i < 400 && !isSo(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.ok(isSo())
  }

  /** A client, and what the server has of it. */
  async function guest(): Promise<{ readonly client: Socket; readonly passed: PassedSocket }> {
    const { port } = server.address() as AddressInfo
    const count = accepted.length
    const client = connect(port, '127.0.0.1')
    client.on('error', () => {})
    client.resume()
    clients.push(client)
    await until(() => accepted.length > count)
    const passed = takeHandle(accepted.pop() as Socket)
    assert.ok(passed)
    return { client, passed }
  }

  /** What the client hears when what has arrived speaks, and the other way round. */
  async function talk(client: Socket, socket: Socket): Promise<void> {
    let heard = ''
    client.on('data', (chunk: Buffer) => { heard += chunk.toString() })
    socket.on('data', (chunk: Buffer) => void socket.write(`heard ${chunk.toString()}`))
    client.write('good night')
    await until(() => heard === 'heard good night')
  }

  it('brings sockets and their bytes in order, and leaves nothing of the bytes behind', async () => {
    const guests = [await guest(), await guest(), await guest()]
    const texts = ['romeo', 'j'.repeat(300_000), '']
    for (const [i, { passed }] of guests.entries()) {
      const bytes = Buffer.from(texts[i] as string)
      line.send(bytes, passed)
      assert.ok(bytes.every((byte) => byte === 0))
    }
    await until(() => arrived.length === 3)
    assert.deepEqual(arrived.map(({ text }) => text), texts)
    for (const [i, { client }] of guests.entries()) await talk(client, (arrived[i] as { socket: Socket }).socket)
    assert.deepEqual(faults, [])
  })

  it('brings what the peer had said before, and its end', async () => {
    const { client, passed } = await guest()
    client.end('early')
    await new Promise((resolve) => setTimeout(resolve, 20))
    line.send(Buffer.from('tybalt'), passed)
    await until(() => arrived.length === 4)
    let [heard, isOver] = ['', false]
    arrived[3]?.socket.on('data', (chunk: Buffer) => { heard += chunk.toString() }).on('end', () => { isOver = true })
    await until(() => isOver)
    assert.equal(heard, 'early')
  })

  it('has no room for ever more that nobody takes', async () => {
    const stuck = createServer({ pauseOnConnect: true })
    const stuckPath = join(folder, 'stuck.sock')
    await new Promise<void>((resolve) => stuck.listen(stuckPath, resolve))
    const narrow = connectLine(stuckPath, () => {})
    await until(() => narrow.isOpen)
    const first = await guest()
    let sent = 0
    // Each needs a socket that is there: the one of a client that stays.
    while (narrow.isOpen && sent < 1000) {
      const { passed } = sent === 0 ? first : { passed: { endpoint: first.passed.endpoint, handle: Object.assign(first.passed.handle, { close() {} }) } }
      narrow.send(Buffer.alloc(20_000), passed)
      sent++
    }
    assert.ok(sent > 200 && sent < 1000, `${sent} were taken`)
    narrow.close()
    stuck.close()
    first.client.destroy()
  })

  it('ends rather than give a socket to whom it does not belong', async () => {
    const [one, other] = [await guest(), await guest()]
    line.send(Buffer.from('romeo'), { endpoint: other.passed.endpoint, handle: one.passed.handle })
    await until(() => faults.length === 1)
    assert.match(faults[0] as string, /another frame/)
    await until(() => hasEnded)
    assert.equal(line.isOpen, false)
    assert.equal(arrived.length, 4)
    // What is sent now is lost, and closed.
    line.send(Buffer.from('juliet'), other.passed)
    await until(() => other.client.closed)
    line = await opened()
  })

  it('ends when a frame has lost its socket', async () => {
    const stranger = connect(path)
    stranger.on('error', () => {})
    const count = faults.length
    stranger.write(Uint8Array.of(0, 0, 0, 3, 0, 1, 2))
    await until(() => faults.length > count)
    assert.match(faults.at(-1) as string, /too many open files/)
    stranger.destroy()
    assert.equal(line.isOpen, true)
  })

  it('ends when a frame is too long', async () => {
    const { client, passed } = await guest()
    const count = faults.length
    line.send(Buffer.alloc(2 ** 22), passed)
    await until(() => faults.length > count)
    assert.match(faults.at(-1) as string, /too long/)
    await until(() => client.closed)
    await until(() => hasEnded)
    line = await opened()
  })

  it('ends with its landing, and where nobody listens', async () => {
    landing.close()
    await until(() => hasEnded)
    assert.equal(line.isOpen, false)
    let isRefused = false
    const none = connectLine(path, () => { isRefused = true })
    await until(() => isRefused)
    assert.equal(none.isOpen, false)
    land()
    line = await opened()
  })
})
