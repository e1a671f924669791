/** Changes under load: what waits, what is never sent, and that nothing is overtaken. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import type { XmlElement } from '@rollcall/xml'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import { enter, JULIET, NURSE, openScene, rowIn, seed } from '../roster/testing/verona.ts'
import { BROWN_OUT_WINDOW_MS, BUSY_WINDOW_MS, windowMs } from './window.ts'

let host: TestHost
beforeEach(async () => {
  host = await openScene()
  await befriend(host)
})
afterEach(() => host.stop())

const TYBALT = 'tybalt@capulet.example'

/** juliet and nurse see each other; tybalt is a stranger to both. */
async function befriend(scene: TestHost): Promise<void> {
  await seed(scene, JULIET, { [NURSE]: rowIn('both') })
  await seed(scene, NURSE, { [JULIET]: rowIn('both') })
}

const show = (name: string): string => `<presence><show>${name}</show></presence>`
const seen = (name: string): string => `<presence from='${JULIET}/balcony' to='${NURSE}'><show>${name}</show></presence>`

describe('the window', () => {
  it('is the longest of all while the member is overloaded', () => {
    assert.equal(windowMs({ lagMs: () => 0, utilization: () => 0, pressure: () => 'brown-out', isBehind: () => false }), BROWN_OUT_WINDOW_MS)
  })

  it('is nothing on an idle member, bounded on a busy one, longer while work waits', () => {
    const at = (lag: number, share: number): number => windowMs({ lagMs: () => lag, utilization: () => share, pressure: () => 'normal', isBehind: () => false })
    assert.equal(at(0, 0), 0)
    assert.equal(at(10, 0.8), 0)
    fc.assert(fc.property(fc.double({ min: 0, max: 60, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (lag, share) => {
      assert.ok(at(lag, share) >= 0 && at(lag, share) <= BUSY_WINDOW_MS)
    }))
    assert.ok(at(100, 1) > BUSY_WINDOW_MS)
    assert.equal(at(100_000, 1), BROWN_OUT_WINDOW_MS)
  })
})

describe('under load', () => {
  let juliet: ScriptedEntity
  let nurse: ScriptedEntity
  beforeEach(async () => {
    nurse = await enter(host, 'nurse', 'kitchen')
    juliet = await enter(host, 'juliet', 'balcony', show('chat'))
    nurse.clear()
    host.load.lag = 60
  })

  it('only the last state of a window is sent', async () => {
    for (const name of ['away', 'xa', 'dnd']) juliet.send(show(name))
    await nurse.receivesNothing()
    await host.advance(BUSY_WINDOW_MS)
    await nurse.receives(seen('dnd'))
    await nurse.receivesNothing()
    assert.equal(host.metrics.value('rollcall_presence_coalesced_total'), 2)
  })

  it('the sender sees its own presence at once', async () => {
    juliet.clear()
    juliet.send(show('away'))
    await juliet.receives(`<presence from='${JULIET}/balcony' to='${JULIET}'><show>away</show></presence>`)
  })

  it('a resource that goes and comes back as it was is not noticed', async () => {
    juliet.send(`<presence type='unavailable'/>`)
    juliet.send(show('chat'))
    await host.advance(10_000)
    await nurse.receivesNothing()
    assert.equal(host.metrics.value('rollcall_presence_damped_total'), 1)
  })

  it('a reconnection inside the window is not noticed either, and one that changed something is one change', async () => {
    await host.disconnect(juliet, 'lost')
    const again = await host.connect('juliet', 'balcony')
    again.send(show('chat'))
    await host.advance(10_000)
    await nurse.receivesNothing()
    await host.disconnect(again, 'lost')
    const third = await host.connect('juliet', 'balcony')
    third.send(show('away'))
    await host.advance(10_000)
    await nurse.receives(seen('away'))
    await nurse.receivesNothing()
  })

  it('an end is not held longer than the window', async () => {
    await host.disconnect(juliet, 'lost')
    await nurse.receivesNothing()
    await host.advance(BUSY_WINDOW_MS)
    await nurse.receives(`<presence from='${JULIET}/balcony' to='${NURSE}' type='unavailable'/>`)
  })

  for (const [what, kind, target, rest] of [
    ['a message', 'message', NURSE, ` type='chat' id='m'><body>Hark</body></message>`],
    ['an iq', 'iq', `${NURSE}/kitchen`, ` type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>`],
    ['directed presence', 'presence', `${NURSE}/kitchen`, `><show>dnd</show></presence>`],
  ] as const) {
    it(`${what} does not overtake the state before it`, async () => {
      juliet.send(show('away'))
      juliet.send(`<${kind} to='${target}'${rest}`)
      await nurse.receives(seen('away'), `<${kind} from='${JULIET}/balcony' to='${target}'${rest}`)
      await host.advance(10_000)
      await nurse.receivesNothing()
    })
  }

  it('who logs in meanwhile gets every state once', async () => {
    juliet.send(show('away'))
    const hall = await host.connect('nurse', 'hall')
    hall.send('<presence/>')
    await host.advance(10_000)
    const states = (await hall.all()).filter((element) => element.attribute('from') === `${JULIET}/balcony`)
    assert.equal(states.length, 1)
    await nurse.receivesAnyOrder(seen('away'))
  })

  it('a contact who loses sight learns that a resource went, though its end was still waiting', async () => {
    const cellar = await enter(host, 'juliet', 'cellar')
    nurse.clear()
    juliet.send(`<presence type='unavailable'/>`)
    cellar.send(`<presence to='${NURSE}' type='unsubscribed'/>`)
    const ends = (await nurse.all()).filter((element) => element.attribute('type') === 'unavailable').map((element) => element.attribute('from'))
    assert.deepEqual(new Set(ends), new Set([`${JULIET}/balcony`, `${JULIET}/cellar`]))
  })

  it('what waits is sent before the account moves to another member', async () => {
    juliet.send(show('away'))
    await host.settle()
    host.core.handOver(juliet.jid.bare)
    await nurse.receives(seen('away'))
  })
})

describe('what waits for two contacts', () => {
  it('is taken along by a message for its receiver, and waits for the other', async () => {
    await seed(host, JULIET, { [NURSE]: rowIn('both'), [TYBALT]: rowIn('both') })
    await seed(host, TYBALT, { [JULIET]: rowIn('both') })
    const [nurse, tybalt] = [await enter(host, 'nurse', 'kitchen'), await enter(host, 'tybalt', 'street')]
    const juliet = await enter(host, 'juliet', 'balcony', show('chat'))
    for (const contact of [nurse, tybalt]) contact.clear()
    host.load.lag = 60
    juliet.send(show('away'))
    juliet.send(`<message to='${NURSE}' type='chat' id='m'/>`)
    await nurse.receives(seen('away'), `<message from='${JULIET}/balcony' to='${NURSE}' type='chat' id='m'/>`)
    await tybalt.receivesNothing()
    juliet.send(`<iq type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>`)
    await tybalt.receivesNothing()
    juliet.send(show('xa'))
    await host.advance(10_000)
    await nurse.receives(seen('xa'))
    await tybalt.receives(seen('xa').replace(NURSE, TYBALT))
  })
})

describe('the budget', () => {
  it('makes changes wait on an idle member when it is used up, and what waits is sent when it allows', async () => {
    await host.stop()
    host = await openScene({ presence: { deliveriesPerSecondMax: 4 } })
    await befriend(host)
    const nurse = await enter(host, 'nurse', 'kitchen')
    const juliet = await enter(host, 'juliet', 'balcony')
    nurse.clear()
    for (const name of ['away', 'xa', 'dnd', 'chat', 'xa']) juliet.send(show(name))
    const before = (await nurse.all()).length
    assert.ok(before < 5, String(before))
    assert.ok((host.metrics.value('rollcall_presence_window_seconds') ?? 0) > 0)
    await host.advance(10_000)
    await nurse.receives(seen('xa'))
    assert.equal(host.metrics.value('rollcall_presence_window_seconds'), 0)
  })
})

// ---------------------------------------------------------------------------------------------- properties

type Deed = 'show' | 'gone' | 'message' | 'to tybalt'
type Step = { readonly who: number; readonly what: Deed | 'lost' | 'relog' } | { readonly lag: number } | { readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ who: fc.nat(1), what: fc.constantFrom<Deed>('show', 'show', 'gone', 'message', 'to tybalt') }) },
  { weight: 2, arbitrary: fc.record({ who: fc.nat(1), what: fc.constantFrom<'lost' | 'relog'>('lost', 'relog') }) },
  { weight: 1, arbitrary: fc.record({ lag: fc.constantFrom(0, 20, 60, 200) }) },
  { weight: 2, arbitrary: fc.record({ ms: fc.integer({ min: 1, max: 400 }) }) },
)

