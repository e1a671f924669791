import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { WebSocket } from 'ws'
import { clearText, configOf, HOST, plainAuth, startRig, within } from './testing/edge-harness.ts'
import type { Rig } from './testing/edge-harness.ts'

let rig: Rig
before(async () => {
  rig = await startRig(configOf(['http', 'https'], clearText))
})
after(() => rig.stop())

/** A client that speaks messages. */
class Chat {
  readonly socket: WebSocket
  readonly messages: string[] = []
  closeCode: number | undefined
  #wake: () => void = () => {}

  constructor(url: string, protocol: string | undefined = 'xmpp', origin?: string) {
    this.socket = new WebSocket(url, protocol === undefined ? [] : [protocol], { rejectUnauthorized: false, ...(origin === undefined ? {} : { origin }) })
    this.socket.on('message', (data: Buffer) => {
      this.messages.push(data.toString('utf8'))
      this.#wake()
    })
    this.socket.on('error', () => {})
    this.socket.on('close', (code) => {
      this.closeCode = code
      this.#wake()
    })
  }

  async opened(): Promise<this> {
    await within(new Promise((resolve, reject) => {
      this.socket.once('open', resolve)
      this.socket.once('error', reject)
    }), 'open')
    return this
  }

  async next(): Promise<string> {
    while (this.messages.length === 0) {
      assert.equal(this.closeCode, undefined, 'closed while a message was awaited')
      await within(new Promise<void>((resolve) => {
        this.#wake = resolve
      }), 'a message')
    }
    return this.messages.shift() ?? ''
  }

  async closed(): Promise<number> {
    while (this.closeCode === undefined) {
      await within(new Promise<void>((resolve) => {
        this.#wake = resolve
      }), 'close')
    }
    return this.closeCode
  }

  /** Gives the features that come after authentication. */
  async authenticate(): Promise<string> {
    this.socket.send(OPEN)
    await this.next()
    await this.next()
    this.socket.send(plainAuth())
    assert.match(await this.next(), /^<success/)
    this.socket.send(OPEN)
    await this.next()
    return this.next()
  }

