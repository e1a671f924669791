/** The roster in memory and its rows, against a plain model and by properties. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { jidOf, parseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { AccountRoster, ContactWalk, versionAt } from './account-roster.ts'
import { hashOf, noGroups, RosterItem } from './roster-item.ts'
import { rowsOf } from './roster-service.ts'
import { fromRows, internGroups, rosterRows } from './rows.ts'
import type { RosterRow } from './rows.ts'
import { subscriptionState } from './subscription.ts'

const contacts = Array.from({ length: 12 }, (_, i) => jidOf(`c${i}`, i % 2 === 0 ? 'capulet.example' : 'montague.example'))
const states = Object.values(subscriptionState)

const op = fc.record({
  kind: fc.constantFrom('put', 'put', 'put', 'remove', 'note'),
  who: fc.nat(contacts.length - 1),
  state: fc.constantFrom(...states),
  name: fc.constantFrom('', 'Nurse', 'Ämme'),
  groups: fc.constantFrom<readonly string[]>([], ['Friends'], ['Friends', 'Family']),
  seconds: fc.nat(3),
})

/** Plays operations on a roster as the service does; gives the roster, and what it was after each version. */
function play(ops: readonly (typeof op extends fc.Arbitrary<infer T> ? T : never)[]) {
  const roster = new AccountRoster()
  const history = new Map<number, ReadonlyMap<string, string>>([[0, new Map()]])
  let now = Date.UTC(2026, 0, 1)
  for (const { kind, who, state, name, groups, seconds } of ops) {
    now += seconds * 1000
    const jid = contacts[who] as Jid
    const item = roster.find(jid)
    if (kind === 'remove') {
      if (item?.isListed === true) roster.remove(item, roster.advance(now))
    } else if (kind === 'note') {
      if (item === undefined) {
        const note = new RosterItem(jid)
        note.state = subscriptionState.nonePendingIn
        roster.add(note)
        roster.setRequest(note, ` type='subscribe'/>`)
      }
    } else {
      const version = roster.advance(now)
      const change = (changed: RosterItem) => {
        Object.assign(changed, { state, name, groups: internGroups(groups), version, isListed: true })
      }
      if (item !== undefined) roster.update(item, change)
      else {
        const fresh = new RosterItem(jid)
        change(fresh)
        roster.add(fresh)
      }
    }
    history.set(roster.version, shown(roster))
  }
  return { roster, history }
}

function shown(roster: AccountRoster): Map<string, string> {
  return new Map(roster.items.filter((item) => item.isListed).map((item) => [item.jid.toString(), textOf(item)]))
}

function textOf(item: RosterItem): string {
  return JSON.stringify([item.subscription, item.isPendingOut, item.isApproved, item.name, item.groups])
}

