/** RFC 6121 §4 as wire scripts. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { defineModule, dropped, inbound, resourceAvailable, resourceUnavailable } from '@rollcall/module-api'
import { StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { TestHost } from '../../server/testing/test-host.ts'
import { enter, JULIET, NURSE, openScene, ROMEO, rowIn, seed } from '../roster/testing/verona.ts'
import { Presence } from './port.ts'

let host: TestHost
beforeEach(async () => {
  host = await openScene()
})
afterEach(() => host.stop())

async function restart(options: Parameters<typeof openScene>[0]): Promise<void> {
  await host.stop()
  host = await openScene(options)
}

/** juliet and nurse see each other; romeo and juliet too. */
async function befriend(): Promise<void> {
  await seed(host, JULIET, { [ROMEO]: rowIn('both'), [NURSE]: rowIn('both') })
  await seed(host, NURSE, { [JULIET]: rowIn('both') })
}

describe('§4.2 initial presence', () => {
  it('goes to everybody who may see it, and to nobody else', async () => {
    await seed(host, JULIET, {
      [ROMEO]: rowIn('from'), 'paris@montague.example': rowIn('both'), 'count@montague.example': rowIn('to'),
      'friar@montague.example': rowIn('none'), 'page@montague.example': rowIn('nonePendingIn'), 'peter@montague.example': rowIn('fromPendingOut'),
    })
    const remote = await host.component('montague.example')
    const juliet = await host.connect('juliet', 'balcony')
    const content = `<show>chat</show><status>Ciao</status><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>`
    juliet.send(`<presence id='p1' xml:lang='it'>${content}</presence>`)
    await remote.receivesAnyOrder(...[ROMEO, 'paris@montague.example', 'peter@montague.example'].map((to) =>
      `<presence from='${JULIET}/balcony' to='${to}' id='p1' xml:lang='it'>${content}</presence>`))
    const rest = await remote.all()
    assert.deepEqual(rest.map((element) => `${element.attribute('type')} ${element.attribute('to')}`).sort(), [
      'probe count@montague.example', 'probe paris@montague.example', 'subscribe peter@montague.example',
    ])
    for (const element of rest) assert.equal(element.attribute('from'), JULIET)
  })

  it('§4.2.2 is echoed to the resource itself and told to the others of the account, both ways', async () => {
    const balcony = await host.connect('juliet', 'balcony')
    balcony.send('<presence/>')
    await balcony.receives(`<presence from='${JULIET}/balcony' to='${JULIET}'/>`)
    const chamber = await host.connect('juliet', 'chamber')
    chamber.send('<presence><show>xa</show></presence>')
    await chamber.receives(
      `<presence from='${JULIET}/chamber' to='${JULIET}'><show>xa</show></presence>`,
      `<presence from='${JULIET}/balcony' to='${JULIET}'/>`,
    )
    await balcony.receives(`<presence from='${JULIET}/chamber' to='${JULIET}'><show>xa</show></presence>`)
    await host.connect('juliet', 'silent')
    await balcony.receivesNothing()
  })

  it('§4.3.1 is answered from memory by contacts of this server, without probes', async () => {
    await befriend()
    await seed(host, NURSE, { 'tybalt@capulet.example': rowIn('both') })
    const kitchen = await enter(host, 'nurse', 'kitchen', '<presence id="n1"><priority>-1</priority></presence>')
    await enter(host, 'nurse', 'hall', '<presence><show>away</show></presence>')
    kitchen.clear()
    const juliet = await host.connect('juliet', 'balcony')
    juliet.send('<presence/>')
    await juliet.receivesAnyOrder(
      `<presence from='${JULIET}/balcony' to='${JULIET}'/>`,
      `<presence from='${NURSE}/kitchen' to='${JULIET}' id='n1'><priority>-1</priority></presence>`,
      `<presence from='${NURSE}/hall' to='${JULIET}'><show>away</show></presence>`,
    )
    // What remains is the error of romeo's server, which is not there: of the presence, not of the probe.
    assert.deepEqual((await juliet.all()).map((element) => element.attribute('type')), ['error'])
    await kitchen.receives(`<presence from='${JULIET}/balcony' to='${NURSE}'/>`)
    await kitchen.receivesNothing()
  })

  it('mends a roster that believes in a subscription the contact does not know', async () => {
    await seed(host, JULIET, { [NURSE]: rowIn('both') })
    await enter(host, 'nurse', 'kitchen')
    const juliet = await host.connect('juliet', 'balcony')
    await juliet.request(`<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>`)
    juliet.send('<presence/>')
    const all = await juliet.all()
    assert.deepEqual(all.map((element) => element.attribute('type')), [undefined, 'unsubscribed', 'set'])
    assert.equal(all[2]?.elements()[0]?.elements()[0]?.attribute('subscription'), 'from')
  })

  it('of a contact who has unsubscribed does not reach the one who left, though a stale roster says so', async () => {
    await seed(host, JULIET, { [NURSE]: rowIn('from') })
    const nurse = await enter(host, 'nurse', 'kitchen')
    await enter(host, 'juliet', 'balcony')
    await nurse.receivesNothing()
  })
})

