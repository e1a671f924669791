import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { SeededRandom } from '@rollcall/testing'
import { BIND, clearText, configOf, dial, HOST, juliet, OPEN, plainAuth, startRig, within } from './testing/edge-harness.ts'
import type { RawClient, Rig } from './testing/edge-harness.ts'
import { isStreamErrorCondition, STREAM_ERROR_CONDITIONS } from './stream-wire.ts'

let rig: Rig
before(async () => {
  rig = await startRig(configOf(['client'], clearText))
})
after(() => rig.stop())

const STREAMS = 'http://etherx.jabber.org/streams'
const header = (attributes: string, name = 'stream:stream', declarations = `xmlns='jabber:client' xmlns:stream='${STREAMS}'`) =>
  `<${name} ${declarations} ${attributes}>`
const GOOD = `to='${HOST}' version='1.0'`

/** Everything of a stream that ends in an error must be one well-formed document (RFC 6120 §4.9.1.2). */
function assertEnds(text: string, condition: string): void {
  assert.match(text, /^<\?xml version='1\.0'\?><stream:stream [^>]*>/)
  assert.match(text, new RegExp(`<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/?>.*</stream:error></stream:stream>$`))
  assert.equal(text.match(/<stream:stream/g)?.length, 1)
}

/** What is sent instead of a good header, and the error it earns. */
const openings: readonly [string, string, string][] = [
  ['an unknown host (RFC 6120 §4.9.3.6)', header("to='mantua.example' version='1.0'"), 'host-unknown'],
  ['no to (§4.9.3.7)', header("version='1.0'"), 'improper-addressing'],
  ['a to that is no domain (§4.9.3.7)', header("to='juliet@verona.example' version='1.0'"), 'improper-addressing'],
  ['a to that is no address (§4.9.3.7)', header("to='@' version='1.0'"), 'improper-addressing'],
  ['a from that is no address (§4.9.3.7)', header(`from='@' ${GOOD}`), 'improper-addressing'],
  ['no version (§4.9.3.25)', header(`to='${HOST}'`), 'unsupported-version'],
  ['version 0.9 (§4.9.3.25)', header(`to='${HOST}' version='0.9'`), 'unsupported-version'],
  ['a version that is no number (§4.9.3.25)', header(`to='${HOST}' version='one'`), 'unsupported-version'],
  ['the wrong stream namespace (§4.9.3.10)', header(GOOD, 'stream:stream', "xmlns='jabber:client' xmlns:stream='urn:wrong'"), 'invalid-namespace'],
  ['the wrong content namespace (§4.9.3.10)', header(GOOD, 'stream:stream', `xmlns='jabber:server' xmlns:stream='${STREAMS}'`), 'invalid-namespace'],
  ['no content namespace (§4.9.3.10)', header(GOOD, 'stream:stream', `xmlns:stream='${STREAMS}'`), 'invalid-namespace'],
  ['an undeclared prefix (§4.9.3.2)', header(GOOD, 'stream:stream', "xmlns='jabber:client'"), 'bad-namespace-prefix'],
  ['another root element (§4.9.3.1)', header(GOOD, 'stream:flow'), 'bad-format'],
  ['text (§4.9.3.13)', 'GET / HTTP/1.1\r\n\r\n', 'not-well-formed'],
  ['another encoding (§4.9.3.22)', "<?xml version='1.0' encoding='iso-8859-1'?>", 'unsupported-encoding'],
  ['UTF-16 (§4.9.3.22)', '\u0000<\u0000s', 'unsupported-encoding'],
  ['a document type (§4.9.3.18)', `<!DOCTYPE x [<!ENTITY a 'b'>]>${header(GOOD)}`, 'restricted-xml'],
  ['a processing instruction (§4.9.3.18)', `<?php x?>${header(GOOD)}`, 'restricted-xml'],
]
for (const [what, sent, condition] of openings) {
  test(`${what} instead of a header is ${condition}`, async () => {
    const client = await dial(rig.port('client'))
    client.send(sent)
    assertEnds(await client.closed(), condition)
  })
}

test('the prefix of the stream namespace is free, and a higher version is answered with ours (§4.7.5, §4.8.5)', async () => {
  const client = await dial(rig.port('client'))
  client.send(`<flow:stream xmlns='jabber:client' xmlns:flow='${STREAMS}' to='${HOST}' from='juliet@verona.example' version='1.7' xml:lang='it'>`)
  const answer = await client.read(/<\/stream:features>/)
  assert.match(answer, / to='juliet@verona.example' /)
  assert.match(answer, / version='1.0' /)
  client.send('</flow:stream>')
  assert.match(await client.closed(), /<\/stream:stream>$/)
})

