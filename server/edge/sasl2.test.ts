/** SASL2 at the edge beside a core that answers as the test says: what a whole server does not do on demand. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { clearText, configOf, dial, dialTls, HOST, OPEN, PASSWORD, startRig } from './testing/edge-harness.ts'
import type { RawClient, Rig } from './testing/edge-harness.ts'

const FEATURES = /<\/stream:features>/
const AGENT = "<user-agent id='3c0b6d4e-6a5e-4cf0-9a55-0d0a1f0f7a11'/>"
const BIND = "<bind xmlns='urn:xmpp:bind:0'><tag>Lute</tag></bind>"
const plain = (inline: string, password = PASSWORD) =>
  "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>"
  + `${Buffer.from(`\0juliet\0${password}`).toString('base64')}</initial-response>${inline}</authenticate>`

let rig: Rig

beforeEach(async () => {
  rig = await startRig(configOf(['client', 'client-tls', 'http'], { ...clearText, limits: { saslAttemptsMax: 3 } }))
  rig.core.answers.set('finish-login', () => ({ clientId: 'lute' }))
  rig.core.answers.set('bind', (message) => (message.kind === 'bind' ? { isBound: true, jid: message.account.withResource('lute'), results: [] } : undefined))
})
afterEach(() => rig.stop())

async function opened(): Promise<RawClient> {
  const client = await dialTls(rig.port('client-tls'))
  client.send(OPEN)
  await client.read(FEATURES)
  return client
}

test('what the core needs to know of a login goes with the binding', async () => {
  const client = await opened()
  client.send(plain(AGENT + BIND))
  assert.match(await client.read(FEATURES), /<authorization-identifier>juliet@verona.example\/lute<.*<bound xmlns='urn:xmpp:bind:0'\/>/)
  const [finish] = await rig.core.waitFor('finish-login')
  assert.deepEqual(finish?.agent, { id: '3c0b6d4e-6a5e-4cf0-9a55-0d0a1f0f7a11' })
  const [bind] = await rig.core.waitFor('bind')
  assert.deepEqual(bind?.bind2, { tag: 'Lute', requests: [] })
  assert.deepEqual([bind?.origin.method, bind?.origin.clientId, bind?.resourcepart], ['password', 'lute', ''])
  client.destroy()
})

test('stanzas that were sent ahead wait until the resource is bound (XEP-0509)', async () => {
  for (const kind of ['finish-login', 'bind'] as const) {
    const answer = rig.core.answers.get(kind)
    rig.core.answers.set(kind, async (message) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      return answer?.(message)
    })
  }
  const client = await opened()
  client.send(`${plain(AGENT + BIND)}<message to='romeo@${HOST}'><body>good night</body></message>`)
  assert.match(await client.read(FEATURES), /<bound /)
  const [stanza] = await rig.core.waitFor('client-stanza')
  assert.equal(stanza?.conn, 1)
  client.destroy()
})

test('it is not offered where anybody can read along (XEP-0388 §5), and refused there', async () => {
  const open = await startRig(configOf(['client'], { isTlsRequired: false }))
  const client = await dial(open.port('client'))
  client.send(OPEN)
  assert.doesNotMatch(await client.read(FEATURES), /urn:xmpp:sasl:2|urn:xmpp:iap:0/)
  client.send(plain(BIND))
  assert.match(await client.read(/<\/failure>/), /<encryption-required /)
  client.destroy()
  await open.stop()
})

test('a client that cannot be remembered is let in without a token', async () => {
  rig.core.answers.set('finish-login', () => Promise.reject(new Error('storage is full')))
  const client = await opened()
  client.send(plain(`${AGENT}${BIND}<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>`))
  const success = await client.read(FEATURES)
  assert.match(success, /<bound /)
  assert.doesNotMatch(success, /<token /)
  assert.equal(rig.log.of('login-not-remembered').length, 1)
  client.destroy()
})

test('a token is asked for only where its mechanism was on offer (XEP-0484 §3.2)', async () => {
  const client = await opened()
  client.send(plain(`${AGENT}<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-1-MOON'/>`))
  await client.read(/<\/success>/)
  const [finish] = await rig.core.waitFor('finish-login')
  assert.equal(finish?.tokenMechanism, undefined)
  client.destroy()
})

test('a binding that is refused ends the stream with the reason, and no success is sent', async () => {
  rig.core.answers.set('bind', () => ({ isBound: false, condition: 'resource-constraint', text: 'Too many connected resources' }))
  const client = await opened()
  client.send(plain(AGENT + BIND))
  const end = await client.read(/<\/stream:stream>/)
  assert.match(end, /<resource-constraint .*Too many connected resources/)
  assert.doesNotMatch(end, /<success/)
  client.destroy()
})

test('what is delivered before the success is written stands behind it', async () => {
  rig.core.answers.set('bind', (message) => {
    if (message.kind !== 'bind') return undefined
    rig.send({ kind: 'deliver', conn: message.conn, wire: '<message><body>early</body></message>' })
    return { isBound: true, jid: message.account.withResource('lute'), results: [] }
  })
  const client = await opened()
  client.send(plain(AGENT + BIND))
  assert.match(await client.read(/<\/message>/), /<\/success><stream:features>.*<\/stream:features><message><body>early/)
  client.destroy()
})

test('no session stays behind when the client leaves while it is bound', async () => {
  let bind: (value: unknown) => void = () => {}
  rig.core.answers.set('bind', () => new Promise((resolve) => (bind = resolve)))
  const client = await opened()
  client.send(plain(AGENT + BIND))
  const [request] = await rig.core.waitFor('bind')
  client.destroy()
  while (rig.edge.connectionCount > 0) await new Promise((resolve) => setImmediate(resolve))
  bind({ isBound: true, jid: request?.account.withResource('lute'), results: [] })
  const [closed] = await rig.core.waitFor('client-closed')
  assert.deepEqual([closed?.conn, closed?.reason], [request?.conn, 'closed'])
})

test('failed attempts are counted, and too many end the stream', async () => {
  const client = await opened()
  for (let attempt = 1; attempt <= 3; attempt++) {
    client.send(plain('', 'wrong'))
    assert.match(await client.read(/<\/failure>/), /<not-authorized /)
  }
  assert.match(await client.read(/<\/stream:stream>/), /<policy-violation /)
  assert.equal(rig.log.of('auth-failed').length, 3)
  client.destroy()
})

test('an address that failed too often waits, however it logs in', async () => {
  const waiting = await startRig(configOf(['client-tls'], { authBackoff: { freeFailures: 1, baseMs: 60_000, maxMs: 60_000 } }))
  for (let attempt = 0; attempt < 2; attempt++) {
    const client = await dialTls(waiting.port('client-tls'))
    client.send(OPEN + plain('', 'wrong'))
    await client.read(/<\/failure>/)
    client.destroy()
  }
  const client = await dialTls(waiting.port('client-tls'))
  client.send(OPEN + plain(''))
  assert.match(await client.read(/<\/failure>/), /<temporary-auth-failure /)
  client.destroy()
  await waiting.stop()
})

test('over BOSH nothing of stream management is offered inline: it has its own', async () => {
  const body = `<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='${HOST}' wait='5' hold='1' ver='1.6'`
    + " xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh'/>"
  const headers = { 'content-type': 'text/xml; charset=utf-8' }
  const response = await fetch(`http://127.0.0.1:${rig.port('http')}/http-bind`, { method: 'POST', body, headers })
  const text = await response.text()
  assert.match(text, /<authentication xmlns='urn:xmpp:sasl:2'>.*<feature var='urn:xmpp:carbons:2'\/>/)
  assert.doesNotMatch(text, /urn:xmpp:sm:3/)
})
