/** What peers see of an edge that is overloaded, over real sockets. */
import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { FakeLoad, recordingLog } from '@rollcall/testing'
import { WebSocket } from 'ws'
import { realClock } from '../runtime/clock.ts'
import { knowsHungUp } from '../runtime/hung-up.ts'
import { FairShare, shareOf } from './fair-share.ts'
import { BIND, clearText, configOf, dial, dialTls, FlushingClock, HOST, juliet, logIn, OPEN, plainAuth, startRig, within } from './testing/edge-harness.ts'
import type { Rig } from './testing/edge-harness.ts'

async function withRig(body: (rig: Rig, load: FakeLoad) => Promise<void>): Promise<void> {
  const load = new FakeLoad()
  const rig = await startRig(configOf(['client', 'client-tls', 'http'], { ...clearText, admission: { queueMax: 2, waitMs: 5_000, perSecond: 20 } }), { load })
  try {
    await body(rig, load)
  } finally {
    await rig.stop()
  }
}

const waiting = (rig: Rig) => rig.metrics.value('rollcall_edge_admission_waiting') ?? 0
const accepts = (rig: Rig, result: string) => rig.metrics.value('rollcall_edge_accepts_total', { result }) ?? 0

/** Connections pass the kernel before they count. */
async function untilWaiting(rig: Rig, count: number): Promise<void> {
  for (let looks = 0; waiting(rig) !== count; looks++) {
    assert.ok(looks < 600, `${count} waiting connections, not ${waiting(rig)}`)
    await pause(5)
  }
}

test('while new work is refused, a new stream gets resource-constraint (RFC 6120 §4.9.3.17), and who is there is served', () => withRig(async (rig, load) => {
  const client = await juliet(rig)
  load.level = 'refuse'
  const late = await dial(rig.port('client'))
  const end = await late.closed()
  assert.match(end, /<stream:error><resource-constraint [^>]*\/><text [^>]*>overloaded, try again/)
  assert.match(end, /<\/stream:error><\/stream:stream>$/)
  assert.equal(accepts(rig, 'overload'), 1)
  client.send("<message to='romeo@verona.example' id='m1'><body>Ay me</body></message>")
  const [sent] = await rig.core.waitFor('client-stanza')
  assert.equal(sent?.stanza.id, 'm1')
}))

test('while new work is refused, HTTP answers 503 with Retry-After on new connections', () => withRig(async (rig, load) => {
  load.level = 'refuse'
  const response = await within(fetch(`http://127.0.0.1:${rig.port('http')}/http-bind`, { method: 'POST', body: '' }), 'an answer')
  assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '30'])
}))

