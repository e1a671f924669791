import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock, nullMetrics, recordingLog } from '@rollcall/testing'
import { COLLECTED_BYTES_MAX, giveMemoryBack } from './heap-policy.ts'

const MIB = 1024 * 1024

function setUp() {
  const clock = new FakeClock()
  const state = { share: 1, usedBytes: 40 * MIB, totalBytes: 60 * MIB, collections: 0, trims: 0 }
  const memory = {
    heap: () => ({ usedBytes: state.usedBytes, totalBytes: state.totalBytes }),
    collect() {
      state.collections++
      state.totalBytes = state.usedBytes = Math.min(state.usedBytes, 30 * MIB)
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
  assert.deepEqual([state.collections, state.trims], [1, 1])
  pass(0.005, 60_000)
  assert.deepEqual([state.collections, state.trims], [1, 1])
})

test('it happens again after more work, and collects only when the heap has grown', () => {
  const { state, pass } = setUp()
  pass(0, 2_000)
  state.totalBytes += 15 * MIB
  pass(0.5, 500)
  pass(0, 2_000)
  assert.deepEqual([state.collections, state.trims], [1, 2])
  state.totalBytes += 30 * MIB
  pass(0.5, 500)
  pass(0, 2_000)
  assert.deepEqual([state.collections, state.trims], [2, 3])
})

test('neither steady work nor a moment of rest in it is interrupted', () => {
  const { state, pass } = setUp()
  pass(0.9, 5_000)
  for (let i = 0; i < 20; i++) {
    pass(0.02, 5_000)
    pass(0, 1_500)
  }
  assert.equal(state.trims, 0)
})

test('a large heap is left to V8: only the allocator gives back', () => {
  const { state, pass } = setUp()
  state.usedBytes = COLLECTED_BYTES_MAX + 1
  state.totalBytes = 2 * COLLECTED_BYTES_MAX
  pass(0, 2_000)
  assert.deepEqual([state.collections, state.trims], [0, 1])
})

test('a cancelled policy does nothing', () => {
  const { state, timer, pass } = setUp()
  timer.cancel()
  pass(0, 10_000)
  assert.equal(state.trims, 0)
})

test('the real heap shrinks when it is collected', () => {
  const clock = new FakeClock()
  const log = recordingLog()
  giveMemoryBack({ clock, log, metrics: nullMetrics, readShare: () => 0 })
  let garbage: unknown[] | undefined = Array.from({ length: 200_000 }, (_, i) => ({ i }))
  assert.equal(garbage.length, 200_000)
  garbage = undefined
  clock.advance(2_000)
  const [line] = log.of('memory-returned')
  assert.equal(line?.fields['isCollected'], true)
  assert.ok((line?.fields['keptBytes'] as number) < (line?.fields['totalBytes'] as number))
})
