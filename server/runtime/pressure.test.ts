import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock, FakeLoad, recordingLog, recordingMetrics } from '@rollcall/testing'
import { defaultPressureConfig, MemberLoad, memoryFacts, memoryLimit, memoryPercent, readSlowly, serverSignals } from './pressure.ts'

const MIB = 1024 * 1024

function setUp() {
  const clock = new FakeClock()
  const log = recordingLog()
  const metrics = recordingMetrics()
  const turns = new FakeLoad()
  const load = new MemberLoad({ clock, log, metrics, calmMs: 2_000, turns })
  const values = { lag: 0, memory: 0 }
  load.watch({ name: 'lag', brownOut: 150, refuse: 1_000, read: () => values.lag })
  load.watch({ name: 'memory', brownOut: 80, refuse: 92, read: () => values.memory })
  load.start()
  return { clock, log, metrics, turns, load, values }
}

test('the level rises at once to what the worst signal says', () => {
  const { clock, load, values, log } = setUp()
  assert.equal(load.pressure(), 'normal')
  values.lag = 150
  clock.advance(100)
  assert.equal(load.pressure(), 'brown-out')
  values.memory = 95
  clock.advance(100)
  assert.equal(load.pressure(), 'refuse')
  assert.equal(load.reasons(), 'lag 150, memory 95')
  assert.deepEqual(log.of('pressure').map(({ fields }) => [fields['level'], fields['reasons']]), [
    ['brown-out', 'lag 150'], ['refuse', 'lag 150, memory 95'],
  ])
})

test('lag is what waits longer: a turn, or those who stand in line for theirs', () => {
  const { load, turns } = setUp()
  let lineMs = 0
  load.watchLine(() => lineMs)
  turns.lag = 40
  assert.equal(load.lagMs(), 40)
  lineMs = 300
  assert.equal(load.lagMs(), 300)
})

test('a member is behind while a signal says so twice in a row: a burst is no backlog', () => {
  const { clock, load } = setUp()
  let waiting = 1_000
  load.watch({ name: 'storage', brownOut: 20_000, refuse: 60_000, behind: 1_000, read: () => waiting })
  clock.advance(100)
  assert.equal(load.isBehind(), false)
  clock.advance(100)
  assert.equal(load.isBehind(), true)
  waiting = 999
  clock.advance(100)
  assert.equal(load.isBehind(), false)
  waiting = 1_000
  clock.advance(100)
  assert.equal(load.isBehind(), false)
  assert.equal(load.pressure(), 'normal')
})

test('the level falls a step at a time, each after a calm while', () => {
  const { clock, load, values, metrics } = setUp()
  values.lag = 5_000
  clock.advance(100)
  assert.equal(load.pressure(), 'refuse')
  values.lag = 0
  clock.advance(2_000)
  assert.equal(load.pressure(), 'refuse')
  clock.advance(100)
  assert.equal(load.pressure(), 'brown-out')
  assert.equal(metrics.value('rollcall_pressure_level'), 1)
  clock.advance(2_100)
  assert.equal(load.pressure(), 'normal')
  assert.equal(metrics.value('rollcall_pressure_changes_total', { level: 'normal' }), 1)
})

test('a signal just below its threshold keeps the level, and a moment beyond it starts the calm while anew', () => {
  const { clock, load, values } = setUp()
  values.lag = 200
  clock.advance(100)
  values.lag = 100
  clock.advance(60_000)
  assert.equal(load.pressure(), 'brown-out')
  values.lag = 80
  clock.advance(1_500)
  values.lag = 120
  clock.advance(100)
  values.lag = 0
  clock.advance(1_900)
  assert.equal(load.pressure(), 'brown-out')
  clock.advance(200)
  assert.equal(load.pressure(), 'normal')
})

test('while the lag that made it refuse becomes one of brown-out, the level falls to that and stays', () => {
  const { clock, load, values } = setUp()
  values.lag = 2_000
  clock.advance(100)
  values.lag = 300
  clock.advance(10_000)
  assert.equal(load.pressure(), 'brown-out')
})