describe('§4.3 probes', () => {
  const probe = (from: string, to: string): string => `<presence from='${from}' to='${to}' type='probe' id='q1'/>`

  it('§4.3.2 are answered with the whole presence of every available resource, ids kept', async () => {
    await befriend()
    const remote = await host.component('montague.example')
    await enter(host, 'juliet', 'balcony', '<presence id="p1"><show>dnd</show></presence>')
    await enter(host, 'juliet', 'chamber', '<presence id="p2"/>')
    await host.connect('juliet', 'silent')
    remote.clear()
    remote.send(probe(ROMEO, JULIET))
    await remote.receives(
      `<presence from='${JULIET}/balcony' to='${ROMEO}' id='p1'><show>dnd</show></presence>`,
      `<presence from='${JULIET}/chamber' to='${ROMEO}' id='p2'/>`,
    )
    await remote.receivesNothing()
  })

  it('§4.3.2 for a full JID tell only that the resource is there, and nothing about others', async () => {
    await befriend()
    const remote = await host.component('montague.example')
    await enter(host, 'juliet', 'balcony', '<presence id="p1"><show>dnd</show></presence>')
    remote.clear()
    remote.send(probe(ROMEO, `${JULIET}/balcony`))
    remote.send(probe(ROMEO, `${JULIET}/chamber`))
    await remote.receives(
      `<presence from='${JULIET}/balcony' to='${ROMEO}'/>`,
      `<presence from='${JULIET}/chamber' to='${ROMEO}' type='unavailable' id='q1'/>`,
    )
  })

  it('§4.3.2 of strangers get unsubscribed from the bare JID, online or not, account or not', async () => {
    const remote = await host.component('montague.example')
    await enter(host, 'juliet', 'balcony')
    for (const to of [JULIET, `${JULIET}/balcony`, NURSE, 'nobody@capulet.example', 'nobody@capulet.example/x']) {
      remote.send(probe(`${ROMEO}/orchard`, to))
      const bare = to.replace(/\/.*/, '')
      await remote.receives(`<presence from='${bare}' to='${ROMEO}' type='unsubscribed' id='q1'/>`)
    }
    await remote.receivesNothing()
  })

  it('§4.3.2 of those who only wait for approval get unsubscribed too', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('toPendingIn') })
    const remote = await host.component('montague.example')
    await enter(host, 'juliet', 'balcony')
    remote.clear()
    remote.send(probe(ROMEO, JULIET))
    await remote.receives(`<presence from='${JULIET}' to='${ROMEO}' type='unsubscribed' id='q1'/>`)
  })

  it('§4.3.2 find nobody: unavailable, and since when with the last words when they are known', async () => {
    await befriend()
    const remote = await host.component('montague.example')
    remote.send(probe(ROMEO, JULIET))
    await remote.receives(`<presence from='${JULIET}' to='${ROMEO}' type='unavailable' id='q1'/>`)
    const juliet = await enter(host, 'juliet', 'balcony')
    juliet.send(`<presence type='unavailable'><status>To bed</status></presence>`)
    await host.settle()
    remote.clear()
    const stamp = new Date(host.clock.now()).toISOString().replace('.000Z', 'Z')
    const answer = `<presence from='${JULIET}' to='${ROMEO}' type='unavailable' id='q1'><status>To bed</status>
      <delay xmlns='urn:xmpp:delay' from='${JULIET}' stamp='${stamp}'/></presence>`
    remote.send(probe(ROMEO, JULIET))
    await remote.receives(answer)
    await host.advance(10_000)
    const { storage } = host
    await restart({ storage })
    const again = await host.component('montague.example')
    again.send(probe(ROMEO, JULIET))
    await again.receives(answer)
  })

  it('of a client are routed or answered like any other', async () => {
    await befriend()
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony', '<presence><show>dnd</show></presence>')
    const nurse = await enter(host, 'nurse', 'kitchen')
    juliet.clear()
    remote.clear()
    nurse.send(`<presence to='${JULIET}' type='probe' id='q1'/>`)
    await nurse.receives(`<presence from='${JULIET}/balcony' to='${NURSE}/kitchen'><show>dnd</show></presence>`)
    juliet.send(`<presence to='${ROMEO}' type='probe' id='q2'/>`)
    await remote.receives(`<presence from='${JULIET}/balcony' to='${ROMEO}' type='probe' id='q2'/>`)
    juliet.send(`<presence type='probe' id='q3'/>`)
    await juliet.receivesNothing()
  })

  it('of our own that fail are not shown to clients', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('to') })
    const juliet = await host.connect('juliet', 'balcony')
    juliet.send('<presence/>')
    await juliet.receives(`<presence from='${JULIET}/balcony' to='${JULIET}'/>`)
    await juliet.receivesNothing()
  })
})

