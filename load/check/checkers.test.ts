import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { populationFrom } from '../model/population.ts'
import { defaultProfile } from '../model/profile.ts'
import { MessageChecker } from './message-checker.ts'
import { PairTable } from './pair-table.ts'
import { PresenceChecker } from './presence-checker.ts'
import { Tally } from './violations.ts'
import type { ViolationKind } from './violations.ts'

// Romeo knows Juliet; Tybalt knows nobody. One client each, but romeo has two: 0 and 1; juliet 2; tybalt 3.
const population = {
  ...populationFrom({ ...defaultProfile, users: 3, resourcesMean: 1 }, [
    { name: 'romeo', password: 'pw', contacts: ['juliet'] }, { name: 'juliet', password: 'pw', contacts: ['romeo'] },
    { name: 'tybalt', password: 'pw', contacts: [] },
  ]),
  clientStarts: Uint32Array.of(0, 2, 3, 4), clientUsers: Uint32Array.of(0, 0, 1, 2), clientCount: 4,
}
const pairs = new PairTable(population)
const [romeo, romeoAtWork, juliet, tybalt] = [0, 1, 2, 3] as const
const nameOf = (client: number): string => ['romeo', 'romeo at work', 'juliet', 'tybalt'][client]!
const counts = (violations: Tally<ViolationKind>): Record<string, number> => Object.fromEntries(violations.list().map(({ kind, count }) => [kind, count]))

describe('messages', () => {
  function start(sent: number): { checker: MessageChecker; violations: Tally<ViolationKind>; arrive: (sequence: number) => string } {
    const violations = new Tally<ViolationKind>()
    const checker = new MessageChecker(pairs, violations, nameOf)
    for (let time = 0; time < sent; time++) checker.next(pairs.find(juliet, romeo))
    return { checker, violations, arrive: (sequence) => checker.received(juliet, romeo, juliet, sequence) }
  }

  it('counts losses, repetitions and overtaking of any shuffled delivery exactly', () => {
    const arrivals = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 60 })
    fc.assert(fc.property(arrivals, (sequences) => {
      const { checker, violations, arrive } = start(30)
      const seen = new Set<number>()
      let highest = 0
      const right = { duplicate: 0, outOfOrder: 0 }
      for (const sequence of sequences) {
        if (seen.has(sequence)) right.duplicate++
        else if (sequence < highest) right.outOfOrder++
        seen.add(sequence)
        highest = Math.max(highest, sequence)
        arrive(sequence)
      }
      assert.equal(checker.pendingCount, 30 - seen.size)
      checker.finish()
      assert.equal(violations.countOf('message-duplicate'), right.duplicate)
      assert.equal(violations.countOf('message-out-of-order'), right.outOfOrder)
      assert.equal(violations.countOf('message-missing'), 30 - seen.size)
    }))
  })

  it('excuses what was under way when the receiver went, and takes it late once', () => {
    const { checker, violations, arrive } = start(5)
    assert.equal(arrive(1), 'first')
    checker.receiverGone(juliet)
    assert.deepEqual([checker.pendingCount, checker.maybeCount], [0, 4])
    assert.equal(arrive(3), 'late')
    assert.equal(arrive(2), 'late')
    assert.equal(arrive(3), 'wrong')
    checker.finish()
    assert.deepEqual(counts(violations), { 'message-duplicate': 1 })
    assert.deepEqual([checker.lateCount, checker.maybeCount], [2, 2])
  })

  it('excuses what a sender that was cut off may not have got out', () => {
    const { checker, violations } = start(3)
    checker.senderCut(romeo)
    checker.finish()
    assert.deepEqual(counts(violations), {})
  })

  it('knows strangers: nobody\'s contact, a number never sent, another user\'s message', () => {
    const { checker, violations, arrive } = start(1)
    assert.equal(checker.received(tybalt, romeo, juliet, 1), 'wrong')
    assert.equal(checker.received(juliet, tybalt, juliet, 1), 'wrong')
    assert.equal(arrive(2), 'wrong')
    assert.equal(arrive(0), 'wrong')
    assert.deepEqual(counts(violations), { 'message-stranger': 4 })
  })

  it('lets another client of the same user have a message only when its own had gone', () => {
    const violations = new Tally<ViolationKind>()
    const checker = new MessageChecker(pairs, violations, nameOf)
    checker.next(pairs.find(romeoAtWork, juliet))
    assert.equal(checker.received(romeo, juliet, romeoAtWork, 1), 'wrong')
    checker.receiverGone(romeoAtWork)
    assert.equal(checker.received(romeo, juliet, romeoAtWork, 1), 'late')
    assert.deepEqual(counts(violations), { 'message-stranger': 1 })
  })

  it('lets a message come back only when its receiver had gone', () => {
    const { checker, violations } = start(1)
    checker.bounced(romeo, juliet, 1)
    checker.receiverGone(juliet)
    checker.bounced(romeo, juliet, 1)
    assert.equal(checker.bouncedCount, 1)
    assert.deepEqual(counts(violations), { 'message-error': 1 })
  })
})