test('lag and share of work are passed on, and after stop nothing is read', () => {
  const { clock, load, turns, values } = setUp()
  turns.lag = 7
  turns.busyShare = 0.5
  assert.deepEqual([load.lagMs(), load.utilization()], [7, 0.5])
  load.stop()
  values.lag = 10_000
  clock.advance(1_000)
  assert.equal(load.pressure(), 'normal')
})

test('while nobody asks and all is calm the signals are read once a second, and from the first question on ten times', () => {
  const { clock, load } = setUp()
  let reads = 0
  load.watch({ name: 'counted', brownOut: 10, refuse: 20, read: () => { reads++; return load.lagMs() } })
  clock.advance(100)
  assert.equal(reads, 1)
  clock.advance(10_000)
  assert.equal(reads, 11)
  load.lagMs()
  clock.advance(100)
  assert.equal(reads, 12)
  for (let i = 0; i < 5; i++) {
    load.isBehind()
    clock.advance(100)
  }
  assert.equal(reads, 17)
  clock.advance(100)
  assert.equal(reads, 18)
  clock.advance(900)
  assert.equal(reads, 18)
})

test('a member that nobody asks wakes when its timer is late or a signal is not calm', () => {
  const { clock, load, values } = setUp()
  clock.advance(1_100)
  values.lag = 95
  clock.advance(1_000)
  values.lag = 160
  clock.advance(100)
  assert.equal(load.pressure(), 'brown-out')

  class LateClock extends FakeClock {
    lateMs = 0
    override after(delayMs: number, callback: () => void) {
      return super.after(delayMs + this.lateMs, callback)
    }
  }
  const late = new LateClock()
  let reads = 0
  const member = new MemberLoad({ clock: late, log: recordingLog(), metrics: recordingMetrics(), calmMs: 2_000, turns: new FakeLoad() })
  member.watch({ name: 'counted', brownOut: 10, refuse: 20, read: () => { reads++; return 0 } })
  member.start()
  late.lateMs = 40
  late.advance(1_140)
  assert.equal(reads, 2)
  late.advance(140)
  assert.equal(reads, 3)
})

test('memory counts against the nearer of two limits, the free part of the heap not at all', () => {
  const facts = { residentBytes: 900 * MIB, heapUsedBytes: 100 * MIB, heapTotalBytes: 600 * MIB, heapLimitBytes: 4_000 * MIB }
  assert.equal(memoryPercent(facts, 1_000 * MIB), 40)
  assert.equal(memoryPercent({ ...facts, heapUsedBytes: 500 * MIB, heapLimitBytes: 1_000 * MIB }, 8_000 * MIB), 50)
  assert.equal(memoryLimit(5 * MIB), 5 * MIB)
  const limitBytes = memoryLimit(0)
  const percent = memoryPercent(memoryFacts(), limitBytes)
  assert.ok(percent > 0 && percent < 100, `${percent} % of ${limitBytes}`)
})

test('what is expensive to read is read once a second', () => {
  const clock = new FakeClock()
  let reads = 0
  const read = readSlowly(clock, () => ++reads)
  assert.deepEqual([read(), read()], [1, 1])
  clock.advance(1_000)
  assert.deepEqual([read(), reads], [2, 2])
})

test('a server watches lag, memory, output that waits and storage', () => {
  const clock = new FakeClock()
  const turns = new FakeLoad()
  turns.lag = 12
  const signals = serverSignals(defaultPressureConfig, { clock, turns, queuedBytes: () => 34, queuedOperations: () => 56 })
  assert.deepEqual(signals.map(({ name }) => name), ['lag', 'memory', 'output', 'storage'])
  assert.deepEqual([signals[0]?.read(), signals[2]?.read(), signals[3]?.read()], [12, 34, 56])
  for (const { brownOut, refuse } of signals) assert.ok(refuse > brownOut)
})
