import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'
import { FakeClock, nullMetrics, recordingLog } from '@rollcall/testing'
import { giveMemoryBack } from './heap-policy.ts'

const MIB = 1024 * 1024

function setUp() {
  const clock = new FakeClock()
  const state = { share: 1, heapBytes: 60 * MIB, collections: 0, trims: 0 }
  const memory = {
    heapBytes: () => state.heapBytes,
    collect() {
      state.collections++
      state.heapBytes = 30 * MIB
    },
    trim: () => void state.trims++,
  }
  const timer = giveMemoryBack({ clock, log: recordingLog(), metrics: nullMetrics, memory, readShare: () => state.share })
  const pass = (share: number, ms: number) => {
    state.share = share
    clock.advance(ms)
  }
  return { state, timer, pass }
}

test('memory is given back once, when much work is over and it has been quiet for two seconds', () => {
  const { state, pass } = setUp()
  pass(0.9, 5_000)
  pass(0.005, 1_500)
  assert.deepEqual([state.collections, state.trims], [0, 0])
  pass(0.005, 500)
  assert.deepEqual([state.collections, state.trims], [1, 0])
  // The collection is work too.
  pass(0.1, 500)
  assert.deepEqual([state.collections, state.trims], [1, 1])
  pass(0.005, 60_000)
  assert.deepEqual([state.collections, state.trims], [1, 1])
})

test('it happens again after more work, and collects only when the heap has grown', () => {
  const { state, pass } = setUp()
  pass(0, 2_500)
  state.heapBytes += 15 * MIB
  pass(0.5, 500)
  pass(0, 2_000)
  assert.deepEqual([state.collections, state.trims], [1, 2])
  state.heapBytes += 30 * MIB
  pass(0.5, 500)
  pass(0, 2_500)
  assert.deepEqual([state.collections, state.trims], [2, 3])
})

test('work that begins while the heap is collected is not interrupted, and what it freed is given back later', () => {
  const { state, pass } = setUp()
  pass(0, 2_000)
  pass(0.9, 5_000)
  assert.deepEqual([state.collections, state.trims], [1, 0])
  pass(0, 500)
  assert.deepEqual([state.collections, state.trims], [1, 1])
})

test('neither steady work nor a moment of rest in it is interrupted', () => {
  const { state, pass } = setUp()
  pass(0.9, 5_000)
  for (let i = 0; i < 20; i++) {
    pass(0.02, 5_000)
    pass(0, 1_500)
  }
  assert.deepEqual([state.collections, state.trims], [0, 0])
})

test('a cancelled policy does nothing', () => {
  const { state, timer, pass } = setUp()
  timer.cancel()
  pass(0, 10_000)
  assert.equal(state.trims, 0)
})

test('the real heap shrinks, and keeps what was compiled for objects that are all gone', async () => {
  setFlagsFromString('--allow-natives-syntax')
  const status = runInThisContext('(f) => %GetOptimizationStatus(f)') as (f: unknown) => number
  const compile = runInThisContext(
    '(f, a) => { %PrepareFunctionForOptimization(f); f(a); %OptimizeMaglevOnNextCall(f); f(a) }',
  ) as (f: unknown, a: unknown) => void
  class Visitor {
    readonly number: number
    constructor(number: number) {
      this.number = number
    }
  }
  const numberAfter = (visitor: Visitor) => visitor.number + 1
  compile(numberAfter, new Visitor(1))
  const compiled = status(numberAfter)
  const held = { objects: Array.from({ length: 500_000 }, (_, i) => ({ i })) }
  // V8 may be collecting because of them, and what it has looked at already would stay until the next time.
  await new Promise((resolve) => setTimeout(resolve, 500))
  held.objects = []
  const usedBytes = () => getHeapStatistics().used_heap_size
  const usedAtFirst = usedBytes()

  const clock = new FakeClock()
  const log = recordingLog()
  giveMemoryBack({ clock, log, metrics: nullMetrics, readShare: () => 0 })
  clock.advance(2_000)
  for (let i = 0; i < 100 && usedBytes() > usedAtFirst - 10 * MIB; i++) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.ok(usedBytes() <= usedAtFirst - 10 * MIB)
  clock.advance(500)
  const [line] = log.of('memory-returned')
  assert.equal(line?.fields['isCollected'], true)
  assert.equal(status(numberAfter), compiled)
})
