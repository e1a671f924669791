/** XEP-0352 as wire scripts. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import { enter, JULIET, NURSE, openScene, ROMEO, rowIn, seed } from '../roster/testing/verona.ts'
import carbons from '../carbons/module.ts'
import ping from '../ping/module.ts'
import { importanceOf } from './importance.ts'
import csi from './module.ts'

const ACTIVE = `<active xmlns='urn:xmpp:csi:0'/>`
const INACTIVE = `<inactive xmlns='urn:xmpp:csi:0'/>`
const COMPOSING = `<composing xmlns='http://jabber.org/protocol/chatstates'/>`

let host: TestHost
let remote: ScriptedEntity
let juliet: ScriptedEntity

beforeEach(async () => {
  host = await openScene({ modules: [csi, ping, carbons] })
  await seed(host, JULIET, { [ROMEO]: rowIn('both'), [NURSE]: rowIn('both') })
  await seed(host, NURSE, { [JULIET]: rowIn('both') })
  remote = await host.component('montague.example')
  juliet = await enter(host, 'juliet', 'balcony')
  remote.clear()
})
afterEach(() => host.stop())

const state = (resource: string, content: string): string => `<presence from='${ROMEO}/${resource}' to='${JULIET}'>${content}</presence>`
const message = (content: string, more = ''): string => `<message from='${ROMEO}/orchard' to='${JULIET}/balcony' type='chat'${more}>${content}</message>`

describe('client state', () => {
  it('§4.1 is offered after authentication', async () => {
    assert.ok((await host.featuresAfterAuth()).includes(`<csi xmlns='urn:xmpp:csi:0'/>`))
  })

  it('§4.2 is never answered, told twice or not, and changes no presence', async () => {
    for (const nonza of [INACTIVE, INACTIVE, ACTIVE, ACTIVE]) juliet.send(nonza)
    await juliet.receivesNothing()
    await remote.receivesNothing()
  })

  it('another element of its namespace ends the stream', async () => {
    juliet.send(`<dormant xmlns='urn:xmpp:csi:0'/>`)
    await host.settle()
    assert.equal(juliet.closed, 'unsupported-stanza-type')
  })

  it('§5.1 active sends the last presence of each resource, before anything that the client asks for next', async () => {
    juliet.send(INACTIVE)
    for (const stanza of [
      state('orchard', '<show>away</show>'), state('street', '<show>xa</show>'), state('orchard', '<show>dnd</show>'),
    ]) remote.send(stanza)
    await juliet.receivesNothing()
    juliet.send(ACTIVE)
    juliet.send(`<iq to='capulet.example' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>`)
    await juliet.receives(
      state('street', '<show>xa</show>'), state('orchard', '<show>dnd</show>'),
      `<iq from='capulet.example' to='${JULIET}/balcony' type='result' id='p'/>`,
    )
    remote.send(state('orchard', ''))
    await juliet.receives(state('orchard', ''))
  })

  it('a message takes what was kept along, before it, and keeping goes on', async () => {
    juliet.send(INACTIVE)
    remote.send(state('orchard', '<show>away</show>'))
    remote.send(message('<body>But soft!</body>'))
    await juliet.receives(state('orchard', '<show>away</show>'), message('<body>But soft!</body>'))
    remote.send(state('orchard', '<show>xa</show>'))
    await juliet.receivesNothing()
  })

  it('contacts of the same server are kept like others, and one that ended is', async () => {
    const nurse = await enter(host, 'nurse', 'kitchen')
    juliet.clear()
    juliet.send(INACTIVE)
    nurse.send('<presence><show>away</show></presence>')
    nurse.send(`<presence type='unavailable'/>`)
    await juliet.receivesNothing()
    juliet.send(ACTIVE)
    await juliet.receives(`<presence from='${NURSE}/kitchen' to='${JULIET}' type='unavailable'/>`)
    await juliet.receivesNothing()
  })

  it('mere chat states are dropped, copies of them too', async () => {
    await juliet.request(`<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>`)
    const chamber = await enter(host, 'juliet', 'chamber', '<presence><priority>-1</priority></presence>')
    juliet.clear()
    juliet.send(INACTIVE)
    remote.send(message(COMPOSING))
    chamber.send(`<message to='${ROMEO}' type='chat'>${COMPOSING}</message>`)
    await juliet.receivesNothing()
    juliet.send(ACTIVE)
    await juliet.receivesNothing()
  })

  it('the answer to its own presence comes at once', async () => {
    juliet.send(INACTIVE)
    juliet.send('<presence><show>xa</show></presence>')
    await juliet.receives(`<presence from='${JULIET}/balcony' to='${JULIET}'><show>xa</show></presence>`)
  })

  it('a request for a subscription is no state', async () => {
    juliet.send(INACTIVE)
    remote.send(`<presence from='paris@montague.example' to='${JULIET}' type='subscribe' id='s'/>`)
    await juliet.receives(`<presence from='paris@montague.example' to='${JULIET}' type='subscribe' id='s'/>`)
  })

  it('what rooms say of their occupants is kept in full and in order', async () => {
    const occupant = (more: string): string => `<presence from='hall@montague.example/nick' to='${JULIET}/balcony'${more}/>`
    juliet.send(INACTIVE)
    const all = [occupant(''), occupant(` type='unavailable'`), occupant(` id='again'`)]
    for (const stanza of all) remote.send(stanza)
    await juliet.receivesNothing()
    juliet.send(ACTIVE)
    await juliet.receives(...all)
  })

  it('is bounded: beyond the limit what was kept is sent, in order', async () => {
    await host.stop()
    host = await openScene({ modules: [csi], options: { csi: { stanzasMax: 3 } } })
    await seed(host, JULIET, { [ROMEO]: rowIn('both') })
    remote = await host.component('montague.example')
    juliet = await enter(host, 'juliet', 'balcony')
    juliet.send(INACTIVE)
    const all = ['a', 'b', 'c', 'd', 'e'].map((resource) => state(resource, ''))
    for (const stanza of all) remote.send(stanza)
    await juliet.receives(...all.slice(0, 4))
    await juliet.receivesNothing()
  })

  it('§5.2 a stream that is resumed begins active: what was kept comes, then all at once', async () => {
    juliet.send(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`)
    const previousId = (await juliet.next()).attribute('id') ?? ''
    juliet.send(INACTIVE)
    remote.send(state('orchard', '<show>away</show>'))
    await juliet.receivesNothing()
    await host.disconnect(juliet, 'lost')
    remote.send(state('orchard', '<show>dnd</show>'))
    await host.settle()
    juliet = await host.resume('juliet', { previousId, handled: 0 })
    await juliet.receives(`<resumed xmlns='urn:xmpp:sm:3' previd='${previousId}' h='0'/>`, state('orchard', '<show>dnd</show>'))
    remote.send(state('orchard', '<show>xa</show>'))
    await juliet.receives(state('orchard', '<show>xa</show>'))
  })

  it('XEP-0386: a client may be inactive from the first moment on', async () => {
    assert.ok((await host.bind2Features()).includes('urn:xmpp:csi:0'))
    const [phone] = await host.bind2('juliet', { requests: [INACTIVE] })
    phone.send('<presence/>')
    await host.settle()
    phone.clear()
    remote.send(state('orchard', '<show>away</show>'))
    await phone.receivesNothing()
    remote.send(message('<body>But soft!</body>').replace(`${JULIET}/balcony`, JULIET))
    const senders = (await phone.all()).map((stanza) => `${stanza.name} ${stanza.attribute('from')}`)
    assert.deepEqual(senders, [`presence ${JULIET}/balcony`, `presence ${ROMEO}/orchard`, `message ${ROMEO}/orchard`])
    const [other] = await host.bind2('juliet', { requests: [ACTIVE] })
    other.send('<presence/>')
    await host.settle()
    other.clear()
    remote.send(state('orchard', ''))
    assert.deepEqual((await other.all()).map(({ name }) => name), ['presence'])
  })

  it('XEP-0319: the time since when a contact is idle is part of its presence', async () => {
    const idle = `<show>away</show><idle xmlns='urn:xmpp:idle:1' since='1969-07-21T02:56:15Z'/>`
    remote.send(state('orchard', idle))
    await juliet.receives(state('orchard', idle))
    juliet.send(INACTIVE)
    remote.send(state('orchard', idle.replace('02', '03')))
    juliet.send(ACTIVE)
    await juliet.receives(state('orchard', idle.replace('02', '03')))
  })

  it('what was kept is sent before the session moves to another member', async () => {
    juliet.send(INACTIVE)
    remote.send(state('orchard', ''))
    await juliet.receivesNothing()
    host.core.handOver(juliet.jid.bare)
    await juliet.receives(state('orchard', ''))
  })
})

describe('importance', () => {
  const wrap = (content: string, more = ''): string => `<message from='r@m.example' to='j@c.example'${more}>${content}</message>`
  const event = (items: string): string => wrap(`<event xmlns='http://jabber.org/protocol/pubsub#event'>${items}</event>`, ` type='headline'`)
  const cases: readonly (readonly [string, string, string | RegExp])[] = [
    ['an iq', `<iq type='get' id='1'/>`, 'important'],
    ['a body', wrap('<body>x</body>'), 'important'],
    ['a body with a chat state', wrap(`<body>x</body>${COMPOSING}`), 'important'],
    ['a chat state', wrap(COMPOSING), 'never'],
    ['a chat state with thread and hints', wrap(`<thread>t</thread>${COMPOSING}<no-store xmlns='urn:xmpp:hints'/>`), 'never'],
    ['a chat state with something unknown', wrap(`${COMPOSING}<x xmlns='urn:example:x'/>`), 'important'],
    ['an error', wrap(COMPOSING, ` type='error'`), 'important'],
    ['an empty message', wrap(''), 'important'],
    ['an encrypted message', wrap(`<encrypted xmlns='eu.siacs.conversations.axolotl'/>`), 'important'],
    ['a receipt', wrap(`<received xmlns='urn:xmpp:receipts' id='1'/>`), 'important'],
    ['an event', event(`<items node='mood'><item id='current'/></items>`), /^latest .*mood.*current/],
    ['a retraction', event(`<items node='mood'><retract id='1'/></items>`), 'late'],
    ['a change of a node', event(`<purge node='mood'/>`), 'late'],
    ['something unreadable', '<message', 'throws'],
  ]
  for (const [what, wire, expected] of cases) {
    it(`${what}: ${expected}`, () => {
      if (expected === 'throws') assert.throws(() => importanceOf(wire))
      else if (expected instanceof RegExp) assert.match(importanceOf(wire), expected)
      else assert.equal(importanceOf(wire), expected)
    })
  }
})
