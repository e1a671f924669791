import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { clearText, configOf, HOST, plainAuth, startRig, within } from './testing/edge-harness.ts'
import type { Rig } from './testing/edge-harness.ts'

let rig: Rig
before(async () => {
  rig = await startRig(configOf(['http'], clearText))
})
after(() => rig.stop())

const NS = 'http://jabber.org/protocol/httpbind'

async function post(body: string, on = rig): Promise<string> {
  const response = await within(fetch(`http://127.0.0.1:${on.port('http')}/http-bind`, { method: 'POST', body }), `answer to ${body}`)
  assert.equal(response.status, 200)
  return response.text()
}

/** A session by hand: rids count up from 1000. */
class Session {
  sid = ''
  rid = 1000
  readonly rig: Rig

  constructor(on: Rig) {
    this.rig = on
  }

  body(content = '', attributes = '', rid = this.rid++): Promise<string> {
    const inner = content === '' ? '/>' : `>${content}</body>`
    return post(`<body rid='${rid}' sid='${this.sid}' xmlns='${NS}'${attributes}${inner}`, this.rig)
  }

  async create(attributes = " wait='60' hold='1'"): Promise<string> {
    const answer = await post(
      `<body rid='${this.rid++}' to='${HOST}'${attributes} ver='1.6' xml:lang='en' xmpp:version='1.0' xmlns='${NS}' xmlns:xmpp='urn:xmpp:xbosh'/>`, this.rig,
    )
    this.sid = /sid='([^']+)'/.exec(answer)?.[1] ?? ''
    return answer
  }

  restart(): Promise<string> {
    return this.body('', ` to='${HOST}' xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'`)
  }

  async logIn(): Promise<number> {
    await this.create()
    assert.match(await this.body(plainAuth()), /<success/)
    assert.match(await this.restart(), /<stream:features>.*<bind /)
    const bound = await this.body("<iq type='set' id='b' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    assert.match(bound, /<iq xmlns='jabber:client' type='result' id='b'>/)
    const binds = await this.rig.core.waitFor('bind')
    return binds.at(-1)?.conn ?? 0
  }
}

test('the first answer carries the session and the features (XEP-0206 §4)', async () => {
  const session = new Session(rig)
  const answer = await session.create(" wait='3600' hold='9'")
  for (const attribute of ["wait='60'", "hold='2'", "requests='3'", "inactivity='60'", "xmpp:restartlogic='true'", "xmpp:version='1.0'", `from='${HOST}'`]) {
    assert.ok(answer.includes(attribute), `${attribute} in ${answer}`)
  }
  assert.match(answer, /<stream:features>.*PLAIN/)
  assert.notEqual(session.sid, '')
})

test('a whole session: authenticate, restart, bind, send, receive, terminate', async () => {
  const session = new Session(rig)
  const conn = await session.logIn()
  const held = session.body()
  const seen = rig.core.stanzas.length
  const one = "<message to='romeo@verona.example' xmlns='jabber:client'><body>one</body></message>"
  const two = "<message to='romeo@verona.example'><body>two</body></message>"
  const released = session.body(one + two)
  const stanzas = await rig.core.waitFor('client-stanza', seen + 2)
  assert.deepEqual(stanzas.slice(-2).map(({ stanza }) => stanza.content), ['<body>one</body>', '<body>two</body>'])
  // Only one request may be held: the older is let go, empty.
  assert.equal(await held, `<body xmlns='${NS}'/>`)
  rig.send({ kind: 'deliver', conn, wire: "<message from='romeo@verona.example'><body>three</body></message>" })
  assert.equal(await released, `<body xmlns='${NS}'><message xmlns='jabber:client' from='romeo@verona.example'><body>three</body></message></body>`)
  const ended = rig.core.received.filter(({ kind }) => kind === 'client-closed').length
  assert.match(await session.body("<presence type='unavailable' xmlns='jabber:client'/>", " type='terminate'"), /type='terminate'/)
  const gone = await rig.core.waitFor('client-closed', ended + 1)
  assert.deepEqual([gone.at(-1)?.conn, gone.at(-1)?.reason], [conn, 'closed'])
  assert.match(await session.body(), /condition='item-not-found'/)
})

test('requests that overtake each other are handled in order', async () => {
  const session = new Session(rig)
  await session.logIn()
  const seen = rig.core.stanzas.length
  const { rid } = session
  const second = session.body("<message to='romeo@verona.example'><body>second</body></message>", '', rid + 1)
  await delay(20)
  assert.equal(rig.core.stanzas.length, seen)
  const first = session.body("<message to='romeo@verona.example'><body>first</body></message>", '', rid)
  const stanzas = await rig.core.waitFor('client-stanza', seen + 2)
  assert.deepEqual(stanzas.slice(-2).map(({ stanza }) => stanza.content), ['<body>first</body>', '<body>second</body>'])
  session.rid = rid + 2
  await first
  await session.body('', " type='terminate'")
  await second
})

