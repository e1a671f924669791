import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { FakeClock, FakeLoad } from '@rollcall/testing'
import type { Conduit } from '../runtime/index.ts'
import { StreamConduit } from '../runtime/stream-conduit.ts'
import { Admission } from './admission.ts'
import type { Applicant, Verdict } from './admission.ts'

function setUp(config = { queueMax: 100, waitMs: 10_000, perSecond: 20 }) {
  const clock = new FakeClock()
  const load = new FakeLoad()
  const gone = new Set<Conduit>()
  const left: string[] = []
  const hungUp = (conduits: readonly Conduit[]) => conduits.flatMap((conduit, at) => (gone.has(conduit) ? [at] : []))
  const admission = new Admission(clock, load, () => config, hungUp)
  const verdicts: [string, Verdict][] = []
  const apply = (name: string): Applicant => {
    const decide = (verdict: Verdict) => void verdicts.push([name, verdict])
    const applicant = { conduit: new StreamConduit(new Socket()), decide, left: () => void left.push(name) }
    const verdict = admission.verdict()
    if (verdict === undefined) admission.wait(applicant)
    else applicant.decide(verdict)
    return applicant
  }
  return { clock, load, admission, verdicts, apply, gone, left }
}

test('normally everybody is let in at once', () => {
  const { admission, verdicts, apply } = setUp()
  apply('juliet')
  assert.deepEqual(verdicts, [['juliet', 'accepted']])
  assert.equal(admission.size, 0)
})

test('in brown-out connections wait, and the oldest are let in first, so many a second', () => {
  const { clock, load, admission, verdicts, apply } = setUp()
  load.level = 'brown-out'
  for (let at = 0; at < 50; at++) apply(`guest${at}`)
  assert.deepEqual(verdicts, [])
  clock.advance(1_000)
  assert.deepEqual(verdicts, Array.from({ length: 20 }, (_, at) => [`guest${at}`, 'accepted']))
  assert.equal(admission.size, 30)
})

test('after the brown-out the queue is emptied faster, but not at once', () => {
  const { clock, load, admission, verdicts, apply } = setUp()
  load.level = 'brown-out'
  for (let at = 0; at < 100; at++) apply(`guest${at}`)
  load.level = 'normal'
  apply('late')
  assert.deepEqual(verdicts, [['late', 'queue-full']])
  clock.advance(100)
  assert.equal(verdicts.length, 21)
  clock.advance(1_000)
  assert.equal(admission.size, 0)
  apply('juliet')
  assert.deepEqual(verdicts.at(-1), ['juliet', 'accepted'])
})

test('whoever waits past the deadline is refused, also while nobody is let in', () => {
  const { clock, load, verdicts, apply } = setUp({ queueMax: 100, waitMs: 5_000, perSecond: 1 })
  load.level = 'brown-out'
  apply('juliet')
  load.level = 'refuse'
  clock.advance(3_000)
  apply('romeo')
  assert.deepEqual(verdicts, [['romeo', 'overload']])
  clock.advance(2_000)
  assert.deepEqual(verdicts.at(-1), ['juliet', 'queue-expired'])
})

test('a full queue refuses, and whoever left it makes room', () => {
  const { clock, load, admission, verdicts, apply, gone, left } = setUp({ queueMax: 1, waitMs: 5_000, perSecond: 1 })
  load.level = 'brown-out'
  const juliet = apply('juliet')
  apply('romeo')
  assert.deepEqual(verdicts, [['romeo', 'queue-full']])
  gone.add(juliet.conduit)
  clock.advance(50)
  assert.deepEqual(left, ['juliet'])
  apply('nurse')
  assert.equal(admission.size, 1)
  assert.equal(verdicts.length, 1)
})

test('an empty queue saves no credit for the next storm, and keeps no timer', () => {
  const { clock, load, admission, verdicts, apply } = setUp()
  load.level = 'brown-out'
  apply('juliet')
  clock.advance(60_000)
  assert.deepEqual(verdicts, [['juliet', 'accepted']])
  for (let at = 0; at < 50; at++) apply(`guest${at}`)
  clock.advance(50)
  assert.equal(verdicts.length, 2)
  admission.close()
  assert.deepEqual(verdicts.at(-1), ['guest49', 'overload'])
  assert.equal(admission.size, 0)
})

test('whoever is gone when it is looked for leaves the queue, and takes nobody\'s turn', () => {
  const { clock, load, admission, verdicts, apply, gone, left } = setUp()
  load.level = 'brown-out'
  const [juliet, nurse] = [apply('juliet'), apply('nurse'), apply('romeo')]
  gone.add(juliet.conduit)
  clock.advance(50)
  assert.deepEqual([verdicts, left, admission.size], [[['nurse', 'accepted']], ['juliet'], 1])
  for (let at = 0; at < 20; at++) apply(`guest${at}`)
  gone.add(nurse.conduit)
  clock.advance(250)
  assert.deepEqual(verdicts.map(([name]) => name), ['nurse', 'romeo', 'guest0', 'guest1', 'guest2', 'guest3'])
})
