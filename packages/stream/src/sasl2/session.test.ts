import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { jidOf } from '@rollcall/jid'
import { initiatorText, responderText } from '../sasl/hashed-token.ts'
import { tokenMechanismsFor } from '../sasl/mechanisms.ts'
import { AGENT, contextOf, everyMechanism, FakeCredentials, HOST, JULIET } from '../testing/fake-credentials.ts'
import { scramClient, testCrypto } from '../testing/scram-client.ts'
import { sasl2Session, upgradeTasksFor } from './session.ts'
import type { Sasl2Reply, Sasl2Request } from './session.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)
const plain = (password = 'R0m30', changes: Partial<Sasl2Request> = {}): Sasl2Request =>
  ({ mechanism: 'PLAIN', initialResponse: utf8(`\0juliet\0${password}`), upgrades: [], ...changes })
const GRANTED = { kind: 'granted', account: JULIET, isAnonymous: false, method: 'password' } as const

/** What a client with the token sends. */
function tokenMessage(token: string, bindingData: Uint8Array, name = 'juliet'): Uint8Array {
  return new Uint8Array(Buffer.concat([utf8(`${name}\0`), testCrypto.hmac('SHA-256', utf8(token), initiatorText(bindingData))]))
}
const exporter = new Uint8Array(32).fill(7)
const byToken = (message: Uint8Array, changes: Partial<Sasl2Request> = {}): Sasl2Request => ({
  mechanism: 'HT-SHA-256-EXPR', initialResponse: message, upgrades: [], fast: { agentId: AGENT, isInvalidating: false }, ...changes,
})
const kindOf = (reply: Sasl2Reply | undefined) => (reply?.kind === 'failure' ? reply.condition : reply?.kind)

describe('XEP-0388: a login', () => {
  it('in one step', async () => {
    assert.deepEqual(await sasl2Session(contextOf(), undefined).authenticate(plain()), GRANTED)
  })

  it('with SCRAM, whose last message goes with the success', async () => {
    const session = sasl2Session(contextOf(), JULIET)
    const client = scramClient({ hash: 'SHA-512', username: 'juliet', password: 'R0m30' })
    const challenge = await session.authenticate({ mechanism: 'SCRAM-SHA-512', initialResponse: utf8(client.first), upgrades: [] })
    assert.equal(challenge?.kind, 'challenge')
    const reply = await session.response(utf8(client.final(Buffer.from(challenge.data).toString())))
    assert.equal(reply?.kind, 'granted')
    assert.ok(client.isServer(Buffer.from(reply.data ?? []).toString()))
  })

  it('can be tried again after a failure, until attempts are exhausted', async () => {
    const session = sasl2Session(contextOf(), undefined, 2)
    assert.equal(kindOf(await session.authenticate(plain('wrong'))), 'not-authorized')
    assert.equal(session.isExhausted, false)
    assert.equal(kindOf(await session.authenticate(plain('wrong'))), 'not-authorized')
    assert.equal(session.isExhausted, true)
  })

  it('is refused for mechanisms that are not on offer (§2.3)', async () => {
    const session = sasl2Session(contextOf(), undefined)
    assert.equal(kindOf(await session.authenticate({ mechanism: 'MOON', upgrades: [] })), 'invalid-mechanism')
  })

  it('must be of the account that the stream header names (§2.3)', async () => {
    const session = sasl2Session(contextOf(), jidOf('nurse', HOST))
    assert.equal(kindOf(await session.authenticate(plain())), 'invalid-authzid')
  })

  it('can be aborted, and only while it is under way (§6.5)', async () => {
    const session = sasl2Session(contextOf(), undefined)
    assert.equal(kindOf(session.abort()), 'violation')
    await session.authenticate({ mechanism: 'PLAIN', upgrades: [] })
    assert.equal(kindOf(session.abort()), 'aborted')
    assert.deepEqual(await session.authenticate(plain()), GRANTED)
  })

  it('takes nothing out of turn (§2.4), nor a second one after success (§6.8)', async () => {
    const session = sasl2Session(contextOf(), undefined)
    assert.equal(kindOf(await session.response(utf8('r'))), 'violation')
    assert.equal(kindOf(await session.next('UPGR-SCRAM-SHA-512')), 'violation')
    assert.equal(kindOf(await session.saltedPassword(utf8('x'))), 'violation')
    await session.authenticate({ mechanism: 'PLAIN', upgrades: [] })
    assert.equal(kindOf(await session.authenticate(plain())), 'violation')
    assert.deepEqual(await session.response(utf8('\0juliet\0R0m30')), GRANTED)
    assert.equal(kindOf(await session.authenticate(plain())), 'violation')
  })

  it('fails when the core does not answer, never succeeds', async () => {
    const credentials = new FakeCredentials()
    credentials.missing = ['SHA-512']
    credentials.upgradeParameters = () => Promise.reject(new Error('no answer'))
    const session = sasl2Session(contextOf({ credentials }), undefined)
    assert.equal(kindOf(await session.authenticate(plain('R0m30', { upgrades: ['UPGR-SCRAM-SHA-512'] }))), 'temporary-auth-failure')
  })
})

