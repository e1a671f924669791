/** The contract suite of the bus port: delivery, order and failure as `@rollcall/ports` states them, for every backend. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { Bus, BusMessage, MemberId } from '@rollcall/ports'

/** Two members that reach each other and nobody else, not yet attached. */
export interface BusPair {
  readonly romeo: Bus<TestMessage>
  readonly juliet: Bus<TestMessage>
  /** Called after both members are closed. */
  dispose(): Promise<void>
}

export interface TestMessage extends BusMessage {
  readonly kind: 'note' | 'ask' | 'ask-late' | 'ask-failing' | 'ask-never'
  readonly value: number
}

interface Seen {
  readonly from: MemberId
  readonly message: TestMessage
}

const note = (value: number): TestMessage => ({ kind: 'note', value })
/** Longer than anything a healthy backend takes; no test waits this long unless it fails. */
const PATIENCE_MS = 5000

async function until(isDone: () => boolean): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS
  while (!isDone()) {
    assert.ok(performance.now() < endMs, 'what was sent did not arrive')
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

/** Attaches a handler that keeps what it receives and answers by kind. */
function attach(bus: Bus<TestMessage>): Seen[] {
  const seen: Seen[] = []
  bus.attach({
    receive: (from, message) => void seen.push({ from, message }),
    async answer(from, message) {
      seen.push({ from, message })
      switch (message.kind) {
        case 'ask-failing':
          throw new Error('a plague on both your houses')
        case 'ask-late':
          bus.send(from, note(message.value))
          return message.value
        case 'ask-never':
          return new Promise(() => {})
        default:
          return { doubled: message.value * 2 }
      }
    },
  })
  return seen
}

/** Runs the rules of the bus port over the pairs that `makePair` makes, one per test. */
export function busContract(name: string, makePair: () => Promise<BusPair>): void {
  describe(`bus contract: ${name}`, () => {
    let pair: BusPair
    beforeEach(async () => {
      pair = await makePair()
    })
    afterEach(async () => {
      await Promise.all([pair.romeo.close(), pair.juliet.close()])
      await pair.dispose()
    })
    deliveryRules(() => pair)
    requestRules(() => pair)
    endRules(() => pair)
  })
}

function deliveryRules(pair: () => BusPair): void {
  test('messages arrive once, in order, with the sender', async () => {
    const { romeo, juliet } = pair()
    const seen = attach(juliet)
    attach(romeo)
    for (let value = 0; value < 1000; value++) romeo.send(juliet.memberId, note(value))
    await until(() => seen.length >= 1000)
    assert.deepEqual(seen.map(({ message }) => message.value), Array.from({ length: 1000 }, (_, value) => value))
    assert.ok(seen.every(({ from }) => from === romeo.memberId))
  })

  test('a handler never runs inside send, not even for a message to oneself', async () => {
    const { romeo, juliet } = pair()
    const seen = attach(juliet)
    const own = attach(romeo)
    romeo.send(juliet.memberId, note(1))
    romeo.send(romeo.memberId, note(2))
    assert.equal(seen.length + own.length, 0)
    await until(() => seen.length === 1 && own.length === 1)
  })

  test('a handler that throws loses nothing that follows', async () => {
    const { romeo, juliet } = pair()
    const seen: number[] = []
    juliet.attach({
      receive(_from, message) {
        seen.push(message.value)
        if (message.value === 1) throw new Error('poison')
      },
      answer: async () => undefined,
    })
    for (const value of [0, 1, 2]) romeo.send(juliet.memberId, note(value))
    await until(() => seen.length === 3)
  })

  test('a message to nobody is lost and harms nobody', async () => {
    const { romeo, juliet } = pair()
    const seen = attach(juliet)
    romeo.send('mercutio', note(1))
    romeo.send(juliet.memberId, note(2))
    await until(() => seen.length === 1)
    assert.equal(seen[0]?.message.value, 2)
  })

  test('whoever waits until a member was written to is told, and what was sent before arrives', async () => {
    const { romeo, juliet } = pair()
    const seen = attach(juliet)
    let isWritten = false
    romeo.send(juliet.memberId, note(1))
    romeo.afterWritten(juliet.memberId, () => (isWritten = true))
    await until(() => isWritten && seen.length === 1)
    await romeo.close()
    romeo.afterWritten(juliet.memberId, () => assert.fail('it is closed'))
  })
}

function requestRules(pair: () => BusPair): void {
  test('a request resolves with its own answer, however many are pending', async () => {
    const { romeo, juliet } = pair()
    attach(juliet)
    attach(romeo)
    const asked = Array.from({ length: 100 }, (_, value) => romeo.request(juliet.memberId, { kind: 'ask', value }, PATIENCE_MS))
    const answers = await Promise.all(asked)
    assert.deepEqual(answers, Array.from({ length: 100 }, (_, value) => ({ doubled: value * 2 })))
    assert.deepEqual(await juliet.request(romeo.memberId, { kind: 'ask', value: 4 }, PATIENCE_MS), { doubled: 8 })
  })

  test('requests and one-way messages share one order, and a reply never overtakes what its sender sent before', async () => {
    const { romeo, juliet } = pair()
    const seen = attach(juliet)
    const back = attach(romeo)
    romeo.send(juliet.memberId, note(1))
    const reply = romeo.request(juliet.memberId, { kind: 'ask-late', value: 2 }, PATIENCE_MS)
    romeo.send(juliet.memberId, note(3))
    assert.equal(await reply, 2)
    assert.deepEqual(back.map(({ message }) => message.value), [2])
    await until(() => seen.length === 3)
    assert.deepEqual(seen.map(({ message }) => message.value), [1, 2, 3])
  })

  test('a throw of the answerer rejects with remote and its message', async () => {
    const { romeo, juliet } = pair()
    attach(juliet)
    const asked = romeo.request(juliet.memberId, { kind: 'ask-failing', value: 0 }, PATIENCE_MS)
    await assert.rejects(asked, { name: 'BusError', code: 'remote', message: /plague/ })
  })

  test('no answer in time rejects with timeout, each request by its own time', async () => {
    const { romeo, juliet } = pair()
    attach(juliet)
    const ends: string[] = []
    const ask = async (timeoutMs: number): Promise<void> => {
      await assert.rejects(romeo.request(juliet.memberId, { kind: 'ask-never', value: 0 }, timeoutMs), { code: 'timeout' })
      ends.push(`${timeoutMs}`)
    }
    await Promise.all([ask(120), ask(20), ask(60)])
    assert.deepEqual(ends, ['20', '60', '120'])
  })

  test('a request to nobody, or to a member without a handler, rejects with no-responder at once', async () => {
    const { romeo, juliet } = pair()
    const startMs = performance.now()
    for (const to of ['mercutio', juliet.memberId]) {
      await assert.rejects(romeo.request(to, { kind: 'ask', value: 1 }, 60_000), { name: 'BusError', code: 'no-responder' })
    }
    assert.ok(performance.now() - startMs < PATIENCE_MS)
  })
}

function endRules(pair: () => BusPair): void {
  test('closing rejects own pending requests with closed, and the peer learns that nobody answers', async () => {
    const { romeo, juliet } = pair()
    attach(juliet)
    attach(romeo)
    const own = assert.rejects(juliet.request(romeo.memberId, { kind: 'ask-never', value: 1 }, PATIENCE_MS), { code: 'closed' })
    const peers = assert.rejects(romeo.request(juliet.memberId, { kind: 'ask-never', value: 1 }, 200), (error: { code?: string }) =>
      ['no-responder', 'timeout'].includes(error.code ?? ''),
    )
    await until(() => true)
    await juliet.close()
    await juliet.close()
    await Promise.all([own, peers])
    await assert.rejects(juliet.request(romeo.memberId, { kind: 'ask', value: 1 }, 100), { code: 'closed' })
    juliet.send(romeo.memberId, note(1))
    await assert.rejects(romeo.request(juliet.memberId, { kind: 'ask', value: 1 }, PATIENCE_MS), { code: 'no-responder' })
  })

  test('nothing is received after close has resolved', async () => {
    const { romeo, juliet } = pair()
    const seen = attach(juliet)
    for (let value = 0; value < 10; value++) romeo.send(juliet.memberId, note(value))
    await juliet.close()
    const count = seen.length
    romeo.send(juliet.memberId, note(99))
    await new Promise(resolve => setTimeout(resolve, 20))
    assert.equal(seen.length, count)
  })
}
