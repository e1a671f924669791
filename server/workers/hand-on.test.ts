/** Clients go on at the member that owns their account (ADR 0012), with their TLS when it is in our own record layer (ADR 0014). */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { BIND, clearText, configOf, dial, dialTls, HOST, logIn, OPEN, plainAuth, RawClient } from '../edge/testing/edge-harness.ts'
import { cipherSuites } from '../edge/tls-records/key-schedule.ts'
import { modules } from '../modules.generated.ts'
import { Town } from './testing/town.ts'

const PING = "<iq type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>"
const PONG = /<iq [^>]*id='p1'[^>]*type='result'|<iq [^>]*type='result'[^>]*id='p1'/
const FEATURES = /<\/stream:features>/

let town: Town
let tlsTown: Town
before(async () => {
  const usual = { modules, members: 2, isHandingOn: true, options: { 'web-push': { enabled: false } } }
  town = await Town.start(usual)
  tlsTown = await Town.start({ ...usual, listeners: ['client-tls'], edge: { tls: { isCompact: true } } })
})
after(async () => {
  await town.stop()
  await tlsTown.stop()
})

const counts = (of: Town) => ['worker-1', 'worker-2'].map((id) => of.member(id).server.edge.connectionCount)
const compact = (id: string) => tlsTown.member(id).metrics.value('rollcall_edge_tls_compact')
const handedOn = (of: Town) => of.member('worker-1').metrics.value('rollcall_edge_handed_on_total') ?? 0

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 600 && !isSo(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.ok(isSo(), what)
}

async function pause(ms = 30): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}

describe('a client without TLS', () => {
  it('goes to the owner of its account once it has authenticated, and nobody else moves', async () => {
    const [here, there] = [town.nameOn('worker-1', 'romeo'), town.nameOn('worker-2', 'juliet')]
    await town.createAccount(here)
    await town.createAccount(there)
    const romeo = await town.connect('worker-1', here)
    assert.deepEqual(counts(town), [1, 0])
    const juliet = await town.connect('worker-1', there)
    assert.deepEqual(counts(town), [1, 1])
    juliet.send('<presence/>')
    await juliet.read(/<presence from=/)
    romeo.send(`<message to='${there}@${HOST}' type='chat'><body>wherefore</body></message>`)
    await juliet.read(/<body>wherefore</)
    juliet.send(`<message to='${here}@${HOST}/balcony' type='chat'><body>art thou</body></message>`)
    await romeo.read(/<body>art thou</)
    romeo.send('</stream:stream>')
    juliet.send('</stream:stream>')
    await juliet.read(/<\/stream:stream>/)
  })

  it('takes along what it sent ahead, wherever the bytes were cut (XEP-0509)', async () => {
    const name = town.nameOn('worker-2', 'tybalt')
    await town.createAccount(name)
    const ahead = `${plainAuth(name)}\n ${OPEN}${BIND}<presence/>${PING}`
    for (const cut of [0, plainAuth(name).length + 1, plainAuth(name).length + 7, ahead.length - 9, ahead.length]) {
      const client = await dial(town.member('worker-1').port)
      client.send(OPEN)
      await client.read(FEATURES)
      client.send(ahead.slice(0, cut))
      await pause()
      client.send(ahead.slice(cut))
      await client.read(PONG)
      client.destroy()
    }
  })

  it('is closed by a member that has no room', async () => {
    const name = town.nameOn('worker-2', 'paris')
    await town.createAccount(name)
    const { edge } = town.member('worker-2').server
    const usual = configOf(['client'], clearText)
    await edge.reload({ ...usual, limits: { ...usual.limits, connectionsMax: 0 } })
    const client = await dial(town.member('worker-1').port)
    client.send(OPEN)
    await client.read(FEATURES)
    client.send(plainAuth(name))
    await client.closed()
    await edge.reload(usual)
    const again = await dial(town.member('worker-1').port)
    await logIn(again, name)
    again.destroy()
  })
})

