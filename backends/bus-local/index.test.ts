import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BusMessage, Clock } from '@rollcall/ports'
import { FakeClock, busContract, recordingLog, recordingMetrics } from '@rollcall/testing'
import { createLocalBus } from './index.ts'

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
  every: (periodMs, callback) => {
    const timer = setInterval(callback, periodMs)
    return { cancel: () => clearInterval(timer) }
  },
  soon: callback => void setImmediate(callback),
  endTurn: () => {},
}

busContract('local', async () => {
  const bus = createLocalBus({ clock, log: recordingLog() })
  return { romeo: bus.member('romeo'), juliet: bus.member('juliet'), dispose: async () => {} }
})

const silent = { answer: async () => undefined }
const note = (kind: string): BusMessage => ({ kind })

test('an injected scheduler decides when a burst is delivered, once per burst', () => {
  const drains: (() => void)[] = []
  const bus = createLocalBus({ clock: new FakeClock(), log: recordingLog(), schedule: drain => void drains.push(drain) })
  const seen: string[] = []
  bus.member('b').attach({ ...silent, receive: (from, message) => void seen.push(`${from} ${message.kind}`) })
  const a = bus.member('a')
  a.send('b', note('one'))
  a.send('b', note('two'))
  assert.deepEqual([drains.length, seen.length], [1, 0])
  drains[0]!()
  assert.deepEqual(seen, ['a one', 'a two'])
  a.send('b', note('three'))
  assert.equal(drains.length, 2)
})

test('members who answer each other for ever let other work have its turn', () => {
  const fake = new FakeClock()
  const drains: (() => void)[] = []
  const schedule = (drain: () => void): void => void drains.push(drain)
  const bus = createLocalBus({ clock: fake, log: recordingLog(), schedule, yieldTurn: schedule, drainMessagesMax: 10 })
  let count = 0
  const [a, b] = [bus.member('a'), bus.member('b')]
  a.attach({ ...silent, receive: () => (count++, a.send('b', note('pong'))) })
  b.attach({ ...silent, receive: () => (count++, b.send('a', note('ping'))) })
  a.send('b', note('ping'))
  drains.shift()!()
  assert.equal(count, 10)
  assert.equal(drains.length, 1)
  drains.shift()!()
  assert.equal(count, 20)
})

test('a full queue drops one-way messages, says so, and refuses requests', async () => {
  const log = recordingLog()
  const metrics = recordingMetrics()
  const drains: (() => void)[] = []
  const bus = createLocalBus({ clock: new FakeClock(), log, metrics, schedule: drain => void drains.push(drain), queueMessagesMax: 2 })
  const seen: string[] = []
  bus.member('b').attach({ ...silent, receive: (_from, message) => void seen.push(message.kind) })
  const a = bus.member('a')
  for (const kind of ['one', 'two', 'three']) a.send('b', note(kind))
  assert.equal(metrics.value('rollcall_bus_local_queue_messages'), 2)
  await assert.rejects(a.request('b', note('four'), 100), { code: 'timeout' })
  drains[0]!()
  assert.deepEqual(seen, ['one', 'two'])
  assert.equal(log.of('bus-message-dropped').length, 1)
  assert.equal(metrics.value('rollcall_bus_local_dropped_messages'), 1)
})

test('pending requests are bounded, and answered or expired ones leave room and no timer behind', async () => {
  const fake = new FakeClock()
  const bus = createLocalBus({ clock: fake, log: recordingLog(), pendingRequestsMax: 2 })
  bus.member('b').attach({ receive: () => {}, answer: async (_from, message) => (message.kind === 'never' ? new Promise(() => {}) : 'yes') })
  const a = bus.member('a')
  const never = assert.rejects(a.request('b', note('never'), 50), { code: 'timeout' })
  const answered = a.request('b', note('ask'), 50)
  await assert.rejects(a.request('b', note('ask'), 50), { code: 'timeout' })
  assert.equal(await answered, 'yes')
  assert.equal(await a.request('b', note('ask'), 10), 'yes')
  fake.advance(60)
  await never
  assert.equal(await a.request('b', note('ask'), 10), 'yes')
  fake.advance(60)
  assert.equal(fake.pendingCount, 0)
})

test('a member id is taken until its member is closed', async () => {
  const bus = createLocalBus({ clock: new FakeClock(), log: recordingLog() })
  const first = bus.member('a')
  assert.throws(() => bus.member('a'), /already/)
  await first.close()
  assert.equal(bus.member('a').memberId, 'a')
})
