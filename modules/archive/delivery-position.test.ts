/** The delivery position as it comes back from storage after a crash. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { DeliveryPosition } from './delivery-position.ts'
import type { Mark, StoredPosition } from './delivery-position.ts'

const mark = (number: number): Mark => ({ id: `entry-${number}`, number, end: number * 10 })
const stored = (reached: number, ahead: readonly number[]): StoredPosition => ({
  ...mark(reached), ahead: ahead.map((number) => [number, `entry-${number}`, number * 10, 10] as const),
})

describe('a restored delivery position', () => {
  it('knows what was delivered beyond an undelivered message', () => {
    const position = DeliveryPosition.restore(stored(9, [11]), mark(11))
    assert.equal(position.waiting, 1)
    assert.deepEqual([10, 11].map((number) => position.isWaiting(number)), [true, false])
  })

  it('forgets messages ahead that the log does not have: they could not be written, and their numbers are given again', () => {
    const position = DeliveryPosition.restore(stored(9, [11]), mark(10))
    assert.equal(position.waiting, 1)
    position.append(mark(11))
    assert.equal(position.waiting, 2)
    assert.equal(position.isWaiting(11), true)
  })

  it('knows the part of a run of delivered messages that the log has', () => {
    const position = DeliveryPosition.restore({ ...mark(9), ahead: [[15, 'entry-15', 150, 50, 5]] }, mark(13))
    assert.deepEqual([10, 11, 13].map((number) => position.isWaiting(number)), [true, false, false])
    assert.deepEqual([position.waiting, position.waitingBytes], [1, 10])
  })
})

describe('messages that are delivered while an earlier one waits', () => {
  it('take no more room the more they are', () => {
    const position = new DeliveryPosition(mark(0), mark(0))
    position.append(mark(1))
    for (let number = 2; number <= 5_000; number++) {
      position.append(mark(number))
      position.give(mark(number), 10)
      assert.equal(position.settle(mark(number), 10), true)
    }
    assert.deepEqual(position.toStored(), { ...mark(0), ahead: [[5_000, 'entry-5000', 50_000, 49_990, 4_999]] })
    assert.deepEqual([position.waiting, position.waitingBytes], [1, 10])
    assert.equal(position.settle(mark(1), 10), true)
    assert.deepEqual([position.reached, position.isCaughtUp], [mark(5_000), true])
  })

  it('are each known, in whatever order messages are given, delivered and taken back', () => {
    const step = fc.record({ what: fc.constantFrom('append', 'give', 'settle', 'takeBack'), number: fc.integer({ min: 1, max: 12 }) })
    fc.assert(fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom('none', 'stored', 'moved'), (steps, pass) => {
      let position = new DeliveryPosition(mark(0), mark(0))
      const states: ('waiting' | 'given' | 'delivered')[] = []
      for (const { what, number } of steps) {
        const state = states[number - 1]
        if (what === 'append') {
          states.push('waiting')
          position.append(mark(states.length))
        } else if (state !== undefined && what === 'give') {
          position.give(mark(number), 10)
          if (state === 'waiting') states[number - 1] = 'given'
        } else if (state !== undefined && what === 'settle') {
          assert.equal(position.settle(mark(number), 10), state !== 'delivered')
          states[number - 1] = 'delivered'
        } else if (state !== undefined) {
          assert.equal(position.takeBack(number), state === 'given')
          if (state === 'given') states[number - 1] = 'waiting'
        }
      }
      if (pass === 'stored') {
        position = DeliveryPosition.restore(position.toStored(), mark(states.length))
        states.forEach((state, at) => void (states[at] = state === 'given' ? 'waiting' : state))
      } else if (pass === 'moved') {
        position = DeliveryPosition.importState(position.exportState())
      }
      const waiting = states.filter((state) => state === 'waiting').length
      assert.deepEqual([position.waiting, position.waitingBytes], [waiting, waiting * 10])
      assert.deepEqual(states.map((_, at) => position.isWaiting(at + 1)), states.map((state) => state === 'waiting'))
      const first = states.findIndex((state) => state !== 'delivered')
      assert.deepEqual(position.reached, mark(first === -1 ? states.length : first))
    }))
  })
})
