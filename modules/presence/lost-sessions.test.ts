/** What contacts see of a session whose connection is lost: nothing, until it is sure that nobody comes back (XEP-0198 §5). */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import { enter, JULIET, NURSE, openScene, ROMEO, rowIn, seed } from '../roster/testing/verona.ts'

const NS = "xmlns='urn:xmpp:sm:3'"
const RESUME_MS = 60_000

let host: TestHost
/** romeo's server. */
let remote: ScriptedEntity
let nurse: ScriptedEntity
/** Another resource of juliet. */
let chamber: ScriptedEntity
let balcony: ScriptedEntity
let previousId: string
/** Stanzas that the client of `balcony` handled. */
let handled: number

beforeEach(async () => {
  host = await openScene()
  await seed(host, JULIET, { [ROMEO]: rowIn('both'), [NURSE]: rowIn('both') })
  await seed(host, NURSE, { [JULIET]: rowIn('both') })
  remote = await host.component('montague.example')
  nurse = await enter(host, 'nurse', 'kitchen')
  chamber = await enter(host, 'juliet', 'chamber')
  balcony = await host.connect('juliet', 'balcony')
  balcony.send(`<enable ${NS} resume='true' max='${RESUME_MS / 1000}'/>`)
  previousId = (await balcony.next()).attribute('id') ?? ''
  balcony.send(`<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>`)
  balcony.send('<presence><show>chat</show></presence>')
  handled = (await balcony.all()).length
  for (const entity of observers()) entity.clear()
})
afterEach(() => host.stop())

const observers = () => [remote, nurse, chamber]
async function nobodyNotices(): Promise<void> {
  for (const entity of observers()) await entity.receivesNothing()
}
const leave = (to: string) => `<presence from='${JULIET}/balcony' to='${to}' type='unavailable'/>`

describe('a lost session', () => {
  it('stays available: nobody is told, and who asks or comes sees it', async () => {
    await host.disconnect(balcony, 'lost')
    await host.advance(RESUME_MS - 1000)
    await nobodyNotices()
    remote.send(`<presence type='probe' from='${ROMEO}/orchard' to='${JULIET}'/>`)
    await remote.receivesAnyOrder(
      `<presence from='${JULIET}/balcony' to='${ROMEO}/orchard'><show>chat</show></presence>`,
      `<presence from='${JULIET}/chamber' to='${ROMEO}/orchard'/>`,
    )
    const hall = await host.connect('nurse', 'hall')
    hall.send('<presence/>')
    await hall.receivesAnyOrder(`<presence from='${JULIET}/balcony' to='${NURSE}'><show>chat</show></presence>`)
  })

  it('leaves once when its time is over, for every contact and the other resource', async () => {
    await host.disconnect(balcony, 'lost')
    await host.advance(RESUME_MS + 2000)
    await remote.receives(leave(ROMEO))
    await nurse.receives(leave(NURSE))
    await chamber.receives(leave(JULIET))
    await host.advance(2 * RESUME_MS)
    await nobodyNotices()
  })

  it('leaves at once when its client closes the stream instead', async () => {
    await host.disconnect(balcony, 'closed')
    await remote.receives(leave(ROMEO))
    await nurse.receives(leave(NURSE))
    await chamber.receives(leave(JULIET))
  })
})

describe('resumption', () => {
  it('is no news to anybody, the client included, and its presence goes on', async () => {
    await host.disconnect(balcony, 'lost')
    await host.advance(RESUME_MS / 2)
    const again = await host.resume('juliet', { previousId, handled })
    assert.equal((await again.next()).name, 'resumed')
    await again.receivesNothing()
    await host.advance(2 * RESUME_MS)
    await nobodyNotices()
    again.send('<presence type="unavailable"/>')
    await nurse.receives(leave(NURSE))
    await remote.receives(leave(ROMEO))
  })

  it('also without anybody having noticed the loss', async () => {
    const again = await host.resume('juliet', { previousId, handled })
    assert.equal((await again.next()).name, 'resumed')
    await again.receivesNothing()
    assert.equal(balcony.closed, 'conflict')
    await host.disconnect(balcony, 'lost')
    await host.advance(2 * RESUME_MS)
    await nobodyNotices()
  })

  it('brings the changes of presence that happened meanwhile, each once', async () => {
    await host.disconnect(balcony, 'lost')
    nurse.send('<presence><show>away</show></presence>')
    await host.settle()
    nurse.clear()
    const again = await host.resume('juliet', { previousId, handled })
    await again.next()
    await again.receives(`<presence from='${NURSE}/kitchen' to='${JULIET}'><show>away</show></presence>`)
    await again.receivesNothing()
    for (const entity of [nurse, remote]) await entity.receivesNothing()
  })
})
