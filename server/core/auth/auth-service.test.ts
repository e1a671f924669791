import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jidOf, parseJid } from '@rollcall/jid'
import { StanzaError } from '@rollcall/stanza'
import { saslSession, SCRAM_HASHES, verifierFromSaltedPassword } from '@rollcall/stream'
import type { SaslCredentials, SaslCrypto, SaslReply, ScramHash, ScramKeys } from '@rollcall/stream'
import { FakeClock, recordingLog, recordingMetrics, SeededRandom } from '@rollcall/testing'
import { MemoryStorage } from '../../../backends/storage-memory/index.ts'
import { nodeCrypto } from '../../runtime/crypto.ts'
import type { AuthVerdict, ServerMessage } from '../../protocol/messages.ts'
import { accountStore } from './account-record.ts'
import type { AccountRecord } from './account-record.ts'
import { createAuthService } from './auth-service.ts'
import type { AuthService } from './auth-service.ts'
import { defaultAuthConfig } from './config.ts'
import type { AuthConfig } from './config.ts'

const HOST = 'capulet.example'
const OTHER = 'montague.example'
const JULIET = jidOf('juliet', HOST)
const ROMEO = jidOf('romeo', OTHER)

const testConfig: AuthConfig = {
  ...defaultAuthConfig,
  hosts: new Set([HOST, OTHER]),
  anonymousHosts: new Set([HOST]),
  iterations: { 'SHA-1': 4096, 'SHA-256': 4096, 'SHA-512': 4096 },
  lockout: { freeFailures: 2, baseMs: 1000, maxMs: 4000, forgetMs: 60_000, accountsMax: 100 },
}

interface World {
  readonly storage: MemoryStorage
  readonly clock: FakeClock
  readonly log: ReturnType<typeof recordingLog>
  readonly metrics: ReturnType<typeof recordingMetrics>
  readonly service: AuthService
}

async function world(config: Partial<AuthConfig> = {}, storage = new MemoryStorage(), crypto: SaslCrypto = nodeCrypto): Promise<World> {
  await storage.open()
  const ports = { clock: new FakeClock(), log: recordingLog(), metrics: recordingMetrics() }
  const random = new SeededRandom(1)
  return { storage, ...ports, service: createAuthService({ storage, crypto, random, config: { ...testConfig, ...config }, ...ports }) }
}

async function ask<T>({ service }: World, message: ServerMessage): Promise<T> {
  const reply = service.answer(message)
  assert.ok(reply, 'the message is one of ours')
  return await reply as T
}
const keysOf = (at: World, account = JULIET, hash: ScramHash = 'SHA-256'): Promise<ScramKeys> =>
  ask(at, { kind: 'scram-keys', account, hash })
const report = (at: World, isSuccess: boolean, account = JULIET): Promise<AuthVerdict> =>
  ask(at, { kind: 'report-auth', account, isSuccess, address: '192.0.2.1' })
const isValid = async (at: World, password: string, account = JULIET): Promise<boolean> =>
  (await ask<{ isValid: boolean }>(at, { kind: 'verify-password', account, password })).isValid
const stored = async ({ storage }: World, owner = JULIET): Promise<AccountRecord> => {
  const record = await storage.keyvalGet(accountStore.storeName, owner.toString())
  assert.ok(record !== undefined)
  return record as unknown as AccountRecord
}
const rejectsWith = (condition: string) => (error: unknown): boolean => error instanceof StanzaError && error.condition === condition

/** The bus between edge and core, cut short. */
function credentialsOver(at: World): SaslCredentials {
  return {
    lockoutMs: async account => (await ask<{ waitMs: number }>(at, { kind: 'check-lockout', account })).waitMs,
    scramKeys: (account, hash) => keysOf(at, account, hash),
    verifyPassword: (account, password) => isValid(at, password, account),
    report: (account, isSuccess) => report(at, isSuccess, account),
    createAnonymous: host => ask(at, { kind: 'create-anonymous', host }),
  }
}

