import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { FakeClock, recordingLog, SeededRandom } from '@rollcall/testing'
import { Certificates } from './certificates.ts'
import { selfSignedFor } from './self-signed.ts'
import { configOf, dial, dialTls, HOST, logIn, OPEN, startRig, within } from './testing/edge-harness.ts'
import type { RawClient, Rig } from './testing/edge-harness.ts'

const MANTUA = 'mantua.example'
let directory: string
let rig: Rig
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edge-tls-'))
  rig = await startRig(configOf(['client', 'client-tls', 'https'], { hosts: [HOST, MANTUA], tls: { selfSignedDirectory: directory } }))
})
after(async () => {
  await rig.stop()
  await rm(directory, { recursive: true })
})

const nameOf = (client: RawClient) => (client.socket as TLSSocket).getPeerX509Certificate()?.subjectAltName
const STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

test('the certificate follows the server name (RFC 6066 §3)', async () => {
  for (const host of [HOST, MANTUA]) {
    const client = await dialTls(rig.port('client-tls'), { servername: host })
    assert.equal(nameOf(client), `DNS:${host}`)
    client.destroy()
  }
  const stranger = await dialTls(rig.port('client-tls'), { servername: 'padua.example' })
  assert.equal(nameOf(stranger), `DNS:${HOST}`)
  stranger.destroy()
})

test('without a server name the certificate is that of the host in the stream header', async () => {
  rig.core.answers.set('host-info', () => ({ featuresBeforeAuth: '', featuresAfterAuth: '' }))
  const client = await dial(rig.port('client'))
  client.send(OPEN.replace(HOST, MANTUA) + STARTTLS)
  await client.read(/<proceed[^>]*>/)
  await client.startTls({ servername: '' })
  assert.equal(nameOf(client), `DNS:${MANTUA}`)
  client.destroy()
})

test('ALPN: xmpp-client is agreed on, nothing is fine, anything else ends the handshake (XEP-0368 §4)', async () => {
  const good = await dialTls(rig.port('client-tls'), { ALPNProtocols: ['http/1.1', 'xmpp-client'] })
  assert.equal((good.socket as TLSSocket).alpnProtocol, 'xmpp-client')
  const none = await dialTls(rig.port('client-tls'))
  assert.equal((none.socket as TLSSocket).alpnProtocol, false)
  await assert.rejects(dialTls(rig.port('client-tls'), { ALPNProtocols: ['http/1.1'] }))
  await assert.rejects(dialTls(rig.port('https'), { ALPNProtocols: ['xmpp-client'] }))
  good.destroy()
  none.destroy()
})

test('TLS 1.2 is the oldest version spoken', async () => {
  const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  await assert.rejects(dialTls(rig.port('client-tls'), old))
  const client = await dialTls(rig.port('client-tls'), { maxVersion: 'TLSv1.2' })
  assert.equal((client.socket as TLSSocket).getProtocol(), 'TLSv1.2')
  assert.ok((rig.metrics.value('rollcall_edge_tls_failures_total') ?? 0) > 0)
  client.destroy()
})

test('what follows <starttls/> in clear is refused, in the same packet or not (RFC 6120 §5.3.3)', async () => {
  const injection = "<iq type='set' id='evil'><query xmlns='jabber:iq:register'/></iq>"
  const same = await dial(rig.port('client'))
  same.send(OPEN + STARTTLS + injection)
  assert.match(await same.closed(), /<policy-violation .*<\/stream:stream>$/)
  const half = await dial(rig.port('client'))
  half.send(`${OPEN}${STARTTLS}<iq type='se`)
  assert.match(await half.closed(), /<policy-violation /)
  const later = await dial(rig.port('client'))
  later.send(OPEN + STARTTLS)
  await later.read(/<proceed[^>]*>/)
  later.send(injection)
  const rest = await later.closed()
  // Those bytes were taken for a TLS record, and a bad one.
  assert.doesNotMatch(rest, /evil/)
  assert.equal(rig.core.received.some(({ kind }) => kind === 'pre-auth-iq'), false)
})

test('a line break after <starttls/> is harmless', async () => {
  const client = await dial(rig.port('client'))
  client.send(`${OPEN}${STARTTLS}\n`)
  await client.read(/<proceed[^>]*>/)
  await client.startTls()
  await logIn(client)
  client.destroy()
})