describe('a client with TLS', () => {
  async function juliet(options: ConnectionOptions = {}): Promise<[RawClient, string]> {
    const name = tlsTown.nameOn('worker-2', 'juliet')
    await tlsTown.createAccount(name).catch(() => {})
    const client = await dialTls(tlsTown.member('worker-1').port, options)
    await logIn(client, name)
    return [client, name]
  }

  async function leave(client: RawClient): Promise<void> {
    let hasEnded = false
    client.socket.on('end', () => { hasEnded = true })
    client.send('</stream:stream>')
    assert.match(await client.closed(), /<\/stream:stream>$/)
    assert.ok(hasEnded, 'close_notify came before the end of the connection')
    await until(() => compact('worker-2') === 0, 'nobody is left')
  }

  for (const suite of cipherSuites.keys()) {
    it(`goes on with ${suite} at the owner of its account: stanzas of all sizes, and a goodbye`, async () => {
      const before = handedOn(tlsTown)
      const [client, name] = await juliet({ ciphers: suite })
      assert.equal((client.socket as TLSSocket).getCipher().standardName, suite)
      assert.equal(handedOn(tlsTown), before + 1)
      assert.deepEqual(counts(tlsTown), [0, 1])
      assert.deepEqual([compact('worker-1'), compact('worker-2')], [0, 1])
      for (const length of [1, 16_384, 16_385, 100_000]) {
        client.send(`<message to='${name}@${HOST}/balcony' type='chat'><body>${'y'.repeat(length)}</body></message>`)
        assert.ok((await client.read(/<message .*<\/message>/)).length > length)
      }
      await leave(client)
    })
  }

  it('is known as one with TLS', async () => {
    const [client, name] = await juliet()
    const online = [...tlsTown.member('worker-2').server.core.accounts.online()].find(({ jid }) => jid.localpart === name)
    assert.deepEqual([...online?.sessions.values() ?? []].map(({ origin }) => [origin?.transport, origin?.isSecure]), [['tls', true]])
    await leave(client)
  })

  it('takes along what it sent ahead, in records that were cut anywhere on their way', async () => {
    const name = tlsTown.nameOn('worker-2', 'tybalt')
    await tlsTown.createAccount(name)
    const overhead = 5 + 1 + 16
    const auth = plainAuth(name).length + overhead
    for (const cut of [1, auth - 1, auth, auth + 3, auth + 5, auth + overhead, auth + overhead + OPEN.length - 1, Infinity]) {
      await using relay = await Relay.start(tlsTown.member('worker-1').port)
      const client = await relay.dialTls()
      client.send(OPEN)
      await client.read(FEATURES)
      relay.cutAfter(cut)
      client.send(plainAuth(name))
      client.send(OPEN)
      client.send(`${BIND}${PING}`)
      await client.read(PONG)
      assert.deepEqual(counts(tlsTown), [0, 1])
      client.destroy()
      await until(() => compact('worker-2') === 0, 'nobody is left')
    }
  })

  it('is lost when it ends without a word, with or without close_notify', async () => {
    for (const end of [(client: RawClient) => client.destroy(), (client: RawClient) => client.socket.end()]) {
      const [client] = await juliet()
      end(client)
      await until(() => compact('worker-2') === 0, 'nobody is left')
    }
  })

  it('gets an alert for a record that was changed on its way, and nothing more is read', async () => {
    await using relay = await Relay.start(tlsTown.member('worker-1').port)
    const client = await relay.dialTls()
    await logIn(client, tlsTown.nameOn('worker-2', 'juliet'))
    relay.inject(Uint8Array.of(23, 3, 3, 0, 40, ...new Uint8Array(40)))
    let code: string | undefined
    client.socket.on('error', (error: Error & { code?: string }) => { code = error.code })
    await client.closed()
    assert.equal(code, 'ERR_SSL_SSL/TLS_ALERT_BAD_RECORD_MAC')
    await until(() => compact('worker-2') === 0, 'nobody is left')
  })

  it('stays where it was accepted when its TLS is in OpenSSL', async () => {
    const before = handedOn(tlsTown)
    const [client, name] = await juliet({ maxVersion: 'TLSv1.2' })
    assert.deepEqual(counts(tlsTown), [1, 0])
    client.send(`<message to='${name}@${HOST}/balcony' type='chat'><body>good night</body></message>`)
    await client.read(/<body>good night</)
    assert.equal(handedOn(tlsTown), before)
    client.destroy()
    await until(() => counts(tlsTown)[0] === 0, 'nobody is left')
  })
})

