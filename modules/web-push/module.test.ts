/** Web Push from the message to the browser: XMPP on one side, a push service on loopback on the other. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { defineModule } from '@rollcall/module-api'
import type { AnyModule } from '@rollcall/module-api'
import { WebPushSender } from '@rollcall/ports'
import type { StorageBackend } from '@rollcall/ports'
import { FakeClock, SeededRandom } from '@rollcall/testing'
import type { XmlElement } from '@rollcall/xml'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import { createWebPushSender } from '../../backends/web-push/index.ts'
import { makeBrowser, readVapid, startPushEndpoint } from '../../backends/web-push/testing/browser.ts'
import type { PushEndpoint } from '../../backends/web-push/testing/browser.ts'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import archive from '../archive/module.ts'
import disco from '../disco/module.ts'
import presence from '../presence/module.ts'
import push from '../push/module.ts'
import roster from '../roster/module.ts'
import webPush from './module.ts'

const JULIET = 'juliet@capulet.example'
const ROMEO = 'romeo@montague.example/orchard'
const NS = 'urn:rollcall:web-push:0'
const NS_PUBSUB = 'http://jabber.org/protocol/pubsub'

const browser = makeBrowser()
let host: TestHost
let romeo: ScriptedEntity
let endpoint: PushEndpoint

const sender = defineModule({
  name: 'web-push-sender',
  summary: 'As in the composition of the server.',
  implements: [],
  provides: [WebPushSender],
  setup: ({ provide }) => provide(WebPushSender, createWebPushSender({ clock: new FakeClock(), random: new SeededRandom(7) })),
})

type Options = Readonly<Record<string, Record<string, unknown>>>

async function open(options: Options = {}, storage: StorageBackend = new MemoryStorage(), extra: AnyModule[] = [sender]): Promise<void> {
  const modules: AnyModule[] = [roster, presence, disco, archive, push, webPush, ...extra]
  const web = { mayReachPrivateNetworks: true, ...options['web-push'] }
  const contacts = { admin: ['mailto:nurse@capulet.example'] }
  host = await TestHost.start({ accounts: ['juliet', 'nurse'], modules, options: { ...options, 'web-push': web }, storage, contacts })
  romeo = await host.component('montague.example')
}
beforeEach(async () => {
  endpoint = await startPushEndpoint()
  await open()
})
afterEach(async () => {
  await host.stop()
  await endpoint.close()
})

async function reopen(...args: Parameters<typeof open>): Promise<void> {
  await host.stop()
  await open(...args)
}

let requests = 0
const ask = (client: ScriptedEntity, type: 'get' | 'set', payload: string) => client.request(`<iq type='${type}' id='q${++requests}'>${payload}</iq>`)
const conditionOf = (reply: XmlElement) => reply.child('error')?.elements()[0]?.name

interface Given { readonly jid: string; readonly node: string; readonly secret: string }

async function subscribe(client: ScriptedEntity, url = `${endpoint.origin}/juliet`): Promise<Given | string | undefined> {
  const p256dh = browser.keys.p256dh.toString('base64url')
  const auth = browser.keys.auth.toString('base64url')
  const reply = await ask(client, 'set', `<subscribe xmlns='${NS}' endpoint='${url}' p256dh='${p256dh}' auth='${auth}'/>`)
  const given = reply.child('subscribed', NS)
  if (given === undefined) return conditionOf(reply)
  return { jid: given.attribute('jid') ?? '', node: given.attribute('node') ?? '', secret: given.attribute('secret') ?? '' }
}

/** What the page does, and then its tab is closed. */
async function registeredAndClosed(url?: string): Promise<Given> {
  const tab = await host.login('juliet', 'tab')
  const given = await subscribe(tab, url)
  assert.ok(typeof given === 'object')
  const form = `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>${NS_PUBSUB}#publish-options</value></field>
    <field var='secret'><value>${given.secret}</value></field></x>`
  const reply = await ask(tab, 'set', `<enable xmlns='urn:xmpp:push:0' jid='${given.jid}' node='${given.node}'>${form}</enable>`)
  assert.equal(reply.attribute('type'), 'result')
  await host.disconnect(tab)
  return given
}

