/** XEP-0357 as wire scripts: the app server is a component of the test host. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { AnyModule } from '@rollcall/module-api'
import type { StorageBackend } from '@rollcall/ports'
import type { XmlElement } from '@rollcall/xml'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import archive from '../archive/module.ts'
import blocking from '../blocking/module.ts'
import delay from '../delay/module.ts'
import disco from '../disco/module.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import push from './module.ts'

const JULIET = 'juliet@capulet.example'
const ROMEO = 'romeo@montague.example/orchard'
const SERVICE = 'push.verona.example'
const NS = 'urn:xmpp:push:0'
const NS_PUBSUB = 'http://jabber.org/protocol/pubsub'
const SM = `xmlns='urn:xmpp:sm:3'`

let host: TestHost
let romeo: ScriptedEntity
let service: ScriptedEntity

async function open(options: Readonly<Record<string, unknown>> = {}, storage: StorageBackend = new MemoryStorage()): Promise<void> {
  const modules: AnyModule[] = [roster, presence, blocking, delay, disco, archive, push]
  host = await TestHost.start({ accounts: ['juliet', 'nurse'], modules, options: { push: options }, storage })
  romeo = await host.component('montague.example')
  service = await host.component(SERVICE)
}
beforeEach(() => open())
afterEach(() => host.stop())

async function reopen(options: Readonly<Record<string, unknown>> = {}, storage?: StorageBackend): Promise<void> {
  await host.stop()
  await open(options, storage)
}

let requests = 0
async function ask(client: ScriptedEntity, payload: string): Promise<string> {
  const reply = await client.request(`<iq type='set' id='q${++requests}'>${payload}</iq>`)
  return reply.attribute('type') === 'result' ? 'result' : reply.child('error')?.elements()[0]?.name ?? 'unreadable'
}
const enable = (client: ScriptedEntity, node = 'n1', inner = '') => ask(client, `<enable xmlns='${NS}' jid='${SERVICE}' node='${node}'>${inner}</enable>`)
const disable = (client: ScriptedEntity, node?: string) =>
  ask(client, `<disable xmlns='${NS}' jid='${SERVICE}'${node === undefined ? '' : ` node='${node}'`}/>`)

/** A client that enabled a node and went away. */
async function enabledAndGone(node = 'n1', inner = ''): Promise<void> {
  const phone = await host.login('juliet', 'phone')
  assert.equal(await enable(phone, node, inner), 'result')
  await host.disconnect(phone)
}

function say(id: string, content = `<body>${id}</body>`, attributes = `to='${JULIET}' type='chat'`): void {
  romeo.send(`<message from='${ROMEO}' ${attributes} id='${id}'>${content}</message>`)
}

interface Published {
  readonly node: string | undefined
  readonly fields: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string>>
  readonly iq: XmlElement
}

/** Fields of a form but for its FORM_TYPE, which must be this. */
function fieldsOf(form: XmlElement | undefined, formType: string): Record<string, string> {
  const fields = Object.fromEntries((form?.elements('field') ?? []).map((field) => [field.attribute('var') ?? '', field.childText('value') ?? '']))
  const { FORM_TYPE, ...rest } = fields
  if (form !== undefined) assert.equal(FORM_TYPE, formType)
  return rest
}

/** What the service got since it was last looked at; time passes so that what waits is sent. */
async function published(ms = 1000): Promise<Published[]> {
  await host.advance(ms)
  return (await service.all()).filter((iq) => iq.name === 'iq').map((iq) => {
    assert.equal(iq.attribute('type'), 'set')
    assert.equal(iq.attribute('from'), 'capulet.example')
    const pubsub = iq.child('pubsub', NS_PUBSUB)
    const publish = pubsub?.child('publish')
    const notification = publish?.child('item')?.child('notification', NS)
    assert.ok(notification !== undefined, 'a notification is published')
    return {
      iq, node: publish?.attribute('node'), fields: fieldsOf(notification.child('x', 'jabber:x:data'), 'urn:xmpp:push:summary'),
      options: fieldsOf(pubsub?.child('publish-options')?.child('x', 'jabber:x:data'), `${NS_PUBSUB}#publish-options`),
    }
  })
}

function answer(one: Published | undefined, error?: string): void {
  const to = one?.iq.attribute('from')
  const id = one?.iq.attribute('id')
  const content = error === undefined ? '' : `<error type='cancel'><${error} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`
  service.send(`<iq type='${error === undefined ? 'result' : 'error'}' from='${SERVICE}' to='${to}' id='${id}'>${content}</iq>`)
}

const storedCount = async () => (await host.storage.mapAll('push_registrations', JULIET)).size

