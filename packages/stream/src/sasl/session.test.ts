import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { contextOf, FakeCredentials, HOST, JULIET } from '../testing/fake-credentials.ts'
import { scramClient } from '../testing/scram-client.ts'
import { startSasl } from './mechanisms.ts'
import type { SaslContext, SaslVerdict } from './sasl.ts'
import { saslSession } from './session.ts'
import type { SaslReply, SaslSession } from './session.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const plain = base64('\0juliet\0R0m30')
const wrong = base64('\0juliet\0wrong')
const juliet = { hash: 'SHA-1', username: 'juliet', password: 'R0m30' } as const

const brief = (reply: SaslReply | undefined): string | undefined => reply?.kind === 'failure' ? reply.condition : reply?.kind

async function scramLogin(session: SaslSession): Promise<SaslReply | undefined> {
  const client = scramClient(juliet)
  const challenge = await session.auth('SCRAM-SHA-1', base64(client.first))
  assert.equal(challenge?.kind, 'challenge')
  const final = client.final(Buffer.from(challenge?.kind === 'challenge' ? challenge.payload : '', 'base64').toString())
  const reply = await session.response(base64(final))
  if (reply?.kind === 'success') assert.ok(client.isServer(Buffer.from(reply.payload, 'base64').toString()))
  return reply
}

/** A core that answers when told to. */
function slowCore(): { context: SaslContext; answer: () => void } {
  const credentials = new FakeCredentials()
  let answer = (): void => {}
  const gate = new Promise<void>(resolve => (answer = resolve))
  credentials.verifyPassword = async () => gate.then(() => true)
  return { context: contextOf({ credentials }), answer }
}

describe('saslSession (RFC 6120 §6.4)', () => {
  it('a whole SCRAM login, with the server\u2019s signature in success (§6.4.6)', async () => {
    const reply = await scramLogin(saslSession(contextOf()))
    assert.ok(reply?.kind === 'success' && reply.account.equals(JULIET) && !reply.isAnonymous)
  })

  it('PLAIN in one message, or asked for by an empty challenge (§6.4.2)', async () => {
    const reply = await saslSession(contextOf()).auth('PLAIN', plain)
    assert.deepEqual(reply, { kind: 'success', payload: '', account: JULIET, isAnonymous: false })
    const session = saslSession(contextOf())
    assert.deepEqual(await session.auth('PLAIN', ''), { kind: 'challenge', payload: '' })
    assert.equal(brief(await session.response(plain)), 'success')
  })

  it('= is an empty initial response, an empty or = response an empty one', async () => {
    const context = contextOf({ certificateIdentities: [`juliet@${HOST}`] })
    assert.equal(brief(await saslSession(context).auth('EXTERNAL', '=')), 'success')
    for (const payload of ['', '=']) {
      const session = saslSession(context)
      assert.equal(brief(await session.auth('EXTERNAL', '')), 'challenge')
      assert.equal(brief(await session.response(payload)), 'success')
    }
  })

  it('text that is not base64 is incorrect-encoding and ends the attempt (§6.5.5)', async () => {
    const session = saslSession(contextOf())
    for (const payload of ['*', 'AA', '==', 'AAAA\n', 'A===', ' =']) {
      assert.equal(brief(await session.auth('PLAIN', payload)), 'incorrect-encoding')
      assert.equal(brief(await session.response(plain)), 'malformed-request')
    }
  })

  it('an unknown mechanism is refused, and another may follow', async () => {
    const session = saslSession(contextOf())
    assert.equal(brief(await session.auth('DIGEST-MD5', '')), 'invalid-mechanism')
    assert.equal(brief(await scramLogin(session)), 'success')
  })

  it('<abort/> ends the attempt (§6.4.4), and another may follow', async () => {
    const session = saslSession(contextOf())
    assert.equal(brief(await session.auth('PLAIN', '')), 'challenge')
    assert.equal(session.abort().condition, 'aborted')
    assert.equal(brief(await session.auth('PLAIN', plain)), 'success')
  })

  it('a response without an attempt, and an attempt within another, are malformed-request', async () => {
    const session = saslSession(contextOf())
    assert.equal(brief(await session.response(plain)), 'malformed-request')
    assert.equal(brief(await session.auth('PLAIN', '')), 'challenge')
    assert.equal(brief(await session.auth('PLAIN', plain)), 'malformed-request')
    assert.equal(brief(await session.response(plain)), 'malformed-request')
  })

  it('five failures exhaust it (§6.4.5)', async () => {
    const session = saslSession(contextOf())
    for (let attempt = 1; attempt <= 5; attempt++) {
      assert.equal(session.isExhausted, false)
      assert.equal(brief(await session.auth('PLAIN', wrong)), 'not-authorized')
    }
    assert.equal(session.isExhausted, true)
  })

  it('an abort while the core is thinking: nobody is logged in afterwards, and one failure is sent', async () => {
    const { context, answer } = slowCore()
    const session = saslSession(context)
    const reply = session.auth('PLAIN', plain)
    assert.equal(session.abort().condition, 'aborted')
    answer()
    assert.equal(await reply, undefined)
  })

  it('a message while the core is thinking ends the attempt, and one failure is sent', async () => {
    for (const intrude of [(s: SaslSession) => s.response(plain), (s: SaslSession) => s.auth('PLAIN', plain)]) {
      const { context, answer } = slowCore()
      const session = saslSession(context)
      const reply = session.auth('PLAIN', plain)
      assert.equal(brief(await intrude(session)), 'malformed-request')
      answer()
      assert.equal(await reply, undefined)
    }
  })

  it('guesses that began before the lock are refused by the verdict, right ones too', async () => {
    const credentials = new FakeCredentials()
    let failures = 0
    credentials.report = async (_account, isSuccess): Promise<SaslVerdict> => {
      if (!isSuccess) failures++
      return failures >= 3 ? { waitMs: 1000, refusal: 'locked' } : { waitMs: 0 }
    }
    const guesses = [wrong, wrong, wrong, plain].map(payload => saslSession(contextOf({ credentials })).auth('PLAIN', payload))
    assert.deepEqual((await Promise.all(guesses)).map(brief), ['not-authorized', 'not-authorized', 'not-authorized', 'temporary-auth-failure'])
  })
})

describe('an exchange', () => {
  it('ends with its first end: later messages are malformed-request', async () => {
    const exchange = startSasl('PLAIN', contextOf())
    assert.ok(exchange)
    assert.equal((await exchange.step(Buffer.from('\0juliet\0R0m30'))).kind, 'success')
    const late = await exchange.step(Buffer.from('\0juliet\0R0m30'))
    assert.equal(late.kind === 'failure' && late.condition, 'malformed-request')
  })

  it('asks for the initial response only once: nothing again is an empty message', async () => {
    const exchange = startSasl('PLAIN', contextOf())
    assert.ok(exchange)
    assert.equal((await exchange.step(undefined)).kind, 'challenge')
    const step = await exchange.step(undefined)
    assert.equal(step.kind === 'failure' && step.condition, 'malformed-request')
  })

  it('aborted while under way answers aborted', async () => {
    const { context, answer } = slowCore()
    const exchange = startSasl('PLAIN', context)
    assert.ok(exchange)
    const step = exchange.step(Buffer.from('\0juliet\0R0m30'))
    exchange.abort()
    answer()
    assert.deepEqual(await step, { kind: 'failure', condition: 'aborted' })
  })
})