test('and on connections that were let in before: neither BOSH sessions nor WebSockets are made', () => withRig(async (rig, load) => {
  const upgrade = `GET /ws HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n`
    + 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n'
  const body = `<body rid='1000' to='${HOST}' wait='60' hold='1' ver='1.6' xmlns='http://jabber.org/protocol/httpbind'/>`
  const create = `POST /http-bind HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  const page = `GET /no-such-page HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`
  for (const request of [upgrade, create]) {
    load.level = 'normal'
    const client = await dial(rig.port('http'))
    client.send(page)
    await client.read(/Not found\n/)
    load.level = 'refuse'
    client.send(request)
    assert.match(await client.read(/Retry-After: 30\r\n/), /^HTTP\/1.1 503/)
    client.destroy()
  }
  assert.equal(accepts(rig, 'overload'), 2)
}))

test('in brown-out new connections wait unread, are let in in order, and log in with what they sent meanwhile', () => withRig(async (rig, load) => {
  load.level = 'brown-out'
  const client = await dial(rig.port('client'))
  client.send(OPEN)
  await untilWaiting(rig, 1)
  await pause(50)
  assert.equal(client.text, '')
  rig.clock.advance(50)
  await client.read(/<\/stream:features>/)
  assert.equal(waiting(rig), 0)
  // What it sends then is read as well.
  client.send(plainAuth())
  await client.read(/<success[^>]*>/)
  load.level = 'normal'
  const other = await dial(rig.port('client'))
  await logIn(other, 'romeo')
}))

test('a connection with TLS from the first byte may wait too', () => withRig(async (rig, load) => {
  load.level = 'brown-out'
  const dialling = dialTls(rig.port('client-tls'))
  await untilWaiting(rig, 1)
  rig.clock.advance(50)
  const client = await dialling
  client.send(OPEN)
  await client.read(/<\/stream:features>/)
  client.destroy()
}))

test('the queue is bounded, and whoever waits too long is refused', () => withRig(async (rig, load) => {
  load.level = 'brown-out'
  const first = await dial(rig.port('client'))
  await untilWaiting(rig, 1)
  const gone = await dial(rig.port('client'))
  await untilWaiting(rig, 2)
  const third = await dial(rig.port('client'))
  assert.match(await third.closed(), /<resource-constraint /)
  assert.equal(accepts(rig, 'queue-full'), 1)
  load.level = 'refuse'
  gone.socket.resetAndDestroy()
  await pause(50)
  rig.clock.advance(50)
  assert.equal(waiting(rig), knowsHungUp() ? 1 : 2)
  rig.clock.advance(5_000)
  assert.match(await first.closed(), /<resource-constraint /)
  assert.equal(accepts(rig, 'queue-expired'), knowsHungUp() ? 1 : 2)
  assert.equal(waiting(rig), 0)
}))

/** A login and messages, all in one go, of about so many bytes. */
function chatter(name: string, byteCount: number): { readonly ids: readonly string[]; readonly wire: string } {
  const message = (id: string) => `<message to='romeo@${HOST}' id='${id}'><body>${'ay me '.repeat(150)}</body></message>`
  const ids = Array.from({ length: Math.floor(byteCount / message(name).length) }, (_, at) => `${name}-${at}`)
  return { ids, wire: OPEN + plainAuth(name) + OPEN + BIND + ids.map(message).join('') }
}

test('a queue of clients that send 64 KiB each takes no memory for it; in their turn all of it is handled, in order', async () => {
  const load = new FakeLoad()
  const limits = { preAuthBytesMax: 1_000_000 }
  const rig = await startRig(configOf(['client'], { ...clearText, limits, admission: { queueMax: 60, waitMs: 60_000, perSecond: 100 } }), { load })
  load.level = 'brown-out'
  const clients = await Promise.all(Array.from({ length: 60 }, () => dial(rig.port('client'))))
  await untilWaiting(rig, 60)
  const bytesBefore = process.memoryUsage().arrayBuffers
  const said = clients.map((client, at) => {
    const { ids, wire } = chatter(`guest${at}`, 64_000)
    // A string, which the client's socket needs no buffers for.
    client.socket.write(wire, 'latin1')
    return ids
  })
  await pause(200)
  assert.ok(process.memoryUsage().arrayBuffers - bytesBefore < 1_000_000, 'of 3,840,000')
  // Where that cannot be known, they have their turn as well.
  const goneCount = knowsHungUp() ? 10 : 0
  for (const client of clients.slice(0, goneCount)) client.destroy()
  await pause(50)
  // At 100 a second: ten would take a tenth of a second more, were they not gone.
  rig.clock.advance(10 * (60 - goneCount))
  assert.equal(waiting(rig), 0)
  assert.equal(accepts(rig, 'accepted'), 60 - goneCount)
  const expected = said.slice(goneCount)
  await rig.core.waitFor('client-stanza', expected.flat().length)
  const handled = Map.groupBy(ids(rig), (id) => id?.replace(/-.*/, ''))
  for (const [at, sent] of expected.entries()) assert.deepEqual(handled.get(`guest${at + goneCount}`), sent)
  for (const client of clients) client.destroy()
  await rig.stop()
})

test('connections that wait are refused when the server stops', async () => {
  const load = new FakeLoad()
  const rig = await startRig(configOf(['client'], clearText), { load })
  load.level = 'brown-out'
  const client = await dial(rig.port('client'))
  await untilWaiting(rig, 1)
  await rig.edge.drain()
  assert.match(await client.closed(), /<resource-constraint /)
  await rig.stop()
})

test('slow readers together are bounded: the slowest is cut off, the others stay', async () => {
  const rig = await startRig(configOf(['client'], { ...clearText, limits: { outputAllBytesMax: 3 * 1024 * 1024 } }))
  const clients = [await juliet(rig), await juliet(rig)]
  const binds = await rig.core.waitFor('bind', 2)
  const wire = `<message><body>${'x'.repeat(100_000)}</body></message>`
  for (const [at, count] of [[0, 60], [1, 1]] as const) {
    clients[at]?.socket.pause()
    for (let i = 0; i < count; i++) rig.send({ kind: 'deliver', conn: binds[at]?.conn ?? 0, wire })
  }
  // What the kernel takes of the first is not ours any more.
  await new Promise((resolve) => setImmediate(resolve))
  rig.clock.advance(rig.config.timeouts.sweepMs)
  const gone = await rig.core.waitFor('client-closed')
  assert.deepEqual(gone.map(({ conn, reason }) => [conn, reason]), [[binds[0]?.conn, 'lost']])
  assert.equal(rig.metrics.value('rollcall_edge_output_overflows_total'), 1)
  assert.equal(rig.edge.connectionCount, 1)
  await rig.stop()
})

// ---------------------------------------------------------------------------------------- shares

const messages = (count: number) => Array.from({ length: count }, (_, at) => `<message to='romeo@${HOST}' id='m${at}'/>`)
const ids = (rig: Rig) => rig.core.stanzas.map(({ stanza }) => stanza.id)

test('a share is the same on every member that is not late, and shrinks to a few elements', () => {
  assert.deepEqual([0, 20, 40, 160, 100_000].map(shareOf), [64, 64, 16, 1, 1])
})

test('whoever sends much at once yields after its share, loses nothing and keeps the order', () => withRig(async (rig) => {
  const client = await juliet(rig)
  client.send(messages(300).join(''))
  await rig.core.waitFor('client-stanza', 300)
  assert.deepEqual(ids(rig), messages(300).map((_, at) => `m${at}`))
  assert.equal(rig.metrics.value('rollcall_edge_input_shares_total'), 4)
}))

/** Somebody who is bound over WebSocket. */
async function boundOverWebSocket(rig: Rig, kind: 'http' | 'https' = 'http'): Promise<WebSocket> {
  const scheme = kind === 'http' ? 'ws' : 'wss'
  const socket = new WebSocket(`${scheme}://127.0.0.1:${rig.port(kind)}/ws`, ['xmpp'], { rejectUnauthorized: false })
  const texts: string[] = []
  socket.on('message', (data: Buffer) => texts.push(data.toString()))
  const until = (pattern: RegExp) => within((async () => {
    while (!texts.some((text) => pattern.test(text))) await new Promise((resolve) => setImmediate(resolve))
    texts.length = 0
  })(), String(pattern))
  const open = `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='${HOST}' version='1.0'/>`
  const say = (text: string) => socket.send(text)
  await within(new Promise((resolve) => socket.once('open', resolve)), 'open')
  say(open)
  await until(/features/)
  say(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${Buffer.from('\0juliet\0balcony').toString('base64')}</auth>`)
  await until(/success/)
  say(open)
  await until(/features/)
  say(BIND.replace('<iq', "<iq xmlns='jabber:client'"))
  await until(/result/)
  return socket
}

function sayMany(socket: WebSocket, count: number): void {
  for (const message of messages(count)) socket.send(message.replace('<message', "<message xmlns='jabber:client'"))
}

test('the same over WebSocket', () => withRig(async (rig) => {
  const socket = await boundOverWebSocket(rig)
  sayMany(socket, 300)
  await rig.core.waitFor('client-stanza', 300)
  assert.deepEqual(ids(rig), messages(300).map((_, at) => `m${at}`))
  assert.equal(rig.metrics.value('rollcall_edge_input_shares_total'), 4)
  socket.terminate()
}))

/** Each look at it is 25 ms later. */
class SlowClock extends FlushingClock {
  endCount = 0
  #looks = 0

  override monotonic(): number {
    return super.monotonic() + 25 * this.#looks++
  }

  override endTurn(): void {
    this.endCount++
    super.endTurn()
  }
}

for (const kind of ['http', 'https'] as const) {
  test(`a turn that is long by input over WebSocket ends for all others too, and the order stays: ${kind}`, async () => {
    const clock = new SlowClock()
    const rig = await startRig(configOf([kind], clearText), { clock })
    try {
      const socket = await boundOverWebSocket(rig, kind)
      clock.endCount = 0
      sayMany(socket, 60)
      await rig.core.waitFor('client-stanza', 60)
      assert.deepEqual(ids(rig), messages(60).map((_, at) => `m${at}`))
      assert.ok(clock.endCount >= 1, 'no end of a turn')
      socket.terminate()
    } finally {
      await rig.stop()
    }
  })
}

class TurnClock extends FlushingClock {
  /** What a turn does takes time. */
  spend(ms: number): void {
    this.advance(ms)
  }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test('those who yielded go on in the next turn, in order, with the share that the load then allows', async () => {
  const load = new FakeLoad()
  const counts: number[] = []
  const share = new FairShare(new FlushingClock(), load, { add: (count) => void counts.push(count) })
  const released: string[] = []
  for (const name of ['juliet', 'romeo']) share.yielded({ release: () => void released.push(name) })
  assert.deepEqual([share.size, released.length], [2, 0])
  load.lag = 80
  await nextTurn()
  assert.deepEqual([share.size, share.elementsMax, released], [0, 4, ['juliet', 'romeo']])
  assert.deepEqual(counts, [1, 1])
})

test('however many stand in line, a turn is a slice of it, and how long the line takes is known', async () => {
  const clock = new TurnClock()
  const share = new FairShare(clock, new FakeLoad(), { add: () => {} })
  const released: number[] = []
  const sharers = Array.from({ length: 30 }, (_, at) => ({
    release: () => {
      released.push(at)
      clock.spend(1)
    },
  }))
  for (const sharer of sharers) share.yielded(sharer)
  await nextTurn()
  assert.deepEqual([released.length, share.size, share.waitMs], [10, 20, 10])
  await nextTurn()
  await nextTurn()
  assert.deepEqual(released, sharers.map((_, at) => at))
  assert.deepEqual([share.size, share.waitMs], [0, 0])
})

test('once a turn is long, whoever is read in it has one element; the next turn is a new one', async () => {
  const clock = new TurnClock()
  const share = new FairShare(clock, new FakeLoad(), { add: () => {} })
  const readMany = () => {
    for (let read = 0; read < 16; read++) share.beginRead()
  }
  share.beginRead()
  clock.spend(19)
  readMany()
  assert.equal(share.elementsMax, 64)
  clock.spend(1)
  readMany()
  assert.equal(share.elementsMax, 1)
  await nextTurn()
  share.beginRead()
  assert.equal(share.elementsMax, 64)
})

test('a turn with input of very many ends for all others once it is long', async () => {
  const clock = new TurnClock()
  const share = new FairShare(clock, new FakeLoad(), { add: () => {} })
  let ends = 0
  const atEnd = () => {
    if (ends++ < 1_000) clock.soon(atEnd)
  }
  clock.soon(atEnd)
  // 2,000 sockets with 0.1 ms of work each, handled one after the other without a turn of the event loop in between.
  for (let read = 0; read < 2_000; read++) {
    share.beginRead()
    clock.spend(0.1)
  }
  assert.ok(ends >= 8 && ends <= 10, `${ends} ends in 200 ms`)
  assert.equal(share.elementsMax, 1)
  ends = 1_000
})

test('what is to be written does not wait until the input of all has been read', async () => {
  const SOCKETS = 400
  const READ_MS = 0.2
  const clock = realClock(recordingLog())
  const share = new FairShare(clock, new FakeLoad(), { add: () => {} })
  let reads = 0
  let readsBeforeEnd = 0
  let accepted = 0
  const allAccepted = Promise.withResolvers<void>()
  const allRead = Promise.withResolvers<void>()
  const server = createServer((socket) => {
    socket.on('data', () => {
      share.beginRead()
      if (reads === 0) clock.soon(() => (readsBeforeEnd = reads))
      const endMs = performance.now() + READ_MS
      while (performance.now() < endMs) continue
      if (++reads === SOCKETS) allRead.resolve()
    })
    if (++accepted === SOCKETS) allAccepted.resolve()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => new Promise<Socket>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket))
  })))
  await within(allAccepted.promise, 'all accepted')
  // In one turn: the next one finds input on all of them.
  await pause(20)
  for (const socket of sockets) socket.write(' ')
  await within(allRead.promise, 'all read')
  for (const socket of sockets) socket.destroy()
  server.close()
  assert.ok(readsBeforeEnd > 0 && readsBeforeEnd < SOCKETS / 2, `after ${readsBeforeEnd} of ${SOCKETS}`)
})

test('a read that something is half-way in does not end the turn', () => {
  const clock = new TurnClock()
  const share = new FairShare(clock, new FakeLoad(), { add: () => {} })
  let hasEnded = false
  clock.soon(() => (hasEnded = true))
  for (let read = 0; read < 1_000; read++) {
    share.beginRead(false)
    clock.spend(0.1)
  }
  assert.deepEqual([hasEnded, share.elementsMax], [false, 1])
})

test('while storage is behind those in line wait', async () => {
  const clock = new TurnClock()
  const load = new FakeLoad()
  const share = new FairShare(clock, load, { add: () => {} })
  const released: string[] = []
  load.behind = true
  share.yielded({ release: () => void released.push('juliet') })
  await nextTurn()
  clock.advance(20)
  assert.deepEqual([released, share.size, share.elementsMax, share.waitMs], [[], 1, 1, 20])
  load.behind = false
  clock.advance(20)
  assert.deepEqual([released, share.size], [['juliet'], 0])
})

test('whoever yields again stands behind everybody else', async () => {
  const clock = new TurnClock()
  const share = new FairShare(clock, new FakeLoad(), { add: () => {} })
  const released: string[] = []
  const sharerOf = (name: string, times: number) => ({
    release() {
      released.push(name)
      clock.spend(6)
      if (--times > 0) share.yielded(this)
    },
  })
  share.yielded(sharerOf('tybalt', 3))
  share.yielded(sharerOf('juliet', 1))
  share.yielded(sharerOf('romeo', 1))
  for (let turn = 0; turn < 4; turn++) await nextTurn()
  assert.deepEqual(released, ['tybalt', 'juliet', 'romeo', 'tybalt', 'tybalt'])
})