describe('XEP-0357 §4: discovery', () => {
  it('the account tells its owner that push is there', async () => {
    const juliet = await host.connect('juliet')
    const reply = await juliet.request(`<iq type='get' id='d' to='${JULIET}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`)
    const features = reply.child('query', 'http://jabber.org/protocol/disco#info')?.elements('feature').map((one) => one.attribute('var'))
    assert.ok(features?.includes(NS))
  })
})

describe('XEP-0357 §5 and §7: enabling and publishing', () => {
  it('a message for a client that is gone is published with a count and nothing else', async () => {
    await enabledAndGone()
    say('m1')
    const [one, ...rest] = await published()
    assert.equal(rest.length, 0)
    assert.equal(one?.node, 'n1')
    assert.deepEqual(one?.fields, { 'message-count': '1' })
    assert.deepEqual(one?.options, {})
  })

  it('publish options go along, those of the last request', async () => {
    const form = (secret: string) => `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>${NS_PUBSUB}#publish-options</value></field>
      <field var='secret'><value>${secret}</value></field></x>`
    const phone = await host.login('juliet', 'phone')
    assert.equal(await enable(phone, 'n1', form('nightingale')), 'result')
    assert.equal(await enable(phone, 'n1', form('lark &amp; day')), 'result')
    await host.disconnect(phone)
    say('m1')
    assert.deepEqual((await published()).map(({ options }) => options), [{ secret: 'lark & day' }])
    assert.equal(await storedCount(), 1)
  })

  it('nodes of one service are told one by one; without a node the service itself', async () => {
    const phone = await host.login('juliet', 'phone')
    await enable(phone, 'n1')
    await enable(phone, 'n2')
    assert.equal(await ask(phone, `<enable xmlns='${NS}' jid='${SERVICE}'/>`), 'result')
    await host.disconnect(phone)
    say('m1')
    assert.deepEqual((await published()).map(({ node }) => node), ['n1', 'n2', undefined])
  })

  it('survives a restart', async () => {
    await enabledAndGone()
    await reopen({}, host.storage)
    say('m1')
    assert.equal((await published()).length, 1)
  })

  it('another form, no address, somebody else’s account: refused', async () => {
    const phone = await host.login('juliet', 'phone')
    const form = `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:example:other</value></field></x>`
    assert.equal(await enable(phone, 'n1', form), 'bad-request')
    assert.equal(await ask(phone, `<enable xmlns='${NS}' node='n1'/>`), 'bad-request')
    const reply = await phone.request(`<iq type='set' id='other' to='nurse@capulet.example'><enable xmlns='${NS}' jid='${SERVICE}'/></iq>`)
    assert.equal(reply.child('error')?.elements()[0]?.name, 'forbidden')
    assert.equal(await storedCount(), 0)
  })

  it('is bounded by number and by bytes', async () => {
    await reopen({ registrationsMax: 1, optionBytesMax: 256 })
    const phone = await host.login('juliet', 'phone')
    assert.equal(await enable(phone, 'n'.repeat(256)), 'not-acceptable')
    assert.equal(await enable(phone, 'n1'), 'result')
    assert.equal(await enable(phone, 'n2'), 'resource-constraint')
    assert.equal(await enable(phone, 'n1'), 'result')
  })

  it('what the operator allows is told: the sender, or the text as well', async () => {
    await reopen({ content: 'sender' })
    await enabledAndGone()
    say('m1')
    assert.deepEqual((await published())[0]?.fields, { 'message-count': '1', 'last-message-sender': ROMEO })
    await reopen({ content: 'message' })
    await enabledAndGone()
    say('m1', `<body>${'♥'.repeat(300)}</body>`)
    const fields = (await published())[0]?.fields
    assert.equal(fields?.['last-message-body'], `${'♥'.repeat(200)}…`)
  })

  it('the stand-in for an encrypted text is not told', async () => {
    await reopen({ content: 'message' })
    await enabledAndGone()
    say('m1', `<body>I sent you something that you cannot read</body><encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>`)
    assert.deepEqual((await published())[0]?.fields, { 'message-count': '1', 'last-message-sender': ROMEO })
  })
})