describe('§4.4 subsequent presence', () => {
  it('goes to all watchers and all own resources', async () => {
    await befriend()
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony')
    const kitchen = await enter(host, 'nurse', 'kitchen')
    const cellar = await enter(host, 'nurse', 'cellar', '<presence><priority>-128</priority></presence>')
    await host.connect('nurse', 'silent')
    for (const entity of [juliet, remote, kitchen]) entity.clear()
    juliet.send(`<presence id='p2'><show>away</show></presence>`)
    const expected = (to: string): string => `<presence from='${JULIET}/balcony' to='${to}' id='p2'><show>away</show></presence>`
    await remote.receives(expected(ROMEO))
    await kitchen.receives(expected(NURSE))
    await cellar.receives(expected(NURSE))
    await juliet.receives(expected(JULIET))
    for (const entity of [juliet, remote, kitchen, cellar]) await entity.receivesNothing()
  })

  it('that says nothing new goes to nobody but the sender', async () => {
    await befriend()
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony', `<presence id='p1'><show>away</show></presence>`)
    remote.clear()
    juliet.send(`<presence id='p2'><show>away</show></presence>`)
    await juliet.receives(`<presence from='${JULIET}/balcony' to='${JULIET}' id='p2'><show>away</show></presence>`)
    await remote.receivesNothing()
    juliet.send(`<presence id='p2' xml:lang='en'><show>away</show></presence>`)
    await remote.receives(`<presence from='${JULIET}/balcony' to='${ROMEO}' id='p2' xml:lang='en'><show>away</show></presence>`)
  })

  it('§8.5.2.1.2 from elsewhere goes to all available resources of any priority, to a resource if addressed, else nowhere', async () => {
    const remote = await host.component('montague.example')
    const balcony = await enter(host, 'juliet', 'balcony')
    const cellar = await enter(host, 'juliet', 'cellar', '<presence><priority>-7</priority></presence>')
    const silent = await host.connect('juliet', 'silent')
    balcony.clear()
    const toBare = `<presence from='${ROMEO}/orchard' to='${JULIET}'><show>chat</show></presence>`
    remote.send(toBare)
    await balcony.receives(toBare)
    await cellar.receives(toBare)
    const toSilent = `<presence from='${ROMEO}/orchard' to='${JULIET}/silent' type='unavailable'/>`
    remote.send(toSilent)
    await silent.receives(toSilent)
    remote.send(`<presence from='${ROMEO}/orchard' to='${JULIET}/gone'/>`)
    for (const entity of [balcony, cellar, silent, remote]) await entity.receivesNothing()
  })
})

