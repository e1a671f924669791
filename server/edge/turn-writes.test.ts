/**
 * What one turn writes to many connections, over real sockets: with the kernel's ring where this Node and this kernel have it, and
 * in another process without (`--no-experimental-ffi`).
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { writeRing } from '../runtime/write-ring.ts'
import { clearText, configOf, dial, dialTls, logIn, startRig, within } from './testing/edge-harness.ts'
import type { RawClient, Rig } from './testing/edge-harness.ts'

const WITHOUT = '--no-experimental-ffi'
const mayBeWithout = process.allowedNodeEnvironmentFlags.has('--experimental-ffi')
const isWithout = process.execArgv.includes(WITHOUT)

interface Party {
  readonly rig: Rig
  readonly clients: readonly RawClient[]
  /** To that client, in this turn. */
  deliver(at: number, wire: string): void
}

/** Bound clients, every fourth over TLS. */
async function withParty(count: number, body: (party: Party) => Promise<void>): Promise<void> {
  const rig = await startRig(configOf(['client', 'client-tls'], { ...clearText, limits: { outputBytesMax: 64 * 1024 * 1024 } }))
  const clients: RawClient[] = []
  try {
    for (let at = 0; at < count; at++) {
      const client = at % 4 === 3 ? await dialTls(rig.port('client-tls')) : await dial(rig.port('client'))
      clients.push(client)
      await logIn(client, `guest${at}`)
    }
    const conns = (await rig.core.waitFor('bind', count)).map(({ conn }) => conn)
    await body({ rig, clients, deliver: (at, wire) => rig.send({ kind: 'deliver', conn: conns[at] as number, wire }) })
  } finally {
    for (const client of clients) client.destroy()
    await rig.stop()
  }
}

/** What is delivered in a turn is written at its end, and so before this resolves. */
const turn = () => new Promise<void>((resolve) => void setImmediate(() => setImmediate(resolve)))
const message = (at: number, round: number) => `<message id='${at}-${round}'><body>${'ay me '.repeat(round % 7)}</body></message>`

async function got(client: RawClient, length: number): Promise<string> {
  await within((async () => {
    while (client.text.length < length) await pause(2)
  })(), `${length} characters, not ${client.text.length}`)
  return client.text
}

/** What was delivered to one client in so many rounds. */
const all = (at: number, rounds: number) => Array.from({ length: rounds }, (_, round) => message(at, round)).join('')

test('everybody gets what is theirs, once and in order', () => withParty(12, async ({ clients, deliver }) => {
  for (let round = 0; round < 40; round++) {
    for (const at of clients.keys()) deliver(at, message(at, round))
    await turn()
  }
  for (const [at, client] of clients.entries()) assert.equal(await got(client, all(at, 40).length), all(at, 40))
}))

test('who does not read for a while loses nothing, and nobody else waits for them', () => withParty(6, async ({ clients, deliver, rig }) => {
  const [slow] = clients as [RawClient]
  const long = `<message><body>${'x'.repeat(15_000)}</body></message>`
  // More than kernels keep for a connection.
  const longs = 1000
  slow.socket.pause()
  for (let round = 0; round < longs; round++) {
    deliver(0, long)
    for (let at = 1; at < clients.length; at++) deliver(at, message(at, round))
    await turn()
  }
  for (let at = 1; at < clients.length; at++) assert.equal(await got(clients[at] as RawClient, all(at, longs).length), all(at, longs))
  rig.clock.advance(rig.config.timeouts.sweepMs)
  assert.ok(rig.edge.queuedBytes > 0, 'some of it waits')
  slow.socket.resume()
  assert.ok(await got(slow, longs * long.length) === long.repeat(longs))
}))

test('who is gone takes nothing from the others', () => withParty(8, async ({ clients, deliver, rig }) => {
  for (let round = 0; round < 40; round++) {
    if (round === 10) (clients[1] as RawClient).destroy()
    if (round === 20) for (const at of [2, 5]) (clients[at] as RawClient).socket.resetAndDestroy()
    for (const at of clients.keys()) deliver(at, message(at, round))
    await turn()
  }
  for (const at of [0, 3, 4, 6, 7]) assert.equal(await got(clients[at] as RawClient, all(at, 40).length), all(at, 40))
  assert.equal((await rig.core.waitFor('client-closed', 3)).length, 3)
}))

if (isWithout) test('there is no ring', () => assert.equal(writeRing(), undefined))
else if (mayBeWithout) {
  test('all of it without a ring', () => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const args = [WITHOUT, '--test-reporter=tap', import.meta.filename]
    assert.match(execFileSync(process.execPath, args, { encoding: 'utf8', env, timeout: 60_000 }), /^# pass 4$/m)
  })
}
