/** Connections that leave OpenSSL after the handshake, seen from the client: nothing may be different. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { BIND, configOf, dial, dialTls, HOST, juliet, logIn, OPEN, plainAuth, startRig } from '../testing/edge-harness.ts'
import type { RawClient, Rig } from '../testing/edge-harness.ts'
import { cipherSuites } from './key-schedule.ts'

const GREETING = `<message to='romeo@${HOST}'><body>good night</body></message>`
const STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

describe('a TLS connection that leaves OpenSSL', () => {
  let rig: Rig
  before(async () => {
    rig = await startRig(configOf(['client', 'client-tls'], {
      tls: { isCompact: true }, limits: { outputBytesMax: 300_000, outputHighBytes: 50_000 },
    }))
  })
  after(() => rig.stop())

  const compact = () => rig.metrics.value('rollcall_edge_tls_compact')

  /** Waits until the edge has noticed. */
  async function until(isSo: () => boolean, what: string): Promise<void> {
    for (let i = 0; i < 600 && !isSo(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.ok(isSo(), what)
  }

  /** The number that the edge gave the client that bound last. */
  function lastConn(): number {
    const bound = rig.core.received.findLast((message) => message.kind === 'bind')
    assert.ok(bound)
    return bound.conn
  }

  async function loggedIn(options: ConnectionOptions = {}): Promise<RawClient> {
    const client = await dialTls(rig.port('client-tls'), options)
    await logIn(client)
    return client
  }

  async function leave(client: RawClient): Promise<void> {
    client.send('</stream:stream>')
    assert.match(await client.closed(), /<\/stream:stream>$/)
    await until(() => compact() === 0, 'nobody is compact')
  }

  /** Stanzas in both directions, of all sizes. */
  async function talk(client: RawClient): Promise<void> {
    const seen = rig.core.stanzas.length
    client.send(GREETING.repeat(3))
    await until(() => rig.core.stanzas.length === seen + 3, 'three stanzas')
    client.send(GREETING.replace('good night', 'x'.repeat(100_000)))
    await until(() => rig.core.stanzas.length === seen + 4, 'a long stanza')
    for (const length of [1, 16_384, 16_385, 100_000]) {
      rig.send({ kind: 'deliver', conn: lastConn(), wire: `<message><body>${'y'.repeat(length)}</body></message>` })
      assert.ok((await client.read(/<message>.*<\/message>/)).length > length)
    }
  }

  for (const suite of cipherSuites.keys()) {
    it(`talks on with ${suite}, and both sides say goodbye`, async () => {
      const client = await loggedIn({ ciphers: suite })
      assert.equal((client.socket as TLSSocket).getCipher().standardName, suite)
      assert.equal(compact(), 1)
      await talk(client)
      let hasEnded = false
      client.socket.on('end', () => { hasEnded = true })
      await leave(client)
      assert.ok(hasEnded, 'close_notify came before the end of the connection')
    })
  }

  it('may have come by STARTTLS, or with a resumed session', async () => {
    const client = await dial(rig.port('client'))
    client.send(OPEN + STARTTLS)
    await client.read(/<proceed[^>]*>/)
    const first = await client.startTls()
    let session: Buffer | undefined
    first.on('session', (ticket: Buffer) => { session = ticket })
    await logIn(client)
    assert.equal(compact(), 1)
    await talk(client)
    await leave(client)
    assert.ok(session)
    const again = await loggedIn({ session })
    assert.ok((again.socket as TLSSocket).isSessionReused())
    assert.equal(compact(), 1)
    await talk(again)
    await leave(again)
  })

  it('leaves others alone: TLS 1.2, and the whole edge when it is turned off', async () => {
    const old = await loggedIn({ maxVersion: 'TLSv1.2' })
    assert.equal(compact(), 0)
    await talk(old)
    await leave(old)
    const off = await startRig(configOf(['client-tls'], { tls: { isCompact: false } }))
    const client = await dialTls(off.port('client-tls'))
    await logIn(client)
    assert.equal(off.metrics.value('rollcall_edge_tls_compact'), 0)
    client.destroy()
    await off.stop()
  })

  it('keeps what SASL needs: the bindings of the handshake', async () => {
    const client = await dialTls(rig.port('client-tls'))
    const exported = (client.socket as TLSSocket).exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
    assert.equal(exported.length, 32)
    client.send(OPEN)
    // The features were written by the record layer: OpenSSL is gone when the client authenticates.
    assert.match(await client.read(/<\/stream:features>/), /<mechanism>SCRAM-SHA-256-PLUS<\/mechanism>.*<channel-binding type='tls-exporter'\/>/)
    assert.equal(compact(), 1)
    client.send(plainAuth())
    await client.read(/<success[^>]*>/)
    client.send(OPEN)
    assert.match(await client.read(/<\/stream:features>/), /<bind /)
    client.send(BIND)
    await client.read(/<iq type='result' id='b1'>.*<\/iq>/)
    await leave(client)
  })

  it('ends with an alert when a record was changed on its way, and does not read on', async () => {
    const client = await dial(rig.port('client-tls'))
    const raw = client.socket
    await client.startTls()
    await logIn(client)
    const seen = rig.core.stanzas.length
    raw.write(Uint8Array.of(23, 3, 3, 0, 40, ...new Uint8Array(40)))
    client.send(GREETING)
    let code: string | undefined
    client.socket.on('error', (error: Error & { code?: string }) => { code = error.code })
    await client.closed()
    assert.equal(code, 'ERR_SSL_SSL/TLS_ALERT_BAD_RECORD_MAC')
    assert.equal(rig.core.stanzas.length, seen)
    await until(() => compact() === 0, 'nobody is compact')
    assert.equal(rig.core.received.findLast((message) => message.kind === 'client-closed')?.reason, 'lost')
  })

  it('is lost when the client closes without a word, with or without close_notify', async () => {
    for (const end of [(client: RawClient) => client.destroy(), (client: RawClient) => client.socket.end()]) {
      const client = await loggedIn()
      const conn = lastConn()
      end(client)
      await until(() => rig.core.received.some((message) => message.kind === 'client-closed' && message.conn === conn), 'the core is told')
      assert.equal(rig.core.received.findLast((message) => message.kind === 'client-closed')?.reason, 'lost')
      await until(() => compact() === 0, 'nobody is compact')
    }
  })

  it('is cut off when it does not read, and held while it reads slowly', async () => {
    const client = await loggedIn()
    client.socket.pause()
    const conn = lastConn()
    const wire = `<message><body>${'z'.repeat(100_000)}</body></message>`
    let sent = 0
    await until(() => {
      rig.send({ kind: 'deliver', conn, wire })
      return ++sent > 400 || rig.core.received.some((message) => message.kind === 'client-closed' && message.conn === conn)
    }, 'too much output')
    assert.ok(sent <= 400)
    client.socket.resume()
    assert.match(await client.closed(), /<policy-violation /)
    await until(() => compact() === 0, 'nobody is compact')
  })

  it('is read no faster than the edge allows', async () => {
    const slow = await startRig(configOf(['client-tls'], {
      tls: { isCompact: true }, limits: { inputBytesPerSecondMax: 1000, inputBurstBytesMax: 2000 },
    }))
    const client = await dialTls(slow.port('client-tls'))
    await logIn(client)
    client.send(GREETING.repeat(100))
    await until(() => slow.metrics.value('rollcall_edge_input_throttles_total') !== 0, 'a throttle')
    const held = slow.core.stanzas.length
    assert.ok(held < 100)
    for (let i = 0; i < 30 && slow.core.stanzas.length < 100; i++) {
      slow.clock.advance(1000)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    assert.equal(slow.core.stanzas.length, 100)
    client.destroy()
    await slow.stop()
  })

  it('is none where there is no TLS', async () => {
    const open = await startRig(configOf(['client'], { isTlsRequired: false, sasl: { mayPlainBeInsecure: true }, tls: { isCompact: true } }))
    const client = await juliet(open)
    client.send(GREETING)
    await open.core.waitFor('client-stanza')
    assert.equal(open.metrics.value('rollcall_edge_tls_compact'), 0)
    client.destroy()
    await open.stop()
  })
})