describe('XEP-0357 §6: disabling', () => {
  for (const [title, node, left] of [['one node', 'n1', ['n2']], ['the whole service', undefined, []]] as const) {
    it(title, async () => {
      const phone = await host.login('juliet', 'phone')
      await enable(phone, 'n1')
      await enable(phone, 'n2')
      assert.equal(await disable(phone, node), 'result')
      await host.disconnect(phone)
      say('m1')
      assert.deepEqual((await published()).map((one) => one.node), left)
      assert.equal(await storedCount(), left.length)
    })
  }

  it('what waited to be told is not told any more', async () => {
    await enabledAndGone()
    say('m1')
    await host.settle()
    assert.equal(await disable(await host.connect('juliet', 'tablet')), 'result')
    assert.deepEqual(await published(60_000), [])
  })

  it('what is not enabled is disabled without an error', async () => {
    assert.equal(await disable(await host.connect('juliet')), 'result')
  })
})

describe('XEP-0357 §7.1: errors', () => {
  it('a service that refuses is given up, in storage too', async () => {
    await enabledAndGone()
    say('m1')
    answer((await published())[0], 'item-not-found')
    await host.settle()
    assert.equal(await storedCount(), 0)
    say('m2')
    assert.deepEqual(await published(3_600_000), [])
    assert.equal(host.log.of('push-given-up').length, 1)
  })

  it('one of two nodes refuses: the other stays', async () => {
    const phone = await host.login('juliet', 'phone')
    await enable(phone, 'n1')
    await enable(phone, 'n2')
    await host.disconnect(phone)
    say('m1')
    const [one, two] = await published()
    answer(one, 'item-not-found')
    answer(two)
    await host.advance(10_000)
    say('m2')
    assert.deepEqual((await published()).map(({ node }) => node), ['n2'])
  })

  it('an error that may pass is tried again, ever more rarely, with what came meanwhile', async () => {
    await enabledAndGone()
    say('m1')
    answer((await published())[0], 'resource-constraint')
    say('m2')
    assert.deepEqual(await published(20_000), [])
    const [second] = await published(11_000)
    assert.deepEqual(second?.fields, { 'message-count': '2' })
    answer(second, 'resource-constraint')
    assert.deepEqual(await published(40_000), [])
    const [third] = await published(21_000)
    assert.deepEqual(third?.fields, { 'message-count': '2' })
    answer(third)
    assert.deepEqual(await published(7_200_000), [])
    assert.equal(await storedCount(), 1)
  })

  it('a service that does not answer, or is not there, is tried again', async () => {
    await enabledAndGone()
    say('m1')
    assert.equal((await published()).length, 1)
    await host.disconnect(service)
    // 30 s until it counts as not answering, then not found, then back.
    await host.advance(62_000)
    service = await host.component(SERVICE)
    assert.equal((await published(120_000)).length, 1)
  })

  it('failures in a row end it', async () => {
    await reopen({ failuresMax: 3 })
    await enabledAndGone()
    say('m1')
    for (const waitMs of [1000, 31_000, 61_000]) {
      const [one] = await published(waitMs)
      assert.ok(one !== undefined)
      answer(one, 'internal-server-error')
    }
    assert.deepEqual(await published(7_200_000), [])
    assert.equal(await storedCount(), 0)
  })

  it('an account that left memory meanwhile loses its registration all the same', async () => {
    await enabledAndGone()
    say('m1')
    const [one] = await published()
    answer(one)
    await host.advance(10_000)
    say('m2')
    const [two] = await published()
    await host.advance(29_000)
    answer(two, 'forbidden')
    await host.settle()
    assert.equal(await storedCount(), 0)
  })
})

describe('XEP-0357 §8: the service ends it', () => {
  const revoke = (node: string, from = SERVICE, jid = JULIET, affiliation = 'none') =>
    `<message from='${from}' to='${JULIET}'><pubsub xmlns='${NS_PUBSUB}' node='${node}'>
      <affiliation jid='${jid}' affiliation='${affiliation}'/></pubsub></message>`

  it('by taking the affiliation away; nobody sees that message', async () => {
    await enabledAndGone()
    const juliet = await host.login('juliet', 'tablet')
    service.send(revoke('n1'))
    await juliet.receivesNothing()
    assert.equal(await storedCount(), 0)
    say('m1')
    assert.deepEqual(await published(), [])
  })

  it('only for its own nodes, this account, and the affiliation none', async () => {
    await enabledAndGone()
    service.send(revoke('n2'))
    service.send(revoke('n1', SERVICE, 'nurse@capulet.example'))
    service.send(revoke('n1', SERVICE, JULIET, 'publish-only'))
    romeo.send(revoke('n1', 'montague.example'))
    await host.settle()
    assert.equal(await storedCount(), 1)
  })
})