describe('§4.5 unavailable presence', () => {
  it('goes with its status to all watchers, own resources and the resource itself', async () => {
    await befriend()
    const remote = await host.component('montague.example')
    const balcony = await enter(host, 'juliet', 'balcony')
    const chamber = await enter(host, 'juliet', 'chamber')
    const nurse = await enter(host, 'nurse', 'kitchen')
    for (const entity of [balcony, chamber, remote]) entity.clear()
    balcony.send(`<presence type='unavailable' id='u1'><status>Good night</status></presence>`)
    const expected = (to: string): string => `<presence from='${JULIET}/balcony' to='${to}' type='unavailable' id='u1'><status>Good night</status></presence>`
    await remote.receives(expected(ROMEO))
    await nurse.receives(expected(NURSE))
    await chamber.receives(expected(JULIET))
    await balcony.receives(expected(JULIET))
    balcony.send(`<presence type='unavailable'/>`)
    for (const entity of [remote, nurse, chamber, balcony]) await entity.receivesNothing()
    await host.disconnect(balcony)
    for (const entity of [remote, nurse, chamber]) await entity.receivesNothing()
  })

  it('§4.5.2 is made by the server when the connection is lost', async () => {
    await befriend()
    const remote = await host.component('montague.example')
    const balcony = await enter(host, 'juliet', 'balcony')
    const chamber = await enter(host, 'juliet', 'chamber')
    const nurse = await enter(host, 'nurse', 'kitchen')
    for (const entity of [chamber, remote]) entity.clear()
    await host.disconnect(balcony, 'lost')
    await remote.receives(`<presence from='${JULIET}/balcony' to='${ROMEO}' type='unavailable'/>`)
    await nurse.receives(`<presence from='${JULIET}/balcony' to='${NURSE}' type='unavailable'/>`)
    await chamber.receives(`<presence from='${JULIET}/balcony' to='${JULIET}' type='unavailable'/>`)
  })

  it('is followed by a new presence session with initial presence', async () => {
    await befriend()
    const juliet = await enter(host, 'juliet', 'balcony')
    const nurse = await enter(host, 'nurse', 'kitchen')
    juliet.send(`<presence type='unavailable'/>`)
    juliet.send('<presence/>')
    assert.deepEqual((await nurse.all()).map((element) => element.attribute('type')), ['unavailable', undefined])
    assert.ok((await juliet.all()).some((element) => element.attribute('from') === `${NURSE}/kitchen`))
  })

  it('of a server that stops goes to other domains only: here everybody goes', async () => {
    await befriend()
    const remote = await host.component('montague.example')
    await enter(host, 'juliet', 'balcony')
    const nurse = await enter(host, 'nurse', 'kitchen')
    remote.clear()
    await host.core.stop()
    await remote.receives(`<presence from='${JULIET}/balcony' to='${ROMEO}' type='unavailable'/>`)
    await nurse.receivesNothing()
  })
})