  async logIn(): Promise<void> {
    assert.match(await this.authenticate(), /<bind /)
    this.socket.send("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    assert.match(await this.next(), /^<iq xmlns='jabber:client' type='result' id='b'>/)
  }
}

const OPEN = `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='${HOST}' version='1.0'/>`
const SM = "xmlns='urn:xmpp:sm:3'"
const url = () => `ws://127.0.0.1:${rig.port('http')}/ws`

test('a stream is opened with <open/> and each element is one message with its namespaces (RFC 7395 §3.3)', async () => {
  const chat = await new Chat(url()).opened()
  assert.equal(chat.socket.protocol, 'xmpp')
  chat.socket.send(OPEN)
  assert.match(await chat.next(), new RegExp(`^<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='${HOST}' id='[^']+' version='1.0' xml:lang='en'/>$`))
  const features = await chat.next()
  assert.match(features, /^<stream:features xmlns:stream='http:\/\/etherx.jabber.org\/streams'>/)
  assert.doesNotMatch(features, /starttls/)
  chat.socket.terminate()
})

test('stanzas travel both ways, fragmented or not', async () => {
  const chat = await new Chat(url()).opened()
  await chat.logIn()
  const text = "<message xmlns='jabber:client' to='romeo@verona.example'><body>Wherefore ärt thou</body></message>"
  const bytes = Buffer.from(text)
  const before = rig.core.stanzas.length
  // The cut goes through the two bytes of the umlaut.
  const cut = bytes.indexOf(0xc3) + 1
  chat.socket.send(bytes.subarray(0, cut), { binary: false, fin: false })
  chat.socket.send(bytes.subarray(cut), { binary: false, fin: true })
  const stanzas = await rig.core.waitFor('client-stanza', before + 1)
  const sent = stanzas.at(-1)
  assert.equal(Buffer.from(sent?.stanza.content ?? '', 'latin1').toString(), '<body>Wherefore ärt thou</body>')
  const conn = sent?.conn ?? 0
  rig.send({ kind: 'deliver', conn, wire: "<message from='romeo@verona.example' id='1'><body>\u00c3\u00a4</body></message>" })
  rig.send({ kind: 'deliver', conn, wire: "<presence from='romeo@verona.example'/>" })
  assert.equal(await chat.next(), "<message xmlns='jabber:client' from='romeo@verona.example' id='1'><body>ä</body></message>")
  assert.equal(await chat.next(), "<presence xmlns='jabber:client' from='romeo@verona.example'/>")
  chat.socket.terminate()
})

test('stream management: each element is a message, a cut loses the stream and another connection resumes it (XEP-0198)', async () => {
  const chat = await new Chat(url()).opened()
  await chat.logIn()
  chat.socket.send(`<enable ${SM} resume='true'/>`)
  const asked = (await rig.core.waitFor('client-nonza')).at(-1)
  assert.equal(asked?.element.attribute('resume'), 'true')
  const conn = asked?.conn ?? 0
  rig.send({ kind: 'deliver', conn, wire: `<enabled ${SM} id='w1' resume='true'/>` })
  rig.send({ kind: 'deliver', conn, wire: "<message id='m1'/>" })
  rig.send({ kind: 'deliver', conn, wire: `<r ${SM}/>` })
  assert.deepEqual([await chat.next(), await chat.next(), await chat.next()], [
    `<enabled ${SM} id='w1' resume='true'/>`, "<message xmlns='jabber:client' id='m1'/>", `<r ${SM}/>`,
  ])
  const endings = rig.core.received.filter(({ kind }) => kind === 'client-closed').length
  chat.socket.terminate()
  const lost = (await rig.core.waitFor('client-closed', endings + 1)).at(-1)
  assert.deepEqual([lost?.conn, lost?.reason], [conn, 'lost'])

  rig.core.answers.set('resume', (message) => {
    if (message.kind !== 'resume') return undefined
    rig.send({ kind: 'deliver', conn: message.conn, wire: "<message id='m2'/>" })
    return { isResumed: true, jid: message.account.withResource('balcony'), wire: `<resumed ${SM} previd='${message.previousId}' h='0'/>` }
  })
  const again = await new Chat(url()).opened()
  assert.match(await again.authenticate(), /<sm xmlns='urn:xmpp:sm:3'\/>/)
  again.socket.send(`<resume ${SM} previd='w1' h='1'/>`)
  assert.equal(await again.next(), `<resumed ${SM} previd='w1' h='0'/>`)
  assert.equal(await again.next(), "<message xmlns='jabber:client' id='m2'/>")
  const request = rig.core.received.findLast((message) => message.kind === 'resume')
  assert.deepEqual([request?.previousId, request?.handled, request?.origin.transport], ['w1', 1, 'websocket'])
  again.socket.send(`<a ${SM} h='2'/>`)
  const answer = (await rig.core.waitFor('client-nonza', 2)).at(-1)
  assert.deepEqual([answer?.conn, answer?.element.name], [request?.conn, 'a'])
  again.socket.terminate()
})

test('<close/> is answered with <close/> and ends the session (RFC 7395 §3.6)', async () => {
  const chat = await new Chat(url()).opened()
  await chat.logIn()
  const before = rig.core.received.filter(({ kind }) => kind === 'client-closed').length
  chat.socket.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
  assert.equal(await chat.next(), "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
  assert.equal(await chat.closed(), 1000)
  const gone = await rig.core.waitFor('client-closed', before + 1)
  assert.equal(gone.at(-1)?.reason, 'closed')
})

test('errors are a whole <stream:error/> after an <open/>, then <close/>', async () => {
  const chat = await new Chat(url()).opened()
  chat.socket.send('<open xmlns=')
  assert.match(await chat.next(), /^<open /)
  assert.match(await chat.next(), /^<stream:error xmlns:stream='[^']+'><not-well-formed /)
  assert.match(await chat.next(), /^<close /)
  await chat.closed()
})

test('a stream header of TCP, two elements in one message and binary messages are refused', async () => {
  const header = await new Chat(url()).opened()
  header.socket.send(`<stream:stream to='${HOST}' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'/>`)
  await header.next()
  assert.match(await header.next(), /<invalid-namespace /)
  const two = await new Chat(url()).opened()
  two.socket.send(OPEN + OPEN)
  await two.next()
  assert.match(await two.next(), /<not-well-formed /)
  const binary = await new Chat(url()).opened()
  binary.socket.send(Buffer.from(OPEN))
  assert.equal(await binary.closed(), 1003)
})

test('a client must offer the subprotocol, the path, and an allowed origin', async () => {
  await assert.rejects(new Chat(url(), 'chat').opened())
  await assert.rejects(new Chat(`${url()}x`).opened())
  const picky = await startRig(configOf(['http'], { ...clearText, http: { websocket: { path: '/ws', pingMs: 1000, origins: ['https://verona.example'] } } }))
  const there = `ws://127.0.0.1:${picky.port('http')}/ws`
  await assert.rejects(new Chat(there, 'xmpp', 'https://evil.example').opened())
  const chat = await new Chat(there, 'xmpp', 'https://verona.example').opened()
  chat.socket.terminate()
  await picky.stop()
})

test('WebSocket runs over TLS, and then is secure', async () => {
  const chat = await new Chat(`wss://127.0.0.1:${rig.port('https')}/ws`).opened()
  await chat.logIn()
  const binds = await rig.core.waitFor('bind')
  assert.deepEqual(binds.at(-1)?.origin, { transport: 'websocket', address: '127.0.0.1', isSecure: true })
  chat.socket.terminate()
})

test('a client that answers no ping is given up', async () => {
  const lonely = await startRig(configOf(['http'], { ...clearText, http: { websocket: { path: '/ws', pingMs: 60_000, origins: [] } } }))
  const chat = await new Chat(`ws://127.0.0.1:${lonely.port('http')}/ws`).opened()
  await chat.logIn()
  chat.socket.pong = () => {}
  const pinged = within(new Promise((resolve) => chat.socket.once('ping', resolve)), 'ping')
  lonely.clock.advance(75_000)
  await pinged
  lonely.clock.advance(75_000)
  const [gone] = await lonely.core.waitFor('client-closed')
  assert.equal(gone?.reason, 'lost')
  await lonely.stop()
})

test('host-meta names both transports (XEP-0156 §3)', async () => {
  const base = `http://127.0.0.1:${rig.port('http')}/.well-known/host-meta`
  const xml = await fetch(base)
  assert.equal(xml.headers.get('access-control-allow-origin'), '*')
  const text = await xml.text()
  assert.ok(text.includes(`<Link rel='urn:xmpp:alt-connections:websocket' href='ws://127.0.0.1:${rig.port('http')}/ws'/>`), text)
  const json = await (await fetch(`${base}.json`)).json() as { readonly links: readonly { readonly rel: string; readonly href: string }[] }
  assert.deepEqual(json.links.map(({ rel }) => rel), ['urn:xmpp:alt-connections:xbosh', 'urn:xmpp:alt-connections:websocket'])
  assert.equal((await fetch(`http://127.0.0.1:${rig.port('http')}/nothing`)).status, 404)
})

test('routes of the caller are served, and one that throws is an error of its own', async () => {
  const served = await startRig(configOf(['http'], clearText), {
    routes: [
      { method: 'GET', path: '/chat/', handle: (_request, response, { path }) => void response.end(`page ${path}`) },
      { path: '/broken', handle: () => Promise.reject(new Error('broken')) },
    ],
  })
  const base = `http://127.0.0.1:${served.port('http')}`
  assert.equal(await (await fetch(`${base}/chat/a.js`)).text(), 'page /chat/a.js')
  assert.equal((await fetch(`${base}/broken`)).status, 500)
  assert.equal(served.log.of('http-route-failed').length, 1)
  await served.stop()
})