/** What is sent after the features. */
const unauthenticated: readonly [string, string, string][] = [
  ['a stanza (§4.9.3.12)', "<message to='romeo@verona.example'><body>hi</body></message>", 'not-authorized'],
  ['a bind before SASL (§4.9.3.12)', BIND, 'not-authorized'],
  ['an unknown element (§4.9.3.24)', "<note xmlns='urn:x'/>", 'unsupported-stanza-type'],
  ['a comment (§4.9.3.18)', '<!-- aside -->', 'restricted-xml'],
  ['an unmatched close tag (§4.9.3.13)', '<message></presence>', 'not-well-formed'],
  ['an entity (§4.9.3.13)', '<message>&lol;</message>', '(?:restricted-xml|not-well-formed)'],
  ['text between elements (§4.9.3.1)', 'hello', 'bad-format'],
  ['an element that is too large (§4.9.3.14)', `<message>${'x'.repeat(11_000)}</message>`, 'policy-violation'],
  ['elements nested too deep (§4.9.3.14)', '<a>'.repeat(60), 'policy-violation'],
  ['too many attributes (§4.9.3.14)', `<message ${Array.from({ length: 50 }, (_, i) => `a${i}=''`).join(' ')}/>`, 'policy-violation'],
  ['a NUL (§4.9.3.13)', '<message>\u0000</message>', 'not-well-formed'],
  ['an undeclared prefix (§4.9.3.2)', '<x:message/>', 'bad-namespace-prefix'],
]
for (const [what, sent, condition] of unauthenticated) {
  test(`${what} before authentication is ${condition}`, async () => {
    const client = await dial(rig.port('client'))
    client.send(header(GOOD) + sent)
    assertEnds(await client.closed(), condition)
  })
}

test('invalid UTF-8 is not well-formed', async () => {
  const client = await dial(rig.port('client'))
  client.send(Buffer.concat([Buffer.from(`${OPEN}<message>`), Buffer.from([0xc3, 0x28]), Buffer.from('</message>')]))
  assertEnds(await client.closed(), 'not-well-formed')
})

test('too many elements and too many bytes before authentication are policy-violation', async () => {
  const talker = await dial(rig.port('client'))
  talker.send(OPEN + "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>".repeat(4))
  talker.send("<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>".repeat(60))
  assertEnds(await talker.closed(), 'policy-violation')
  const flood = await dial(rig.port('client'))
  flood.send(OPEN + ' '.repeat(70_000))
  assertEnds(await flood.closed(), 'policy-violation')
})

test('a second header on a running stream is refused', async () => {
  const client = await dial(rig.port('client'))
  client.send(`${header(GOOD)}${header(GOOD)}</stream:stream>`)
  assertEnds((await client.closed()), 'unsupported-stanza-type')
})

async function afterBind(sent: string, condition: string): Promise<void> {
  const client = await juliet(rig)
  client.send(sent)
  assert.match(await client.closed(), new RegExp(`<stream:error><${condition} .*</stream:error></stream:stream>$`))
}

test('a bound client may neither forge its sender nor send what is no stanza', async () => {
  await afterBind("<message from='romeo@verona.example/orchard' to='nurse@verona.example'/>", 'invalid-from')
  await afterBind("<message from='juliet@verona.example/chamber' to='nurse@verona.example'/>", 'invalid-from')
  await afterBind("<message from='@' to='nurse@verona.example'/>", 'invalid-from')
  await afterBind("<note xmlns='jabber:client'/>", 'unsupported-stanza-type')
  await afterBind("<message xmlns='jabber:server'/>", 'unsupported-stanza-type')
  await afterBind(`<message>${'<a>'.repeat(100)}`, 'policy-violation')
})

test('before a resource is bound nothing else is heard (§7.3.1)', async () => {
  const client = await dial(rig.port('client'))
  client.send(OPEN + plainAuth())
  await client.read(/<success/)
  client.send(OPEN)
  await client.read(/<bind /)
  client.send("<message to='romeo@verona.example'/>")
  assert.match(await client.closed(), /<not-authorized .*<\/stream:stream>$/)
})

test('after authentication host and sender stay what they were', async () => {
  const cases = [
    [OPEN.replace(HOST, 'mantua.example'), 'host-unknown'],
    [OPEN.replace(`to='${HOST}'`, `to='${HOST}' from='romeo@${HOST}'`), 'invalid-from'],
  ] as const
  for (const [reopening, condition] of cases) {
    const client = await dial(rig.port('client'))
    client.send(OPEN + plainAuth())
    await client.read(/<success[^>]*>/)
    client.send(reopening)
    assertEnds(await client.closed(), condition)
  }
})

