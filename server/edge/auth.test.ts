import assert from 'node:assert/strict'
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { after, before, test } from 'node:test'
import { clearText, configOf, dial, dialTls, HOST, OPEN, PASSWORD, plainAuth, startRig } from './testing/edge-harness.ts'
import type { RawClient, Rig } from './testing/edge-harness.ts'

let rig: Rig
before(async () => {
  rig = await startRig(configOf(['client', 'client-tls'], { ...clearText, authBackoff: { freeFailures: 50 } }))
})
after(() => rig.stop())

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const base64 = (text: string) => Buffer.from(text).toString('base64')

async function opened(on = rig): Promise<RawClient> {
  const client = await dial(on.port('client'))
  client.send(OPEN)
  await client.read(/<\/stream:features>/)
  return client
}

const authElement = (mechanism: string, payload: string) => `<auth xmlns='${SASL}' mechanism='${mechanism}'>${payload}</auth>`
const hmac = (key: Uint8Array, text: string | Uint8Array) => createHmac('sha256', key).update(text).digest()

/** SCRAM-SHA-256 by hand (RFC 5802 §3); with binding data it is the -PLUS form. */
async function scram(client: RawClient, password: string, binding?: { readonly type: string; readonly data: Uint8Array }): Promise<string> {
  const gs2 = binding === undefined ? 'n,,' : `p=${binding.type},,`
  const first = 'n=juliet,r=fyko'
  client.send(authElement(binding === undefined ? 'SCRAM-SHA-256' : 'SCRAM-SHA-256-PLUS', base64(gs2 + first)))
  const challenge = await client.read(/<challenge[^>]*>[^<]*<\/challenge>/)
  const server = Buffer.from(/>([^<]*)<\/challenge>/.exec(challenge)?.[1] ?? '', 'base64').toString()
  const [, nonce = '', salt = '', iterations = ''] = /^r=([^,]*),s=([^,]*),i=(\d+)/.exec(server) ?? []
  const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256')
  const clientKey = hmac(salted, 'Client Key')
  const storedKey = createHash('sha256').update(clientKey).digest()
  const bare = `c=${Buffer.concat([Buffer.from(gs2), binding?.data ?? Buffer.alloc(0)]).toString('base64')},r=${nonce}`
  const signature = hmac(storedKey, `${first},${server},${bare}`)
  const proof = Buffer.from(clientKey.map((byte, i) => byte ^ (signature[i] ?? 0)))
  client.send(`<response xmlns='${SASL}'>${base64(`${bare},p=${proof.toString('base64')}`)}</response>`)
  return client.read(/<\/?(?:success|failure)[^>]*>(?:[^<]*<\/success>)?/)
}

test('SCRAM succeeds with the password and fails without (RFC 5802)', async () => {
  assert.match(await scram(await opened(), PASSWORD), /<success [^>]*>dj/)
  assert.match(await scram(await opened(), 'orchard'), /<failure/)
  const reports = await rig.core.waitFor('report-auth', 2)
  assert.deepEqual(reports.slice(-2).map(({ isSuccess, address }) => [isSuccess, address]), [[true, '127.0.0.1'], [false, '127.0.0.1']])
})

test('SCRAM-PLUS binds to the channel by tls-exporter on TLS 1.3 and tls-unique on 1.2 (RFC 9266, RFC 5929)', async () => {
  for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
    for (const kind of ['own', 'endpoint', 'wrong']) {
      const client = await dialTls(rig.port('client-tls'), { minVersion: version, maxVersion: version })
      const socket = client.socket as TLSSocket
      client.send(OPEN)
      const features = await client.read(/<\/stream:features>/)
      const type = kind === 'endpoint' ? 'tls-server-end-point' : version === 'TLSv1.3' ? 'tls-exporter' : 'tls-unique'
      assert.ok(features.includes(`<channel-binding type='${type}'/>`))
      const endPoint = createHash('sha256').update(socket.getPeerX509Certificate()?.raw ?? '').digest()
      const own = version === 'TLSv1.3' ? socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)) : socket.getFinished() ?? Buffer.alloc(0)
      const data = kind === 'wrong' ? Buffer.alloc(own.length) : kind === 'endpoint' ? endPoint : own
      assert.match(await scram(client, PASSWORD, { type, data }), kind === 'wrong' ? /<failure/ : /<success/, `${version} ${kind}`)
      client.destroy()
    }
  }
})

