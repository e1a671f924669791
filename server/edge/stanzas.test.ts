import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { BIND, clearText, configOf, dial, juliet, OPEN, plainAuth, startRig } from './testing/edge-harness.ts'
import type { RawClient, Rig } from './testing/edge-harness.ts'

const FULL = 'juliet@verona.example/balcony'
let rig: Rig
let client: RawClient
before(async () => {
  rig = await startRig(configOf(['client'], clearText))
  client = await juliet(rig)
})
after(() => rig.stop())

/** Sends and returns the stanzas that reach the core, as wire strings. */
async function pass(text: string, count = 1, from = client): Promise<string[]> {
  const seen = rig.core.stanzas.length
  from.send(text)
  const stanzas = await rig.core.waitFor('client-stanza', seen + count)
  return stanzas.slice(seen).map(({ stanza }) => stanza.toWire())
}

test('the sender is stamped, its own address in any form accepted (RFC 6120 §8.1.2.1)', async () => {
  const to = "to='romeo@verona.example'"
  for (const from of ['', ` from='${FULL}'`, " from='juliet@verona.example'", " from='JULIET@VERONA.example/balcony'"]) {
    assert.deepEqual(await pass(`<presence${from} ${to}/>`), [`<presence from='${FULL}' ${to}/>`])
  }
})

test('many stanzas of one chunk arrive in order, and namespaces of children are known', async () => {
  const text = Array.from({ length: 500 }, (_, i) => `<message to='romeo@verona.example'><body>${i}</body><x xmlns='urn:x'/></message>`).join('\n')
  const wires = await pass(text, 500)
  assert.deepEqual(wires.map((wire) => /<body>(\d+)/.exec(wire)?.[1]), Array.from({ length: 500 }, (_, i) => String(i)))
  assert.deepEqual(rig.core.stanzas.at(-1)?.stanza.children.map(({ name, ns }) => `${name} ${ns}`), ['body jabber:client', 'x urn:x'])
})

test('one byte per packet is the same as one packet', async () => {
  const seen = rig.core.stanzas.length
  for (const byte of Buffer.from("<message to='romeo@verona.example' id='é'><body>sl&amp;w</body></message>")) {
    client.send(Uint8Array.of(byte))
    await new Promise((resolve) => setImmediate(resolve))
  }
  const stanzas = await rig.core.waitFor('client-stanza', seen + 1)
  const wire = Buffer.from(stanzas.at(-1)?.stanza.toWire() ?? '', 'latin1').toString()
  assert.equal(wire, `<message from='${FULL}' to='romeo@verona.example' id='é'><body>sl&amp;w</body></message>`)
})

test('a stanza whose own name has a prefix means the same without', async () => {
  const [wire] = await pass("<c:message xmlns:c='jabber:client' xmlns='urn:x' to='romeo@verona.example' type='chat'><c:body>a&lt;b</c:body><y/></c:message>")
  assert.equal(wire, `<message from='${FULL}' to='romeo@verona.example' type='chat'><body>a&lt;b</body><y xmlns='urn:x'/></message>`)
})

test('the language of the stream is put on stanzas that have none (RFC 6120 §4.7.4)', async () => {
  const italian = await dial(rig.port('client'))
  const open = OPEN.replace("version='1.0'>", "version='1.0' xml:lang='it'>")
  italian.send(open + plainAuth())
  await italian.read(/<success/)
  italian.send(open + BIND)
  await italian.read(/<\/iq>/)
  assert.match((await pass("<message to='romeo@verona.example'/>", 1, italian))[0] ?? '', / xml:lang='it'\/>$/)
  assert.match((await pass("<message to='romeo@verona.example' xml:lang='la'/>", 1, italian))[0] ?? '', / xml:lang='la'\/>$/)
  italian.destroy()
})

/** Stanzas the edge answers itself, and what the answer holds. */
const refused: readonly [string, string, RegExp][] = [
  ['a malformed to (RFC 6120 §8.3.3.8)', "<message to='@x' id='1'><body>x</body></message>",
    /<message to='[^']+' type='error' id='1'><error type='modify'><jid-malformed /],
  ['an iq without id (§8.2.3)', "<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>", /<iq [^>]*type='error'><error type='modify'><bad-request /],
  ['an iq of an unknown type (§8.2.3)', "<iq type='ask' id='2'><ping xmlns='urn:xmpp:ping'/></iq>", /type='error' id='2'><error type='modify'><bad-request /],
  ['a second bind (§7)', BIND, /type='error' id='b1'><error type='cancel'><not-allowed /],
  ['the session of RFC 3921', "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>", /<iq type='result' id='s'\/>/],
]
for (const [what, sent, answer] of refused) {
  test(`${what} is answered and the stream goes on`, async () => {
    const seen = rig.core.stanzas.length
    client.send(sent)
    await client.read(answer)
    await pass('<presence/>')
    assert.equal(rig.core.stanzas.length, seen + 1)
  })
}

test('a malformed error is dropped, not answered (RFC 6120 §8.3.1)', async () => {
  client.send("<message to='@' type='error'/>")
  await pass('<presence/>')
  assert.doesNotMatch(client.text, /jid-malformed/)
})

test('what the core delivers in one turn arrives in order', async () => {
  const conn = rig.core.stanzas.find(({ stanza }) => stanza.from?.toString() === FULL)?.conn ?? 0
  for (let i = 0; i < 200; i++) rig.send({ kind: 'deliver', conn, wire: `<message id='d${i}'/>` })
  const text = await client.read(/<message id='d199'\/>/)
  assert.deepEqual(Array.from(text.matchAll(/id='d(\d+)'/g), ([, number]) => Number(number)), Array.from({ length: 200 }, (_, i) => i))
})

test('deliveries to a connection that is gone are dropped', () => {
  rig.edge.receive('verona-1', { kind: 'deliver', conn: 999_999, wire: '<message/>' })
  rig.edge.receive('verona-1', { kind: 'close-stream', conn: 999_999, condition: 'conflict' })
})

test('registration before authentication is passed on (XEP-0077)', async () => {
  const guest = await dial(rig.port('client'))
  guest.send(`${OPEN}<iq type='get' id='reg1' to='verona.example'><query xmlns='jabber:iq:register'/></iq>`)
  await guest.read(/<iq type='result' id='reg1'\/>/)
  const [asked] = await rig.core.waitFor('pre-auth-iq')
  assert.equal(asked?.address, '127.0.0.1')
  assert.equal(asked?.stanza.children[0]?.ns, 'jabber:iq:register')
  guest.destroy()
})
