import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { contextOf, everyMechanism, FakeCredentials, HOST } from '../testing/fake-credentials.ts'
import { certifiedAccounts } from './external.ts'
import { channelBindingTypesFor, mechanismsFor, refusalOf, startSasl } from './mechanisms.ts'
import type { TokenContext, SaslStep } from './sasl.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

async function run(mechanism: string, message: string | Uint8Array, changes: Partial<TokenContext> = {}): Promise<string> {
  const exchange = startSasl(mechanism, contextOf(changes))
  assert.ok(exchange, `${mechanism} is not offered`)
  return outcome(await exchange.step(typeof message === 'string' ? bytes(message) : message))
}
const outcome = (step: SaslStep): string =>
  step.kind === 'failure' ? step.condition : step.kind === 'success' ? step.account.toString() : step.kind

describe('offered mechanisms (RFC 6120 §6.3.3)', () => {
  const scram = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1']
  const plus = scram.map(name => `${name}-PLUS`)
  const identity = { certificateIdentities: [`juliet@${HOST}`] }
  const cases: [string, Partial<TokenContext>, string[]][] = [
    ['TLS with bindings', {}, [...plus, ...scram, 'PLAIN', 'ANONYMOUS']],
    ['a certificate too', identity, ['EXTERNAL', ...plus, ...scram, 'PLAIN', 'ANONYMOUS']],
    ['TLS that ends elsewhere', { channelBindings: new Map() }, [...scram, 'PLAIN', 'ANONYMOUS']],
    ['no TLS', { isSecure: false, ...identity }, [...scram, 'ANONYMOUS']],
    ['no TLS, PLAIN wanted all the same', { isSecure: false, policy: { ...everyMechanism, mayPlainBeInsecure: true } }, [...scram, 'PLAIN', 'ANONYMOUS']],
    ['one hash and nothing else', {
      ...identity,
      policy: { ...everyMechanism, scramHashes: ['SHA-1'], isPlainEnabled: false, isExternalEnabled: false, isAnonymousEnabled: false },
    }, ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1']],
  ]
  for (const [what, changes, expected] of cases) {
    it(what, () => {
      const context = contextOf(changes)
      assert.deepEqual(mechanismsFor(context), expected)
      for (const name of expected) assert.ok(startSasl(name, context))
    })
  }

  it('XEP-0440: lists the binding types, and none without a -PLUS mechanism', () => {
    assert.deepEqual(channelBindingTypesFor(contextOf()), ['tls-exporter', 'tls-server-end-point'])
    assert.deepEqual(channelBindingTypesFor(contextOf({ isSecure: false })), [])
    assert.deepEqual(channelBindingTypesFor(contextOf({ policy: { ...everyMechanism, scramHashes: [] } })), [])
  })

  it('what is not offered does not start, and the condition says why (RFC 6120 §6.5)', () => {
    const none = { ...everyMechanism, scramHashes: ['SHA-256'] as const, isPlainEnabled: false, isAnonymousEnabled: false }
    const cases: [string, Partial<TokenContext>, string][] = [
      ['PLAIN', { isSecure: false }, 'encryption-required'],
      ['SCRAM-SHA-1-PLUS', { isSecure: false }, 'encryption-required'],
      ['SCRAM-SHA-1-PLUS', { channelBindings: new Map() }, 'invalid-mechanism'],
      ['PLAIN', { policy: none }, 'mechanism-too-weak'],
      ['PLAIN', { policy: none, isSecure: false }, 'mechanism-too-weak'],
      ['SCRAM-SHA-1', { policy: none }, 'mechanism-too-weak'],
      ['SCRAM-SHA-1-PLUS', { policy: none }, 'mechanism-too-weak'],
      ['ANONYMOUS', { policy: none }, 'invalid-mechanism'],
      ['EXTERNAL', {}, 'invalid-mechanism'],
      ['DIGEST-MD5', {}, 'invalid-mechanism'],
      ['plain', {}, 'invalid-mechanism'],
      ['', {}, 'invalid-mechanism'],
      ['constructor', {}, 'invalid-mechanism'],
    ]
    for (const [name, changes, condition] of cases) {
      const context = contextOf(changes)
      assert.equal(startSasl(name, context), undefined, name)
      assert.equal(refusalOf(name, context), condition, name)
    }
  })
})

describe('PLAIN (RFC 4616)', () => {
  it('logs in with name and password, with or without the account as authzid', async () => {
    const juliet = `juliet@${HOST}`
    assert.equal(await run('PLAIN', '\0juliet\0R0m30'), juliet)
    assert.equal(await run('PLAIN', '\0JULIET\0R0m30'), juliet)
    assert.equal(await run('PLAIN', `${juliet}\0juliet\0R0m30`), juliet)
  })
  it('wrong passwords, unknown accounts and impossible names fail alike, and each is reported if it was checked', async () => {
    const credentials = new FakeCredentials()
    for (const message of ['\0juliet\0r0m30', '\0rosaline\0R0m30', '\0juliet@capulet.example\0R0m30', '\0\u200e\0x']) {
      assert.equal(await run('PLAIN', message, { credentials }), 'not-authorized', JSON.stringify(message))
    }
    assert.deepEqual(credentials.reports, ['juliet failure', 'rosaline failure'])
  })
  it('another authzid is invalid-authzid, before the password is looked at', async () => {
    const credentials = new FakeCredentials()
    assert.equal(await run('PLAIN', `romeo@${HOST}\0juliet\0R0m30`, { credentials }), 'invalid-authzid')
    assert.equal(await run('PLAIN', `juliet\0juliet\0R0m30`, { credentials }), 'invalid-authzid')
    assert.deepEqual(credentials.reports, [])
  })
  it('anything else is malformed-request', async () => {
    for (const message of ['', '\0', '\0\0', '\0juliet', '\0juliet\0', '\0\0R0m30', '\0juliet\0R0m30\0', 'juliet\0R0m30', '\0juliet\0R0m\x0030']) {
      assert.equal(await run('PLAIN', message), 'malformed-request', JSON.stringify(message))
    }
    assert.equal(await run('PLAIN', new Uint8Array([0, 0x61, 0, 0xc3])), 'malformed-request')
    assert.equal(await run('PLAIN', `\0juliet\0${'x'.repeat(8192)}`), 'malformed-request')
  })
  it('a byte order mark is part of the password', async () => {
    const credentials = new FakeCredentials({ juliet: '\ufeffx' })
    assert.equal(await run('PLAIN', '\0juliet\0x', { credentials }), 'not-authorized')
    assert.equal(await run('PLAIN', '\0juliet\0\ufeffx', { credentials }), `juliet@${HOST}`)
  })
  it('is refused while the account is locked, and by the core\u2019s verdict', async () => {
    const credentials = new FakeCredentials()
    credentials.waitMs = 1
    assert.equal(await run('PLAIN', '\0juliet\0R0m30', { credentials }), 'temporary-auth-failure')
    credentials.waitMs = 0
    credentials.verdict = { waitMs: 0, refusal: 'disabled' }
    assert.equal(await run('PLAIN', '\0juliet\0R0m30', { credentials }), 'account-disabled')
  })
  it('property: nothing but the one right message succeeds', async () => {
    const piece = fc.constantFrom('\0', 'juliet', 'R0m30', `juliet@${HOST}`, 'x', '')
    await fc.assert(fc.asyncProperty(fc.array(piece, { maxLength: 7 }), async pieces => {
      const message = pieces.join('')
      const isRight = message === '\0juliet\0R0m30' || message === `juliet@${HOST}\0juliet\0R0m30`
      assert.equal(await run('PLAIN', message) === `juliet@${HOST}`, isRight)
    }), { numRuns: 500 })
  })
})

describe('EXTERNAL (XEP-0178 §2)', () => {
  const juliet = `juliet@${HOST}`
  const one = { certificateIdentities: [juliet] }
  const two = { certificateIdentities: [juliet, `nurse@${HOST}`] }

  it('one address in the certificate: no authzid, or that one', async () => {
    assert.equal(await run('EXTERNAL', '', one), juliet)
    assert.equal(await run('EXTERNAL', juliet, one), juliet)
    assert.equal(await run('EXTERNAL', juliet.toUpperCase(), one), juliet)
  })
  it('several addresses: the client has to choose', async () => {
    assert.equal(await run('EXTERNAL', '', two), 'invalid-authzid')
    assert.equal(await run('EXTERNAL', `nurse@${HOST}`, two), `nurse@${HOST}`)
  })
  it('any other authzid is invalid-authzid', async () => {
    for (const authzid of [`romeo@${HOST}`, `${juliet}/balcony`, HOST, 'juliet', '@@', 'juliet@montague.example']) {
      assert.equal(await run('EXTERNAL', authzid, two), 'invalid-authzid', authzid)
    }
  })
  it('only bare JIDs of this host count, each once', () => {
    const identities = [juliet, 'romeo@montague.example', HOST, `${juliet}/balcony`, 'a b@c', `JULIET@${HOST}`]
    assert.deepEqual(certifiedAccounts(contextOf({ certificateIdentities: identities })).map(String), [juliet])
    assert.equal(startSasl('EXTERNAL', contextOf({ certificateIdentities: ['romeo@montague.example'] })), undefined)
  })
  it('a certificate for an account that does not exist or is disabled does not log in; a lock does not concern it', async () => {
    const outcomes = { unknown: 'not-authorized', disabled: 'account-disabled', locked: juliet }
    for (const [refusal, expected] of Object.entries(outcomes)) {
      const credentials = new FakeCredentials()
      credentials.verdict = { waitMs: 5, refusal: refusal as keyof typeof outcomes }
      assert.equal(await run('EXTERNAL', '', { ...one, credentials }), expected)
    }
  })
  it('a certificate that loses its identities before the message is not-authorized', async () => {
    const certificateIdentities = [juliet]
    const exchange = startSasl('EXTERNAL', contextOf({ certificateIdentities }))
    certificateIdentities.pop()
    assert.ok(exchange)
    assert.equal(outcome(await exchange.step(undefined)), 'challenge')
    assert.equal(outcome(await exchange.step(bytes(''))), 'not-authorized')
  })
})

describe('ANONYMOUS (RFC 4505)', () => {
  it('makes a temporary account, whatever the trace text', async () => {
    const exchange = startSasl('ANONYMOUS', contextOf())
    assert.ok(exchange)
    const step = await exchange.step(bytes('sirhc'))
    assert.ok(step.kind === 'success' && step.isAnonymous)
    assert.equal(step.account.toString(), `anonymous-1@${HOST}`)
    assert.equal(await run('ANONYMOUS', ''), `anonymous-1@${HOST}`)
  })
  it('refuses trace text that is too long or not UTF-8', async () => {
    assert.equal(await run('ANONYMOUS', 'x'.repeat(255)), `anonymous-1@${HOST}`)
    assert.equal(await run('ANONYMOUS', 'x'.repeat(256)), 'malformed-request')
    assert.equal(await run('ANONYMOUS', new Uint8Array([0xff])), 'malformed-request')
  })
  it('a core that refuses is temporary-auth-failure', async () => {
    const credentials = new FakeCredentials()
    credentials.createAnonymous = () => Promise.reject(new Error('full'))
    assert.equal(await run('ANONYMOUS', '', { credentials }), 'temporary-auth-failure')
  })
})
