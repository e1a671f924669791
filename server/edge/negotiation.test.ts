import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  BIND, clearText, configOf, dial, dialTls, HOST, juliet, logIn, OPEN, plainAuth, startRig,
} from './testing/edge-harness.ts'
import type { Rig } from './testing/edge-harness.ts'

let rig: Rig
let strict: Rig
before(async () => {
  rig = await startRig(configOf(['client'], clearText))
  strict = await startRig(configOf(['client', 'client-tls']))
})
after(async () => {
  await rig.stop()
  await strict.stop()
})

test('STARTTLS, SASL and binding lead to a session (RFC 6120 §9.1)', async () => {
  const client = await dial(strict.port('client'))
  client.send(OPEN)
  const first = await client.read(/<\/stream:features>/)
  assert.match(first, /^<\?xml version='1.0'\?><stream:stream xmlns='jabber:client'/)
  assert.match(first, new RegExp(` from='${HOST}' id='[^']+' version='1.0' xml:lang='en'>`))
  assert.match(first, /<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required\/><\/starttls><\/stream:features>$/)
  client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
  await client.read(/<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'\/>/)
  await client.startTls()
  client.send(OPEN)
  const second = await client.read(/<\/stream:features>/)
  assert.doesNotMatch(second, /starttls/)
  assert.match(second, /<channel-binding type='tls-exporter'\/>/)
  assert.match(second, /<mechanism>SCRAM-SHA-256-PLUS<\/mechanism>/)
  assert.match(second, /<max-bytes>10000<\/max-bytes>/)
  client.send(plainAuth())
  await client.read(/<success/)
  client.send(OPEN)
  const third = await client.read(/<\/stream:features>/)
  assert.match(third, /<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'\/>/)
  assert.match(third, /urn:xmpp:features:rosterver/)
  client.send(BIND)
  assert.match(await client.read(/<\/iq>/), new RegExp(`<jid>juliet@${HOST}/balcony</jid>`))
  const [bind] = await strict.core.waitFor('bind')
  assert.deepEqual(bind?.origin, { transport: 'tls', address: '127.0.0.1', isSecure: true })
  client.send("<message to='romeo@verona.example' type='chat'><body>O Romeo</body></message>")
  const [sent] = await strict.core.waitFor('client-stanza')
  assert.equal(sent?.stanza.toWire(), `<message from='juliet@${HOST}/balcony' to='romeo@verona.example' type='chat'><body>O Romeo</body></message>`)
  strict.send({ kind: 'deliver', conn: sent?.conn ?? 0, wire: "<message from='romeo@verona.example'><body>I take thee</body></message>" })
  await client.read(/I take thee/)
  client.send('</stream:stream>')
  assert.match(await client.closed(), /<\/stream:stream>$/)
  const [gone] = await strict.core.waitFor('client-closed')
  assert.equal(gone?.reason, 'closed')
})

test('direct TLS needs no STARTTLS (XEP-0368)', async () => {
  const client = await dialTls(strict.port('client-tls'), { ALPNProtocols: ['xmpp-client'] })
  assert.equal('alpnProtocol' in client.socket && client.socket.alpnProtocol, 'xmpp-client')
  await logIn(client)
  client.destroy()
})

test('a client logs in on a host without required TLS', async () => {
  const client = await juliet(rig)
  client.destroy()
  const [gone] = await rig.core.waitFor('client-closed')
  assert.equal(gone?.reason, 'lost')
})
