/** The delivery position as it comes back from storage after a crash. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
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
})