describe('§4.6 directed presence', () => {
  const directed = (to: string, type = ''): string => `<presence to='${to}'${type === '' ? '' : ` type='${type}'`}/>`

  it('§4.6.3 is routed as it is and undone when the resource goes', async () => {
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony')
    juliet.send(`<presence to='${ROMEO}/orchard' id='d1'><show>chat</show></presence>`)
    await remote.receives(`<presence from='${JULIET}/balcony' to='${ROMEO}/orchard' id='d1'><show>chat</show></presence>`)
    juliet.send('<presence><show>away</show></presence>')
    await remote.receivesNothing()
    juliet.send(`<presence type='unavailable'><status>bye</status></presence>`)
    await remote.receives(`<presence from='${JULIET}/balcony' to='${ROMEO}/orchard' type='unavailable'><status>bye</status></presence>`)
    await host.disconnect(juliet)
    await remote.receivesNothing()
  })

  it('§4.6.3 works without initial presence, and is undone when the session ends', async () => {
    await befriend()
    const remote = await host.component('montague.example')
    const juliet = await host.connect('juliet', 'balcony')
    juliet.send(directed(ROMEO))
    juliet.send(directed('room@montague.example/jules'))
    await remote.receives(
      `<presence from='${JULIET}/balcony' to='${ROMEO}'/>`, `<presence from='${JULIET}/balcony' to='room@montague.example/jules'/>`,
    )
    await host.disconnect(juliet, 'lost')
    await remote.receivesAnyOrder(
      `<presence from='${JULIET}/balcony' to='${ROMEO}' type='unavailable'/>`,
      `<presence from='${JULIET}/balcony' to='room@montague.example/jules' type='unavailable'/>`,
    )
    await remote.receivesNothing()
  })

  it('§4.6.3 to a watcher changes nothing about broadcasts', async () => {
    await befriend()
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony')
    juliet.send(directed(ROMEO))
    await host.settle()
    remote.clear()
    juliet.send(`<presence type='unavailable'/>`)
    await remote.receives(`<presence from='${JULIET}/balcony' to='${ROMEO}' type='unavailable'/>`)
    await remote.receivesNothing()
  })

  it('§4.6.1 is forgotten when it is taken back or the entity goes away', async () => {
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony')
    juliet.send(directed('room@montague.example/jules'))
    juliet.send(directed('hall@montague.example/jules'))
    juliet.send(directed('room@montague.example/jules', 'unavailable'))
    remote.send(`<presence from='hall@montague.example/jules' to='${JULIET}/balcony' type='unavailable'/>`)
    remote.send(`<presence from='hall@montague.example/other' to='${JULIET}/balcony' type='unavailable'/>`)
    await host.settle()
    remote.clear()
    await host.disconnect(juliet)
    await remote.receivesNothing()
  })

  it('§4.6.6 lets those who got it ask about that resource, and only them', async () => {
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony', '<presence><show>dnd</show></presence>')
    juliet.send(directed('room@montague.example/jules'))
    await host.settle()
    remote.clear()
    for (const [from, to] of [
      ['room@montague.example/jules', `${JULIET}/balcony`], ['room@montague.example/jules', JULIET], ['room@montague.example/other', `${JULIET}/balcony`],
    ]) remote.send(`<presence from='${from}' to='${to}' type='probe' id='q1'/>`)
    await remote.receives(
      `<presence from='${JULIET}/balcony' to='room@montague.example/jules'/>`,
      `<presence from='${JULIET}' to='room@montague.example' type='unsubscribed' id='q1'/>`,
      `<presence from='${JULIET}' to='room@montague.example' type='unsubscribed' id='q1'/>`,
    )
  })

  it('§4.6.1 gives way to the end of a subscription', async () => {
    await befriend()
    const remote = await host.component('montague.example')
    const juliet = await host.connect('juliet', 'balcony')
    juliet.send(directed(ROMEO))
    juliet.send('<presence/>')
    juliet.send(`<presence to='${ROMEO}' type='unsubscribed'/>`)
    await host.settle()
    remote.clear()
    await host.disconnect(juliet)
    await remote.receivesNothing()
  })

  it('has a limit', async () => {
    await restart({ presence: { directedMax: 2 } })
    await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony')
    for (const name of ['a', 'b', 'a', 'c']) juliet.send(directed(`${name}@montague.example`))
    const [refusal, ...others] = await juliet.all()
    assert.equal(refusal?.attribute('from'), 'c@montague.example')
    assert.equal(refusal?.child('error')?.elements()[0]?.name, 'resource-constraint')
    assert.equal(others.length, 0)
    juliet.send(directed('a@montague.example', 'unavailable'))
    juliet.send(directed('c@montague.example'))
    await juliet.receivesNothing()
  })
})

