/** Presence between accounts on different members: what each is told, in which order, and what crosses for it. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import type { XmlElement } from '@rollcall/xml'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import { TwoCores } from '../../server/testing/two-cores.ts'
import type { Side } from '../../server/testing/two-cores.ts'
import blocking from '../blocking/module.ts'
import roster from '../roster/module.ts'
import { rowIn } from '../roster/testing/verona.ts'
import type { RosterRow } from '../roster/port.ts'
import presence from './module.ts'
import { BUSY_WINDOW_MS } from './window.ts'

const HOST = 'capulet.example'
const FRIENDS = ['nurse', 'peter', 'gregory']

let scene: TwoCores

/** juliet in the east; her friends in the west, who do not know each other, and tybalt, who knows nobody. */
async function open(): Promise<void> {
  const sides: Record<string, Side> = { juliet: 'east', tybalt: 'east' }
  for (const friend of FRIENDS) sides[friend] = 'west'
  scene = await TwoCores.start([roster, presence, blocking], sides)
  for (const friend of FRIENDS) await befriend('juliet', friend)
}

async function put(owner: string, contact: string, row: RosterRow): Promise<void> {
  await scene.storage.write([{ op: 'map-set', store: 'roster', owner: `${owner}@${HOST}`, key: `${contact}@${HOST}`, value: { ...row } }])
}

async function befriend(one: string, other: string): Promise<void> {
  await put(one, other, rowIn('both'))
  await put(other, one, rowIn('both'))
}

beforeEach(open)
afterEach(() => scene.stop())

const show = (name: string): string => `<presence><show>${name}</show></presence>`
const seen = (from: string, to: string, name: string): string =>
  `<presence from='${from}@${HOST}/orchard' to='${to}@${HOST}'><show>${name}</show></presence>`
const gone = (from: string, to: string): string => `<presence from='${from}@${HOST}/orchard' to='${to}@${HOST}' type='unavailable'/>`
const crossed = (kind: string) => scene.crossings.filter((crossing) => crossing.kind === kind)

describe('a login', () => {
  it('asks a member once for all contacts there, which answers once (RFC 6121 §4.3)', async () => {
    for (const friend of FRIENDS) await scene.enter(friend, show('dnd'))
    scene.crossings.length = 0
    const juliet = await scene.connect('juliet')
    juliet.send(show('chat'))
    await juliet.receivesAnyOrder(seen('juliet', 'juliet', 'chat'), ...FRIENDS.map((friend) => seen(friend, 'juliet', 'dnd')))
    await juliet.receivesNothing()
    assert.deepEqual(scene.crossings, [
      { to: 'west', kind: 'broadcast', stanzaCount: 3 },
      { to: 'west', kind: 'broadcast', stanzaCount: 3 },
      { to: 'east', kind: 'presence-states', stanzaCount: 3 },
    ])
    assert.equal(scene.metrics.west.value('rollcall_presence_probes_answered_total', { by: 'member' }), 3)
  })

  it('is told of every available resource, and of contacts who are away nothing', async () => {
    const kitchen = await scene.connect('nurse', 'kitchen')
    kitchen.send(show('xa'))
    await scene.enter('nurse', show('dnd'))
    await scene.connect('peter')
    const juliet = await scene.connect('juliet')
    juliet.send('<presence/>')
    const from = (await juliet.all()).map((element) => element.attribute('from'))
    assert.deepEqual(new Set(from), new Set(['juliet', 'nurse'].map((name) => `${name}@${HOST}/orchard`).concat(`nurse@${HOST}/kitchen`)))
    assert.equal(from.length, 3)
  })

  it('mends a roster whose contact does not know it (RFC 6121 §4.3.2), and tells strangers nothing', async () => {
    await put('tybalt', 'nurse', rowIn('to'))
    await scene.enter('nurse', show('dnd'))
    const tybalt = await scene.connect('tybalt')
    await tybalt.request(`<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>`)
    tybalt.send('<presence/>')
    const received = await tybalt.all()
    assert.ok(received.some((element) => element.name === 'presence' && element.attribute('type') === 'unsubscribed'))
    assert.ok(!received.some((element) => element.attribute('from') === `nurse@${HOST}/orchard`))
  })

  it('sees nothing of a contact that blocks it, nor of one that it blocks (XEP-0191 §3)', async () => {
    const nurse = await scene.enter('nurse', show('dnd'))
    await scene.enter('peter', show('dnd'))
    await nurse.request(`<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='juliet@${HOST}'/></block></iq>`)
    const juliet = await scene.connect('juliet')
    await juliet.request(`<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='peter@${HOST}'/></block></iq>`)
    juliet.send('<presence/>')
    const from = (await juliet.all()).map((element) => element.attribute('from'))
    assert.ok(from.every((address) => address === undefined || address.startsWith('juliet@')), from.join())
  })
})

