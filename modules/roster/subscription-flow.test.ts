/** RFC 6121 §3 as wire scripts: who gets what, in which order, with which address. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { TestHost } from '../../server/testing/test-host.ts'
import { enter, JULIET, NURSE, openScene, push, ROMEO, rowIn, seed, storedRow } from './testing/verona.ts'

let host: TestHost
beforeEach(async () => {
  host = await openScene()
})
afterEach(() => host.stop())

async function restart(options: Parameters<typeof openScene>[0]): Promise<void> {
  await host.stop()
  host = await openScene(options)
}

describe('§3.1 requesting a subscription', () => {
  it('§3.1.2 stamps the bare JID, keeps id and content, and treats a full JID as bare', async () => {
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet')
    juliet.send(`<presence to='${ROMEO}/orchard' type='subscribe' id='xk3h1v69'><status>Hi</status></presence>`)
    await remote.receives(`<presence from='${JULIET}' to='${ROMEO}' type='subscribe' id='xk3h1v69'><status>Hi</status></presence>`)
    await juliet.receives(push(`${JULIET}/orchard`, `<item jid='${ROMEO}' subscription='none' ask='subscribe'/>`))
    await juliet.receivesNothing()
  })

  it('§3.1.2 returns the error when the contact\'s server cannot be reached', async () => {
    const juliet = await enter(host, 'juliet')
    juliet.send(`<presence to='${ROMEO}' type='subscribe' id='x1'/>`)
    const [pushed, error] = await juliet.all()
    assert.equal(pushed?.name, 'iq')
    assert.equal(error?.attribute('from'), ROMEO)
    assert.equal(error?.attribute('id'), 'x1')
    assert.equal(error?.child('error')?.elements()[0]?.name, 'remote-server-not-found')
  })

  it('§3.1.2 repeats an unanswered request when the user comes back', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('nonePendingOut'), [NURSE]: rowIn('nonePendingOut') })
    const remote = await host.component('montague.example')
    await enter(host, 'juliet')
    await remote.receives(`<presence from='${JULIET}' to='${ROMEO}' type='subscribe' id='{any}'/>`)
    await enter(host, 'juliet', 'second')
    await remote.receivesNothing()
  })

  it('refuses a subscription to oneself and one without an address', async () => {
    const juliet = await enter(host, 'juliet')
    juliet.send(`<presence to='${JULIET}' type='subscribe' id='x1'/>`)
    assert.equal((await juliet.next()).child('error')?.elements()[0]?.name, 'not-allowed')
    juliet.send(`<presence type='subscribe' id='x2'/>`)
    assert.equal((await juliet.next()).child('error')?.elements()[0]?.name, 'bad-request')
    assert.equal((await host.storage.mapAll('roster', JULIET)).size, 0)
  })

  it('§8.5.1 tells nothing about whether an account exists', async () => {
    const juliet = await enter(host, 'juliet')
    juliet.send(`<presence to='nobody@capulet.example' type='subscribe' id='x1'/>`)
    juliet.send(`<presence to='${NURSE}' type='subscribe' id='x2'/>`)
    await juliet.receives(
      push(`${JULIET}/orchard`, `<item jid='nobody@capulet.example' subscription='none' ask='subscribe'/>`),
      push(`${JULIET}/orchard`, `<item jid='${NURSE}' subscription='none' ask='subscribe'/>`),
    )
    await juliet.receivesNothing()
  })
})

describe('§3.1.3 inbound requests', () => {
  const request = `<presence from='${ROMEO}' to='${JULIET}' type='subscribe' id='r1'><status>It is the east</status><x xmlns='urn:example:x'/></presence>`

  it('go to every available resource and to no other, and create no item', async () => {
    const remote = await host.component('montague.example')
    const balcony = await enter(host, 'juliet', 'balcony')
    const chamber = await host.login('juliet', 'chamber', '<presence><priority>-5</priority></presence>')
    const hall = await host.connect('juliet', 'hall')
    await hall.request(`<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>`)
    balcony.clear()
    remote.send(request)
    await balcony.receives(request)
    await chamber.receives(request)
    await hall.receivesNothing()
    const roster = await hall.request(`<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>`)
    assert.equal(roster.child('query', 'jabber:iq:roster')?.elements().length, 0)
  })

  it('wait with their whole content for everybody who comes, until answered, also over a restart', async () => {
    const remote = await host.component('montague.example')
    remote.send(request)
    remote.send(`<presence from='${ROMEO}/orchard' to='${JULIET}/balcony' type='subscribe' id='r2'/>`)
    await host.settle()
    await restart({ storage: host.storage })
    for (const resource of ['balcony', 'chamber']) {
      const session = await host.connect('juliet', resource)
      session.send('<presence/>')
      const all = await session.all()
      const requests = all.filter((element) => element.attribute('type') === 'subscribe')
      assert.equal(requests.length, 1)
      assert.equal(requests[0]?.childText('status'), 'It is the east')
      assert.equal(requests[0]?.attribute('id'), 'r1')
      assert.equal(requests[0]?.attribute('to'), JULIET)
    }
    const juliet = await enter(host, 'juliet', 'hall')
    juliet.send(`<presence to='${ROMEO}' type='unsubscribed'/>`)
    await host.settle()
    assert.equal(await storedRow(host, JULIET, ROMEO), undefined)
    const later = await host.connect('juliet', 'later')
    later.send('<presence/>')
    assert.deepEqual((await later.all()).filter((element) => element.attribute('type') === 'subscribe'), [])
  })

  it('lose their content when it is too much to keep', async () => {
    await restart({ roster: { requestBytesMax: 128 } })
    const remote = await host.component('montague.example')
    remote.send(`<presence from='${ROMEO}' to='${JULIET}' type='subscribe' id='r1'><status>${'x'.repeat(200)}</status></presence>`)
    await host.settle()
    assert.equal((await storedRow(host, JULIET, ROMEO))?.request, ` type='subscribe' id='r1'/>`)
  })

  it('are ignored when too many wait', async () => {
    await restart({ roster: { requestsMax: 2 } })
    const remote = await host.component('montague.example')
    for (const name of ['a', 'b', 'c', 'd']) remote.send(`<presence from='${name}@montague.example' to='${JULIET}' type='subscribe'/>`)
    await host.settle()
    assert.deepEqual([...(await host.storage.mapAll('roster', JULIET)).keys()].sort(), ['a@montague.example', 'b@montague.example'])
    const juliet = await host.connect('juliet')
    juliet.send('<presence/>')
    assert.equal((await juliet.all()).filter((element) => element.attribute('type') === 'subscribe').length, 2)
    juliet.send(`<presence to='a@montague.example' type='unsubscribed'/>`)
    await host.settle()
    remote.send(`<presence from='c@montague.example' to='${JULIET}' type='subscribe'/>`)
    await juliet.receives(`<presence from='c@montague.example' to='${JULIET}' type='subscribe'/>`)
  })

  it('of somebody who is subscribed are answered with the same id, and with presence', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('from') })
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony', '<presence id="p7"><show>dnd</show></presence>')
    remote.clear()
    remote.send(`<presence from='${ROMEO}' to='${JULIET}' type='subscribe' id='xk3'/>`)
    await remote.receives(
      `<presence from='${JULIET}' to='${ROMEO}' type='subscribed' id='xk3'/>`,
      `<presence from='${JULIET}/balcony' to='${ROMEO}' id='p7'><show>dnd</show></presence>`,
    )
    await juliet.receivesNothing()
  })
})

describe('§3.1.5, §3.1.6 approval', () => {
  it('between two accounts of this server: the whole handshake', async () => {
    const juliet = await enter(host, 'juliet', 'balcony', '<presence><status>at home</status></presence>')
    const nurse = await enter(host, 'nurse', 'kitchen', '<presence><show>dnd</show></presence>')
    nurse.send(`<presence to='${JULIET}' type='subscribe' id='s1'/>`)
    await juliet.receives(`<presence from='${NURSE}' to='${JULIET}' type='subscribe' id='s1'/>`)
    await nurse.receives(push(`${NURSE}/kitchen`, `<item jid='${JULIET}' subscription='none' ask='subscribe'/>`))
    juliet.send(`<presence to='${NURSE}' type='subscribed' id='h4'/>`)
    await nurse.receives(
      `<presence from='${JULIET}' to='${NURSE}' type='subscribed' id='h4'/>`,
      push(`${NURSE}/kitchen`, `<item jid='${JULIET}' subscription='to'/>`),
      `<presence from='${JULIET}/balcony' to='${NURSE}'><status>at home</status></presence>`,
    )
    await juliet.receives(push(`${JULIET}/balcony`, `<item jid='${NURSE}' subscription='from'/>`))
    juliet.send(`<presence to='${NURSE}' type='subscribe' id='s2'/>`)
    nurse.send(`<presence to='${JULIET}' type='subscribed' id='h5'/>`)
    await juliet.receives(
      push(`${JULIET}/balcony`, `<item jid='${NURSE}' subscription='from' ask='subscribe'/>`),
      `<presence from='${NURSE}' to='${JULIET}' type='subscribed' id='h5'/>`,
      push(`${JULIET}/balcony`, `<item jid='${NURSE}' subscription='both'/>`),
      `<presence from='${NURSE}/kitchen' to='${JULIET}'><show>dnd</show></presence>`,
    )
    await nurse.receives(
      `<presence from='${JULIET}' to='${NURSE}' type='subscribe' id='s2'/>`,
      push(`${NURSE}/kitchen`, `<item jid='${JULIET}' subscription='both'/>`),
    )
    await juliet.receivesNothing()
    await nurse.receivesNothing()
  })

  it('§3.1.5 sends the presence of every available resource', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('nonePendingIn') })
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony')
    await enter(host, 'juliet', 'chamber')
    juliet.send(`<presence to='${ROMEO}' type='subscribed'/>`)
    await remote.receives(
      `<presence from='${JULIET}' to='${ROMEO}' type='subscribed'/>`,
      `<presence from='${JULIET}/balcony' to='${ROMEO}'/>`,
      `<presence from='${JULIET}/chamber' to='${ROMEO}'/>`,
    )
  })

  it('§3.1.6 goes to interested resources, available or not, before the push', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('nonePendingOut') })
    const remote = await host.component('montague.example')
    const silent = await host.connect('juliet', 'silent')
    await silent.request(`<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>`)
    const plain = await host.login('juliet', 'plain')
    remote.send(`<presence from='${ROMEO}' to='${JULIET}' type='subscribed' id='h4'/>`)
    await silent.receives(
      `<presence from='${ROMEO}' to='${JULIET}' type='subscribed' id='h4'/>`,
      push(`${JULIET}/silent`, `<item jid='${ROMEO}' subscription='to'/>`),
    )
    await plain.receivesNothing()
  })

  it('§8.5.3.2.2 is ignored when it is for a resource that is not there', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('nonePendingOut') })
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet')
    for (const type of ['subscribed', 'unsubscribed', 'unsubscribe']) remote.send(`<presence from='${ROMEO}' to='${JULIET}/gone' type='${type}'/>`)
    await juliet.receivesNothing()
    assert.equal((await storedRow(host, JULIET, ROMEO))?.ask, true)
  })
})

describe('§3.2 cancelling and §3.3 unsubscribing', () => {
  it('§3.2.2 sends unavailable from every resource before unsubscribed', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('both') })
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony')
    await enter(host, 'juliet', 'chamber')
    await host.connect('juliet', 'silent')
    juliet.clear()
    remote.clear()
    juliet.send(`<presence to='${ROMEO}' type='unsubscribed' id='c1'/>`)
    await remote.receives(
      `<presence from='${JULIET}/balcony' to='${ROMEO}' type='unavailable'/>`,
      `<presence from='${JULIET}/chamber' to='${ROMEO}' type='unavailable'/>`,
      `<presence from='${JULIET}' to='${ROMEO}' type='unsubscribed' id='c1'/>`,
    )
    await juliet.receives(push(`${JULIET}/balcony`, `<item jid='${ROMEO}' subscription='to'/>`))
    juliet.send('<presence><show>away</show></presence>')
    await remote.receivesNothing()
  })

  it('§3.3.3 answers with unavailable from every resource', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('both') })
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony')
    remote.clear()
    remote.send(`<presence from='${ROMEO}' to='${JULIET}' type='unsubscribe' id='u1'/>`)
    await juliet.receives(
      `<presence from='${ROMEO}' to='${JULIET}' type='unsubscribe' id='u1'/>`,
      push(`${JULIET}/balcony`, `<item jid='${ROMEO}' subscription='to'/>`),
    )
    await remote.receives(
      `<presence from='${JULIET}/balcony' to='${ROMEO}' type='unavailable'/>`,
      `<presence from='${JULIET}' to='${ROMEO}' type='unsubscribed' id='u1'/>`,
    )
  })

  it('between two accounts of this server ends both sides\' view', async () => {
    await seed(host, JULIET, { [NURSE]: rowIn('both') })
    await seed(host, NURSE, { [JULIET]: rowIn('both') })
    const juliet = await enter(host, 'juliet', 'balcony')
    const nurse = await enter(host, 'nurse', 'kitchen')
    juliet.clear()
    nurse.send(`<presence to='${JULIET}' type='unsubscribe' id='u1'/>`)
    await juliet.receives(
      `<presence from='${NURSE}' to='${JULIET}' type='unsubscribe' id='u1'/>`,
      push(`${JULIET}/balcony`, `<item jid='${NURSE}' subscription='to'/>`),
    )
    await nurse.receives(
      push(`${NURSE}/kitchen`, `<item jid='${JULIET}' subscription='from'/>`),
      `<presence from='${JULIET}/balcony' to='${NURSE}' type='unavailable'/>`,
    )
    juliet.send('<presence><show>away</show></presence>')
    await nurse.receivesNothing()
    nurse.send('<presence><show>xa</show></presence>')
    assert.equal((await juliet.all()).filter((element) => element.attribute('from') === `${NURSE}/kitchen`).length, 1)
  })
})

describe('§3.4 pre-approval', () => {
  it('answers the request that comes later, tells the user by a push, and shares presence', async () => {
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony')
    juliet.send(`<presence to='${ROMEO}' type='subscribed' id='pg8'/>`)
    await juliet.receives(push(`${JULIET}/balcony`, `<item jid='${ROMEO}' subscription='none' approved='true'/>`))
    await remote.receivesNothing()
    remote.send(`<presence from='${ROMEO}' to='${JULIET}' type='subscribe' id='r1'/>`)
    await remote.receives(
      `<presence from='${JULIET}' to='${ROMEO}' type='subscribed' id='r1'/>`,
      `<presence from='${JULIET}/balcony' to='${ROMEO}'/>`,
    )
    await juliet.receives(push(`${JULIET}/balcony`, `<item jid='${ROMEO}' subscription='from' approved='true'/>`))
    await juliet.receivesNothing()
  })

  it('§3.2.2 is cancelled without the contact hearing of it', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('none', { approved: true }) })
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet', 'balcony')
    juliet.send(`<presence to='${ROMEO}' type='unsubscribed'/>`)
    await juliet.receives(push(`${JULIET}/balcony`, `<item jid='${ROMEO}' subscription='none'/>`))
    remote.send(`<presence from='${ROMEO}' to='${JULIET}' type='subscribe' id='r1'/>`)
    await juliet.receives(`<presence from='${ROMEO}' to='${JULIET}' type='subscribe' id='r1'/>`)
    await remote.receivesNothing()
  })
})
