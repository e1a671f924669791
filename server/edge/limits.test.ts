import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { AddressGuard, isLoopback, networkOf, plainAddress } from './address-guard.ts'
import { defaultEdgeConfig } from './config.ts'
import { BIND, clearText, configOf, dial, HOST, juliet, logIn, OPEN, plainAuth, startRig, within } from './testing/edge-harness.ts'
import type { ConfigPatch, Rig } from './testing/edge-harness.ts'

/** Runs `body` on an edge of its own. */
async function withRig(patch: ConfigPatch, body: (rig: Rig) => Promise<void>): Promise<void> {
  const rig = await startRig(configOf(['client', 'http'], { ...clearText, ...patch }))
  try {
    await body(rig)
  } finally {
    await rig.stop()
  }
}

/** Waits until `isSo`. */
async function until(isSo: () => boolean, what: string): Promise<void> {
  await within((async () => {
    while (!isSo()) await delay(2)
  })(), what)
}

const timeouts = defaultEdgeConfig.timeouts

test('a peer that never finishes negotiating is ended, however slowly it drips (slow-loris)', () => withRig({}, async (rig) => {
  const silent = await dial(rig.port('client'))
  const dripping = await dial(rig.port('client'))
  for (let at = 0; at < OPEN.length - 1; at++) {
    dripping.send(OPEN.charAt(at))
    rig.clock.advance(timeouts.negotiationMs / OPEN.length)
  }
  rig.clock.advance(3000)
  assert.match(await silent.closed(), /^<\?xml.*<stream:error><connection-timeout .*<\/stream:stream>$/)
  assert.match(await dripping.closed(), /<connection-timeout /)
}))

test('a peer that does not answer our close tag is dropped after a while (RFC 6120 §4.4)', () => withRig({}, async (rig) => {
  const client = await juliet(rig)
  const [bind] = await rig.core.waitFor('bind')
  rig.send({ kind: 'close-stream', conn: bind?.conn ?? 0, condition: '' })
  await client.read(/<\/stream:stream>/)
  assert.equal(client.isClosed, false)
  rig.clock.advance(timeouts.closeMs + 1500)
  await client.closed()
  assert.equal(rig.edge.connectionCount, 0)
}))

test('a silent client gets a space, is then asked for a sign of life, and is ended if it gives none', () => withRig({}, async (rig) => {
  const client = await juliet(rig)
  rig.clock.advance(timeouts.keepaliveMs + 20_000)
  await client.read(/^ $/)
  rig.clock.advance(timeouts.idleMs - timeouts.keepaliveMs)
  const ping = await client.read(/<iq [^>]*><ping xmlns='urn:xmpp:ping'\/><\/iq>/)
  assert.match(ping, new RegExp(`from='${HOST}' to='juliet@${HOST}/balcony' type='get' id='`))
  client.send(`<iq type='result' id='${/id='([^']+)'/.exec(ping)?.[1]}' to='${HOST}'/>`)
  await rig.core.waitFor('client-stanza')
  rig.clock.advance(timeouts.probeMs * 2)
  assert.equal(client.isClosed, false)
  rig.clock.advance(timeouts.idleMs + timeouts.probeMs + 20_000)
  assert.match(await client.closed(), /<ping .*<connection-timeout /)
  const [gone] = await rig.core.waitFor('client-closed')
  assert.equal(gone?.reason, 'lost')
}))

test('a client that was sent something is asked sooner, not one that hears presence only', () => withRig({}, async (rig) => {
  const clients = [await juliet(rig), await juliet(rig)] as const
  const [first, second] = (await rig.core.waitFor('bind', 2)).map(({ conn }) => conn)
  rig.send({ kind: 'deliver', conn: first ?? 0, wire: '<message/>' })
  rig.send({ kind: 'deliver-presence', conn: second ?? 0, wire: '<presence/>' })
  await clients[0].read(/<message/)
  await clients[1].read(/<presence/)
  rig.clock.advance(timeouts.unansweredMs + 20_000)
  const ping = await clients[0].read(/<ping xmlns='urn:xmpp:ping'/)
  clients[0].send(`<iq type='result' id='${/id='([^']+)'/.exec(ping)?.[1]}' to='${HOST}'/>`)
  await rig.core.waitFor('client-stanza')
  // What was answered is answered.
  rig.clock.advance(timeouts.unansweredMs + timeouts.probeMs + 40_000)
  assert.deepEqual(clients.map(({ isClosed }) => isClosed), [false, false])
  rig.send({ kind: 'deliver', conn: first ?? 0, wire: '<message/>' })
  await clients[0].read(/<message/)
  rig.clock.advance(timeouts.unansweredMs + 20_000)
  await clients[0].read(/<ping /)
  rig.clock.advance(timeouts.probeMs + 20_000)
  assert.match(await clients[0].closed(), /<connection-timeout /)
  assert.equal(clients[1].isClosed, false)
}))