/** What a watcher saw of a resource: `s3` for a state, `gone`, `m5` for a message. */
function notes(all: readonly XmlElement[], from: string): string[] {
  return all.filter((element) => element.attribute('from') === from).map((element) => {
    if (element.name === 'message') return element.attribute('id') as string
    return element.attribute('type') === 'unavailable' ? 'gone' : element.child('status', 'jabber:client')?.text() ?? ''
  })
}

/** A resource as the script moves it, and everything it did in order. */
class Actor {
  entity: ScriptedEntity | undefined
  readonly did: string[] = []
  state = 'gone'
  readonly resource: string

  constructor(resource: string) {
    this.resource = resource
  }

  async act(scene: TestHost, what: Exclude<Step, { lag: number } | { ms: number }>['what'], serial: number): Promise<void> {
    if (what === 'relog' && this.entity === undefined) this.entity = await scene.connect('juliet', this.resource)
    const { entity } = this
    if (entity === undefined) return
    if (what === 'show') {
      // Few states, so that many come again.
      this.#become(`s${serial % 3}`)
      entity.send(`<presence><status>${this.state}</status></presence>`)
    } else if (what === 'gone') {
      this.#become('gone')
      entity.send(`<presence type='unavailable'/>`)
    } else if (what === 'message' || what === 'to tybalt') {
      const name = `${what === 'message' ? 'm' : 't'}${serial}`
      this.did.push(name)
      entity.send(`<message to='${what === 'message' ? NURSE : TYBALT}' type='chat' id='${name}'><body>${serial}</body></message>`)
    } else if (what === 'lost') {
      this.#become('gone')
      this.entity = undefined
      await scene.disconnect(entity, 'lost')
    }
  }

