/** Sockets that leave over a Unix socket and arrive with what belongs to them, or not at all. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { acceptBare } from './bare-conduit.ts'
import { connectLine, landSockets } from './index.ts'
import type { Conduit, ConduitOwner, PassedSocket, SocketLanding, SocketLine } from './index.ts'

/** What the client says to where its socket has arrived. */
class Said implements ConduitOwner {
  text = ''
  isOver = false
  onBytes(chunk: Uint8Array): void {
    this.text += Buffer.from(chunk).toString('latin1')
  }
  onEnd(): void {
    this.isOver = true
  }
  onDrained(): void {}
  onGone(): void {}
}

interface Arrived {
  readonly text: string
  readonly conduit: Conduit
  readonly said: Said
}

describe('a line for sockets', () => {
  let folder: string
  let path: string
  let server: Server
  let landing: SocketLanding
  let line: SocketLine
  const arrived: Arrived[] = []
  const faults: string[] = []
  const clients: Socket[] = []
  const accepted: Conduit[] = []
  let hasEnded = false

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'line-'))
    path = join(folder, 'there.sock')
    server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    assert.ok(acceptBare(server, (conduit) => void accepted.push(conduit)))
    land()
    line = await opened()
  })
  after(async () => {
    line.close()
    landing.close()
    for (const end of [...clients, ...accepted, ...arrived.map(({ conduit }) => conduit)]) end.destroy()
    server.close()
    await rm(folder, { recursive: true })
  })

  function land(): void {
    landing = landSockets({
      path, broken: (why) => void faults.push(why),
      received: (bytes, conduit) => {
        const said = new Said()
        arrived.push({ text: Buffer.from(bytes).toString('latin1'), conduit, said })
        conduit.start(said)
      },
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
    const passed = accepted.pop()?.takeHandle()
    assert.ok(passed)
    return { client, passed }
  }

  /** What the client hears when what has arrived speaks, and the other way round. */
  async function talk(client: Socket, { conduit, said }: Arrived): Promise<void> {
    let heard = ''
    client.on('data', (chunk: Buffer) => { heard += chunk.toString() })
    client.write('good night')
    await until(() => said.text === 'good night')
    conduit.write('good morning')
    await until(() => heard === 'good morning')
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
    for (const [i, { client }] of guests.entries()) await talk(client, arrived[i] as Arrived)
    assert.deepEqual(faults, [])
  })

  it('brings what the peer had said before, and its end', async () => {
    const { client, passed } = await guest()
    client.end('early')
    await new Promise((resolve) => setTimeout(resolve, 20))
    line.send(Buffer.from('tybalt'), passed)
    await until(() => arrived.length === 4)
    const { said } = arrived[3] as Arrived
    await until(() => said.isOver)
    assert.equal(said.text, 'early')
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
