/** Connections that are not read: what is known of those whose peers go. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { after, before, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Conduit } from './conduit.ts'
import { hungUp, knowsHungUp } from './hung-up.ts'
import { StreamConduit } from './stream-conduit.ts'

const held: Conduit[] = []
const clients: Socket[] = []
let server: Server

before(async () => {
  server = createServer((socket) => {
    const conduit = new StreamConduit(socket)
    conduit.hold()
    held.push(conduit)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
after(() => {
  for (const end of [...held, ...clients]) end.destroy()
  server.close()
})

/** As many as are asked for, in the order in which they came. */
async function pairs(count: number): Promise<{ readonly client: Socket; readonly accepted: Conduit }[]> {
  const made: { client: Socket; accepted: Conduit }[] = []
  for (let at = 0; at < count; at++) {
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {})
    clients.push(client)
    await Promise.all([once(client, 'connect'), once(server, 'connection')])
    made.push({ client, accepted: held.at(-1) as Conduit })
  }
  return made
}

async function until(isSo: () => boolean): Promise<void> {
  for (let left = 250; left > 0 && !isSo(); left--) await pause(20)
  assert.ok(isSo())
}

if (!knowsHungUp()) it('without foreign functions nobody is said to be gone', async () => {
  const [one] = await pairs(1)
  one?.client.destroy()
  await pause(50)
  assert.deepEqual(hungUp(held), [])
})
else it('of those whose peer ended or broke the connection it knows, whether they have sent something or not', async () => {
  const all = await pairs(5)
  const conduits = all.map(({ accepted }) => accepted)
  assert.deepEqual([hungUp([]), hungUp(conduits)], [[], []])
  all[1]?.client.end()
  all[2]?.client.resetAndDestroy()
  all[3]?.client.end('ay me')
  all[4]?.client.write('ay me')
  await until(() => hungUp(conduits).length === 3)
  assert.deepEqual(hungUp(conduits), [1, 2, 3])
  conduits[2]?.destroy()
  // One that is closed here has no descriptor to ask for.
  assert.deepEqual(hungUp(conduits), [1, 3])
})