test('a client whose connection was lost before is asked sooner', () => withRig({}, async (rig) => {
  rig.core.answers.set('resume', (message) => (message.kind === 'resume'
    ? { isResumed: true, jid: message.account.withResource('balcony'), wire: "<resumed xmlns='urn:xmpp:sm:3' previd='x' h='0'/>" } : undefined))
  const client = await dial(rig.port('client'))
  for (const step of [OPEN, plainAuth(), OPEN, "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>"]) {
    client.send(step)
    await client.read(/<\/stream:features>|<success[^>]*>|<resumed[^>]*>/)
  }
  rig.clock.advance(timeouts.idleMs / 4 + 20_000)
  await client.read(/<r xmlns='urn:xmpp:sm:3'\/>/)
  client.send("<a xmlns='urn:xmpp:sm:3' h='0'/>")
  await rig.core.waitFor('client-nonza')
  rig.clock.advance(timeouts.probeMs + 20_000)
  assert.equal(client.isClosed, false)
  client.destroy()
}))

test('a peer that does not read is ended, and no more is kept for it than the limit', () => withRig({ limits: { outputBytesMax: 200_000 } }, async (rig) => {
  const client = await juliet(rig)
  client.socket.pause()
  const [bind] = await rig.core.waitFor('bind')
  const conn = bind?.conn ?? 0
  const wire = `<message><body>${'x'.repeat(10_000)}</body></message>`
  let most = 0
  for (let i = 0; i < 2000 && !rig.core.received.some(({ kind }) => kind === 'client-closed'); i++) {
    rig.send({ kind: 'deliver', conn, wire })
    if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
    most = Math.max(most, rig.metrics.value('rollcall_edge_output_queue_bytes') ?? 0)
  }
  const [gone] = await rig.core.waitFor('client-closed')
  assert.equal(gone?.reason, 'lost')
  assert.equal(rig.metrics.value('rollcall_edge_output_overflows_total'), 1)
  assert.ok(most <= 200_000 + 20_000, `${most} bytes were kept`)
  rig.clock.advance(timeouts.closeMs + 1500)
  await until(() => rig.edge.connectionCount === 0, 'the connection to go')
  client.destroy()
}))

test('the input of a peer that does not read is not read either', () => withRig({ limits: { outputHighBytes: 1000 } }, async (rig) => {
  const client = await juliet(rig)
  const [bind] = await rig.core.waitFor('bind')
  client.socket.pause()
  // More than the buffers of both kernels hold.
  rig.send({ kind: 'deliver', conn: bind?.conn ?? 0, wire: `<message><body>${'x'.repeat(7_000_000)}</body></message>` })
  await until(() => (rig.metrics.value('rollcall_edge_output_queue_bytes') ?? 0) > 1000, 'the queue to fill')
  client.send('<presence/>')
  await delay(30)
  assert.equal(rig.core.stanzas.length, 0)
  client.socket.resume()
  await rig.core.waitFor('client-stanza')
}))

test('a client that sends faster than it may is read more slowly, and loses nothing', () => withRig({
  limits: { inputBytesPerSecondMax: 10_000, inputBurstBytesMax: 20_000 },
}, async (rig) => {
  const client = await juliet(rig)
  const count = 400
  for (let i = 0; i < count; i++) client.send(`<message to='romeo@${HOST}' id='${i}'><body>${'x'.repeat(100)}</body></message>`)
  await until(() => (rig.metrics.value('rollcall_edge_input_throttles_total') ?? 0) > 0, 'a throttle')
  const before = rig.core.stanzas.length
  await delay(30)
  assert.ok(before < count)
  assert.equal(rig.core.stanzas.length, before)
  for (let second = 0; second < 60 && rig.core.stanzas.length < count; second++) {
    rig.clock.advance(1000)
    await delay(2)
  }
  assert.deepEqual(rig.core.stanzas.map(({ stanza }) => Number(stanza.id)), Array.from({ length: count }, (_, i) => i))
}))