describe('which clients are told', () => {
  it('not one that is connected, whatever the other clients are', async () => {
    const phone = await host.login('juliet', 'phone', '<presence><priority>1</priority></presence>')
    await enable(phone)
    await host.login('juliet', 'desk', '<presence><priority>5</priority></presence>')
    say('m1')
    assert.deepEqual(await published(60_000), [])
  })

  it('one that is gone, also while another client gets the message', async () => {
    await enabledAndGone()
    const desk = await host.login('juliet', 'desk')
    say('m1')
    assert.equal((await published()).length, 1)
    assert.equal((await desk.all()).length, 1)
  })

  it('not one that came back before it was told, and the count starts anew', async () => {
    await enabledAndGone()
    say('m1')
    await host.settle()
    const phone = await host.connect('juliet', 'phone')
    assert.deepEqual(await published(60_000), [])
    await host.disconnect(phone)
    say('m2')
    assert.deepEqual((await published())[0]?.fields, { 'message-count': '1' })
  })
})

describe('sessions with stream management (XEP-0198)', () => {
  /** A phone that enabled push and can be resumed by the id. */
  async function managed(): Promise<{ readonly phone: ScriptedEntity; readonly id: string }> {
    const phone = await host.login('juliet', 'phone')
    await enable(phone)
    phone.send(`<enable ${SM} resume='true'/>`)
    const id = (await phone.next()).attribute('id')
    assert.ok(id !== undefined)
    return { phone, id }
  }

  it('a message for a lost session that may be resumed is told', async () => {
    const { phone } = await managed()
    await host.disconnect(phone, 'lost')
    say('m1')
    assert.deepEqual((await published())[0]?.fields, { 'message-count': '1' })
  })

  it('what the client had not acknowledged is told when its connection is lost, and only that', async () => {
    const { phone } = await managed()
    say('m1')
    say('m2')
    say('m3')
    await host.settle()
    phone.send(`<a ${SM} h='1'/>`)
    assert.deepEqual(await published(60_000), [])
    await host.disconnect(phone, 'lost')
    assert.deepEqual((await published())[0]?.fields, { 'message-count': '2' })
  })

  it('is not told again when the session ends and its messages are kept for later', async () => {
    const { phone } = await managed()
    say('m1')
    await host.settle()
    await host.disconnect(phone, 'lost')
    answer((await published())[0])
    assert.deepEqual(await published(3_600_000), [])
    const again = await host.connect('juliet', 'phone')
    again.send('<presence/>')
    assert.deepEqual((await again.all()).filter(({ name }) => name === 'message').map((one) => one.attribute('id')), ['m1'])
  })

  it('a session that cannot be resumed: what it had not acknowledged is told when it ends', async () => {
    const phone = await host.login('juliet', 'phone')
    await enable(phone)
    phone.send(`<enable ${SM}/>`)
    await phone.next()
    say('m1')
    await host.settle()
    await host.disconnect(phone, 'lost')
    assert.deepEqual((await published())[0]?.fields, { 'message-count': '1' })
    assert.deepEqual(await published(60_000), [])
  })

  it('a resumed client is connected: nothing is told, and the count starts anew', async () => {
    const { phone, id } = await managed()
    await host.disconnect(phone, 'lost')
    say('m1')
    await host.settle()
    const again = await host.resume('juliet', { previousId: id, handled: 0 })
    again.send(`<a ${SM} h='1'/>`)
    assert.deepEqual(await published(60_000), [])
    say('m2')
    await host.settle()
    again.send(`<a ${SM} h='2'/>`)
    assert.deepEqual(await published(60_000), [])
    await host.disconnect(again, 'lost')
    assert.deepEqual(await published(), [])
    say('m3')
    assert.deepEqual((await published())[0]?.fields, { 'message-count': '1' })
  })

  it('the other clients’ registrations are told when the message comes, not when a session is lost', async () => {
    await enabledAndGone('other')
    const { phone } = await managed()
    await host.disconnect(phone)
    const tablet = await host.login('juliet', 'tablet')
    await enable(tablet, 'n9')
    tablet.send(`<enable ${SM} resume='true'/>`)
    await tablet.next()
    say('m1')
    const first = await published()
    assert.deepEqual(first.map(({ node }) => node).toSorted((a, b) => (`${a}` < `${b}` ? -1 : 1)), ['n1', 'other'])
    first.forEach((one) => answer(one))
    await host.disconnect(tablet, 'lost')
    assert.deepEqual((await published()).map(({ node }) => node), ['n9'])
  })
})