function say(id: string): void {
  romeo.send(`<message from='${ROMEO}' to='${JULIET}' type='chat' id='${id}'><body>${id}</body></message>`)
}

/** Lets what waits be sent, and the answer of the push service come back. */
async function pushed(count: number, ms = 1000): Promise<void> {
  await host.advance(ms)
  await endpoint.received(count)
  for (let turn = 0; turn < 20; turn++) await host.settle()
}

const lastPayload = async () => JSON.parse((await browser.decrypt(endpoint.pushed.at(-1)?.body ?? Buffer.of())).toString()) as unknown
const stored = async () => (await host.storage.mapAll('web_push_subscriptions', JULIET)).size
const enabled = async () => (await host.storage.mapAll('push_registrations', JULIET)).size

describe('from the message to the browser', () => {
  it('RFC 8291: only the browser can read it; RFC 8292: signed with the key that the page was given', async () => {
    await registeredAndClosed()
    say('m1')
    say('m2')
    await pushed(1)
    assert.deepEqual(await lastPayload(), { account: JULIET, messages: 2, requests: 0 })
    const [one] = endpoint.pushed
    assert.equal(one?.path, '/juliet')
    const { claims, key } = await readVapid(one?.headers.authorization)
    const tab = await host.connect('juliet', 'tab')
    const given = (await ask(tab, 'get', `<key xmlns='${NS}'/>`)).child('key', NS)?.text()
    assert.equal(key, given)
    assert.equal(claims['aud'], endpoint.origin)
    assert.equal(claims['sub'], 'mailto:nurse@capulet.example')
  })

  it('tells sender and text where the operator allows it', async () => {
    await reopen({ push: { content: 'message' } })
    await registeredAndClosed()
    say('m1')
    await pushed(1)
    assert.deepEqual(await lastPayload(), { account: JULIET, messages: 1, requests: 0, sender: ROMEO, text: 'm1' })
  })

  it('nothing is sent while the tab is open', async () => {
    await registeredAndClosed()
    await host.login('juliet', 'tab')
    say('m1')
    await host.advance(60_000)
    assert.equal(endpoint.pushed.length, 0)
  })

  it('keys and subscriptions survive a restart', async () => {
    await registeredAndClosed()
    const before = (await ask(await host.connect('juliet', 'desk'), 'get', `<key xmlns='${NS}'/>`)).child('key', NS)?.text()
    await reopen({}, host.storage)
    say('m1')
    await pushed(1)
    assert.equal((await readVapid(endpoint.pushed[0]?.headers.authorization)).key, before)
  })
})

describe('what push services answer (RFC 8030 §7, RFC 8292 §4.2)', () => {
  for (const status of [404, 410, 403]) {
    it(`${status}: the subscription ends, here and in XEP-0357`, async () => {
      await registeredAndClosed()
      endpoint.status = status
      say('m1')
      await pushed(1)
      assert.equal(await stored(), 0)
      assert.equal(await enabled(), 0)
    })
  }

  for (const status of [429, 503]) {
    it(`${status}: it is left alone for as long as it says, then told`, async () => {
      await registeredAndClosed()
      endpoint.status = status
      endpoint.headers = { 'Retry-After': '100' }
      say('m1')
      await pushed(1)
      endpoint.status = 201
      // The publisher tries after 30 s and 60 s more; both are before the time.
      await host.advance(30_000)
      await host.advance(60_000)
      assert.equal(endpoint.pushed.length, 1)
      await pushed(2, 120_000)
      assert.equal(await stored(), 1)
      assert.equal(await enabled(), 1)
    })
  }

  it('one that cannot be reached is tried again', async () => {
    const port = new URL(endpoint.origin).port
    await endpoint.close()
    await registeredAndClosed(`http://127.0.0.1:${port}/juliet`)
    say('m1')
    await host.advance(1000)
    for (let turn = 0; turn < 1000 && host.log.of('web-push-failed').length === 0; turn++) await host.settle()
    assert.equal(host.log.of('web-push-failed').length, 1)
    assert.equal(await enabled(), 1)
  })
})

