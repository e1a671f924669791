/**
 * Messages do not wait for presence: how much of it is done in one turn, and what then comes first. Time here is what the work
 * is said to cost, so that the bounds are exact.
 */
import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { jidOf } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Account } from '@rollcall/module-api'
import { Stanza } from '@rollcall/stanza'
import { FakeClock, FakeLoad, recordingMetrics } from '@rollcall/testing'
import { Pacer, SLICE_MS } from './pacer.ts'
import { ShardLaw } from './shard-law.ts'
import { PART_RECEIVERS } from './whereabouts.ts'

/** What it costs to tell one contact, in ms. */
const TELL_MS = 0.002

/** Time passes by work alone, and turns end when a test says so. */
class WorkClock extends FakeClock {
  workedMs = 0
  #next: (() => void)[] = []

  override monotonic(): number {
    return super.monotonic() + this.workedMs
  }

  override soon(callback: () => void): void {
    this.#next.push(callback)
  }

  /** Runs to the end of the turn; returns how long it took from `startMs` on. False when there was nothing to do. */
  override endTurn(startMs = this.workedMs): number | false {
    const callbacks = this.#next
    this.#next = []
    for (const callback of callbacks) callback()
    return callbacks.length > 0 && this.workedMs - startMs
  }
}

interface Told {
  readonly from: string
  readonly state: string
  readonly to: string
}

let clock: WorkClock
let load: FakeLoad
let told: Told[]
let pacer: Pacer
let contacts: readonly Jid[]
const metrics = recordingMetrics()

beforeEach(() => {
  clock = new WorkClock()
  load = new FakeLoad()
  told = []
  contacts = people('romeo', 50)
  pacer = new Pacer({
    clock, load, budget: 0, law: new ShardLaw({ count: 1, of: () => 0 }, metrics, 1),
    audience: () => contacts,
    maySee: (_account, contact) => contacts.some((other) => other.equals(contact)),
    broadcast: (stanza, targets) => {
      clock.workedMs += targets.length * TELL_MS
      for (const to of targets) told.push({ from: String(stanza.from), state: stanza.content || stanza.type, to: to.localpart })
    },
    coalesced: metrics.counter('coalesced', ''), damped: metrics.counter('damped', ''), seconds: metrics.histogram('seconds', '', [1]),
  })
})

const people = (name: string, count: number): readonly Jid[] => Array.from({ length: count }, (_, at) => jidOf(`${name}${at}`, 'verona.example'))
const resource = (account: Jid): Jid => account.withResource('orchard')
const state = (from: Jid, content: string): Stanza => new Stanza('presence', resource(from), undefined, '', '', '', content)
const gone = (from: Jid): Stanza => new Stanza('presence', resource(from), undefined, 'unavailable', '', ` type='unavailable'`, '')
const change = (from: Jid, known: Stanza | undefined, latest: Stanza): void =>
  pacer.changed({ jid: from } as Account, resource(from), known, latest)

/** Turns until nothing is left; returns the longest. */
function finish(): number {
  let longestMs = 0
  for (let turnMs = clock.endTurn(); turnMs !== false; turnMs = clock.endTurn()) longestMs = Math.max(longestMs, turnMs)
  return longestMs
}

const PART_MS = PART_RECEIVERS * TELL_MS