describe('coalescing', () => {
  it('what comes within a short time is told once, with its count', async () => {
    await enabledAndGone()
    for (const id of ['m1', 'm2', 'm3']) say(id)
    assert.deepEqual((await published(999)).length, 0)
    assert.deepEqual((await published(1)).map(({ fields }) => fields), [{ 'message-count': '3' }])
  })

  it('after a notification there is a pause; what comes in it is told at its end', async () => {
    await enabledAndGone()
    say('m1')
    answer((await published())[0])
    say('m2')
    say('m3')
    assert.deepEqual(await published(9_000), [])
    assert.deepEqual((await published(1_000))[0]?.fields, { 'message-count': '3' })
  })

  it('while a notification is under way nothing else is sent; what came meanwhile follows', async () => {
    await enabledAndGone()
    say('m1')
    const [one] = await published()
    say('m2')
    assert.deepEqual(await published(20_000), [])
    answer(one)
    assert.deepEqual((await published(10_000))[0]?.fields, { 'message-count': '2' })
  })

  it('a call waits for neither', async () => {
    await enabledAndGone()
    say('m1')
    answer((await published())[0])
    say('c1', `<propose xmlns='urn:xmpp:jingle-message:0' id='c'/><store xmlns='urn:xmpp:hints'/>`)
    assert.deepEqual((await published(0))[0]?.fields, { 'message-count': '2' })
  })
})

describe('what is worth telling', () => {
  for (const [title, content, type, isTold] of [
    ['a body', '<body>O</body>', 'chat', true],
    ['an encrypted message without body', `<encrypted xmlns='eu.siacs.conversations.axolotl'/>`, 'chat', true],
    ['an invitation', `<x xmlns='jabber:x:conference' jid='ball@verona.example'/>`, 'normal', true],
    ['a chat state', `<composing xmlns='http://jabber.org/protocol/chatstates'/>`, 'chat', false],
    ['a marker, although it asks to be stored', `<displayed xmlns='urn:xmpp:chat-markers:0' id='m'/><store xmlns='urn:xmpp:hints'/>`, 'chat', false],
    ['a receipt', `<received xmlns='urn:xmpp:receipts' id='m'/>`, 'chat', false],
    ['a correction', `<body>O!</body><replace xmlns='urn:xmpp:message-correct:0' id='m'/>`, 'chat', false],
    ['a headline', '<body>O</body>', 'headline', false],
    ['XEP-0334 §4.2 no-store', `<body>O</body><no-store xmlns='urn:xmpp:hints'/>`, 'chat', false],
    ['XEP-0334 §4.1 no-permanent-store', `<body>O</body><no-permanent-store xmlns='urn:xmpp:hints'/>`, 'chat', true],
  ] as const) {
    it(`${title}: ${isTold ? 'told' : 'not told'}`, async () => {
      await enabledAndGone()
      say('m', content, `to='${JULIET}' type='${type}'`)
      assert.equal((await published(60_000)).length > 0, isTold)
    })
  }

  it('no-store is not told of a lost session that gets it into its queue either', async () => {
    const phone = await host.login('juliet', 'phone')
    await enable(phone)
    phone.send(`<enable ${SM} resume='true'/>`)
    await host.settle()
    await host.disconnect(phone, 'lost')
    say('m', `<body>O</body><no-store xmlns='urn:xmpp:hints'/>`)
    assert.deepEqual(await published(60_000), [])
  })

  it('what the account itself sent from elsewhere is not told', async () => {
    await enabledAndGone()
    const desk = await host.login('juliet', 'desk')
    desk.send(`<message to='${JULIET}' type='chat' id='note'><body>buy poison</body></message>`)
    assert.deepEqual(await published(60_000), [])
  })

  it('messages of blocked addresses are not told (XEP-0191)', async () => {
    await enabledAndGone()
    const desk = await host.connect('juliet', 'desk')
    await ask(desk, `<block xmlns='urn:xmpp:blocking'><item jid='romeo@montague.example'/></block>`)
    say('m1')
    assert.deepEqual(await published(60_000), [])
  })

  it('a request to see the presence is told, contacts counted once', async () => {
    await enabledAndGone()
    romeo.send(`<presence from='romeo@montague.example' to='${JULIET}' type='subscribe'/>`)
    romeo.send(`<presence from='romeo@montague.example' to='${JULIET}' type='subscribe'/>`)
    romeo.send(`<presence from='benvolio@montague.example' to='${JULIET}' type='subscribe'/>`)
    assert.deepEqual((await published()).map(({ fields }) => fields), [{ 'pending-subscription-count': '2' }])
  })
})

describe('removal of the account', () => {
  it('nothing is told of it any more, and nothing is kept', async () => {
    await enabledAndGone()
    say('m1')
    await host.settle()
    await host.core.admin.remove((await host.connect('juliet', 'desk')).jid.bare)
    assert.deepEqual(await published(60_000), [])
    assert.equal(await storedCount(), 0)
  })
})