describe('XEP-0480: upgrade tasks', () => {
  const upgrades = ['UPGR-SCRAM-SHA-512', 'UPGR-SCRAM-SHA-256', 'UPGR-MOON']
  const lacking = (...missing: FakeCredentials['missing']) => Object.assign(new FakeCredentials(), { missing })

  it('are on offer for every hash', () => {
    assert.deepEqual(upgradeTasksFor(everyMechanism), ['UPGR-SCRAM-SHA-1', 'UPGR-SCRAM-SHA-256', 'UPGR-SCRAM-SHA-512'])
  })

  it('come one after the other, and store keys of the password', async () => {
    const credentials = lacking('SHA-256', 'SHA-512')
    const session = sasl2Session(contextOf({ credentials }), undefined)
    assert.deepEqual(await session.authenticate(plain('R0m30', { upgrades })), { kind: 'continue', task: 'UPGR-SCRAM-SHA-256' })
    for (const [hash, following] of [['SHA-256', 'continue'], ['SHA-512', 'granted']] as const) {
      const salt = await session.next(`UPGR-SCRAM-${hash}`)
      assert.equal(salt?.kind, 'salt')
      const salted = await testCrypto.pbkdf2(hash, 'R0m30', salt.salt, salt.iterations)
      assert.equal(kindOf(await session.saltedPassword(salted)), following)
    }
    const expected = await new FakeCredentials().scramKeys(JULIET, 'SHA-256')
    assert.deepEqual(credentials.added.map(({ hash }) => hash), ['SHA-256', 'SHA-512'])
    assert.equal(credentials.added[0]?.verifier.storedKey.length, expected.storedKey.length)
  })

  it('are left out when the account needs none', async () => {
    assert.deepEqual(await sasl2Session(contextOf(), undefined).authenticate(plain('R0m30', { upgrades })), GRANTED)
  })

  it('are not for who came without a password: a token must not become one', async () => {
    const credentials = lacking('SHA-512')
    const session = sasl2Session(contextOf({ credentials }), undefined)
    const reply = await session.authenticate(byToken(tokenMessage('secret-token', exporter), { upgrades }))
    assert.equal(reply?.kind, 'granted')
  })

  it('end the attempt and all others when they go wrong (§6.8)', async () => {
    for (const spoil of ['task', 'hash', 'abort'] as const) {
      const credentials = lacking('SHA-512')
      const session = sasl2Session(contextOf({ credentials }), undefined)
      assert.equal(kindOf(await session.authenticate(plain('R0m30', { upgrades }))), 'continue')
      if (spoil === 'abort') assert.equal(kindOf(session.abort()), 'aborted')
      else if (spoil === 'task') assert.equal(kindOf(await session.next('UPGR-MOON')), 'malformed-request')
      else {
        await session.next('UPGR-SCRAM-SHA-512')
        assert.equal(kindOf(await session.saltedPassword(new Uint8Array(20))), 'malformed-request')
      }
      assert.deepEqual(credentials.added, [])
      assert.equal(kindOf(await session.authenticate(plain())), 'violation')
    }
  })
})

