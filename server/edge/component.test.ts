import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { configOf, dial, startRig } from './testing/edge-harness.ts'
import type { RawClient, Rig } from './testing/edge-harness.ts'

let rig: Rig
before(async () => {
  rig = await startRig(configOf(['component'], { components: [{ domain: 'chorus.verona.example', secret: 'prologue' }] }))
})
after(() => rig.stop())

const header = (to: string, ns = 'jabber:component:accept') =>
  `<stream:stream xmlns='${ns}' xmlns:stream='http://etherx.jabber.org/streams' to='${to}'>`

async function open(to = 'chorus.verona.example'): Promise<{ readonly client: RawClient; readonly id: string }> {
  const client = await dial(rig.port('component'))
  client.send(header(to))
  const answer = await client.read(/<stream:stream[^>]*>/)
  assert.match(answer, /xmlns='jabber:component:accept'/)
  assert.ok(answer.includes(`from='${to}'`))
  return { client, id: /id='([^']+)'/.exec(answer)?.[1] ?? '' }
}

const proof = (id: string, secret: string) => `<handshake>${createHash('sha1').update(id + secret).digest('hex')}</handshake>`

async function connectChorus(): Promise<RawClient> {
  const { client, id } = await open()
  client.send(proof(id, 'prologue'))
  await client.read(/<handshake\/>/)
  return client
}

test('a component with the right secret sends and receives (XEP-0114 §3)', async () => {
  const client = await connectChorus()
  const wire = "<message from='poet@chorus.verona.example' to='juliet@verona.example' id='1'><body>Two households</body><x xmlns='urn:x'/></message>"
  client.send(wire)
  const [sent] = await rig.core.waitFor('component-stanza')
  assert.equal(sent?.stanza.toWire(), wire)
  assert.deepEqual(sent?.stanza.children.map(({ ns }) => ns), ['jabber:client', 'urn:x'])
  rig.send({ kind: 'deliver', conn: sent?.conn ?? 0, wire: "<message to='chorus.verona.example'><body>both alike</body></message>" })
  await client.read(/both alike/)
  client.send('</stream:stream>')
  await client.closed()
  const [gone] = await rig.core.waitFor('component-closed')
  assert.equal(gone?.conn, sent?.conn)
})

test('a wrong secret and an unknown domain are refused alike', async () => {
  for (const to of ['chorus.verona.example', 'villain.example']) {
    const { client, id } = await open(to)
    client.send(proof(id, 'epilogue'))
    assert.match(await client.closed(), /<not-authorized /)
  }
})

test('nothing is accepted before the handshake', async () => {
  const { client } = await open()
  client.send("<message from='chorus.verona.example' to='juliet@verona.example'/>")
  assert.match(await client.closed(), /<not-authorized /)
})

test('a domain that is taken is a conflict', async () => {
  rig.core.answers.set('register-component', () => ({ isAccepted: false }))
  const { client, id } = await open()
  client.send(proof(id, 'prologue'))
  assert.match(await client.closed(), /<conflict /)
  rig.core.answers.set('register-component', () => ({ isAccepted: true }))
})

test('a component speaks for its own domain only', async () => {
  const forger = await connectChorus()
  forger.send("<message from='juliet@verona.example' to='romeo@verona.example'/>")
  assert.match(await forger.closed(), /<invalid-from /)
  const nameless = await connectChorus()
  nameless.send("<message to='romeo@verona.example'/>")
  assert.match(await nameless.closed(), /<improper-addressing /)
})

test('a stanza without or with a malformed to is answered with an error', async () => {
  const client = await connectChorus()
  client.send("<message from='chorus.verona.example' id='m1'/><iq from='chorus.verona.example' to='@' id='m2' type='get'/>")
  assert.match(await client.read(/<\/message>/), /id='m1'><error type='modify'><bad-request/)
  assert.match(await client.read(/<\/iq>/), /id='m2'><error type='modify'><jid-malformed/)
  client.destroy()
})

test('the wrong namespace and a bad to attribute end the stream', async () => {
  const client = await dial(rig.port('component'))
  client.send(header('chorus.verona.example', 'jabber:client'))
  assert.match(await client.closed(), /<invalid-namespace /)
  const other = await dial(rig.port('component'))
  other.send(header('poet@chorus.verona.example'))
  assert.match(await other.closed(), /<improper-addressing /)
})