describe('a storm of presence', () => {
  it('takes no more than a slice of any turn, tells everybody, and the earlier first', () => {
    const senders = people('juliet', 2_000)
    const startMs = clock.workedMs
    for (const sender of senders) change(sender, state(sender, 'old'), state(sender, 'new'))
    assert.ok((clock.endTurn(startMs) as number) <= SLICE_MS + 50 * TELL_MS)
    assert.ok(pacer.size > 1_900)
    assert.ok(finish() <= SLICE_MS + 50 * TELL_MS)
    assert.equal(told.length, 2_000 * 50)
    assert.deepEqual([...new Set(told.map(({ from }) => from))], senders.map((sender) => resource(sender).toString()))
  })

  it('goes on although new changes keep coming, and those wait behind', () => {
    const senders = people('juliet', 500)
    const late = people('nurse', 300)
    for (const sender of senders) change(sender, undefined, state(sender, 'here'))
    for (const sender of late) {
      change(sender, state(sender, 'old'), state(sender, 'new'))
      assert.ok((clock.endTurn() as number) <= SLICE_MS + 50 * TELL_MS)
    }
    finish()
    const order = [...new Set(told.map(({ from }) => from))]
    assert.deepEqual(order, [...senders, ...late].map((sender) => resource(sender).toString()))
  })

  it('somebody who waits and writes a message is settled at once, alone', () => {
    const senders = people('juliet', 100)
    for (const sender of senders) change(sender, state(sender, 'old'), state(sender, 'new'))
    const [last] = senders.slice(-1) as [Jid]
    told.length = 0
    const startMs = clock.workedMs
    pacer.settle(last)
    assert.deepEqual([...new Set(told.map(({ from }) => from))], [resource(last).toString()])
    assert.ok(clock.workedMs - startMs < 50 * TELL_MS + 1e-9)
    finish()
    assert.equal(told.filter(({ from }) => from === resource(last).toString()).length, 50)
  })

  it('a state that a newer one replaces before its turn is never sent; one who came and went in vain is not noticed', () => {
    const [first, second, third] = people('juliet', 3) as [Jid, Jid, Jid]
    contacts = people('romeo', 3 * PART_RECEIVERS)
    change(first, state(first, 'old'), state(first, 'new'))
    change(second, state(second, 'old'), state(second, 'new'))
    change(second, state(second, 'new'), state(second, 'newest'))
    change(third, undefined, state(third, 'here'))
    change(third, state(third, 'here'), gone(third))
    finish()
    assert.deepEqual([...new Set(told.map(({ from, state: what }) => `${from} ${what}`))], [
      `${resource(first).toString()} new`, `${resource(second).toString()} newest`,
    ])
  })
})

describe('a change that very many are told of', () => {
  const [star] = people('mercutio', 1) as [Jid]
  beforeEach(() => {
    contacts = people('romeo', 10_000)
  })

  it('goes in parts', () => {
    const startMs = clock.workedMs
    change(star, state(star, 'old'), state(star, 'new'))
    assert.ok(clock.workedMs - startMs <= SLICE_MS + PART_MS)
    assert.ok(finish() <= SLICE_MS + PART_MS)
    assert.deepEqual(told.map(({ to }) => to), contacts.map(({ localpart }) => localpart))
  })

  it('is finished before anything else of the account, and before its next state', () => {
    change(star, state(star, 'old'), state(star, 'new'))
    assert.ok(told.length < contacts.length)
    change(star, state(star, 'new'), state(star, 'newest'))
    // Contacts who may know only now were not told of the first one.
    contacts = [...contacts, ...people('nurse', 1)]
    assert.deepEqual(pacer.settle(star).map(String), [resource(star).toString()])
    assert.deepEqual(told.map(({ state: what }) => what), [...Array<string>(10_000).fill('new'), ...Array<string>(10_001).fill('newest')])
    told.length = 0
    finish()
    assert.equal(told.length, 0)
  })

  it('those who are told of it in parts are not those of whom settling speaks', () => {
    change(star, state(star, 'old'), state(star, 'new'))
    assert.deepEqual(pacer.settle(star), [])
    assert.equal(told.length, contacts.length)
  })

  it('does not keep others waiting for all of it when they have something to say', () => {
    const [juliet] = people('juliet', 1) as [Jid]
    change(star, state(star, 'old'), state(star, 'new'))
    pacer.settle(juliet)
    assert.ok(told.length <= (SLICE_MS + PART_MS) / TELL_MS)
  })
})