/** What is sent instead of a good attempt, and its failure (RFC 6120 §6.5). */
const failures: readonly [string, string, string][] = [
  ['a wrong password', plainAuth('juliet', 'orchard'), 'not-authorized'],
  ['an unknown mechanism', authElement('X-KISS', ''), 'invalid-mechanism'],
  ['no mechanism', `<auth xmlns='${SASL}'/>`, 'invalid-mechanism'],
  ['bad base64', authElement('PLAIN', 'a b='), 'incorrect-encoding'],
  ['a malformed message', authElement('PLAIN', base64('juliet')), 'malformed-request'],
  ['an authzid of somebody else', authElement('PLAIN', base64(`romeo@${HOST}\0juliet\0${PASSWORD}`)), 'invalid-authzid'],
  ['a response without an attempt', `<response xmlns='${SASL}'/>`, 'malformed-request'],
  ['an abort', `<abort xmlns='${SASL}'/>`, 'aborted'],
  ['a channel binding without TLS', authElement('SCRAM-SHA-256-PLUS', ''), 'encryption-required'],
]
for (const [what, sent, condition] of failures) {
  test(`${what} fails with ${condition}, and another attempt may follow`, async () => {
    const client = await opened()
    client.send(sent)
    assert.match(await client.read(/<\/failure>/), new RegExp(`<failure xmlns='${SASL}'><${condition}/>`))
    client.send(plainAuth())
    await client.read(/<success/)
    client.destroy()
  })
}

test('an empty initial response is asked for, and may be given (RFC 6120 §6.4.2)', async () => {
  const client = await opened()
  client.send(authElement('PLAIN', ''))
  await client.read(/<challenge [^>]*\/>/)
  client.send(`<response xmlns='${SASL}'>${base64(`\0juliet\0${PASSWORD}`)}</response>`)
  await client.read(/<success/)
})

test('the stream ends after too many attempts (RFC 6120 §6.4.5)', async () => {
  const client = await opened()
  client.send(plainAuth('juliet', 'orchard').repeat(5))
  assert.match(await client.closed(), /(?:<failure.*?<\/failure>){5}<stream:error><policy-violation /)
})

test('an account that is locked, and a core that fails, are temporary failures', async () => {
  rig.core.answers.set('check-lockout', () => ({ waitMs: 1000 }))
  const locked = await opened()
  locked.send(plainAuth())
  assert.match(await locked.read(/<\/failure>/), /<temporary-auth-failure\/>/)
  rig.core.answers.set('check-lockout', () => {
    throw new Error('shard moved')
  })
  const failed = await opened()
  failed.send(plainAuth())
  assert.match(await failed.read(/<\/failure>/), /<temporary-auth-failure\/>/)
  assert.ok(rig.log.of('auth-question-failed').length > 0)
  rig.core.answers.set('check-lockout', () => ({ waitMs: 0 }))
})

test('ANONYMOUS makes an account when it is enabled', async () => {
  const open = await startRig(configOf(['client'], { ...clearText, sasl: { isAnonymousEnabled: true } }))
  const client = await opened(open)
  client.send(`<auth xmlns='${SASL}' mechanism='ANONYMOUS'/>`)
  await client.read(/<challenge/)
  client.send(`<response xmlns='${SASL}'/>`)
  await client.read(/<success/)
  client.send(OPEN)
  await client.read(/<bind /)
  client.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
  await client.read(/<jid>guest@/)
  const [bind] = await open.core.waitFor('bind')
  assert.equal(bind?.isAnonymous, true)
  await open.stop()
})

test('an address that guesses is made to wait, longer each time, and forgiven in the end', async () => {
  const guarded = await startRig(configOf(['client'], { ...clearText, authBackoff: { freeFailures: 2, baseMs: 1000, maxMs: 60_000, forgetMs: 600_000 } }))
  const client = await opened(guarded)
  client.send(plainAuth('juliet', 'a') + plainAuth('juliet', 'b') + plainAuth('juliet', 'c') + plainAuth())
  const answers = await client.read(/(?:<failure.*?<\/failure>){4}/)
  const conditions = Array.from(answers.matchAll(/<failure [^>]*><([a-z-]+)\/>/g), ([, condition]) => condition)
  assert.deepEqual(conditions, ['not-authorized', 'not-authorized', 'not-authorized', 'temporary-auth-failure'])
  guarded.clock.advance(2000)
  client.send(plainAuth())
  await client.read(/<success/)
  assert.equal(guarded.metrics.value('rollcall_edge_auth_total', { result: 'success' }), 1)
  assert.equal(guarded.metrics.value('rollcall_edge_auth_total', { result: 'not-authorized' }), 3)
  await guarded.stop()
})
