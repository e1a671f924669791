/** What a broadcast remembers for the next one is never more than where to look. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { jidOf } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { defineModule, sessionBound } from '@rollcall/module-api'
import type { Account, Accounts, Session } from '@rollcall/module-api'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import type { Roster, RosterEntry } from '../roster/port.ts'
import blocking from '../blocking/module.ts'
import csi from '../csi/module.ts'
import { enter, JULIET, NURSE, openScene, rowIn, seed } from '../roster/testing/verona.ts'
import { PART_RECEIVERS, Whereabouts } from './whereabouts.ts'
import type { Route } from './whereabouts.ts'

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
    warm.set(jid, { jid, isWarm: true, changeCount: 0, sessions: new Map() } as unknown as Account)
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

  it('who gets it is known until the account notes a change, or is another', () => {
    const session = {} as Session
    const at = (place: number) => {
      const route = whereabouts.routeOf(from)
      for (const jid of people.slice(0, place + 1)) route?.goTo(jid)
      return route as Route
    }
    walk(people)
    walk(people)
    assert.equal(at(5).receiver, undefined)
    at(5).receiver = session
    at(6).receiver = 'nobody'
    assert.deepEqual([at(5).receiver, at(6).receiver, at(7).receiver], [session, 'nobody', undefined])
    ;(warm.get(people[5] as Jid) as { changeCount: number }).changeCount++
    assert.deepEqual([at(5).receiver, at(6).receiver], [undefined, 'nobody'])
    at(5).receiver = 'several'
    assert.equal(at(5).receiver, 'several')
    wake(people[6] as Jid)
    assert.deepEqual([at(5).receiver, at(6).receiver], ['several', undefined])
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

const sessions = new Map<string, Session>()
const catcher = defineModule({
  name: 'catcher', summary: 'Keeps sessions by resource.', implements: [],
  setup: ({ on }) => on(sessionBound, 'normal', ({ session }) => void sessions.set(session.jid.resourcepart, session)),
})

describe('presence to contacts that were told before', () => {
  let host: TestHost
  let juliet: ScriptedEntity
  let nurse: ScriptedEntity
  beforeEach(async () => {
    host = await openScene({ modules: [blocking, csi, catcher] })
    await seed(host, JULIET, { [NURSE]: rowIn('both'), [TYBALT]: rowIn('from') })
    await seed(host, NURSE, { [JULIET]: rowIn('both') })
    await seed(host, TYBALT, { [JULIET]: rowIn('to') })
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

  it('reaches each resource that is there, and none that is not any more', async () => {
    const second = await enter(host, 'nurse', 'garden')
    nurse.clear()
    juliet.send(show('chat'))
    for (const entity of [nurse, second]) await entity.receives(seen(NURSE, 'chat'))
    await host.disconnect(nurse, 'lost')
    second.clear()
    juliet.send(show('away'))
    await second.receives(seen(NURSE, 'away'))
    const third = await enter(host, 'nurse', 'garden')
    juliet.send(show('xa'))
    await third.receives(seen(NURSE, 'xa'))
    await host.disconnect(third)
    juliet.send(show('dnd'))
    await host.settle()
    const fourth = await enter(host, 'nurse', 'kitchen')
    juliet.send(show('chat'))
    await fourth.receives(seen(NURSE, 'chat'))
  })

  it('does not reach one who is unavailable, and does when it is there again', async () => {
    nurse.send(`<presence type='unavailable'/>`)
    await host.settle()
    nurse.clear()
    juliet.send(show('chat'))
    await nurse.receivesNothing()
    nurse.send('<presence/>')
    await host.settle()
    nurse.clear()
    juliet.send(show('away'))
    await nurse.receives(seen(NURSE, 'away'))
  })

  it('does not reach one who blocks the sender, until it blocks no more', async () => {
    const listed = (what: string) => `<iq type='set' id='${what}'><${what} xmlns='urn:xmpp:blocking'><item jid='${JULIET}'/></${what}></iq>`
    await nurse.request(listed('block'))
    await host.settle()
    nurse.clear()
    juliet.send(show('chat'))
    await nurse.receivesNothing()
    await nurse.request(listed('unblock'))
    await host.settle()
    nurse.clear()
    juliet.send(show('away'))
    await nurse.receives(seen(NURSE, 'away'))
  })

  it('waits for a client that is inactive', async () => {
    nurse.send(`<inactive xmlns='urn:xmpp:csi:0'/>`)
    await host.settle()
    for (const name of ['chat', 'away', 'xa']) juliet.send(show(name))
    await nurse.receivesNothing()
    nurse.send(`<active xmlns='urn:xmpp:csi:0'/>`)
    await nurse.receives(seen(NURSE, 'xa'))
    juliet.send(show('dnd'))
    await nurse.receives(seen(NURSE, 'dnd'))
  })

  it('waits behind what a holder sends', async () => {
    const hold = sessions.get('kitchen')?.hold()
    juliet.send(show('chat'))
    await nurse.receivesNothing()
    hold?.release()
    await nurse.receives(seen(NURSE, 'chat'))
    juliet.send(show('away'))
    await nurse.receives(seen(NURSE, 'away'))
  })

  it('is not counted for one whose last session ended', async () => {
    const delivered = () => host.metrics.value('rollcall_deliveries_total', { kind: 'presence' }) ?? 0
    const before = delivered()
    juliet.send(show('chat'))
    await host.settle()
    // To the nurse, and to herself.
    assert.equal(delivered(), before + 2)
    await host.disconnect(nurse, 'lost')
    const after = delivered()
    juliet.send(show('away'))
    await host.settle()
    assert.equal(delivered(), after + 1)
  })

  it('is kept for a client that acknowledges, and follows it to another edge', async () => {
    nurse.send(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`)
    const previousId = (await nurse.next()).attribute('id') ?? ''
    await host.disconnect(nurse, 'lost')
    juliet.send(show('chat'))
    await host.settle()
    const back = await host.resume('nurse', { previousId, handled: 0, edge: 'edge-2' })
    await back.receives(`<resumed xmlns='urn:xmpp:sm:3' previd='{any}' h='0'/>`, seen(NURSE, 'chat'))
    juliet.send(show('away'))
    await back.receives(seen(NURSE, 'away'))
  })

  it('unavailable is the end of what the receiver told the sender directly', async () => {
    const tybalt = await enter(host, 'tybalt', 'street')
    for (const name of ['away', 'xa']) juliet.send(show(name))
    await host.settle()
    tybalt.send(`<presence to='${JULIET}/balcony'/>`)
    await host.settle()
    juliet.send(`<presence type='unavailable'/>`)
    juliet.send('<presence/>')
    await host.settle()
    juliet.clear()
    await host.disconnect(tybalt, 'lost')
    await juliet.receivesNothing()
  })
})