test('reads can be held for a core that is behind', () => withRig({}, async (rig) => {
  const client = await juliet(rig)
  rig.edge.setReadsHeld(true)
  client.send('<presence/>')
  await delay(30)
  assert.equal(rig.core.stanzas.length, 0)
  rig.edge.setReadsHeld(false)
  await rig.core.waitFor('client-stanza')
}))

test('connections are limited per address and in all, with resource-constraint (RFC 6120 §4.9.3.17)', async () => {
  await withRig({ limits: { connectionsPerAddressMax: 2 }, exemptAddresses: [] }, async (rig) => {
    const first = await juliet(rig)
    const second = await dial(rig.port('client'))
    const third = await dial(rig.port('client'))
    assert.match(await third.closed(), /^<\?xml.*<stream:error><resource-constraint .*<\/stream:stream>$/)
    assert.equal((await fetch(`http://127.0.0.1:${rig.port('http')}/`)).status, 503)
    second.destroy()
    await until(() => rig.edge.connectionCount === 1, 'the second to go')
    await logIn(await dial(rig.port('client')))
    first.destroy()
  })
  await withRig({ limits: { connectionsMax: 1 } }, async (rig) => {
    await juliet(rig)
    assert.match(await (await dial(rig.port('client'))).closed(), /<resource-constraint /)
    assert.equal(rig.metrics.value('rollcall_edge_accepts_total', { result: 'full' }), 1)
  })
})

test('an HTTP client that never finishes a request is dropped (slow-loris)', () => withRig({}, async (rig) => {
  const { requestTimeoutMs, keepAliveMs } = rig.config.http
  const header = await dial(rig.port('http'))
  header.send('GET / HT')
  const body = await dial(rig.port('http'))
  body.send('POST /http-bind HTTP/1.1\r\nHost: verona.example\r\nContent-Length: 100\r\n\r\n<body')
  await delay(20)
  rig.clock.advance(requestTimeoutMs + 2000)
  await body.closed()
  assert.equal(header.isClosed, false)
  rig.clock.advance(keepAliveMs)
  await header.closed()
  const noise = await dial(rig.port('http'))
  noise.send('<stream:stream>\r\n\r\n')
  assert.match(await noise.closed(), /^HTTP\/1.1 400 /)
}))

test('a trusted proxy is many clients, and only its word about addresses counts', () => withRig({
  limits: { connectionsPerAddressMax: 1 }, exemptAddresses: [],
  http: { trustedProxies: ['127.0.0.1'] },
}, async (rig) => {
  const create = (address: string) => fetch(`http://127.0.0.1:${rig.port('http')}/http-bind`, {
    method: 'POST',
    headers: { 'X-Forwarded-For': `203.0.113.9, ${address}`, 'X-Forwarded-Proto': 'https' },
    body: `<body rid='1' to='${HOST}' wait='1' hold='1' xmpp:version='1.0' xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh'/>`,
  }).then((response) => response.text())
  assert.match(await create('192.0.2.1'), /<stream:features/)
  assert.match(await create('192.0.2.2'), /<stream:features/)
  assert.match(await create('192.0.2.1'), /condition='policy-violation'/)
}))

test('drain tells clients, waits for their close tags, and is bounded (RFC 6120 §4.9.3.20)', () => withRig({}, async (rig) => {
  const polite = await juliet(rig)
  const deaf = await juliet(rig)
  const port = rig.port('client')
  const drained = rig.edge.drain()
  await polite.read(/<stream:error><system-shutdown [^>]*\/><\/stream:error><\/stream:stream>/)
  await deaf.read(/<system-shutdown /)
  polite.socket.end('</stream:stream>')
  await assert.rejects(dial(port), { code: 'ECONNREFUSED' })
  for (let second = 0; second < 12; second++) {
    rig.clock.advance(1000)
    await delay(1)
  }
  await within(drained, 'drain')
  const gone = await rig.core.waitFor('client-closed', 2)
  assert.equal(gone.length, 2)
}))