describe('AccountRoster', () => {
  it('tells exactly what changed since any version it gave out, or that it cannot (RFC 6121 §2.6.3)', () => {
    fc.assert(fc.property(fc.array(op, { maxLength: 40 }), (ops) => {
      const { roster, history } = play(ops)
      const now = shown(roster)
      for (const [version, then] of history) {
        const changes = roster.changesSince(version)
        if (changes === undefined) {
          assert.ok(version < roster.removedVersion)
          continue
        }
        const patched = new Map(then)
        for (const item of changes) patched.set(item.jid.toString(), textOf(item))
        assert.deepEqual(Object.fromEntries(patched), Object.fromEntries(now))
        assert.deepEqual(changes.map((item) => item.version), changes.map((item) => item.version).sort((a, b) => a - b))
      }
    }))
  })

  it('is the same after storage, whatever happened', () => {
    fc.assert(fc.property(fc.array(op, { maxLength: 40 }), (ops) => {
      const { roster } = play(ops)
      const rows = new Map<string, RosterRow>(JSON.parse(JSON.stringify([...rowsOf(roster)])))
      const { roster: again, badKeys, tombstones } = fromRows(rows)
      assert.deepEqual([badKeys, tombstones], [[], []])
      assert.deepEqual([...rowsOf(again)], [...rowsOf(roster)])
      assert.equal(again.version, roster.version)
      assert.equal(again.removedVersion, roster.removedVersion)
      assert.equal(again.listedCount, roster.listedCount)
      assert.equal(again.pendingInCount, roster.pendingInCount)
    }))
  })

  it('finds every contact by bare and full JID and counts right', () => {
    fc.assert(fc.property(fc.array(op, { maxLength: 40 }), (ops) => {
      const { roster } = play(ops)
      for (const item of roster.items) {
        assert.equal(roster.find(item.jid), item)
        assert.equal(roster.find(item.jid.withResource('x')), item)
      }
      assert.equal(roster.find(parseJid('stranger@capulet.example')), undefined)
      assert.equal(roster.listedCount, roster.items.filter((item) => item.isListed).length)
      assert.equal(roster.pendingInCount, roster.items.filter((item) => item.isPendingIn).length)
    }))
  })

  it('tells contacts apart whose hashes are the same', () => {
    const byHash = new Map<number, Jid>()
    let pair: readonly [Jid, Jid] | undefined
    for (let i = 0; pair === undefined && i < 100_000; i++) {
      const jid = jidOf(`user${i}`, 'capulet.example')
      const other = byHash.get(hashOf(jid))
      if (other !== undefined) pair = [other, jid]
      byHash.set(hashOf(jid), jid)
    }
    assert.ok(pair !== undefined, 'no collision among 100,000 addresses')
    const roster = new AccountRoster()
    const [one, other] = pair.map((jid) => new RosterItem(jid)) as [RosterItem, RosterItem]
    roster.add(one)
    assert.equal(roster.find(other.jid), undefined)
    roster.add(other)
    assert.equal(roster.find(one.jid), one)
    assert.equal(roster.find(other.jid), other)
    roster.remove(one, undefined)
    assert.equal(roster.find(one.jid), undefined)
    assert.equal(roster.find(other.jid), other)
  })

  it('finds contacts whose hashes lie close together, and misses those between', () => {
    const byHash = Array.from({ length: 4000 }, (_, i) => jidOf(`c${i}`, 'capulet.example')).sort((a, b) => hashOf(a) - hashOf(b))
    const low = byHash.slice(0, 100)
    const high = byHash.slice(-100)
    const roster = new AccountRoster()
    for (const jid of [...low, ...high].filter((_, i) => i % 2 === 0)) roster.add(new RosterItem(jid))
    for (const [i, jid] of [...low, ...high].entries()) assert.equal(roster.find(jid)?.jid, i % 2 === 0 ? jid : undefined)
  })

  it('may be walked while it changes', () => {
    const { roster } = fromRows(new Map(rosterRows(contacts, Date.UTC(2026, 0, 1))))
    const seen: string[] = []
    for (const jid of new ContactWalk(roster.items, (item) => item.isFrom)) {
      seen.push(jid.toString())
      const item = roster.find(jid)
      if (item !== undefined) roster.remove(item, roster.advance(0))
    }
    assert.deepEqual(seen.sort(), contacts.map((jid) => jid.toString()).sort())
    assert.equal(roster.items.length, 0)
  })

  it('keeps the list of watchers while it is true', () => {
    const { roster } = fromRows(new Map(rosterRows(contacts, Date.UTC(2026, 0, 1))))
    const [first, second] = [...roster.items]
    if (first === undefined || second === undefined) throw new Error('No items')
    const all = roster.watchers
    const texts = () => roster.watchers.map((jid) => jid.toString()).sort()
    assert.equal(roster.watchers, all)
    roster.update(first, (item) => { item.state = subscriptionState.to })
    assert.deepEqual(texts(), contacts.map((jid) => jid.toString()).filter((text) => text !== first.jid.toString()).sort())
    roster.update(first, (item) => { item.state = subscriptionState.from })
    roster.remove(second, roster.advance(0))
    assert.deepEqual(texts(), contacts.map((jid) => jid.toString()).filter((text) => text !== second.jid.toString()).sort())
    assert.equal(all.length, contacts.length)
    assert.equal(roster.watcherCount, roster.watchers.length)
  })

  it('uses no version twice, whatever the clock does', () => {
    const roster = new AccountRoster()
    const versions = [Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1), Date.UTC(2025, 0, 1), 0, Date.UTC(2026, 0, 2)].map((ms) => roster.advance(ms))
    assert.deepEqual(versions, [...new Set(versions)].sort((a, b) => a - b))
    assert.equal(versions.at(-1), versionAt(Date.UTC(2026, 0, 2)))
  })
})

describe('rows', () => {
  it('share one array for the same groups', () => {
    assert.equal(internGroups(['a', 'b']), internGroups(['a', 'b']))
    assert.notEqual(internGroups(['a', 'b']), internGroups(['b', 'a']))
    assert.equal(internGroups([]), noGroups)
  })

  it('of bulk import are mutual contacts', () => {
    const rows = rosterRows([parseJid('nurse@capulet.example/x')], Date.UTC(2026, 0, 1))
    assert.deepEqual(rows, [['nurse@capulet.example', { version: versionAt(Date.UTC(2026, 0, 1)), subscription: 'both' }]])
    assert.equal(fromRows(new Map(rows)).roster.find(parseJid('nurse@capulet.example'))?.state, subscriptionState.both)
  })

  it('with keys that are no JIDs are left out and named', () => {
    const keys = ['@bad', 'nurse@capulet.example', 'bad@@a.example', 'bad @a.example', 'äbtissin@a.example', `o&m.example`]
    const { roster, badKeys } = fromRows(new Map<string, RosterRow>(keys.map((key) => [key, { version: 1 }])))
    assert.deepEqual(badKeys, ['@bad', 'bad@@a.example', 'bad @a.example', 'o&m.example'])
    assert.deepEqual(roster.items.map((item) => item.jid.toString()).sort(), ['nurse@capulet.example', 'äbtissin@a.example'])
  })
})
