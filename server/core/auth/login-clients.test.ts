import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { jidOf } from '@rollcall/jid'
import { initiatorText, responderText } from '@rollcall/stream'
import type { TokenAnswer, TokenProof } from '@rollcall/stream'
import { FakeClock, recordingLog, recordingMetrics, SeededRandom } from '@rollcall/testing'
import { MemoryStorage } from '../../../backends/storage-memory/index.ts'
import { nodeCrypto } from '../../runtime/crypto.ts'
import type { FinishLogin, LoginFinished } from '../../protocol/login-messages.ts'
import { createAuthService } from './auth-service.ts'
import type { AuthService } from './auth-service.ts'
import { defaultAuthConfig } from './config.ts'
import type { ClientsConfig } from './config.ts'
import { clientStore } from './login-clients.ts'

const HOST = 'capulet.example'
const JULIET = jidOf('juliet', HOST)
const LUTE = '3c0b6d4e-6a5e-4cf0-9a55-0d0a1f0f7a11'
const DRUM = '8f7b1c0a-3f55-4a6e-8a3c-77c3d1f0b2aa'
const DAY_MS = 24 * 60 * 60_000
const EXPR = 'HT-SHA-256-EXPR'
const BINDING = new Uint8Array(32).fill(7)
const NOTHING = new Uint8Array(0)

let clock: FakeClock
let storage: MemoryStorage
let service: AuthService

async function start(clients: Partial<ClientsConfig> = {}): Promise<void> {
  service = createAuthService({
    storage, clock, crypto: nodeCrypto, random: new SeededRandom(1), log: recordingLog(), metrics: recordingMetrics(),
    config: {
      ...defaultAuthConfig, hosts: new Set([HOST]), anonymousHosts: new Set(),
      iterations: { 'SHA-1': 4096, 'SHA-256': 4096, 'SHA-512': 4096 }, clients: { ...defaultAuthConfig.clients, ...clients },
    },
  })
  if (!(await service.exists(JULIET))) await service.create(JULIET, 'balcony')
}

beforeEach(async () => {
  clock = new FakeClock()
  storage = new MemoryStorage()
  await storage.open()
  await start()
})

const finish = (changes: Partial<FinishLogin> = {}): Promise<LoginFinished> =>
  service.answer({ kind: 'finish-login', account: JULIET, method: 'password', agent: { id: LUTE }, ...changes }) as Promise<LoginFinished>

async function newToken(mechanism = EXPR, agent = LUTE): Promise<string> {
  const { token } = await finish({ tokenMechanism: mechanism, agent: { id: agent } })
  assert.ok(token)
  return token.text
}

function proofOf(token: string, changes: Partial<TokenProof> = {}): TokenProof {
  const bindingData = changes.bindingData ?? BINDING
  const proof = nodeCrypto.hmac('SHA-256', new TextEncoder().encode(token), initiatorText(bindingData))
  return { agentId: LUTE, isInvalidating: false, mechanism: EXPR, bindingData, proof, ...changes }
}

const check = (proof: TokenProof, account = JULIET): Promise<TokenAnswer> =>
  service.answer({ kind: 'check-token', account, ...proof }) as Promise<TokenAnswer>
const outcome = async (token: string, changes: Partial<TokenProof> = {}): Promise<string> => (await check(proofOf(token, changes))).outcome