describe('XEP-0484: a login with a token', () => {
  it('is offered for the bindings that the connection has, and only where nobody listens', () => {
    assert.deepEqual(tokenMechanismsFor(contextOf()), ['HT-SHA-256-EXPR', 'HT-SHA-256-ENDP', 'HT-SHA-256-NONE'])
    assert.deepEqual(tokenMechanismsFor(contextOf({ channelBindings: new Map([['tls-unique', exporter]]) })), ['HT-SHA-256-UNIQ', 'HT-SHA-256-NONE'])
    assert.deepEqual(tokenMechanismsFor(contextOf({ channelBindings: new Map() })), ['HT-SHA-256-NONE'])
    assert.deepEqual(tokenMechanismsFor(contextOf({ isSecure: false })), [])
  })

  it('succeeds in one step and proves the server too', async () => {
    const credentials = new FakeCredentials()
    const reply = await sasl2Session(contextOf({ credentials }), JULIET).authenticate(byToken(tokenMessage('secret-token', exporter)))
    assert.equal(reply?.kind, 'granted')
    assert.equal(reply.method, 'token')
    assert.deepEqual(Buffer.from(reply.data ?? []), Buffer.from(testCrypto.hmac('SHA-256', utf8('secret-token'), responderText(exporter))))
    assert.deepEqual(credentials.reports, ['juliet success'])
  })

  it('needs the client to say that it is one (§3.4)', async () => {
    const { fast: _, ...request } = byToken(tokenMessage('secret-token', exporter))
    assert.equal(kindOf(await sasl2Session(contextOf(), undefined).authenticate(request)), 'invalid-mechanism')
  })

  it('says that a token has expired, which a password login is not told', async () => {
    const credentials = Object.assign(new FakeCredentials(), { isTokenExpired: true })
    const session = sasl2Session(contextOf({ credentials }), undefined)
    assert.equal(kindOf(await session.authenticate(byToken(tokenMessage('secret-token', exporter)))), 'credentials-expired')
    assert.equal(kindOf(await session.authenticate(byToken(tokenMessage('another', exporter)))), 'not-authorized')
  })

  it('is refused to disabled accounts, not to locked ones, and a wrong token locks nobody out', async () => {
    const credentials = Object.assign(new FakeCredentials(), { verdict: { waitMs: 0, refusal: 'disabled' } as const })
    const session = sasl2Session(contextOf({ credentials }), undefined)
    assert.equal(kindOf(await session.authenticate(byToken(tokenMessage('secret-token', exporter)))), 'account-disabled')
    Object.assign(credentials, { verdict: { waitMs: 9, refusal: 'locked' } })
    assert.equal(kindOf(await session.authenticate(byToken(tokenMessage('wrong', exporter)))), 'not-authorized')
    assert.equal(kindOf(await session.authenticate(byToken(tokenMessage('secret-token', exporter)))), 'granted')
    assert.deepEqual(credentials.reports, ['juliet success', 'juliet success'])
  })

  it('fails after any mutation of the message', async () => {
    const right = tokenMessage('secret-token', exporter)
    await fc.assert(fc.asyncProperty(fc.nat(right.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const message = right.map((byte, i) => (i === at ? byte ^ change : byte))
      // Names are prepared: another spelling of the same name is no mutation.
      const name = Buffer.from(message.subarray(0, message.indexOf(0))).toString()
      fc.pre(at >= 'juliet'.length || name.toLowerCase() !== 'juliet')
      const reply = await sasl2Session(contextOf(), undefined).authenticate(byToken(message))
      assert.equal(reply?.kind, 'failure')
    }))
  })

  it('fails after any change of length', async () => {
    const right = tokenMessage('secret-token', exporter)
    await fc.assert(fc.asyncProperty(fc.nat(right.length - 1), fc.uint8Array({ minLength: 1, maxLength: 40 }), async (cut, extra) => {
      for (const message of [right.slice(0, cut), new Uint8Array([...right, ...extra])]) {
        const reply = await sasl2Session(contextOf(), undefined).authenticate(byToken(message))
        assert.equal(reply?.kind, 'failure')
      }
    }))
  })

  it('fails with other binding data, another mechanism, another installation', async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (data) => {
      fc.pre(!Buffer.from(data).equals(exporter))
      const reply = await sasl2Session(contextOf(), undefined).authenticate(byToken(tokenMessage('secret-token', data)))
      assert.equal(kindOf(reply), 'not-authorized')
    }))
    const message = tokenMessage('secret-token', exporter)
    for (const changes of [{ mechanism: 'HT-SHA-256-NONE' }, { mechanism: 'HT-SHA-256-ENDP' }, { fast: { agentId: 'other', isInvalidating: false } }]) {
      assert.equal(kindOf(await sasl2Session(contextOf(), undefined).authenticate(byToken(message, changes))), 'not-authorized')
    }
    assert.equal(kindOf(await sasl2Session(contextOf(), undefined).authenticate(byToken(message, { mechanism: 'HT-SHA-256-UNIQ' }))), 'invalid-mechanism')
  })
})
