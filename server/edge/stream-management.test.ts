/** Stream management (XEP-0198) over real sockets: what the edge does of it beside a table of answers. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { BIND, clearText, configOf, dial, juliet, logIn, OPEN, plainAuth, startRig } from './testing/edge-harness.ts'
import type { RawClient, Rig } from './testing/edge-harness.ts'

const NS = "xmlns='urn:xmpp:sm:3'"
const FAILED = /<failed xmlns='urn:xmpp:sm:3'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'\/><\/failed>/

let rig: Rig
before(async () => {
  rig = await startRig(configOf(['client'], clearText))
})
after(() => rig.stop())

/** A client that has authenticated and bound nothing. */
async function authenticated(): Promise<RawClient> {
  const client = await dial(rig.port('client'))
  client.send(OPEN)
  await client.read(/<\/stream:features>/)
  client.send(plainAuth())
  await client.read(/<success[^>]*>/)
  client.send(OPEN)
  return client
}
const lastConn = () => rig.core.received.findLast((message) => message.kind === 'bind' || message.kind === 'resume')?.conn ?? 0

test('it is offered once a client has authenticated, not before (§2)', async () => {
  const client = await dial(rig.port('client'))
  client.send(OPEN)
  // Inside SASL2 it is part of what comes with authentication.
  const offered = (await client.read(/<\/stream:features>/)).replace(/<authentication .*<\/authentication>/, '')
  assert.doesNotMatch(offered, /urn:xmpp:sm:3/)
  client.send(plainAuth())
  await client.read(/<success[^>]*>/)
  client.send(OPEN)
  assert.match(await client.read(/<\/stream:features>/), /<sm xmlns='urn:xmpp:sm:3'\/>/)
  client.destroy()
})

test('before authentication and before binding it is unexpected, and the stream goes on (§3)', async () => {
  const client = await dial(rig.port('client'))
  client.send(`${OPEN}<enable ${NS}/>`)
  await client.read(FAILED)
  client.send(plainAuth())
  await client.read(/<success[^>]*>/)
  client.send(OPEN)
  for (const element of [`<enable ${NS}/>`, `<r ${NS}/>`, `<a ${NS} h='0'/>`, `<resume ${NS} h='0'/>`]) {
    client.send(element)
    await client.read(FAILED)
  }
  client.send(BIND)
  await client.read(/<iq type='result' id='b1'>/)
  client.destroy()
})

test('its elements reach the core in order with the stanzas', async () => {
  const client = await juliet(rig)
  const seen = rig.core.received.length
  client.send(`<enable ${NS} resume='true'/><presence/><r ${NS}/><message to='romeo@verona.example'/><a ${NS} h='7'/>`)
  await rig.core.waitFor('client-nonza', 3)
  const order = rig.core.received.slice(seen).map((message) =>
    message.kind === 'client-nonza' ? message.element.name : message.kind === 'client-stanza' ? message.stanza.kind : message.kind)
  assert.deepEqual(order, ['enable', 'presence', 'r', 'message', 'a'])
  const ack = rig.core.received.at(-1)
  assert.equal(ack?.kind === 'client-nonza' && ack.element.attribute('h'), '7')
  client.destroy()
})

test('what the edge answers goes through the core once stanzas are counted', async () => {
  const client = await juliet(rig)
  client.send("<iq type='set' id='s1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>")
  await client.read(/<iq type='result' id='s1'\/>/)
  client.send(`<enable ${NS}/><iq type='set' id='s2'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>`)
  client.send("<message to='@' id='bad'/><message to='@' type='error'/>")
  const answers = await rig.core.waitFor('client-answered', 3)
  assert.equal(answers[0]?.wire, "<iq type='result' id='s2'/>")
  assert.match(answers[1]?.wire ?? '', /type='error' id='bad'.*<jid-malformed/)
  assert.equal(answers[2]?.wire, '')
  assert.equal(client.text, '')
  client.destroy()
})

test('a silent client with counted stanzas is asked for an acknowledgement instead of a ping', async () => {
  const own = await startRig(configOf(['client'], { ...clearText, timeouts: { idleMs: 60_000 } }))
  const client = await juliet(own)
  client.send(`<enable ${NS}/>`)
  await own.core.waitFor('client-nonza')
  for (let i = 0; i < 20; i++) own.clock.advance(10_000)
  assert.match(await client.read(/<r xmlns='urn:xmpp:sm:3'\/>/), /^ *<r /)
  client.destroy()
  await own.stop()
})

