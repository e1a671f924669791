import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock, FakeLoad } from '@rollcall/testing'
import type { Gatherer } from './presence-gathering.ts'
import { ECHO_MS, gatherWindowMs, PresenceGathering, SLICE_MS } from './presence-gathering.ts'

const noBatch = { open: () => {}, close: () => {} }

class Connection implements Gatherer {
  isDirty = false
  isGathering = false
  flushes = 0
  readonly onFlush: () => void
  constructor(onFlush: () => void = () => {}) {
    this.onFlush = onFlush
  }
  flush(): void {
    this.flushes++
    this.onFlush()
  }
}

test('on an idle member presence is written at the end of the turn', () => {
  const clock = new FakeClock()
  const gathering = new PresenceGathering(clock, new FakeLoad(), () => {}, noBatch)
  const connection = new Connection()
  gathering.add(connection)
  assert.deepEqual([connection.isGathering, connection.flushes, gathering.size], [true, 0, 1])
  clock.runSoon()
  assert.deepEqual([connection.isGathering, connection.flushes, gathering.size], [false, 1, 0])
})

test('on a busy one it waits for its window, and what goes at once is not written twice', () => {
  const clock = new FakeClock()
  const load = new FakeLoad()
  load.lag = 60
  const gathering = new PresenceGathering(clock, load, () => {}, noBatch)
  const [one, dirty] = [new Connection(), new Connection()]
  gathering.add(one)
  gathering.add(dirty)
  dirty.isDirty = true
  clock.advance(gatherWindowMs(load) - 1)
  assert.equal(one.flushes, 0)
  clock.advance(1)
  assert.deepEqual([one.flushes, dirty.flushes, dirty.isGathering], [1, 0, false])
})

test('what is not presence is written before each slice', () => {
  const clock = new FakeClock()
  const order: string[] = []
  const gathering = new PresenceGathering(clock, new FakeLoad(), () => order.push('messages'), noBatch)
  gathering.add(new Connection(() => order.push('presence')))
  clock.runSoon()
  assert.deepEqual(order, ['messages', 'presence'])
})

test('many writes are made in slices of a turn, each connection once, and others may join meanwhile', () => {
  class SlowClock extends FakeClock {
    readonly turns: (() => void)[] = []
    spentMs = 0
    override monotonic(): number {
      return super.monotonic() + this.spentMs
    }
    override soon(callback: () => void): void {
      this.turns.push(callback)
    }
  }
  const clock = new SlowClock()
  const gathering = new PresenceGathering(clock, new FakeLoad(), () => {}, noBatch)
  // A write takes a tenth of a millisecond here.
  const connections = Array.from({ length: 200 }, () => new Connection(() => { clock.spentMs += 0.1 }))
  const late = new Connection()
  for (const connection of connections) gathering.add(connection)
  let turns = 0
  for (let next = clock.turns.shift(); next !== undefined; next = clock.turns.shift()) {
    const beforeMs = clock.spentMs
    next()
    assert.ok(clock.spentMs - beforeMs < SLICE_MS + 2)
    if (++turns === 1) gathering.add(late)
  }
  assert.ok(turns > 3)
  assert.ok([...connections, late].every(({ flushes, isGathering }) => flushes === 1 && !isGathering))
  assert.equal(gathering.size, 0)
})

test('a few echoes are written at the end of the turn', () => {
  const clock = new FakeClock()
  const gathering = new PresenceGathering(clock, new FakeLoad(), () => {}, noBatch)
  const [one, other] = [new Connection(), new Connection()]
  gathering.addEcho(one)
  gathering.add(other)
  gathering.addEcho(other)
  clock.runSoon()
  assert.deepEqual([one.flushes, other.flushes, gathering.size, clock.pendingCount], [1, 1, 0, 0])
})

test('where many change at a time, echoes wait for what comes next, and not for long', () => {
  const clock = new FakeClock()
  const gathering = new PresenceGathering(clock, new FakeLoad(), () => {}, noBatch)
  const connections = Array.from({ length: 20 }, () => new Connection())
  for (const connection of connections) gathering.addEcho(connection)
  gathering.add(connections[0] as Connection)
  clock.runSoon()
  assert.deepEqual(connections.map(({ flushes }) => flushes), [1, ...new Array(19).fill(0)])
  const late = new Connection()
  gathering.addEcho(late)
  clock.advance(ECHO_MS)
  clock.runSoon()
  assert.equal(connections.every(({ flushes, isGathering }) => flushes >= 1 && !isGathering), true)
  clock.advance(ECHO_MS)
  clock.runSoon()
  assert.deepEqual([late.flushes, gathering.size, clock.pendingCount], [1, 0, 0])
})