async function plainLogin(at: World, name: string, password: string, mechanism = 'PLAIN'): Promise<string> {
  const policy = { scramHashes: SCRAM_HASHES, isPlainEnabled: true, mayPlainBeInsecure: false, isExternalEnabled: true, isAnonymousEnabled: true }
  const session = saslSession({
    host: HOST, isSecure: true, channelBindings: new Map(), certificateIdentities: [`${name}@${HOST}`], policy, crypto: nodeCrypto,
    credentials: credentialsOver(at),
  })
  const payload = mechanism === 'PLAIN' ? Buffer.from(`\0${name}\0${password}`).toString('base64') : '='
  const reply: SaslReply | undefined = await session.auth(mechanism, payload)
  return reply?.kind === 'failure' ? reply.condition : reply?.kind === 'success' ? reply.account.toString() : 'nothing'
}

describe('accounts', () => {
  it('are created with keys for every configured hash and never the password', async () => {
    const at = await world()
    await at.service.create(JULIET, 'R0m30-is-mine')
    const record = await stored(at)
    assert.deepEqual(Object.keys(record.scram), ['SHA-1', 'SHA-256', 'SHA-512'])
    assert.equal(record.createdAt, at.clock.now())
    assert.equal(new Set(Object.values(record.scram).map(verifier => verifier.salt)).size, 3)
    assert.doesNotMatch(JSON.stringify(record), /R0m30-is-mine/)
    assert.equal(await at.service.exists(JULIET), true)
    assert.equal(await at.service.exists(ROMEO), false)
    assert.deepEqual(await at.service.record(JULIET), record)
  })

  it('are refused when they exist, on a foreign host, with a bad name or password', async () => {
    const at = await world({ passwordUnitsMin: 4 })
    await at.service.create(JULIET, 'R0m30')
    const refused: [string, string, string][] = [
      [`juliet@${HOST}`, 'other', 'conflict'], ['juliet@verona.example', 'R0m30', 'not-allowed'], [HOST, 'R0m30', 'not-acceptable'],
      [`nurse@${HOST}/room`, 'R0m30', 'not-acceptable'], [`nurse@${HOST}`, '', 'not-acceptable'],
      [`nurse@${HOST}`, 'abc', 'not-acceptable'], [`nurse@${HOST}`, 'ab\u0000cd', 'not-acceptable'],
    ]
    for (const [jid, password, condition] of refused) {
      await assert.rejects(at.service.create(parseJid(jid), password), rejectsWith(condition), `${jid} ${password}`)
    }
    assert.equal(await at.service.count(HOST), 1)
  })

  it('created twice at once: one wins, the other conflicts', async () => {
    const at = await world()
    const results = await Promise.allSettled([at.service.create(JULIET, 'one'), at.service.create(JULIET, 'two')])
    // Either may win: their keys are derived on other threads.
    assert.deepEqual(results.map(result => result.status).sort((one, other) => (one < other ? -1 : 1)), ['fulfilled', 'rejected'])
    const winner = results[0].status === 'fulfilled' ? 'one' : 'two'
    assert.equal(await at.service.verifyPassword(JULIET, winner), true)
  })

  it('a changed password replaces the old one for every hash', async () => {
    const at = await world()
    await at.service.create(JULIET, 'old')
    const before = await stored(at)
    at.clock.advance(1000)
    await at.service.setPassword(JULIET, 'new')
    assert.equal(await at.service.verifyPassword(JULIET, 'old'), false)
    assert.equal(await at.service.verifyPassword(JULIET, 'new'), true)
    const after = await stored(at)
    assert.equal(after.createdAt, before.createdAt)
    for (const hash of SCRAM_HASHES) assert.notEqual(after.scram[hash]?.storedKey, before.scram[hash]?.storedKey)
    await assert.rejects(at.service.setPassword(ROMEO, 'x'), rejectsWith('item-not-found'))
    await assert.rejects(at.service.setPassword(JULIET, ''), rejectsWith('not-acceptable'))
  })

  it('are listed and counted per host, in text order', async () => {
    const at = await world({ scramHashes: ['SHA-1'] })
    const names = ['romeo@montague.example', 'juliet', 'nurse', 'benvolio@montague.example', 'tybalt', 'capulet']
    for (const name of names) await at.service.create(name.includes('@') ? parseJid(name) : jidOf(name, HOST), 'x')
    const page = async (after: string | undefined, limit: number): Promise<string[]> =>
      (await at.service.list(HOST, after === undefined ? undefined : parseJid(after), limit)).map(jid => jid.localpart)
    assert.deepEqual(await page(undefined, 10), ['capulet', 'juliet', 'nurse', 'tybalt'])
    assert.deepEqual(await page(undefined, 2), ['capulet', 'juliet'])
    assert.deepEqual(await page(`juliet@${HOST}`, 2), ['nurse', 'tybalt'])
    assert.deepEqual(await page(`tybalt@${HOST}`, 2), [])
    assert.equal(await at.service.count(HOST), 4)
    assert.equal(await at.service.count(OTHER), 2)
    assert.equal(await at.service.count('verona.example'), 0)
  })

  it('walks more accounts than one page', async () => {
    const at = await world()
    const template = { createdAt: 0, scram: {} }
    await at.storage.write(Array.from({ length: 2500 }, (_, number) =>
      ({ op: 'keyval-set', store: accountStore.storeName, owner: `u${String(number).padStart(5, '0')}@${HOST}`, value: template })))
    assert.equal(await at.service.count(HOST), 2500)
    assert.deepEqual((await at.service.list(HOST, parseJid(`u02498@${HOST}`), 5)).map(jid => jid.localpart), ['u02499'])
  })

  it('are gone once their credentials are deleted, and can be made again', async () => {
    const at = await world()
    await at.service.create(JULIET, 'R0m30')
    await at.service.deleteCredentials(JULIET)
    await at.service.deleteCredentials(JULIET)
    assert.equal(await at.service.exists(JULIET), false)
    assert.equal((await keysOf(at)).isKnown, false)
    await at.service.create(JULIET, 'again')
  })

  it('exist for who is logging in without another read, for a while and until they are deleted', async () => {
    const at = await world()
    await at.service.create(JULIET, 'R0m30')
    await keysOf(at)
    // No promise: nothing was read.
    assert.equal(at.service.existsAfterLogin(JULIET), true)
    assert.equal(await at.service.existsAfterLogin(jidOf('nurse', HOST)), false)
    at.clock.advance(2_001)
    const later = at.service.existsAfterLogin(JULIET)
    assert.ok(later instanceof Promise)
    assert.equal(await later, true)
    await keysOf(at)
    await at.service.deleteCredentials(JULIET)
    assert.equal(await at.service.existsAfterLogin(JULIET), false)
  })

  it('exported keys make the same account elsewhere; unsound ones are refused', async () => {
    const [from, to] = [await world(), await world()]
    await from.service.create(JULIET, 'R0m30')
    const record = await stored(from)
    await to.service.restore(JULIET, record)
    assert.equal(await to.service.verifyPassword(JULIET, 'R0m30'), true)
    await assert.rejects(to.service.restore(JULIET, record), rejectsWith('conflict'))
    const sha1 = record.scram['SHA-1']
    assert.ok(sha1)
    const changes = [{ salt: '' }, { salt: '*' }, { iterations: 1 }]
    const unsound = [{}, { 'SHA-256': sha1 }, ...changes.map(change => ({ 'SHA-1': { ...sha1, ...change } }))]
    for (const scram of unsound) {
      await assert.rejects(to.service.restore(jidOf('nurse', HOST), { createdAt: 0, scram }), rejectsWith('not-acceptable'))
    }
  })
})