describe('XEP-0484: tokens', () => {
  it('let their client in, and prove the server', async () => {
    const token = await newToken()
    const answer = await check(proofOf(token))
    assert.equal(answer.outcome, 'accepted')
    const expected = nodeCrypto.hmac('SHA-256', new TextEncoder().encode(token), responderText(BINDING))
    assert.deepEqual(Buffer.from(answer.signature), Buffer.from(expected))
    assert.equal(await outcome(token), 'accepted')
  })

  it('outlive a restart of the server', async () => {
    const token = await newToken()
    await start()
    assert.equal(await outcome(token), 'accepted')
  })

  it('are not stored: what is stored of an account lets nobody in', async () => {
    const token = await newToken()
    const rows = JSON.stringify([...(await storage.mapAll(clientStore.storeName, JULIET.toString()))])
    assert.doesNotMatch(rows, new RegExp(token.slice(0, 12)))
    assert.doesNotMatch(rows, new RegExp(LUTE))
  })

  it('are bound to mechanism, installation, account and channel (§3.4)', async () => {
    const token = await newToken()
    assert.equal(await outcome(token, { mechanism: 'HT-SHA-256-NONE' }), 'refused')
    assert.equal(await outcome(token, { agentId: DRUM }), 'refused')
    assert.equal((await check(proofOf(token), jidOf('nurse', HOST))).outcome, 'refused')
    assert.equal(await outcome(token, { proof: proofOf(token, { bindingData: NOTHING }).proof }), 'refused')
    assert.equal(await outcome(token), 'accepted')
  })

  it('refuse any other proof', async () => {
    const right = proofOf(await newToken())
    await fc.assert(fc.asyncProperty(fc.nat(31), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const proof = right.proof.map((byte, i) => (i === at ? byte ^ change : byte))
      assert.equal((await check({ ...right, proof })).outcome, 'refused')
    }))
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bindingData) => {
      fc.pre(!Buffer.from(bindingData).equals(BINDING))
      assert.equal((await check({ ...right, bindingData })).outcome, 'refused')
    }))
    assert.equal((await check(right)).outcome, 'accepted')
  })

  it('accept no count twice, nor a lower one, after a restart either (§3.4)', async () => {
    const token = await newToken()
    assert.equal(await outcome(token, { count: 5 }), 'accepted')
    assert.equal(await outcome(token, { count: 5 }), 'refused')
    await start()
    assert.equal(await outcome(token, { count: 4 }), 'refused')
    assert.equal(await outcome(token, { count: 6 }), 'accepted')
    assert.equal(await outcome(token, { count: 0 }), 'refused')
  })

  it('let one of many equal proofs in when all come at once', async () => {
    const token = await newToken()
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => outcome(token, { count: 1 })))
    assert.deepEqual(outcomes.toSorted(), ['accepted', ...Array.from({ length: 7 }, () => 'refused')])
  })

  it('expire, which only who has them is told', async () => {
    const token = await newToken()
    clock.advance(defaultAuthConfig.clients.tokenLifetimeMs)
    assert.equal(await outcome(token), 'expired')
    assert.equal(await outcome('another'), 'refused')
  })

  it('die when they are invalidated (§3.6), and a successor that was given out with them', async () => {
    const token = await newToken()
    await outcome(token)
    const successor = await newToken()
    assert.equal(await outcome(token, { isInvalidating: true }), 'accepted')
    assert.equal(await outcome(token), 'refused')
    assert.equal(await outcome(successor), 'refused')
    assert.equal((await finish({ method: 'token' })).token, undefined)
  })

  it('die with the password', async () => {
    const token = await newToken()
    await service.setPassword(JULIET, 'orchard')
    assert.equal(await outcome(token), 'refused')
    assert.equal(await outcome(await newToken()), 'accepted')
  })

  it('are not touched when the account is disabled for a while: the login is refused elsewhere', async () => {
    const token = await newToken()
    await service.setPassword(JULIET, 'orchard')
    const second = await newToken()
    await service.setDisabled(JULIET, true)
    await service.setDisabled(JULIET, false)
    assert.equal(await outcome(token), 'refused')
    assert.equal(await outcome(second), 'accepted')
  })
})

describe('XEP-0484 §3.5: rotation', () => {
  it('gives a new token to who used one that is due, and keeps the old until the new is used', async () => {
    const token = await newToken()
    await outcome(token)
    assert.equal((await finish({ method: 'token' })).token, undefined)
    clock.advance(DAY_MS)
    await outcome(token)
    const successor = (await finish({ method: 'token' })).token?.text
    assert.ok(successor !== undefined && successor !== token)
    assert.equal(await outcome(token), 'accepted')
    assert.equal(await outcome(successor), 'accepted')
    assert.equal(await outcome(token), 'refused')
    assert.equal(await outcome(successor), 'accepted')
  })

  it('replaces a successor that was never used (§3.5)', async () => {
    const first = await newToken()
    const second = await newToken()
    assert.equal(await outcome(first), 'refused')
    assert.equal(await outcome(second), 'accepted')
  })

  it('gives none to who logged in with a password and did not ask', async () => {
    await outcome(await newToken())
    clock.advance(DAY_MS)
    assert.equal((await finish()).token, undefined)
  })
})