test('what is delivered while a resource is bound comes after the result, all of it, in order', async () => {
  const client = await authenticated()
  await client.read(/<\/stream:features>/)
  rig.core.answers.set('bind', (message) => {
    if (message.kind !== 'bind') return undefined
    for (let i = 0; i < 3; i++) rig.send({ kind: 'deliver', conn: message.conn, wire: `<message id='early${i}'/>` })
    return { isBound: true, jid: message.account.withResource('balcony') }
  })
  client.send(BIND)
  const text = await client.read(/<message id='early2'\/>/)
  assert.match(text, /^<iq type='result' id='b1'>.*<\/iq><message id='early0'\/><message id='early1'\/><message id='early2'\/>$/)
  client.destroy()
})

test('a resumed stream begins with resumed, then what was missed; bound without a bind (§5)', async () => {
  rig.core.answers.set('resume', (message) => {
    if (message.kind !== 'resume') return undefined
    rig.send({ kind: 'deliver', conn: message.conn, wire: "<message id='missed'/>" })
    return { isResumed: true, jid: message.account.withResource('balcony'), wire: `<resumed ${NS} previd='${message.previousId}' h='3'/>` }
  })
  const client = await authenticated()
  client.send(`<resume ${NS} previd='tybalt-7' h='12'/><presence/>`)
  const text = await client.read(/<message id='missed'\/>/)
  assert.match(text, /<resumed xmlns='urn:xmpp:sm:3' previd='tybalt-7' h='3'\/><message id='missed'\/>$/)
  const asked = rig.core.received.findLast((message) => message.kind === 'resume')
  assert.deepEqual([asked?.previousId, asked?.handled, asked?.origin.transport], ['tybalt-7', 12, 'tcp'])
  const conn = lastConn()
  client.send("<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>")
  await rig.core.waitFor('client-answered')
  client.destroy()
  while (!rig.core.received.some((message) => message.kind === 'client-closed' && message.conn === conn && message.reason === 'lost')) {
    await new Promise((resolve) => setImmediate(resolve))
  }
})

test('presence that comes while a stream is resumed is counted, so it is sent as well, in order (§4)', async () => {
  rig.core.answers.set('resume', (message) => {
    if (message.kind !== 'resume') return undefined
    const wires = [['deliver', `<message id='one'/>`], ['deliver-presence', `<presence id='two'/>`], ['deliver', `<message id='three'/>`]] as const
    for (const [kind, wire] of wires) rig.send({ kind, conn: message.conn, wire })
    return { isResumed: true, jid: message.account.withResource('balcony'), wire: `<resumed ${NS} previd='x' h='0'/>` }
  })
  const client = await authenticated()
  client.send(`<resume ${NS} previd='x' h='0'/>`)
  assert.match(await client.read(/three'\/>/), /h='0'\/><message id='one'\/><presence id='two'\/><message id='three'\/>$/)
  client.destroy()
})

test('after a failure to resume the client binds (§5)', async () => {
  rig.core.answers.set('resume', () => ({ isResumed: false, wire: `<failed ${NS} h='3'/>` }))
  const client = await authenticated()
  client.send(`<resume ${NS} previd='x' h='0'/>${BIND}`)
  await client.read(/<failed xmlns='urn:xmpp:sm:3' h='3'\/><iq type='result' id='b1'>/)
  client.destroy()
})

test('an error that the core names is written with its detail (§6)', async () => {
  const fault = { condition: 'undefined-condition', text: 'too many', detail: `<handled-count-too-high ${NS} h='9' send-count='1'/>` }
  rig.core.answers.set('resume', () => ({ isResumed: false, fault }))
  const first = await authenticated()
  first.send(`<resume ${NS} previd='x' h='9'/>`)
  const second = await dial(rig.port('client'))
  await logIn(second)
  rig.send({ kind: 'close-stream', conn: lastConn(), ...fault })
  for (const client of [first, second]) {
    const text = await client.read(/<\/stream:stream>/)
    assert.match(text, /<stream:error><undefined-condition [^>]*\/><text [^>]*>too many<\/text><handled-count-too-high /)
    assert.ok(text.includes(`${fault.detail}</stream:error>`))
    client.destroy()
  }
})