  #become(state: string): void {
    if (state !== this.state) this.did.push(state)
    this.state = state
  }
}

function assertSubsequence(part: readonly string[], whole: readonly string[]): void {
  let at = 0
  for (const note of part) {
    at = whole.indexOf(note, at) + 1
    assert.ok(at > 0, `${part.join(' ')} is no part of ${whole.join(' ')}`)
  }
}

describe('whatever happens under whatever load', () => {
  it('each watcher sees a part of what a resource did, in order, each message behind the state it was sent in, and the truth at the end', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      const scene = await openScene()
      try {
        await befriend(scene)
        await seed(scene, JULIET, { [TYBALT]: rowIn('both') })
        await seed(scene, TYBALT, { [JULIET]: rowIn('both') })
        const watchers = [await enter(scene, 'nurse', 'kitchen'), await enter(scene, 'tybalt', 'street')]
        const stranger = await enter(scene, 'paris', 'crypt')
        const actors = [new Actor('balcony'), new Actor('chamber')]
        for (const actor of actors) await actor.act(scene, 'relog', 0)
        for (const [serial, move] of steps.entries()) {
          if ('lag' in move) scene.load.lag = move.lag
          else if ('ms' in move) await scene.advance(move.ms)
          else await (actors[move.who] as Actor).act(scene, move.what, serial)
        }
        await scene.advance(10_000)
        for (const [at, watcher] of watchers.entries()) {
          const all = await watcher.all()
          const isTheirs = (note: string): boolean => note.startsWith(at === 0 ? 'm' : 't')
          for (const actor of actors) {
            const saw = notes(all, `${JULIET}/${actor.resource}`)
            assertSubsequence(saw, actor.did)
            assert.deepEqual(saw.filter(isMessage), actor.did.filter(isTheirs))
            assert.equal(saw.findLast((note) => !isMessage(note)) ?? 'gone', actor.state)
            for (const message of saw.filter(isMessage)) assert.equal(stateAt(saw, message), stateAt(actor.did, message))
          }
        }
        assert.deepEqual((await stranger.all()).map((element) => element.name), [])
      } finally {
        await scene.stop()
      }
    }), { numRuns: 200 })
  })
})

const isMessage = (note: string): boolean => /^[mt]/.test(note)

/** The state that held when a message went. */
function stateAt(log: readonly string[], message: string): string {
  return log.slice(0, log.indexOf(message)).findLast((note) => !isMessage(note)) ?? 'gone'
}