describe('two who come at the same time', () => {
  it('see each other once', async () => {
    const juliet = await scene.connect('juliet')
    const nurse = await scene.connect('nurse')
    juliet.send(show('chat'))
    nurse.send(show('dnd'))
    await juliet.receivesAnyOrder(seen('juliet', 'juliet', 'chat'), seen('nurse', 'juliet', 'dnd'))
    await juliet.receivesNothing()
    await nurse.receivesAnyOrder(seen('nurse', 'nurse', 'dnd'), seen('juliet', 'nurse', 'chat'))
    await nurse.receivesNothing()
  })

  it('and one of whom goes at once leaves no ghost', async () => {
    const juliet = await scene.connect('juliet')
    const nurse = await scene.connect('nurse')
    nurse.send(show('dnd'))
    juliet.send(show('chat'))
    nurse.send(`<presence type='unavailable'/>`)
    assert.equal(lastStates(await juliet.all(), 'juliet').get(`nurse@${HOST}/orchard`) ?? 'unavailable', 'unavailable')
  })
})

describe('a change', () => {
  let juliet: ScriptedEntity
  let friends: ScriptedEntity[]
  beforeEach(async () => {
    friends = []
    for (const friend of FRIENDS) friends.push(await scene.enter(friend))
    juliet = await scene.enter('juliet', show('chat'))
    for (const friend of friends) friend.clear()
    scene.crossings.length = 0
  })

  it('crosses once for all watchers', async () => {
    juliet.send(show('away'))
    for (const [i, friend] of friends.entries()) await friend.receives(seen('juliet', FRIENDS[i] as string, 'away'))
    assert.deepEqual(scene.crossings, [{ to: 'west', kind: 'broadcast', stanzaCount: 3 }])
  })

  it('waits on the member of who makes it, and of many the last crosses', async () => {
    scene.load.east.lag = 60
    for (const name of ['away', 'xa', 'dnd']) juliet.send(show(name))
    await scene.advance(BUSY_WINDOW_MS)
    for (const [i, friend] of friends.entries()) {
      await friend.receives(seen('juliet', FRIENDS[i] as string, 'dnd'))
      await friend.receivesNothing()
    }
    assert.equal(scene.crossings.length, 1)
  })

  it('is timed until the watchers on another member are told, and not where it was made', async () => {
    const timed = (side: Side) => scene.metrics[side].observations('rollcall_presence_from_members_seconds')
    const before = timed('west').length
    scene.load.east.lag = 60
    juliet.send(show('away'))
    await scene.advance(BUSY_WINDOW_MS)
    const last = timed('west').at(-1) ?? 0
    assert.equal(timed('west').length, before + 1)
    assert.ok(last > 0 && last <= BUSY_WINDOW_MS / 1000, String(last))
    assert.deepEqual(timed('east').filter((seconds) => seconds > 0), [])
  })

  it('that says nothing new does not cross, nor does a resource that is back as it was', async () => {
    juliet.send(show('chat'))
    await scene.settle()
    assert.deepEqual(scene.crossings, [])
    scene.load.east.lag = 60
    juliet.send(`<presence type='unavailable'/>`)
    juliet.send(show('chat'))
    await scene.advance(10_000)
    assert.deepEqual(crossed('broadcast').filter(({ stanzaCount }) => stanzaCount > 0).length, 1, 'only the probe of the new login')
    for (const friend of friends) await friend.receivesNothing()
  })

  it('that waits is told before the answer to who asks meanwhile', async () => {
    scene.load.east.lag = 60
    juliet.send(show('away'))
    const nurse = await scene.connect('nurse', 'hall')
    nurse.send('<presence/>')
    const states = (await nurse.all()).filter((element) => element.attribute('from') === `juliet@${HOST}/orchard`)
    assert.deepEqual(states.map(stateOf), ['away'])
  })

  it('is not overtaken by a message of the same sender', async () => {
    scene.load.east.lag = 60
    juliet.send(show('away'))
    juliet.send(`<message to='nurse@${HOST}' type='chat' id='m'><body>Hark</body></message>`)
    await friends[0]?.receives(
      seen('juliet', 'nurse', 'away'), `<message from='juliet@${HOST}/orchard' to='nurse@${HOST}' type='chat' id='m'><body>Hark</body></message>`,
    )
  })
})