describe('a client that logs in with SASL2', () => {
  const AGENT = "<user-agent id='3c0b6d4e-6a5e-4cf0-9a55-0d0a1f0f7a11'><software>Lute</software></user-agent>"
  const BIND2 = "<bind xmlns='urn:xmpp:bind:0'><tag>Lute</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>"
  /** No prefix that we would choose, and one more that elements after the login may use. */
  const ODD_OPEN = `<s:stream to='${HOST}' xmlns:s='http://etherx.jabber.org/streams' xmlns:p='urn:xmpp:ping'`
    + " xmlns='jabber:client' version='1.0' xml:lang='it'>"
  const ODD_PING = "<iq type='get' id='p1'><p:ping/></iq>"
  const authenticate = (mechanism: string, initial: string | Uint8Array, inline: string) =>
    `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='${mechanism}'><initial-response>${Buffer.from(initial as string).toString('base64')}</initial-response>`
    + `${inline}</authenticate>`
  const plain = (name: string, inline: string) => authenticate('PLAIN', `\0${name}\0balcony`, inline)

  it('goes before its inline wishes are met, and its stream goes on there: without TLS, and wherever the bytes were cut', async () => {
    const name = town.nameOn('worker-2', 'friar')
    await town.createAccount(name)
    const all = `${plain(name, AGENT + BIND2)}\n${ODD_PING}`
    for (const cut of [0, all.length - ODD_PING.length, all.length - 7, all.length]) {
      const before = handedOn(town)
      const client = await dial(town.member('worker-1').port)
      client.send(ODD_OPEN)
      await client.read(FEATURES)
      client.send(all.slice(0, cut))
      await pause()
      client.send(all.slice(cut))
      const own = /<authorization-identifier>([^<]+)<\/.*<bound /.exec(await client.read(FEATURES))?.[1] ?? ''
      assert.ok(own.startsWith(`${name}@${HOST}/Lute`), own)
      await client.read(PONG)
      assert.equal(handedOn(town), before + 1)
      client.send(`<message to='${own}' type='chat'><body>buona notte</body></message>`)
      assert.match(await client.read(/<message .*<\/message>/), /xml:lang='it'/)
      client.send('</s:stream>')
      await client.read(/<\/stream:stream>/)
    }
  })

  it('binds, gets a token, and comes back by it to resume its session, over TLS', async () => {
    const name = tlsTown.nameOn('worker-2', 'friar')
    await tlsTown.createAccount(name)
    const { port } = tlsTown.member('worker-1')
    const before = handedOn(tlsTown)
    const client = await dialTls(port)
    client.send(OPEN)
    await client.read(FEATURES)
    client.send(`${plain(name, `${AGENT}<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>${BIND2}`)}${PING}`)
    const success = await client.read(FEATURES)
    await client.read(PONG)
    assert.deepEqual([handedOn(tlsTown), compact('worker-1'), compact('worker-2')], [before + 1, 0, 1])
    const token = / token='([^']+)'/.exec(success)?.[1] ?? ''
    const session = /<enabled [^>]* id='([^']+)'/.exec(success)?.[1] ?? ''
    client.socket.destroy()
    const again = await dialTls(port)
    again.send(OPEN)
    await again.read(FEATURES)
    const proof = createHmac('sha256', token).update('Initiator').digest()
    const resume = `<resume xmlns='urn:xmpp:sm:3' previd='${session}' h='1'/>`
    again.send(authenticate('HT-SHA-256-NONE', Buffer.concat([Buffer.from(`${name}\0`), proof]), `${AGENT}<fast xmlns='urn:xmpp:fast:0'/>${resume}`))
    const resumed = await again.read(/<\/success>/)
    // The proof of the server's, which was made where the client logged in.
    const data = createHmac('sha256', token).update('Responder').digest('base64')
    assert.ok(resumed.includes(`<additional-data>${data}</additional-data>`), resumed)
    assert.match(resumed, /<resumed [^>]*previd=/)
    assert.equal(handedOn(tlsTown), before + 2)
    again.send(PING)
    await again.read(PONG)
    again.destroy()
    await until(() => compact('worker-2') === 0, 'nobody is left')
  })

  it('may ask for nothing inline, and binds afterwards', async () => {
    const name = town.nameOn('worker-2', 'friar')
    const before = handedOn(town)
    const client = await dial(town.member('worker-1').port)
    client.send(OPEN)
    await client.read(FEATURES)
    client.send(plain(name, '') + BIND + PING)
    assert.match(await client.read(FEATURES), new RegExp(`<authorization-identifier>${name}@${HOST}</`))
    await client.read(/<iq type='result' id='b1'>/)
    await client.read(PONG)
    assert.equal(handedOn(town), before + 1)
    client.destroy()
  })
})