describe('the service', () => {
  it('does not start with iterations whose keys nobody could log in with', async () => {
    for (const iterations of [1, 4095, 10_000_001]) {
      await assert.rejects(world({ iterations: { ...testConfig.iterations, 'SHA-1': iterations } }), RangeError)
    }
  })
})

describe('answers to the edge', () => {
  it('are given to messages about authentication only', async () => {
    const at = await world()
    assert.equal(at.service.answer({ kind: 'host-info', host: HOST }), undefined)
  })

  it('scram-keys of a known account are the stored ones', async () => {
    const at = await world()
    await at.service.create(JULIET, 'R0m30')
    const record = await stored(at)
    for (const hash of SCRAM_HASHES) {
      const keys = await keysOf(at, JULIET.withResource('balcony'), hash)
      assert.equal(keys.isKnown, true)
      assert.equal(Buffer.from(keys.storedKey).toString('base64'), record.scram[hash]?.storedKey)
    }
  })

  it('scram-keys of an unknown account look like those of a known one and stay the same over a restart', async () => {
    const at = await world()
    await at.service.create(JULIET, 'R0m30')
    const real = await keysOf(at)
    const rosaline = jidOf('rosaline', HOST)
    const invented = await keysOf(at, rosaline)
    assert.equal(invented.isKnown, false)
    assert.equal(invented.salt.length, real.salt.length)
    assert.equal(invented.iterations, real.iterations)
    assert.equal(invented.storedKey.length, real.storedKey.length)
    const restarted = await world({}, at.storage)
    assert.deepEqual(await keysOf(restarted, rosaline), invented)
    const others = [
      await keysOf(at, jidOf('paris', HOST)), await keysOf(at, rosaline, 'SHA-1'),
      await keysOf(at, jidOf('rosaline', OTHER)), await keysOf(await world(), rosaline),
    ]
    for (const other of others) assert.notDeepEqual(other.salt, invented.salt)
  })

  it('damaged keys and keys of a hash the account lacks are as those of nobody', async () => {
    const at = await world()
    const scram = { 'SHA-1': { salt: 'AAAA', iterations: 4096, storedKey: 'AAAA', serverKey: 'AAAA' } }
    await at.storage.write([{ op: 'keyval-set', store: accountStore.storeName, owner: JULIET.toString(), value: { createdAt: 0, scram } }])
    assert.equal((await keysOf(at, JULIET, 'SHA-1')).isKnown, false)
    assert.equal((await keysOf(at, JULIET, 'SHA-256')).isKnown, false)
    assert.equal(await isValid(at, 'anything'), false)
  })

  it('a host that is not served is refused, again after the first time', async () => {
    const at = await world()
    for (let time = 0; time < 2; time++) await assert.rejects(keysOf(at, jidOf('juliet', 'verona.example')), rejectsWith('item-not-found'))
  })

  it('storage that fails makes the request fail, and the next one works', async () => {
    const at = await world()
    await at.storage.close()
    await assert.rejects(keysOf(at))
    await at.storage.open()
    assert.equal((await keysOf(at)).isKnown, false)
  })

  it('verify-password: one derivation, whoever is asked about and whatever the answer', async () => {
    const derived: string[] = []
    const crypto: SaslCrypto = { ...nodeCrypto, pbkdf2: (hash, password, salt, iterations) => {
      derived.push(`${hash} ${iterations}`)
      return nodeCrypto.pbkdf2(hash, password, salt, iterations)
    } }
    const at = await world({}, new MemoryStorage(), crypto)
    await at.service.create(JULIET, 'R\u00f3meo')
    derived.length = 0
    assert.equal(await isValid(at, 'R\u00f3meo'), true)
    assert.equal(await isValid(at, 'Ro\u0301meo'), true, 'prepared before it is compared')
    assert.equal(await isValid(at, 'Romeo'), false)
    assert.equal(await isValid(at, 'R\u00f3meo', jidOf('rosaline', HOST)), false)
    assert.deepEqual(derived, Array.from({ length: 4 }, () => 'SHA-256 4096'))
    assert.equal(await isValid(at, 'a\0b'), false)
  })

  it('without configured hashes an unknown account costs a derivation all the same', async () => {
    assert.equal(await isValid(await world({ scramHashes: [] }), 'x'), false)
  })

  it('too many passwords at once are refused for now, and the service recovers', async () => {
    let open = (): void => {}
    const gate = new Promise<void>(resolve => (open = resolve))
    const crypto: SaslCrypto = { ...nodeCrypto, pbkdf2: async (...args) => gate.then(() => nodeCrypto.pbkdf2(...args)) }
    const at = await world({ derivationsMax: 1, derivationQueueMax: 2 }, new MemoryStorage(), crypto)
    const checks = Array.from({ length: 5 }, () => isValid(at, 'x'))
    const ends = Promise.allSettled(checks)
    await new Promise(setImmediate)
    assert.equal(at.metrics.value('rollcall_auth_derivations_waiting'), 2)
    open()
    assert.deepEqual((await ends).map(end => end.status), ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'])
    assert.equal(await isValid(at, 'x'), false)
  })

  it('create-anonymous: a fresh name each time, only where it is allowed', async () => {
    const at = await world()
    const one = await ask<typeof JULIET>(at, { kind: 'create-anonymous', host: HOST })
    const two = await ask<typeof JULIET>(at, { kind: 'create-anonymous', host: HOST })
    assert.equal(one.domainpart, HOST)
    assert.ok(one.isBare && !one.equals(two))
    await assert.rejects(ask(at, { kind: 'create-anonymous', host: OTHER }), rejectsWith('not-allowed'))
  })

  it('create-anonymous: never hands out the name of an account', async () => {
    const at = await world()
    const jid = await ask<typeof JULIET>(await world(), { kind: 'create-anonymous', host: HOST })
    await at.service.create(jid, 'x')
    await assert.rejects(ask(at, { kind: 'create-anonymous', host: HOST }), rejectsWith('conflict'))
  })
})

describe('missing keys (XEP-0480)', () => {
  it('are derived behind a login with a password in clear, for every configured hash', async () => {
    const before = await world({ scramHashes: ['SHA-1'] })
    await before.service.create(JULIET, 'R0m30')
    const at = await world({}, before.storage)
    assert.equal((await keysOf(at, JULIET, 'SHA-512')).isKnown, false)
    assert.equal(await isValid(at, 'wrong'), false)
    await at.service.settled()
    assert.deepEqual(Object.keys((await stored(at)).scram), ['SHA-1'])
    await Promise.all([isValid(at, 'R0m30'), isValid(at, 'R0m30')])
    await at.service.settled()
    assert.deepEqual(Object.keys((await stored(at)).scram), ['SHA-1', 'SHA-256', 'SHA-512'])
    assert.equal((await keysOf(at, JULIET, 'SHA-512')).isKnown, true)
    assert.equal(at.log.of('auth-keys-upgraded').length, 1)
    assert.equal(await isValid(at, 'R0m30'), true)
  })

  it('too few iterations count as missing; more than wanted stay', async () => {
    const before = await world({ iterations: { 'SHA-1': 4096, 'SHA-256': 4096, 'SHA-512': 6000 } })
    await before.service.create(JULIET, 'R0m30')
    const at = await world({ iterations: { 'SHA-1': 5000, 'SHA-256': 4096, 'SHA-512': 4096 } }, before.storage)
    await isValid(at, 'R0m30')
    await at.service.settled()
    const { scram } = await stored(at)
    assert.deepEqual(SCRAM_HASHES.map(hash => scram[hash]?.iterations), [5000, 4096, 6000])
  })

  it('a password changed meanwhile, or an account removed, is not undone', async () => {
    for (const change of ['change', 'remove'] as const) {
      const before = await world({ scramHashes: ['SHA-256'] })
      await before.service.create(JULIET, 'old')
      let open = (): void => {}
      const gate = new Promise<void>(resolve => (open = resolve))
      const crypto: SaslCrypto = { ...nodeCrypto, pbkdf2: async (hash, ...rest) => {
        if (hash === 'SHA-1') await gate
        return nodeCrypto.pbkdf2(hash, ...rest)
      } }
      const at = await world({ scramHashes: ['SHA-256', 'SHA-1'] }, before.storage, crypto)
      assert.equal(await isValid(at, 'old'), true)
      if (change === 'change') await before.service.setPassword(JULIET, 'new')
      else await before.service.deleteCredentials(JULIET)
      open()
      await at.service.settled()
      if (change === 'change') assert.deepEqual(Object.keys((await stored(at)).scram), ['SHA-256'])
      else assert.equal(await at.service.exists(JULIET), false)
    }
  })

  it('a failure is logged and leaves the login alone', async () => {
    const before = await world({ scramHashes: ['SHA-256'] })
    await before.service.create(JULIET, 'R0m30')
    const crypto: SaslCrypto = { ...nodeCrypto, pbkdf2: (hash, ...rest) =>
      hash === 'SHA-1' ? Promise.reject(new Error('no threads')) : nodeCrypto.pbkdf2(hash, ...rest) }
    const at = await world({}, before.storage, crypto)
    assert.equal(await isValid(at, 'R0m30'), true)
    await at.service.settled()
    assert.equal(at.log.of('auth-upgrade-failed').length, 1)
  })

  it('upgrade-keys stores keys from a client\u2019s salted password, once, for accounts that exist', async () => {
    const at = await world({ scramHashes: ['SHA-1'] })
    await at.service.create(JULIET, 'R0m30')
    const salt = Buffer.from('a salt of the server')
    const saltedPassword = await nodeCrypto.pbkdf2('SHA-256', 'R0m30', salt, 4096)
    const verifier = verifierFromSaltedPassword(nodeCrypto, 'SHA-256', saltedPassword, salt, 4096)
    const upgrade = (account = JULIET, change = {}) =>
      ask(at, { kind: 'upgrade-keys', account, hash: 'SHA-256', ...verifier, ...change })
    assert.deepEqual(await upgrade(jidOf('rosaline', HOST)), { isStored: false })
    assert.deepEqual(await upgrade(JULIET, { iterations: 1 }), { isStored: false })
    assert.deepEqual(await upgrade(), { isStored: true })
    assert.deepEqual(await upgrade(JULIET, { salt: Buffer.from('another') }), { isStored: false })
    assert.equal((await keysOf(at)).isKnown, true)
    assert.equal(await isValid(at, 'R0m30'), true)
  })
})

describe('locks and verdicts', () => {
  it('failures lock an account, known or not, alike; waiting unlocks it', async () => {
    const at = await world()
    await at.service.create(JULIET, 'R0m30')
    for (const account of [JULIET, jidOf('rosaline', HOST)]) {
      const waits = [await report(at, false, account), await report(at, false, account), await report(at, false, account)]
      assert.deepEqual(waits, [{ waitMs: 0 }, { waitMs: 0 }, { waitMs: 1000 }])
      assert.deepEqual(await ask(at, { kind: 'check-lockout', account }), { waitMs: 1000 })
    }
    assert.deepEqual(await report(at, true), { waitMs: 1000, refusal: 'locked' })
    at.clock.advance(1000)
    assert.deepEqual(await report(at, true), { waitMs: 0 })
    assert.equal(at.metrics.value('rollcall_auth_locked_accounts'), 1)
  })

  it('an account that changes between challenge and proof is judged as it is then', async () => {
    const at = await world()
    await at.service.create(JULIET, 'R0m30')
    await keysOf(at)
    assert.deepEqual(await report(at, true), { waitMs: 0 })
    await keysOf(at)
    await at.service.setDisabled(JULIET, true)
    assert.deepEqual(await report(at, true), { waitMs: 0, refusal: 'disabled' })
    await keysOf(at)
    await at.service.deleteCredentials(JULIET)
    assert.deepEqual(await report(at, true), { waitMs: 0, refusal: 'unknown' })
    assert.equal(await at.service.exists(JULIET), false)
  })

  it('keys come with the wait that the account has', async () => {
    const at = await world()
    await at.service.create(JULIET, 'R0m30')
    assert.equal((await keysOf(at)).waitMs, 0)
    for (let i = 0; i < 3; i++) await report(at, false)
    assert.equal((await keysOf(at)).waitMs, 1000)
  })

  it('a proof for an account that is gone or disabled is refused, before its lock is told', async () => {
    const at = await world()
    assert.deepEqual(await report(at, true), { waitMs: 0, refusal: 'unknown' })
    await at.service.create(JULIET, 'R0m30')
    await at.service.setDisabled(JULIET, true)
    for (let failure = 0; failure < 3; failure++) await report(at, false)
    assert.deepEqual(await report(at, true), { waitMs: 1000, refusal: 'disabled' })
    await at.service.setDisabled(JULIET, false)
    at.clock.advance(1000)
    assert.deepEqual(await report(at, true), { waitMs: 0 })
    assert.equal((await stored(at)).isDisabled, undefined)
    await assert.rejects(at.service.setDisabled(ROMEO, true), rejectsWith('item-not-found'))
  })

  it('a password change keeps an account disabled', async () => {
    const at = await world()
    await at.service.create(JULIET, 'R0m30')
    await at.service.setDisabled(JULIET, true)
    await at.service.setPassword(JULIET, 'new')
    assert.equal((await stored(at)).isDisabled, true)
  })

  it('counts attempts and logs failures without the password', async () => {
    const at = await world()
    await at.service.create(JULIET, 'R0m30')
    assert.equal(await plainLogin(at, 'juliet', 'R0m30'), JULIET.toString())
    assert.equal(await plainLogin(at, 'juliet', 'guess-this'), 'not-authorized')
    await at.service.setDisabled(JULIET, true)
    assert.equal(await plainLogin(at, 'juliet', 'R0m30'), 'account-disabled')
    const count = (result: string): number | undefined => at.metrics.value('rollcall_auth_attempts_total', { result })
    assert.deepEqual(['success', 'failure', 'refused'].map(count), [1, 1, 1])
    assert.equal(at.log.of('auth-failed').length, 1)
    assert.doesNotMatch(JSON.stringify(at.log.lines), /guess-this|R0m30/)
  })

  it('a burst of guesses gets no more tries than one after the other, even with the right one among them', async () => {
    const at = await world()
    await at.service.create(JULIET, 'R0m30')
    const guesses = ['a', 'b', 'c', 'd', 'R0m30'].map(password => plainLogin(at, 'juliet', password))
    assert.deepEqual(await Promise.all(guesses), [...Array.from({ length: 4 }, () => 'not-authorized'), 'temporary-auth-failure'])
    assert.equal(await plainLogin(at, 'juliet', 'R0m30'), 'temporary-auth-failure')
    assert.equal(await plainLogin(at, 'juliet', '', 'EXTERNAL'), JULIET.toString(), 'a certificate is not concerned')
    at.clock.advance(4000)
    assert.equal(await plainLogin(at, 'juliet', 'R0m30'), JULIET.toString())
  })

  it('unknown and known accounts fail alike, up to the lock', async () => {
    const at = await world()
    await at.service.create(JULIET, 'R0m30')
    const tries = async (name: string): Promise<string[]> => {
      const results: string[] = []
      for (let attempt = 0; attempt < 5; attempt++) results.push(await plainLogin(at, name, 'wrong'))
      return results
    }
    assert.deepEqual(await tries('juliet'), await tries('rosaline'))
  })
})