test('a sender that is no account, such as the name of the machine that sendxmpp sends, is passed over', async () => {
  const client = await dial(rig.port('client'))
  client.send(OPEN + plainAuth())
  await client.read(/<success[^>]*>/)
  client.send(OPEN.replace(`to='${HOST}'`, `to='${HOST}' from='localhost'`))
  await client.read(/<bind /)
  client.destroy()
})

/** The connection number of the client that bound last. */
async function bindOf(client: Promise<RawClient>): Promise<{ readonly client: RawClient; readonly conn: number }> {
  const bound = await client
  const binds = await rig.core.waitFor('bind')
  return { client: bound, conn: binds.at(-1)?.conn ?? 0 }
}

test('the core ends a stream with any condition, an address to go to, or in order', async () => {
  const replaced = await bindOf(juliet(rig))
  rig.send({ kind: 'close-stream', conn: replaced.conn, condition: 'conflict', text: 'Replaced by <another>' })
  assert.match(await replaced.client.closed(),
    /<stream:error><conflict [^>]*\/><text [^>]*>Replaced by &lt;another&gt;<\/text><\/stream:error><\/stream:stream>$/)
  const moved = await bindOf(juliet(rig))
  rig.send({ kind: 'close-stream', conn: moved.conn, condition: 'see-other-host', text: '[2001:db8::1]:5222' })
  assert.match(await moved.client.closed(), /<see-other-host xmlns='[^']+'>\[2001:db8::1\]:5222<\/see-other-host>/)
  const strange = await bindOf(juliet(rig))
  rig.send({ kind: 'close-stream', conn: strange.conn, condition: 'no-such-condition' })
  assert.match(await strange.client.closed(), /<undefined-condition /)
  const done = await bindOf(juliet(rig))
  rig.send({ kind: 'close-stream', conn: done.conn, condition: '' })
  assert.equal((await done.client.read(/<\/stream:stream>/)).includes('error'), false)
  done.client.send('</stream:stream>')
  await done.client.closed()
  // The core knew: it is not told.
  const told = rig.core.received.filter((message) => message.kind === 'client-closed').map((message) => message.conn)
  for (const { conn } of [replaced, moved, strange, done]) assert.equal(told.includes(conn), false)
})

test('a core that does not answer is resource-constraint, a refused binding an iq error', async () => {
  rig.core.answers.set('bind', () => ({ isBound: false, condition: 'conflict', text: 'taken' }))
  const client = await dial(rig.port('client'))
  client.send(OPEN + plainAuth())
  await client.read(/<success/)
  client.send(OPEN + BIND)
  assert.match(await client.read(/<\/iq>/), /<iq type='error' id='b1'><error type='cancel'><conflict /)
  rig.core.answers.set('bind', () => {
    throw new Error('no such shard')
  })
  client.send(BIND)
  assert.match(await client.closed(), /<resource-constraint /)
  rig.core.answers.set('bind', (message) => (message.kind === 'bind' ? { isBound: true, jid: message.account.withResource('x') } : undefined))
})

test('a stream error of the peer is answered with a close tag, not with an error (§4.9.1.1)', async () => {
  const client = await juliet(rig)
  client.send("<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>")
  assert.equal(await client.closed(), '</stream:stream>')
})

test('damaged streams end in one error, and leave neither connections nor defects behind', async () => {
  const random = new SeededRandom(20)
  const good = Buffer.from(`${OPEN}${plainAuth()}${OPEN}${BIND}<message to='romeo@verona.example'><body>&lt;é</body></message><presence/></stream:stream>`)
  for (let round = 0; round < 150; round++) {
    const bytes = Buffer.from(good)
    for (let edit = random.below(3); edit >= 0; edit--) bytes[random.below(bytes.length)] = random.below(256)
    const client = await dial(rig.port('client'))
    const cut = random.below(bytes.length)
    client.send(bytes.subarray(0, cut))
    client.send(bytes.subarray(cut))
    client.socket.end()
    const text = await client.closed()
    assert.ok((text.match(/<stream:error>/g)?.length ?? 0) <= 1, text)
  }
  assert.equal(rig.log.of('stream-defect').length, 0)
  await within((async () => {
    while (rig.edge.connectionCount > 0) await new Promise((resolve) => setImmediate(resolve))
  })(), 'all connections to go')
})

test('the table of conditions is that of RFC 6120 §4.9.3', () => {
  assert.equal(STREAM_ERROR_CONDITIONS.length, 25)
  assert.equal(isStreamErrorCondition('conflict'), true)
  assert.equal(isStreamErrorCondition('toString'), false)
})