test('a repeated request gets the same answer again and is not handled again (XEP-0124 §14.3)', async () => {
  const session = new Session(rig)
  const conn = await session.logIn()
  const seen = rig.core.stanzas.length
  const rid = session.rid
  const answer = session.body("<message to='romeo@verona.example'><body>once</body></message>")
  await rig.core.waitFor('client-stanza', seen + 1)
  rig.send({ kind: 'deliver', conn, wire: '<message><body>reply</body></message>' })
  const first = await answer
  assert.match(first, /reply/)
  assert.equal(await session.body("<message to='romeo@verona.example'><body>once</body></message>", '', rid), first)
  assert.equal(rig.core.stanzas.length, seen + 1)
})

test('a request repeated while the first is held takes its place', async () => {
  const session = new Session(rig)
  const conn = await session.logIn()
  const rid = session.rid
  const first = session.body()
  await delay(20)
  const second = session.body('', '', rid)
  assert.match(await first, /type='error'/)
  rig.send({ kind: 'deliver', conn, wire: '<message><body>late</body></message>' })
  assert.match(await second, /late/)
})

test('a rid outside the window, an unknown session and bad bodies end in the right condition', async () => {
  const session = new Session(rig)
  await session.create()
  assert.match(await session.body('', '', session.rid + 50), /type='terminate' condition='item-not-found'/)
  assert.match(await session.body(), /item-not-found/)
  assert.match(await post(`<body rid='1' sid='nobody' xmlns='${NS}'/>`), /item-not-found/)
  assert.match(await post('<body'), /bad-request/)
  assert.match(await post(`<body sid='nobody' xmlns='${NS}'/>`), /bad-request/)
  assert.match(await post("<body rid='1' xmlns='jabber:client'/>"), /bad-request/)
  const url = `http://127.0.0.1:${rig.port('http')}/http-bind`
  assert.equal((await fetch(url)).status, 405)
  const preflight = await fetch(url, { method: 'OPTIONS' })
  assert.equal(preflight.headers.get('access-control-allow-headers'), 'Content-Type')
  const huge = await fetch(url, { method: 'POST', body: 'x'.repeat(600_000) }).then(({ status }) => status, () => 413)
  assert.equal(huge, 413)
})

test('a stream error is sent inside the terminating body', async () => {
  const session = new Session(rig)
  await session.create()
  const answer = await session.body("<message to='romeo@verona.example' xmlns='jabber:client'/>")
  assert.match(answer, /type='terminate' condition='remote-stream-error'/)
  assert.match(answer, /<stream:error><not-authorized /)
  const other = new Session(rig)
  const unknown = await post(`<body rid='1' to='mantua.example' wait='1' hold='1' xmpp:version='1.0' xmlns='${NS}' xmlns:xmpp='urn:xmpp:xbosh'/>`)
  assert.match(unknown, /<host-unknown /)
  assert.equal(other.sid, '')
})

test('an empty request is answered after the wait, and a client that stays away is given up', async () => {
  const session = new Session(rig)
  const conn = await session.logIn()
  const answer = session.body()
  await delay(20)
  rig.clock.advance(61_000)
  assert.equal(await answer, `<body xmlns='${NS}'/>`)
  const ended = rig.core.received.filter(({ kind }) => kind === 'client-closed').length
  rig.clock.advance(62_000)
  const gone = await rig.core.waitFor('client-closed', ended + 1)
  assert.ok(gone.some((message) => message.conn === conn && message.reason === 'lost'))
  // The idle HTTP connection has been closed too; let the client notice.
  await delay(20)
  assert.match(await session.body(), /item-not-found/)
})

test('a polling client is answered at once but may not poll too often (XEP-0124 §12)', async () => {
  const session = new Session(rig)
  assert.match(await session.create(" wait='0' hold='0'"), /requests='1'/)
  assert.equal(await session.body(), `<body xmlns='${NS}'/>`)
  assert.match(await session.body(), /condition='policy-violation'/)
})

test('pause lets everything go and stretches the inactivity (XEP-0124 §10)', async () => {
  const session = new Session(rig)
  await session.logIn()
  const held = session.body()
  await delay(20)
  await session.body('', " pause='110'")
  assert.equal(await held, `<body xmlns='${NS}'/>`)
  rig.clock.advance(100_000)
  await delay(20)
  const still = session.body()
  await delay(20)
  await session.body('', " type='terminate'")
  assert.doesNotMatch(await still, /item-not-found/)
})

test('a session with keys refuses a request without the next key (XEP-0124 §15)', async () => {
  const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')
  const session = new Session(rig)
  const first = sha1('seed')
  await session.create(` wait='60' hold='0' newkey='${sha1(first)}'`)
  assert.doesNotMatch(await session.body(plainAuth(), ` key='${first}'`), /terminate/)
  assert.match(await session.body('', " key='stolen'"), /item-not-found/)
})

test('output that is never fetched is bounded', async () => {
  const small = await startRig(configOf(['http'], { ...clearText, limits: { outputBytesMax: 10_000 } }))
  const session = new Session(small)
  const conn = await session.logIn()
  for (let i = 0; i < 20; i++) small.send({ kind: 'deliver', conn, wire: `<message><body>${'x'.repeat(1000)}</body></message>` })
  const [gone] = await small.core.waitFor('client-closed')
  assert.equal(gone?.reason, 'lost')
  assert.match(await session.body(), /<policy-violation /)
  await small.stop()
})