describe('when a member dies', () => {
  it('nobody notices a session that goes on with its successor', async () => {
    const juliet = await scene.enter('juliet')
    const nurse = await scene.enter('nurse', show('dnd'))
    juliet.clear()
    await scene.succeed(nurse)
    await juliet.receivesNothing()
    assert.equal(scene.metrics.east.value('rollcall_presence_available'), 2)
    nurse.send(show('away'))
    await juliet.receives(seen('nurse', 'juliet', 'away'))
    await juliet.receivesNothing()
  })

  it('watchers see once that a session is gone that died with it', async () => {
    const juliet = await scene.enter('juliet')
    const nurse = await scene.enter('nurse', show('dnd'))
    juliet.clear()
    await scene.bury(nurse)
    await juliet.receives(gone('nurse', 'juliet'))
    await juliet.receivesNothing()
  })
})

/** What a presence says: its type, or what it shows. */
function stateOf(element: XmlElement): string {
  return element.attribute('type') ?? element.elements().find(({ name }) => name === 'show')?.text() ?? 'available'
}

/** The last state of every resource, as `watcher` saw it. That somebody went may be told who never saw them; else nothing comes twice. */
function lastStates(received: readonly XmlElement[], watcher: string): Map<string, string> {
  const states = new Map<string, string>()
  for (const element of received) {
    const from = element.attribute('from') as string
    const state = stateOf(element)
    const isOwn = from.startsWith(`${watcher}@`)
    // Who goes sees nobody any more.
    if (isOwn && state === 'unavailable') states.clear()
    else if (!isOwn && state !== 'unavailable') assert.notEqual(states.get(from), state, `${from} twice, as ${watcher} sees it`)
    states.set(from, state)
  }
  return states
}

describe('whatever happens at the same time', () => {
  it('everybody sees the true state of everybody in the end, and no state twice in a row', async () => {
    const step = fc.record({
      who: fc.constantFrom('juliet', ...FRIENDS), what: fc.constantFrom('away', 'dnd', 'xa', 'go', 'leave'),
      pause: fc.constantFrom(false, false, true), lag: fc.constantFrom(0, 0, 60),
    })
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      await scene.stop()
      await open()
      const views = new Map<string, { entity: ScriptedEntity; state: string }>()
      for (const { who, what, pause, lag } of steps) {
        scene.load.east.lag = scene.load.west.lag = lag
        let view = views.get(who)
        if (view === undefined) views.set(who, view = { entity: await scene.connect(who), state: 'unavailable' })
        if (what === 'leave') {
          await scene.disconnect(view.entity)
          views.delete(who)
        } else {
          view.state = what === 'go' ? 'unavailable' : what
          view.entity.send(what === 'go' ? `<presence type='unavailable'/>` : show(what))
        }
        if (pause) await scene.advance(300)
      }
      await scene.advance(10_000)
      for (const [who, view] of views) {
        const last = lastStates(await view.entity.all(), who)
        if (view.state === 'unavailable') continue
        for (const friend of who === 'juliet' ? FRIENDS : ['juliet']) {
          const truth = views.get(friend)?.state ?? 'unavailable'
          assert.equal(last.get(`${friend}@${HOST}/orchard`) ?? 'unavailable', truth, `${friend} as ${who} sees it`)
        }
      }
    }), { numRuns: 400 })
  })
})
