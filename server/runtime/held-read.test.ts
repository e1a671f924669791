/** Sockets that are not read yet: what their peers send, what that takes, and what is known of those who go. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { after, before, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { readDirectly } from './direct-read.ts'
import { holdRead, hungUp, knowsHungUp, releaseRead } from './held-read.ts'

const held: Socket[] = []
const clients: Socket[] = []
let server: Server

before(async () => {
  server = createServer((socket) => {
    holdRead(socket)
    socket.on('error', () => {})
    held.push(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
after(() => {
  for (const socket of [...held, ...clients]) socket.destroy()
  server.close()
})

/** As many as are asked for, in the order in which they came. */
async function pairs(count: number): Promise<{ readonly client: Socket; readonly accepted: Socket }[]> {
  const made: { client: Socket; accepted: Socket }[] = []
  for (let at = 0; at < count; at++) {
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {})
    clients.push(client)
    await Promise.all([once(client, 'connect'), once(server, 'connection')])
    made.push({ client, accepted: held.at(-1) as Socket })
  }
  return made
}

async function until(isSo: () => boolean): Promise<void> {
  for (let left = 250; left > 0 && !isSo(); left--) await pause(20)
  assert.ok(isSo())
}

it('leaves in the kernel what peers send, and reads it all once it is released', async () => {
  const [directly, asStream] = await pairs(2) as [Awaited<ReturnType<typeof pairs>>[0], Awaited<ReturnType<typeof pairs>>[0]]
  const text = Array.from({ length: 12_000 }, (_, at) => `m${at} `).join('')
  for (const { client } of [directly, asStream]) client.end(text)
  await pause(100)
  assert.deepEqual([directly, asStream].map(({ accepted }) => [accepted.bytesRead, accepted.readableLength]), [[0, 0], [0, 0]])
  const got = ['', '']
  assert.ok(readDirectly(directly.accepted, (byteCount, bytes) => {
    got[0] += Buffer.from(bytes.subarray(0, byteCount)).toString()
    return true
  }))
  asStream.accepted.on('data', (chunk: Buffer) => void (got[1] += chunk.toString()))
  for (const { accepted } of [directly, asStream]) releaseRead(accepted)
  await Promise.all([directly, asStream].map(({ accepted }) => once(accepted, 'close')))
  assert.deepEqual(got, [text, text])
})

if (!knowsHungUp()) it('without foreign functions nobody is said to be gone', async () => {
  const [one] = await pairs(1)
  one?.client.destroy()
  await pause(50)
  assert.deepEqual(hungUp(held), [])
})
else it('of those whose peer ended or broke the connection it knows, whether they have sent something or not', async () => {
  const all = await pairs(5)
  const sockets = all.map(({ accepted }) => accepted)
  assert.deepEqual([hungUp([]), hungUp(sockets)], [[], []])
  all[1]?.client.end()
  all[2]?.client.resetAndDestroy()
  all[3]?.client.end('ay me')
  all[4]?.client.write('ay me')
  await until(() => hungUp(sockets).length === 3)
  assert.deepEqual(hungUp(sockets), [1, 2, 3])
  sockets[2]?.destroy()
  // One that is closed here has no descriptor to ask for.
  assert.deepEqual(hungUp(sockets), [1, 3])
})
