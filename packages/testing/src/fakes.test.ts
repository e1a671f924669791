import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock, SeededRandom, recordingLog, recordingMetrics } from './index.ts'

test('timers fire in order of due time, equal ones in order of creation, at their own time', () => {
  const clock = new FakeClock(1000)
  const seen: string[] = []
  const mark = (name: string) => () => seen.push(`${name}@${clock.now()}`)
  clock.after(20, mark('late'))
  clock.after(10, mark('first'))
  clock.after(10, mark('second'))
  clock.every(8, mark('tick'))
  clock.advance(20)
  assert.deepEqual(seen, ['tick@1008', 'first@1010', 'second@1010', 'tick@1016', 'late@1020'])
  assert.equal(clock.monotonic(), 20)
  assert.equal(clock.pendingCount, 1)
})

test('a cancelled timer never fires, even when cancelled by one due at the same time', () => {
  const clock = new FakeClock()
  const seen: string[] = []
  clock.after(5, () => {
    seen.push('canceller')
    victim.cancel()
    victim.cancel()
    period.cancel()
  })
  const victim = clock.after(5, () => seen.push('victim'))
  const period = clock.every(5, () => seen.push('period'))
  clock.advance(50)
  assert.deepEqual(seen, ['canceller'])
  assert.equal(clock.pendingCount, 0)
  assert.equal(clock.nextDueMs, undefined)
})

test('soon runs before time passes, and what it schedules is honoured in the same advance', () => {
  const clock = new FakeClock(0)
  const seen: string[] = []
  clock.after(1, () => seen.push('timer'))
  clock.soon(() => {
    seen.push(`soon@${clock.now()}`)
    clock.soon(() => seen.push('nested'))
  })
  clock.advance(1)
  assert.deepEqual(seen, ['soon@0', 'nested', 'timer'])
})

test('run lets promises settle between timers', async () => {
  const clock = new FakeClock(0)
  const seen: string[] = []
  const loop = async (): Promise<void> => {
    for (let round = 0; round < 3; round++) {
      await new Promise<void>(resolve => clock.after(10, resolve))
      seen.push(`round ${round}@${clock.now()}`)
    }
  }
  void loop()
  await clock.run(30)
  assert.deepEqual(seen, ['round 0@10', 'round 1@20', 'round 2@30'])
})

test('a callback that reschedules itself for ever is reported', () => {
  const clock = new FakeClock()
  const again = (): void => clock.soon(again)
  again()
  assert.throws(() => clock.runSoon(), /reschedules itself/)
})

test('a wall-clock jump moves now and not the timers', () => {
  const clock = new FakeClock(1000)
  let fired = false
  clock.after(10, () => (fired = true))
  clock.jumpWall(1_000_000)
  assert.equal(clock.now(), 1_001_000)
  clock.advance(9)
  assert.equal(fired, false)
  clock.advance(1)
  assert.equal(fired, true)
})

test('seeded randomness replays, differs by seed, and has the shapes the port promises', () => {
  const draw = (seed: number): unknown[] => {
    const random = new SeededRandom(seed)
    return [random.id(), random.uuid(), random.fraction(), [...random.bytes(5)], random.below(10)]
  }
  assert.deepEqual(draw(7), draw(7))
  assert.notDeepEqual(draw(7), draw(8))
  const random = new SeededRandom(1)
  const counts = Array.from({ length: 10 }, () => 0)
  for (let round = 0; round < 10_000; round++) counts[random.below(10)]!++
  for (const count of counts) assert.ok(count > 850 && count < 1150, `uneven: ${counts.join(' ')}`)
  assert.match(random.uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.match(random.id(), /^[A-Za-z0-9_-]{16}$/)
})

test('the recording log keeps the lines of children with their bound fields', () => {
  const log = recordingLog()
  log.child({ member: 'm1' }).warn('queue-full', { depth: 3 })
  log.info('started')
  assert.deepEqual(log.lines, [
    { level: 'warn', event: 'queue-full', fields: { member: 'm1', depth: 3 } },
    { level: 'info', event: 'started', fields: {} },
  ])
  assert.equal(log.of('started').length, 1)
})

test('recording metrics answer by name and labels', () => {
  const metrics = recordingMetrics()
  metrics.counter('stanzas_total', '', { kind: 'iq' }).add(2)
  metrics.counter('stanzas_total', '', { kind: 'iq' }).add(1)
  metrics.gauge('depth', '').set(4)
  metrics.observedGauge('sessions', '', () => 9)
  metrics.histogram('seconds', '', [1]).observe(0.5)
  assert.equal(metrics.value('stanzas_total', { kind: 'iq' }), 3)
  assert.equal(metrics.value('stanzas_total', { kind: 'message' }), undefined)
  assert.equal(metrics.value('depth'), 4)
  assert.equal(metrics.value('sessions'), 9)
  assert.deepEqual(metrics.observations('seconds'), [0.5])
})