describe('§4.7 syntax', () => {
  const good: readonly (readonly [string, number])[] = [
    ['', 0], ['<priority>5</priority>', 5], ['<priority>-128</priority>', -128], ['<priority>+127</priority>', 127],
    ['<priority> 7\n</priority>', 7], ['<priority>-0</priority>', 0], [`<priority xml:lang='en'>3</priority>`, 3],
  ]
  for (const [content, priority] of good) {
    it(`§4.7.2.3 takes ${content || 'no priority'} as ${priority}`, async () => {
      const juliet = await enter(host, 'juliet', 'balcony', `<presence>${content}</presence>`)
      assert.ok(Object.is(host.core.accounts.warm(juliet.jid)?.sessions.get('balcony')?.priority, priority))
    })
  }

  for (const content of ['<priority/>', '<priority>128</priority>', '<priority>-129</priority>', '<priority>1.5</priority>', '<priority>high</priority>',
    '<priority>1</priority><priority>2</priority>']) {
    it(`§4.7.2.3 refuses ${content}`, async () => {
      const juliet = await host.connect('juliet', 'balcony')
      juliet.send(`<presence id='p1'>${content}</presence>`)
      const refusal = await juliet.next()
      assert.equal(refusal.child('error')?.elements()[0]?.name, 'bad-request')
      assert.equal(host.core.accounts.warm(juliet.jid)?.sessions.get('balcony')?.presence, undefined)
    })
  }

  it('§4.7.1 refuses types that do not exist, from clients and from elsewhere', async () => {
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony')
    juliet.send(`<presence type='invisible' id='p1'/>`)
    assert.equal((await juliet.next()).child('error')?.elements()[0]?.name, 'bad-request')
    remote.send(`<presence from='${ROMEO}' to='${JULIET}' type='invisible' id='p2'/>`)
    const refusal = await remote.next()
    assert.equal(refusal.child('error')?.elements()[0]?.name, 'bad-request')
    assert.equal(refusal.attribute('to'), ROMEO)
    await juliet.receivesNothing()
  })

  it('delivers errors to the resource or the account they are for, and answers none', async () => {
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony')
    const error = (to: string): string =>
      `<presence from='${ROMEO}' to='${to}' type='error' id='e1'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>`
    remote.send(error(`${JULIET}/balcony`))
    remote.send(error(JULIET))
    remote.send(error(`${JULIET}/gone`))
    await juliet.receives(error(`${JULIET}/balcony`), error(JULIET))
    juliet.send(`<presence type='error' id='e2'/>`)
    await juliet.receivesNothing()
    await remote.receivesNothing()
  })
})