test('STARTTLS is refused a second time, and where it was not offered (RFC 6120 §5.4.2.2)', async () => {
  const client = await dialTls(rig.port('client-tls'))
  client.send(OPEN + STARTTLS)
  assert.match(await client.read(/<\/stream:stream>/), /<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'\/><\/stream:stream>$/)
  client.send('</stream:stream>')
  await client.closed()
})

test('SASL without required TLS is encryption-required', async () => {
  const client = await dial(rig.port('client'))
  client.send(`${OPEN}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>`)
  assert.match(await client.read(/<\/failure>/), /<encryption-required\/>/)
  client.destroy()
})

test('a handshake that stalls is ended by the negotiation time-out', async () => {
  const slow = await startRig(configOf(['client-tls']))
  const client = await dial(slow.port('client-tls'))
  client.send(Uint8Array.of(0x16, 0x03, 0x01))
  await within((async () => {
    while (slow.edge.connectionCount === 0) await new Promise((resolve) => setImmediate(resolve))
  })(), 'accept')
  slow.clock.advance(slow.config.timeouts.negotiationMs + 2000)
  await client.closed()
  assert.equal(slow.edge.connectionCount, 0)
  await slow.stop()
})

test('self-signed certificates are kept, and replaced before they end', async () => {
  assert.deepEqual((await readdir(directory)).toSorted(), [`${MANTUA}.pem`, `${HOST}.pem`])
  const now = Date.UTC(2026, 0, 1)
  const random = new SeededRandom(1)
  const kept = join(directory, 'kept')
  const first = await selfSignedFor('padua.example', kept, now, random)
  assert.deepEqual(await selfSignedFor('padua.example', kept, now + 86_400_000, random), first)
  assert.notDeepEqual(await selfSignedFor('padua.example', kept, now + 380 * 86_400_000, random), first)
  const international = await selfSignedFor('pädua.example', '', now, random)
  assert.match(international.certificate, /BEGIN CERTIFICATE/)
})

test('certificate files are read again when they change, and a bad one changes nothing', async () => {
  const clock = new FakeClock()
  const log = recordingLog()
  const random = new SeededRandom(3)
  const files = { certificateFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') }
  const write = async (seconds: number) => {
    const pair = await selfSignedFor(HOST, '', clock.now(), random)
    await writeFile(files.certificateFile, pair.certificate)
    await writeFile(files.keyFile, pair.key)
    await utimes(files.certificateFile, seconds, seconds)
    return pair
  }
  const first = await write(1000)
  const config = { ...rig.config.tls, certificates: { [HOST]: files } }
  const certificates = new Certificates(config, { clock, random, log })
  let changes = 0
  certificates.onChange(() => changes++)
  await certificates.load([HOST], config)
  assert.equal(certificates.pairFor(HOST)?.certificate, first.certificate)
  await certificates.refresh()
  assert.equal(changes, 1)
  const second = await write(2000)
  await certificates.refresh()
  assert.equal(certificates.pairFor(HOST)?.certificate, second.certificate)
  assert.equal(changes, 2)
  await writeFile(files.certificateFile, 'garbage')
  await certificates.refresh()
  assert.equal(certificates.pairFor(HOST)?.certificate, second.certificate)
  assert.equal(log.of('certificate-unreadable').length, 1)
  await assert.rejects(certificates.load([HOST], config), { name: 'CertificateError', host: HOST })
})

test('a client certificate logs in with EXTERNAL when its authority is known (XEP-0178 §2)', async () => {
  const pem = join(directory, 'juliet.pem')
  const pair = await clientCertificate(`juliet@${HOST}`)
  await writeFile(pem, pair.certificate)
  const trusting = await startRig(configOf(['client-tls'], { tls: { clientAuthorityFile: pem } }))
  const external = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>"
  const known = await dialTls(trusting.port('client-tls'), { cert: pair.certificate, key: pair.key })
  known.send(OPEN)
  assert.match(await known.read(/<\/stream:features>/), /<mechanism>EXTERNAL<\/mechanism>/)
  known.send(external)
  await known.read(/<success/)
  const forged = await clientCertificate(`juliet@${HOST}`)
  for (const options of [{ cert: forged.certificate, key: forged.key }, {}]) {
    const stranger = await dialTls(trusting.port('client-tls'), options)
    stranger.send(OPEN)
    assert.doesNotMatch(await stranger.read(/<\/stream:features>/), /EXTERNAL/)
    stranger.send(external)
    await stranger.read(/<invalid-mechanism\/>/)
    stranger.destroy()
  }
  known.destroy()
  await trusting.stop()
})

/** A self-signed client certificate with an id-on-xmppAddr. */
async function clientCertificate(address: string): Promise<{ readonly certificate: string; readonly key: string }> {
  await import('reflect-metadata')
  const { GeneralName, OtherName } = await import('@peculiar/asn1-x509')
  const { AsnConvert, AsnUtf8StringConverter } = await import('@peculiar/asn1-schema')
  const { Extension, X509CertificateGenerator } = await import('@peculiar/x509')
  const { GeneralNames } = await import('@peculiar/asn1-x509')
  const { KeyObject, webcrypto } = await import('node:crypto')
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const value = AsnUtf8StringConverter.toASN(address).toBER(false)
  const names = new GeneralNames([new GeneralName({ otherName: new OtherName({ typeId: '1.3.6.1.5.5.7.8.5', value }) })])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: ['Juliet'] }], signingAlgorithm: algorithm, keys,
    extensions: [new Extension('2.5.29.17', false, AsnConvert.serialize(names))],
  })
  return { certificate: certificate.toString('pem'), key: KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }) }
}