describe('subscriptions', () => {
  it('the same browser gets the same node again', async () => {
    const tab = await host.connect('juliet', 'tab')
    assert.deepEqual(await subscribe(tab), await subscribe(tab))
    assert.equal(await stored(), 1)
  })

  it('beyond the limit the oldest makes room', async () => {
    await reopen({ 'web-push': { subscriptionsMax: 2 } })
    const tab = await host.connect('juliet', 'tab')
    for (const path of ['a', 'b', 'c']) {
      await subscribe(tab, `${endpoint.origin}/${path}`)
      await host.advance(1000)
    }
    const rows = [...(await host.storage.mapAll('web_push_subscriptions', JULIET)).values()] as { readonly endpoint: string }[]
    assert.deepEqual(rows.map((row) => new URL(row.endpoint).pathname).toSorted((a, b) => (a < b ? -1 : 1)), ['/b', '/c'])
  })

  it('ends when the page says so; nobody ends that of another', async () => {
    const given = await registeredAndClosed()
    const nurse = await host.connect('nurse')
    await ask(nurse, 'set', `<unsubscribe xmlns='${NS}' node='${given.node}'/>`)
    assert.equal(await stored(), 1)
    await ask(await host.connect('juliet', 'desk'), 'set', `<unsubscribe xmlns='${NS}' node='${given.node}'/>`)
    assert.equal(await stored(), 0)
    say('m1')
    await host.advance(1000)
    assert.equal(endpoint.pushed.length, 0)
    assert.equal(await enabled(), 0)
  })

  it('endpoints in private networks, without TLS, or of services that are not allowed are refused', async () => {
    await reopen({ 'web-push': { mayReachPrivateNetworks: false, services: ['push.verona.example'] } })
    const tab = await host.connect('juliet', 'tab')
    for (const url of [endpoint.origin, 'https://10.0.0.1/', 'http://push.verona.example/', 'https://verona.example/', 'nothing']) {
      assert.equal(await subscribe(tab, url), 'not-acceptable', url)
    }
    assert.equal(typeof await subscribe(tab, 'https://eu.push.verona.example/1'), 'object')
  })
})

describe('XEP-0357 §3: the host as push service', () => {
  const publish = (node: string, secret: string, payload = `<notification xmlns='urn:xmpp:push:0'/>`) =>
    `<pubsub xmlns='${NS_PUBSUB}'><publish node='${node}'><item>${payload}</item></publish><publish-options>
      <x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>${NS_PUBSUB}#publish-options</value></field>
      <field var='secret'><value>${secret}</value></field></x></publish-options></pubsub>`

  it('§3.2: only servers publish, whoever knows node and secret', async () => {
    const { node, secret } = await registeredAndClosed()
    const desk = await host.connect('juliet', 'desk')
    const reply = await desk.request(`<iq type='set' id='p' to='capulet.example'>${publish(node, secret)}</iq>`)
    assert.equal(conditionOf(reply), 'forbidden')
    romeo.send(`<iq type='set' id='p' from='montague.example' to='capulet.example'>${publish(node, secret)}</iq>`)
    assert.equal(conditionOf(await romeo.next()), 'forbidden')
    assert.equal(endpoint.pushed.length, 0)
  })

  it('§5: a registration without the secret is given up', async () => {
    const tab = await host.login('juliet', 'tab')
    const given = await subscribe(tab)
    assert.ok(typeof given === 'object')
    await ask(tab, 'set', `<enable xmlns='urn:xmpp:push:0' jid='${given.jid}' node='${given.node}'/>`)
    await host.disconnect(tab)
    say('m1')
    await host.advance(1000)
    assert.equal(await enabled(), 0)
    assert.equal(endpoint.pushed.length, 0)
  })

  it('§4.2: says that it is one', async () => {
    const desk = await host.connect('juliet', 'desk')
    const reply = await desk.request(`<iq type='get' id='d' to='capulet.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`)
    const identities = reply.child('query', 'http://jabber.org/protocol/disco#info')?.elements('identity')
    assert.ok(identities?.some((one) => one.attribute('category') === 'pubsub' && one.attribute('type') === 'push'))
  })

  it('without a way out nothing is offered', async () => {
    await reopen({}, new MemoryStorage(), [])
    assert.equal(conditionOf(await ask(await host.connect('juliet'), 'get', `<key xmlns='${NS}'/>`)), 'service-unavailable')
  })
})
