/** Questions between members: who is asked, what comes back, and what happens when nobody answers. */
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { jidOf } from '@rollcall/jid'
import type { Json } from '@rollcall/ports'
import { StanzaError } from '@rollcall/stanza'
import { FakeClock, recordingLog } from '@rollcall/testing'
import { createLocalBus } from '../../backends/bus-local/index.ts'
import type { ModuleQuestion } from '../protocol/member-messages.ts'
import type { ServerMessage } from '../protocol/messages.ts'
import { singleMember } from '../protocol/placement.ts'
import type { Carrier } from '../protocol/placement.ts'
import { MemberQuestions } from './member-questions.ts'

const romeo = jidOf('romeo', 'montague.example')
const clock = new FakeClock()
let hub: ReturnType<typeof createLocalBus>

beforeEach(() => {
  hub = createLocalBus({ clock, log: recordingLog() })
})

/** A member that owns nobody: what is asked of owners goes to `owner`. */
function member(id: string, others: readonly string[], owner: string): MemberQuestions {
  const bus = hub.member<ServerMessage>(id)
  const carrier = {
    others, request: (_entity: unknown, message: ServerMessage, timeoutMs: number) => bus.request(owner, message, timeoutMs),
  } as Partial<Carrier> as Carrier
  const placement = { memberOf: () => owner, isHere: () => owner === id }
  const questions = new MemberQuestions({ bus, placement, carrier })
  bus.attach({ receive: () => {}, answer: (_from, message) => questions.answer(message as ModuleQuestion) })
  return questions
}

/** Steps until it is settled: replies cross the bus in later turns. */
async function outcome(promise: Promise<unknown>, byMs = 0): Promise<unknown> {
  const results: unknown[] = []
  const settled = promise.catch((error: unknown) => (error instanceof StanzaError ? [error.condition, error.text] : error))
  void settled.then((value) => results.push(value))
  for (let i = 0; i < 20 && results.length === 0; i++) {
    clock.advance(i === 10 ? byMs : 0)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return results[0]
}

const double = (asked: Json) => 2 * Number(asked)

describe('one member', () => {
  test('answers itself', async () => {
    const questions = new MemberQuestions({ bus: hub.member<ServerMessage>('verona'), placement: singleMember('verona'), carrier: undefined })
    const question = questions.question('double', double)
    assert.deepEqual([await question.all(2), await question.owner(romeo, 3)], [[4], 6])
    assert.throws(() => questions.question('double', double), /Two modules answer/)
  })
})

describe('several members', () => {
  test('all answer, also this one; the owner alone answers for an account', async () => {
    const question = member('verona', ['mantua', 'padua'], 'padua').question('add', double)
    member('mantua', ['verona', 'padua'], 'padua').question('add', (asked) => Number(asked) + 10)
    member('padua', ['verona', 'mantua'], 'padua').question('add', (asked) => Number(asked) + 100)
    assert.deepEqual(await outcome(question.all(7)), [14, 17, 107])
    assert.equal(await outcome(question.owner(romeo, 7)), 107)
  })

  test('a stanza error of one is the error of the question', async () => {
    const question = member('verona', ['mantua'], 'verona').question('double', double)
    member('mantua', ['verona'], 'verona').question('double', () => Promise.reject(new StanzaError('item-not-found', 'nobody is here')))
    assert.deepEqual(await outcome(question.all(1)), ['item-not-found', 'nobody is here'])
  })

  test('a question that a member does not know is an error', async () => {
    const question = member('verona', ['mantua'], 'verona').question('double', double)
    member('mantua', ['verona'], 'verona')
    assert.deepEqual(await outcome(question.all(1)), ['feature-not-implemented', "Nothing answers 'double' on one of the members"])
  })

  test('a member that hangs is named after 5 s, one that is gone at once', async () => {
    const question = member('verona', ['mantua'], 'mantua').question('double', double)
    assert.deepEqual(await outcome(question.all(1)), ['remote-server-timeout', 'mantua does not answer'])
    member('mantua', ['verona'], 'mantua').question('double', () => new Promise<Json>(() => {}))
    assert.equal(await outcome(question.all(1), 4_999), undefined)
    assert.deepEqual(await outcome(question.all(1), 5_000), ['remote-server-timeout', 'mantua does not answer'])
    assert.deepEqual(await outcome(question.owner(romeo, 1), 5_000), ['remote-server-timeout', 'The owner of the account does not answer'])
  })
})