describe('for other modules', () => {
  it('tells when resources come and go, once each', async () => {
    const events: string[] = []
    const watching = defineModule({
      name: 'watching', summary: 'Notes what it hears.', implements: [],
      setup({ on }) {
        on(resourceAvailable, 'normal', ({ session, presence }) => events.push(`+${session.jid.resourcepart} ${presence.id}`))
        on(resourceUnavailable, 'normal', ({ session }) => events.push(`-${session.jid.resourcepart}`))
      },
    })
    await restart({ modules: [watching] })
    const juliet = await enter(host, 'juliet', 'balcony', `<presence id='p1'/>`)
    juliet.send('<presence><show>away</show></presence>')
    juliet.send(`<presence type='unavailable'/>`)
    juliet.send(`<presence type='unavailable'/>`)
    juliet.send(`<presence id='p2'/>`)
    await host.settle()
    await host.disconnect(juliet)
    assert.deepEqual(events, ['+balcony p1', '-balcony', '+balcony p2', '-balcony'])
  })

  it('passes broadcasts through the receivers\' filters', async () => {
    const verdicts: Record<string, (stanza: Stanza) => Stanza | typeof dropped | undefined> = {
      passed: () => undefined,
      changed: (stanza) => stanza.withChild('x', 'urn:example:x', `<x xmlns='urn:example:x'/>`),
      dropped: () => dropped,
      refused: () => { throw new StanzaError('not-acceptable') },
    }
    let verdict = 'passed'
    const filtering = defineModule({
      name: 'filtering', summary: 'Stands in the way.', implements: [],
      setup({ on }) {
        on(inbound, 'normal', ({ account, stanza }) => {
          return account.jid.localpart === 'nurse' && stanza.from?.localpart === 'juliet' ? verdicts[verdict]?.(stanza) : undefined
        })
      },
    })
    await restart({ modules: [filtering] })
    await befriend()
    const nurse = await enter(host, 'nurse', 'kitchen')
    const juliet = await enter(host, 'juliet', 'balcony')
    await nurse.receives(`<presence from='${JULIET}/balcony' to='${NURSE}'/>`)
    verdict = 'changed'
    juliet.send('<presence><show>chat</show></presence>')
    await nurse.receives(`<presence from='${JULIET}/balcony' to='${NURSE}'><show>chat</show><x xmlns='urn:example:x'/></presence>`)
    verdict = 'dropped'
    juliet.send('<presence><show>away</show></presence>')
    await nurse.receivesNothing()
    verdict = 'refused'
    juliet.clear()
    juliet.send('<presence><show>xa</show></presence>')
    await nurse.receivesNothing()
    const errors = (await juliet.all()).filter((element) => element.attribute('from') === NURSE)
    assert.deepEqual(errors.map((element) => element.child('error')?.elements()[0]?.name), ['not-acceptable'])
  })

  it('hides an account from a contact when a module says so, and shows and conceals it on request', async () => {
    const hidden = new Set<string>()
    const control: { presence?: Presence } = {}
    const blocking = defineModule({
      name: 'blocking', summary: 'Hides.', implements: [], needs: { presence: Presence },
      setup({ ports }) {
        control.presence = ports.presence
        ports.presence.addVeto((account, contact) => hidden.has(`${account.jid.toString()} ${contact.bare.toString()}`))
      },
    })
    await restart({ modules: [blocking] })
    await befriend()
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony')
    const nurse = await enter(host, 'nurse', 'kitchen')
    const account = host.core.accounts.warm(juliet.jid)
    assert.ok(account !== undefined)
    remote.clear()
    control.presence?.conceal(account, nurse.jid.bare)
    hidden.add(`${JULIET} ${NURSE}`)
    hidden.add(`${JULIET} ${ROMEO}`)
    await nurse.receives(`<presence from='${JULIET}/balcony' to='${NURSE}' type='unavailable'/>`)
    juliet.send('<presence><show>away</show></presence>')
    remote.send(`<presence from='${ROMEO}' to='${JULIET}' type='probe' id='q1'/>`)
    await nurse.receivesNothing()
    await remote.receives(`<presence from='${JULIET}' to='${ROMEO}' type='unavailable' id='q1'/>`)
    const cellar = await host.connect('nurse', 'cellar')
    cellar.send('<presence/>')
    assert.ok((await cellar.all()).every((element) => element.attribute('from')?.startsWith(NURSE)))
    nurse.clear()
    juliet.clear()
    hidden.clear()
    control.presence?.reveal(account, nurse.jid.bare)
    await nurse.receives(`<presence from='${JULIET}/balcony' to='${NURSE}'><show>away</show></presence>`)
  })
})