describe('presence', () => {
  function start(): { checker: PresenceChecker; violations: Tally<ViolationKind> } {
    const violations = new Tally<ViolationKind>()
    const checker = new PresenceChecker(pairs, 4, violations, nameOf)
    for (const client of [romeo, juliet]) {
      checker.announce(client)
      checker.ready(client, 100)
    }
    checker.availableReceived(juliet, romeo, 1, 50)
    checker.availableReceived(romeo, juliet, 1, 50)
    return { checker, violations }
  }

  it('takes states in order, leaves out replaced ones, and times only news that the watcher was ready for', () => {
    const { checker, violations } = start()
    for (let change = 0; change < 3; change++) checker.announce(romeo)
    assert.equal(checker.availableReceived(juliet, romeo, 2, 200), true)
    assert.equal(checker.availableReceived(juliet, romeo, 4, 90), false)
    assert.equal(checker.coalescedCount, 1)
    assert.equal(checker.wrongCount(), 0)
    assert.deepEqual(counts(violations), {})
  })

  it('knows repetitions, older states and states that were never sent', () => {
    const { checker, violations } = start()
    checker.announce(romeo)
    checker.availableReceived(juliet, romeo, 2, 200)
    checker.availableReceived(juliet, romeo, 2, 200)
    checker.availableReceived(juliet, romeo, 1, 50)
    checker.availableReceived(juliet, romeo, 9, 50)
    assert.deepEqual(counts(violations), { 'presence-duplicate': 1, 'presence-out-of-order': 2 })
  })

  it('does not mind a state twice while the watcher logs in', () => {
    const { checker, violations } = start()
    checker.gone(juliet, 300)
    checker.announce(juliet)
    checker.availableReceived(juliet, romeo, 1, 50)
    checker.availableReceived(juliet, romeo, 1, 50)
    assert.equal(checker.redundantCount, 1)
    assert.deepEqual(counts(violations), {})
  })

  it('finds wrong final states: unseen changes, ghosts, and those who are not seen', () => {
    const { checker, violations } = start()
    checker.announce(romeo)
    assert.equal(checker.wrongCount(), 1)
    checker.availableReceived(juliet, romeo, 2, 200)
    checker.gone(romeo, 300)
    assert.equal(checker.wrongCount(), 1)
    assert.equal(checker.unavailableReceived(juliet, romeo, 0), true)
    assert.equal(checker.wrongCount(), 0)
    checker.announce(romeo)
    checker.finish()
    // Juliet does not see romeo, and romeo, who is back, does not see juliet.
    assert.deepEqual(counts(violations), { 'presence-wrong-state': 2 })
    assert.match(violations.list()[0]!.examples[0]!, /romeo sees juliet as offline, the truth is state 1/)
  })

  it('knows presence of those who are nobody\'s contact', () => {
    const { checker, violations } = start()
    checker.availableReceived(juliet, tybalt, 1, 0)
    checker.unavailableReceived(tybalt, romeo, 1)
    assert.deepEqual(counts(violations), { 'presence-stranger': 2 })
  })
})

it('keeps few and short examples however much goes wrong', () => {
  const tally = new Tally<'roster-wrong'>()
  for (let time = 0; time < 1000; time++) tally.add('roster-wrong', () => 'x'.repeat(5000))
  const [only] = tally.list()
  assert.equal(only!.count, 1000)
  assert.equal(only!.examples.length, 5)
  assert.ok(only!.examples.every((example) => example.length <= 301))
})
