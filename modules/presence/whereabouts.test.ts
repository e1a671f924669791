/** What a broadcast remembers for the next one is never more than where to look. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { jidOf } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Account, Accounts } from '@rollcall/module-api'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import type { Roster, RosterEntry } from '../roster/port.ts'
import { enter, JULIET, NURSE, openScene, rowIn, seed } from '../roster/testing/verona.ts'
import { PART_RECEIVERS, Whereabouts } from './whereabouts.ts'

const TYBALT = 'tybalt@capulet.example'
const show = (name: string): string => `<presence><show>${name}</show></presence>`
const seen = (to: string, name: string): string => `<presence from='${JULIET}/balcony' to='${to}'><show>${name}</show></presence>`

describe('what is remembered of receivers', () => {
  const people = Array.from({ length: 40 }, (_, at) => jidOf(`citizen${at}`, 'verona.example'))
  const from = jidOf('juliet', 'capulet.example')
  let warm: Map<Jid, Account>
  let warmedCount: number
  let lookups: number
  let whereabouts: Whereabouts

  function wake(jid: Jid): void {
    const former = warm.get(jid) as { isWarm: boolean } | undefined
    if (former !== undefined) former.isWarm = false
    warm.set(jid, { jid, isWarm: true, sessions: new Map() } as unknown as Account)
    warmedCount++
  }

  beforeEach(() => {
    warm = new Map()
    warmedCount = 0
    lookups = 0
    for (const jid of people.slice(0, 20)) wake(jid)
    const accounts = { warm: (jid: Jid) => (lookups++, warm.get(jid)), get warmedCount() { return warmedCount } } as unknown as Accounts
    const roster = { item: (account: Account) => ({ isTo: account.jid !== people[3], isGone: false }) as RosterEntry } as unknown as Roster
    whereabouts = new Whereabouts({ accounts, roster })
  })

  /** One broadcast: of each target its account and whether it sees the sender. */
  function walk(targets: readonly Jid[]): (readonly [Account | undefined, boolean])[] | undefined {
    lookups = 0
    const route = whereabouts.routeOf(from)
    if (route === undefined) return undefined
    const found: (readonly [Account | undefined, boolean])[] = []
    for (const target of targets) {
      if (!route.goTo(target)) return undefined
      found.push([route.account, route.account !== undefined && route.isWatched])
    }
    return found
  }

  const truth = (targets: readonly Jid[]) => targets.map((jid) => [warm.get(jid), warm.has(jid) && jid !== people[3]] as const)

  it('begins with the second broadcast, and then nobody is looked up again, the absent neither', () => {
    assert.equal(walk(people), undefined)
    assert.deepEqual(walk(people), truth(people))
    assert.equal(lookups, 40)
    assert.deepEqual(walk(people), truth(people))
    assert.equal(lookups, 0)
  })

  it('an account that came, or came again as another, is looked up', () => {
    walk(people)
    walk(people)
    wake(people[5] as Jid)
    wake(people[30] as Jid)
    assert.deepEqual(walk(people), truth(people))
  })

  it('receivers may be left out', () => {
    walk(people)
    walk(people)
    const some = people.filter((_, at) => at % 7 !== 0)
    assert.deepEqual(walk(some), truth(some))
    assert.equal(lookups, 0)
  })

  it('a large list comes in parts', () => {
    const crowd = Array.from({ length: 2 * PART_RECEIVERS + 5 }, (_, at) => jidOf(`guest${at}`, 'verona.example'))
    const parts = [0, 1, 2].map((part) => crowd.slice(part * PART_RECEIVERS, (part + 1) * PART_RECEIVERS))
    walk(crowd)
    for (let broadcast = 0; broadcast < 3; broadcast++) {
      for (const part of parts) {
        assert.deepEqual(walk(part), truth(part))
        assert.equal(lookups, broadcast === 0 ? part.length : 0)
      }
    }
  })

  for (const [what, change] of [
    ['another order', (jids: readonly Jid[]) => jids.toReversed()],
    ['somebody more', (jids: readonly Jid[]) => [...jids, from]],
    ['other people', (jids: readonly Jid[]) => jids.slice(20)],
  ] as const) {
    it(`a list with ${what} is learnt anew`, () => {
      walk(people)
      walk(people)
      const changed = change(people)
      assert.equal(walk(changed), undefined)
      whereabouts.forget(from)
      assert.equal(walk(changed), undefined)
      assert.deepEqual(walk(changed), truth(changed))
    })
  }
})

describe('presence to contacts that were told before', () => {
  let host: TestHost
  let juliet: ScriptedEntity
  let nurse: ScriptedEntity
  beforeEach(async () => {
    host = await openScene()
    await seed(host, JULIET, { [NURSE]: rowIn('both'), [TYBALT]: rowIn('both') })
    await seed(host, NURSE, { [JULIET]: rowIn('both') })
    await seed(host, TYBALT, { [JULIET]: rowIn('both') })
    nurse = await enter(host, 'nurse', 'kitchen')
    juliet = await enter(host, 'juliet', 'balcony')
    for (const name of ['away', 'xa', 'dnd']) juliet.send(show(name))
    await host.settle()
    nurse.clear()
  })
  afterEach(() => host.stop())

  it('does not reach one who unsubscribed, and does again after a new subscription', async () => {
    nurse.send(`<presence to='${JULIET}' type='unsubscribe'/>`)
    await host.settle()
    nurse.clear()
    juliet.send(show('chat'))
    await nurse.receivesNothing()
    nurse.send(`<presence to='${JULIET}' type='subscribe'/>`)
    juliet.send(`<presence to='${NURSE}' type='subscribed'/>`)
    await host.settle()
    nurse.clear()
    juliet.send(show('away'))
    await nurse.receives(seen(NURSE, 'away'))
  })

  it('does not reach one who was removed from the list, or removed the sender', async () => {
    nurse.send(`<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='${JULIET}' subscription='remove'/></query></iq>`)
    await host.settle()
    nurse.clear()
    juliet.send(show('chat'))
    await nurse.receivesNothing()
  })

  it('reaches one who was away meanwhile, and one who logs in again', async () => {
    const tybalt = await enter(host, 'tybalt', 'street')
    await host.disconnect(nurse, 'lost')
    // Long enough for the account to be unloaded.
    await host.advance(3_600_000)
    const again = await enter(host, 'nurse', 'kitchen')
    juliet.send(show('chat'))
    await again.receives(seen(NURSE, 'chat'))
    await tybalt.receives(seen(TYBALT, 'chat'))
  })
})
