/** Direct reads: what arrives, pauses and the end, and the way back. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { readAsStream, readDirectly } from './direct-read.ts'

const server = createServer()

async function pair(): Promise<readonly [client: Socket, accepted: Socket]> {
  const accepting = once(server, 'connection')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [accepted] = await accepting as [Socket]
  return [client, accepted]
}

const textOf = (bytes: Uint8Array, byteCount: number): string => Buffer.from(bytes.subarray(0, byteCount)).toString('latin1')
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

async function until(isSo: () => boolean): Promise<void> {
  for (let left = 250; left > 0 && !isSo(); left--) await turn()
  assert.ok(isSo())
}

/** Gathers what a socket reads. */
function gather(socket: Socket): { text: string; readonly buffers: Set<Uint8Array> } {
  const got = { text: '', buffers: new Set<Uint8Array>() }
  const isDone = readDirectly(socket, (byteCount, bytes) => {
    got.buffers.add(bytes)
    got.text += textOf(bytes, byteCount)
    return true
  })
  assert.ok(isDone, 'this Node has the places')
  return got
}

describe('reading into one buffer', () => {
  const open: Socket[] = []
  beforeEach(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    server.on('connection', (socket) => open.push(socket))
  })
  afterEach(async () => {
    for (const socket of open.splice(0)) socket.destroy()
    server.removeAllListeners('connection')
    server.close()
    await once(server, 'close')
  })

  it('gives each socket what its peer sent, all through the same buffer', async () => {
    const [[juliet, one], [romeo, other]] = [await pair(), await pair()]
    const [first, second] = [gather(one), gather(other)]
    juliet.write('wherefore ')
    romeo.write('but soft ')
    await until(() => first.text !== '' && second.text !== '')
    juliet.end('art thou')
    romeo.end('what light')
    await Promise.all([once(one, 'end'), once(other, 'end')])
    assert.deepEqual([first.text, second.text], ['wherefore art thou', 'but soft what light'])
    assert.equal(new Set([...first.buffers, ...second.buffers]).size, 1)
  })

  it('reads what is longer than the buffer, and nothing while paused', async () => {
    const [juliet, accepted] = await pair()
    const got = gather(accepted)
    accepted.pause()
    const long = 'O'.repeat(300_000)
    juliet.end(long)
    await turn()
    assert.equal(got.text, '')
    accepted.resume()
    await once(accepted, 'end')
    assert.equal(got.text, long)
  })

  it('can be undone: from then on the stream has copies of its own', async () => {
    const [juliet, accepted] = await pair()
    const got = gather(accepted)
    juliet.write('one')
    await until(() => got.text === 'one')
    readAsStream(accepted)
    const chunks: Buffer[] = []
    accepted.on('data', (chunk: Buffer) => chunks.push(chunk))
    juliet.write('two')
    await until(() => chunks.length === 1)
    juliet.end('six')
    await once(accepted, 'end')
    assert.equal(Buffer.concat(chunks).toString(), 'twosix')
    assert.equal(got.text, 'one')
  })

  it('can begin late and again: what waits in the stream comes as data, the rest directly', async () => {
    const [juliet, accepted] = await pair()
    accepted.pause()
    juliet.write('one ')
    await until(() => accepted.readableLength === 4)
    const got = gather(accepted)
    accepted.on('data', (chunk: Buffer) => { got.text += chunk.toString() })
    accepted.resume()
    await until(() => got.text === 'one ')
    juliet.write('two ')
    await until(() => got.text === 'one two ')
    readAsStream(accepted)
    const rest = gather(accepted)
    juliet.end('three')
    await once(accepted, 'end')
    assert.deepEqual([got.text, rest.text], ['one two ', 'three'])
  })

  it('is impossible for a socket without a handle', async () => {
    const [juliet, accepted] = await pair()
    accepted.destroy()
    await once(accepted, 'close')
    assert.equal(readDirectly(accepted, () => true), false)
    juliet.destroy()
  })
})