test('reload changes limits for new streams and forgets what was known of hosts', () => withRig({}, async (rig) => {
  const before = await dial(rig.port('client'))
  before.send(OPEN)
  await before.read(/<max-bytes>10000</)
  rig.core.answers.set('host-info', () => ({ featuresBeforeAuth: "<register xmlns='http://jabber.org/features/iq-register'/>", featuresAfterAuth: '' }))
  await rig.edge.reload({ ...rig.config, limits: { ...rig.config.limits, preAuthElementBytesMax: 12_000 } })
  const after = await dial(rig.port('client'))
  after.send(OPEN)
  assert.match(await after.read(/<\/stream:features>/), /iq-register'\/>.*<max-bytes>12000</)
  rig.core.answers.set('host-info', () => undefined)
  rig.send({ kind: 'host-info-changed' })
  await delay(5)
  const gone = await dial(rig.port('client'))
  gone.send(OPEN)
  assert.match(await gone.closed(), /<host-unknown /)
}))

test('a client that leaves while its resource is being bound leaves no session behind', () => withRig({}, async (rig) => {
  let answer: (value: unknown) => void = () => {}
  rig.core.answers.set('bind', (message) => new Promise((resolve) => {
    answer = () => resolve(message.kind === 'bind' ? { isBound: true, jid: message.account.withResource('x') } : undefined)
  }))
  const client = await dial(rig.port('client'))
  client.send(OPEN + plainAuth())
  await client.read(/<success/)
  client.send(OPEN + BIND)
  const [bind] = await rig.core.waitFor('bind')
  client.destroy()
  await until(() => rig.edge.connectionCount === 0, 'the connection to go')
  answer(undefined)
  const [gone] = await rig.core.waitFor('client-closed')
  assert.deepEqual([gone?.conn, gone?.reason], [bind?.conn, 'lost'])
}))

test('a port that is taken is a ListenError, and no port stays open', async () => {
  await withRig({}, async (rig) => {
    const port = rig.port('client')
    const free = { kind: 'client', address: '127.0.0.1', port: 0 } as const
    const config = { ...configOf(['client']), listeners: [free, { ...free, port }] }
    await assert.rejects(startRig(config), { name: 'ListenError', code: 'EADDRINUSE' })
  })
})

test('metrics count connections, bytes, stanzas and errors', () => withRig({}, async (rig) => {
  const client = await juliet(rig)
  client.send("<presence/><presence to='@'/>")
  await client.read(/jid-malformed/)
  assert.equal(rig.metrics.value('rollcall_edge_connections', { transport: 'tcp', stage: 'bound' }), 1)
  assert.equal(rig.metrics.value('rollcall_edge_stanzas_in_total'), 1)
  assert.equal(rig.metrics.value('rollcall_edge_stanzas_refused_total'), 1)
  client.send('<note/>')
  await client.closed()
  assert.equal(rig.metrics.value('rollcall_edge_stream_errors_total', { condition: 'unsupported-stanza-type' }), 1)
  assert.ok((rig.metrics.value('rollcall_edge_received_bytes_total') ?? 0) > 500)
  assert.ok((rig.metrics.value('rollcall_edge_sent_bytes_total') ?? 0) > 500)
}))

test('addresses count by network: IPv4 whole, IPv6 by /64', () => {
  assert.equal(networkOf('192.0.2.7'), '192.0.2.7')
  assert.equal(networkOf('2001:db8::7'), '2001:db8:0:0::/64')
  assert.equal(networkOf('2001:db8:0:0:1:2:3:4'), '2001:db8:0:0::/64')
  assert.equal(networkOf('::1'), '0:0:0:0::/64')
  assert.equal(plainAddress('::ffff:192.0.2.7'), '192.0.2.7')
  assert.equal(plainAddress('fe80::1%eth0'), 'fe80::1')
  assert.equal(plainAddress(undefined), 'unknown')
  assert.deepEqual([isLoopback('127.0.0.1'), isLoopback('::1'), isLoopback('192.0.2.7')], [true, true, false])
})

test('the table of addresses is bounded, forgets what is over, and never forgets who is connected', () => {
  const limits = { ...defaultEdgeConfig.limits, addressesMax: 10, connectsPerMinuteMax: 2 }
  const guard = new AddressGuard(limits, defaultEdgeConfig.authBackoff)
  assert.equal(guard.enter('192.0.2.1', 0), true)
  for (let i = 0; i < 1000; i++) guard.authFailed(`198.51.100.${i}`, 0)
  assert.equal(guard.size, 10)
  assert.equal(guard.enter('192.0.2.1', 0), true)
  assert.equal(guard.enter('192.0.2.1', 0), false)
  assert.equal(guard.enter('192.0.2.1', 60_000), true)
  for (let i = 0; i < 3; i++) guard.leave('192.0.2.1')
  guard.sweep(10 ** 9)
  assert.equal(guard.size, 0)
})
