import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '@rollcall/testing'
import { loopShare, TurnLoad } from './load.ts'

/** A clock whose turns end when the test says. */
class TurnClock extends FakeClock {
  readonly turns: (() => void)[] = []
  override soon(callback: () => void): void {
    this.turns.push(callback)
  }
  override endTurn(): void {
    for (const callback of this.turns.splice(0)) callback()
  }
}

test('lag is the mean length of whole turns, late ones counting more', () => {
  const clock = new TurnClock()
  const load = new TurnLoad(clock, () => 0)
  assert.equal(load.lagMs(), 0)
  clock.advance(7)
  clock.endTurn()
  clock.advance(40)
  clock.endTurn()
  assert.equal(load.lagMs(), 10)
  clock.advance(10)
  assert.equal(load.lagMs(), 10)
  clock.endTurn()
  clock.advance(0)
  clock.endTurn()
  assert.equal(load.lagMs(), 7.5)
})

test('turns are measured seldom while they are short, and often once one was long', () => {
  const clock = new TurnClock()
  const turns: number[] = []
  const load = new TurnLoad(clock, () => 0, (turnMs) => turns.push(turnMs))
  const askAfter = (ms: number, turnMs: number): void => {
    clock.advance(ms)
    load.lagMs()
    clock.endTurn()
    clock.advance(turnMs)
    clock.endTurn()
  }
  askAfter(0, 1)
  askAfter(5, 1)
  assert.deepEqual(turns, [1])
  askAfter(20, 30)
  assert.deepEqual(turns, [1, 30])
  askAfter(5, 2)
  assert.deepEqual(turns, [1, 30, 2])
})

test('nothing is measured while nobody asks, and an old reading is forgotten', () => {
  const clock = new TurnClock()
  const load = new TurnLoad(clock, () => 0)
  load.lagMs()
  clock.endTurn()
  clock.advance(40)
  clock.endTurn()
  assert.equal(clock.turns.length, 0)
  assert.equal(load.lagMs(), 10)
  clock.advance(1_000)
  assert.equal(load.lagMs(), 0)
})

test('the share of work is counted over a while, and not over a long silence', () => {
  const clock = new FakeClock()
  const shares = [0.9, 0.8, 0.7]
  const load = new TurnLoad(clock, () => shares.shift() as number)
  assert.equal(load.utilization(), 0)
  clock.advance(60)
  assert.equal(load.utilization(), 0.8)
  clock.advance(10)
  assert.equal(load.utilization(), 0.8)
  clock.advance(1_000)
  assert.equal(load.utilization(), 0)
})

test('the event loop gives a share from 0 to 1', () => {
  const read = loopShare()
  for (const share of [read(), read()]) assert.ok(share >= 0 && share <= 1)
})