describe('clients of an account', () => {
  it('have ids that are stable and tell nothing of their own', async () => {
    const first = await finish()
    assert.deepEqual(await finish({ method: 'certificate' }), first)
    assert.match(first.clientId ?? '', /^[\w-]{16}$/)
    assert.notEqual((await finish({ agent: { id: DRUM } })).clientId, first.clientId)
  })

  it('are nobody without an id, and anonymous ones neither', async () => {
    assert.deepEqual(await service.answer({ kind: 'finish-login', account: JULIET, method: 'password', tokenMechanism: EXPR }), {})
    assert.deepEqual(await finish({ method: 'anonymous', tokenMechanism: EXPR }), {})
    assert.deepEqual(await service.clients.list(JULIET), [])
  })

  it('are listed with what they said and how they got in', async () => {
    const { clientId } = await finish({ agent: { id: LUTE, software: 'Lute', device: 'x'.repeat(127) + '\u{1f339}' }, tokenMechanism: EXPR })
    clock.advance(1000)
    await finish({ agent: { id: DRUM }, method: 'certificate' })
    const [drum, lute] = await service.clients.list(JULIET)
    assert.deepEqual([drum?.knowsPassword, drum?.hasToken, drum?.software], [false, false, undefined])
    assert.deepEqual(lute, {
      id: clientId, firstSeenAt: clock.now() - 1000, lastSeenAt: clock.now() - 1000,
      software: 'Lute', device: 'x'.repeat(127), knowsPassword: true, hasToken: true,
    })
    await service.setPassword(JULIET, 'orchard')
    const later = (await service.clients.list(JULIET))[1]
    assert.deepEqual([later?.knowsPassword, later?.hasToken], [false, false])
  })

  it('have no names when the operator keeps none', async () => {
    await start({ areNamesKept: false })
    await finish({ agent: { id: LUTE, software: 'Lute', device: 'Balcony' } })
    const [lute] = await service.clients.list(JULIET)
    assert.deepEqual([lute?.software, lute?.device], [undefined, undefined])
  })

  it('are forgotten with their tokens when their access is revoked', async () => {
    const { clientId = '', token } = await finish({ method: 'certificate', tokenMechanism: EXPR })
    assert.equal(await service.clients.revoke(JULIET, clientId), 'revoked')
    assert.deepEqual(await service.clients.list(JULIET), [])
    assert.equal(await outcome(token?.text ?? ''), 'refused')
    assert.equal(await service.clients.revoke(JULIET, clientId), 'unknown')
  })

  it('stay in the list without their tokens while they know the password', async () => {
    const token = await newToken()
    const [client] = await service.clients.list(JULIET)
    assert.equal(await service.clients.revoke(JULIET, client?.id ?? ''), 'knows-password')
    assert.equal(await outcome(token), 'refused')
    assert.deepEqual((await service.clients.list(JULIET)).map(({ hasToken }) => hasToken), [false])
    await service.setPassword(JULIET, 'orchard')
    assert.equal(await service.clients.revoke(JULIET, client?.id ?? ''), 'revoked')
  })

  it('are forgotten after a while without a login, but not while they have a token', async () => {
    await start({ keptMs: 1000, tokenLifetimeMs: 5000 })
    await finish()
    await newToken(EXPR, DRUM)
    clock.advance(1000)
    assert.equal((await service.clients.list(JULIET)).length, 1)
    clock.advance(4000)
    assert.deepEqual(await service.clients.list(JULIET), [])
    await finish()
    assert.equal((await storage.mapAll(clientStore.storeName, JULIET.toString())).size, 1)
  })

  it('are a limited number: who was seen longest ago makes room', async () => {
    await start({ clientsMax: 2 })
    for (const id of ['one', 'two', 'three']) {
      await finish({ agent: { id, software: id } })
      clock.advance(1)
    }
    assert.deepEqual((await service.clients.list(JULIET)).map(({ software }) => software), ['three', 'two'])
  })
})

describe('XEP-0480: parameters of an upgrade', () => {
  it('are given for keys that are wanted and missing only', async () => {
    const ask = (hash: 'SHA-256' | 'SHA-512', account = JULIET) => service.answer({ kind: 'upgrade-parameters', account, hash })
    assert.equal(await ask('SHA-256'), undefined)
    assert.equal(await ask('SHA-256', jidOf('nurse', HOST)), undefined)
    const record = await service.record(JULIET)
    assert.ok(record)
    const { 'SHA-512': _, ...scram } = record.scram
    await service.deleteCredentials(JULIET)
    await service.restore(JULIET, { ...record, scram })
    const parameters = await ask('SHA-512') as { salt: Uint8Array; iterations: number }
    assert.equal(parameters.iterations, 4096)
    assert.equal(parameters.salt.length, 16)
  })
})