it('the folder of the ways between members is for their user alone', async () => {
  assert.equal((await stat(tlsTown.passages)).mode & 0o777, 0o700)
})

it('a client stays where it was accepted while there is no way to the owner', async () => {
  const name = town.nameOn('worker-2', 'nurse')
  await town.createAccount(name)
  const { passage } = town.member('worker-1')
  passage?.forget('worker-2')
  const before = handedOn(town)
  const client = await town.connect('worker-1', name)
  client.send(PING)
  await client.read(PONG)
  assert.equal(handedOn(town), before)
  client.destroy()
})

/** Between a client and the server, where bytes can be cut. */
class Relay {
  readonly #server = createServer()
  #cutAfter = Infinity
  #inject: (bytes: Uint8Array) => void = () => {}

  static async start(to: number): Promise<Relay> {
    const relay = new Relay()
    relay.#server.on('connection', (near) => {
      const far = connect({ port: to, host: '127.0.0.1', noDelay: true })
      relay.#inject = (bytes) => void far.write(bytes)
      // One after the other: what comes while a rest waits, waits behind it.
      let line = Promise.resolve()
      near.on('data', (chunk: Buffer) => void (line = line.then(() => relay.#pass(chunk, (bytes) => void far.write(bytes)))))
      far.on('data', (chunk) => void near.write(chunk))
      for (const [one, other] of [[near, far], [far, near]] as const) {
        one.on('end', () => void line.then(() => other.end()))
        one.on('error', () => other.destroy())
        one.on('close', () => other.destroy())
      }
    })
    await new Promise<void>((resolve) => relay.#server.listen(0, '127.0.0.1', resolve))
    return relay
  }

  async #pass(chunk: Uint8Array, write: (bytes: Uint8Array) => void): Promise<void> {
    if (chunk.length <= this.#cutAfter) {
      this.#cutAfter -= chunk.length
      write(chunk)
      return
    }
    const cut = this.#cutAfter
    this.#cutAfter = Infinity
    if (cut > 0) write(chunk.subarray(0, cut))
    await pause(60)
    write(chunk.subarray(cut))
  }

  /** So many bytes of the client from now on, then a pause. */
  cutAfter(bytes: number): void {
    this.#cutAfter = bytes
  }

  inject(bytes: Uint8Array): void {
    this.#inject(bytes)
  }

  async dialTls(): Promise<RawClient> {
    const { port } = this.#server.address() as AddressInfo
    const socket = connectTls({ port, host: '127.0.0.1', servername: HOST, rejectUnauthorized: false })
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
    })
    return new RawClient(socket)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
  }
}