describe('a contact who is told ahead of the others', () => {
  const [juliet] = people('juliet', 1) as [Jid]
  const [romeo, other] = people('romeo', 2) as [Jid, Jid]
  const [stranger] = people('paris', 1) as [Jid]
  beforeEach(() => {
    load.lag = 60
    change(juliet, state(juliet, 'old'), state(juliet, 'new'))
  })
  const later = (): void => {
    clock.advance(1_000)
    finish()
  }

  it('is told alone, and once; a stranger is told nothing', () => {
    pacer.settleFor(juliet, romeo.withResource('street'))
    pacer.settleFor(juliet, romeo)
    pacer.settleFor(juliet, stranger)
    assert.deepEqual(told.map(({ state: what, to }) => [what, to]), [['new', romeo.localpart]])
    later()
    assert.deepEqual(told.map(({ to }) => to).sort(), contacts.map(({ localpart }) => localpart).sort())
  })

  it('is told again of what is new when it is the turn of the others', () => {
    pacer.settleFor(juliet, romeo)
    change(juliet, state(juliet, 'new'), state(juliet, 'newest'))
    later()
    assert.deepEqual([seenBy(juliet, romeo), seenBy(juliet, other)], [['new', 'newest'], ['newest']])
  })

  it('learns that all is as it was, of which the others notice nothing', () => {
    pacer.settleFor(juliet, romeo)
    change(juliet, state(juliet, 'new'), state(juliet, 'old'))
    later()
    assert.deepEqual([seenBy(juliet, romeo), told.length], [['new', 'old'], 2])
  })

  it('is left out of what goes on in parts', () => {
    load.lag = 0
    contacts = people('romeo', 10_000)
    const [star] = people('mercutio', 1) as [Jid]
    change(star, state(star, 'old'), state(star, 'new'))
    const last = contacts.at(-1) as Jid
    assert.ok(told.length < contacts.length)
    pacer.settleFor(star, last)
    assert.deepEqual(seenBy(star, last), ['new'])
    finish()
    assert.deepEqual([seenBy(star, last), seenBy(star, contacts.at(-2) as Jid)], [['new'], ['new']])
  })
})

describe('whatever comes when', () => {
  it('every contact sees a part of what a resource did, in order, and the last of it', () => {
    const senders = people('juliet', 3)
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ who: fc.nat(2), what: fc.constantFrom('one', 'two', 'gone', 'settle', 'settle first', 'settle last') }) },
      { weight: 2, arbitrary: fc.constant('turn' as const) },
      { weight: 1, arbitrary: fc.record({ lag: fc.constantFrom(0, 30, 100) }) },
      { weight: 1, arbitrary: fc.record({ ms: fc.integer({ min: 1, max: 300 }) }) },
    )
    fc.assert(fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 * PART_RECEIVERS }), (steps, size) => {
      contacts = people('romeo', size)
      told.length = 0
      load.lag = 0
      const did = senders.map(() => ['gone'])
      const known: (Stanza | undefined)[] = senders.map(() => undefined)
      for (const move of steps) {
        if (move === 'turn') clock.endTurn()
        else if ('lag' in move) load.lag = move.lag
        else if ('ms' in move) clock.advance(move.ms)
        else if (move.what === 'settle') pacer.settle(senders[move.who] as Jid)
        else if (move.what.startsWith('settle')) {
          const contact = contacts.at(move.what === 'settle first' ? 0 : -1) as Jid
          pacer.settleFor(senders[move.who] as Jid, contact)
          assert.equal(seenBy(senders[move.who] as Jid, contact).at(-1) ?? 'gone', did[move.who]?.at(-1))
        }
        else if (did[move.who]?.at(-1) !== move.what) {
          const sender = senders[move.who] as Jid
          const latest = move.what === 'gone' ? gone(sender) : state(sender, move.what)
          change(sender, known[move.who], latest)
          known[move.who] = move.what === 'gone' ? undefined : latest
          did[move.who]?.push(move.what)
        }
      }
      clock.advance(10_000)
      for (let turn = 0; turn < 1_000 && clock.endTurn() !== false; turn++) clock.advance(1_000)
      assert.equal(pacer.size, 0)
      for (const [at, sender] of senders.entries()) {
        for (const contact of [contacts[0] as Jid, contacts.at(-1) as Jid]) {
          const saw = seenBy(sender, contact)
          assertSubsequence(saw, did[at] as string[])
          assert.equal(saw.at(-1) ?? 'gone', did[at]?.at(-1))
        }
      }
    }), { numRuns: 150 })
  })
})

/** What a contact was told of a sender. */
function seenBy(sender: Jid, contact: Jid): string[] {
  const from = resource(sender).toString()
  return told.filter((one) => one.from === from && one.to === contact.localpart).map((one) => (one.state === 'unavailable' ? 'gone' : one.state))
}

function assertSubsequence(part: readonly string[], whole: readonly string[]): void {
  let at = 0
  for (const note of part) {
    at = whole.indexOf(note, at) + 1
    assert.ok(at > 0, `${part.join(' ')} is no part of ${whole.join(' ')}`)
  }
}
