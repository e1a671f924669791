/**
 * Web Push on the page that the server serves. Chromium's own push service is on the Internet, so its subscription is
 * replaced by one of ours; worker, notifications, page, server and encryption are the real ones.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { makeBrowser, startPushEndpoint } from '../../backends/web-push/testing/browser.ts'
import type { PushEndpoint } from '../../backends/web-push/testing/browser.ts'
import { useServer } from '../harness.ts'
import { useChromium } from './chromium.ts'
import type { Window } from './chromium.ts'
import { personIn } from './converse-window.ts'

interface FakeSubscription { readonly endpoint: string; readonly p256dh: string; readonly auth: string }

/** Runs in the page, before anything else. */
function fakeSubscriptions({ endpoint, p256dh, auth }: FakeSubscription): void {
  const subscription = { endpoint, toJSON: () => ({ endpoint, keys: { p256dh, auth } }) }
  Object.assign(globalThis, { rollcallKeys: [] as number[] })
  const manager = (globalThis as unknown as { PushManager: { prototype: object } }).PushManager.prototype
  Object.assign(manager, {
    getSubscription: () => Promise.resolve(null),
    subscribe: ({ applicationServerKey }: { applicationServerKey: Uint8Array }) => {
      Object.assign(globalThis, { rollcallKeys: [...applicationServerKey] })
      return Promise.resolve(subscription)
    },
  })
}

describe('Web Push in Chromium', () => {
  const server = useServer({
    host: 'localhost',
    settings: { hosts: [], demo: 'on', modules: { 'web-push': { mayReachPrivateNetworks: true }, 'push': { content: 'message' } } },
  })
  const chromium = useChromium()
  const browser = makeBrowser()
  const origin = () => `http://127.0.0.1:${server.ports.http}`
  let endpoint: PushEndpoint
  let juliet: Window
  let romeo: Window
  before(async () => { endpoint = await startPushEndpoint() })
  after(() => endpoint.close())

  async function enter(localpart: string): Promise<Window> {
    const window = await chromium.open(origin())
    const { p256dh, auth } = browser.keys
    await window.page.context().grantPermissions(['notifications'], { origin: origin() })
    await window.page.addInitScript(fakeSubscriptions, {
      endpoint: `${endpoint.origin}/${localpart}`, p256dh: p256dh.toString('base64url'), auth: auth.toString('base64url'),
    })
    await window.page.goto(`${origin()}/?as=${localpart}`)
    return window
  }

  it('a click turns it on, with the key of the server', async () => {
    romeo = await enter('romeo')
    juliet = await enter('juliet')
    await juliet.page.locator('#push[aria-pressed=false]').click()
    await juliet.page.locator('#push[aria-pressed=true]').waitFor()
    const key = await juliet.page.evaluate(() => (globalThis as unknown as { rollcallKeys: number[] }).rollcallKeys)
    assert.equal(key.length, 65)
    assert.equal(key[0], 4)
  })

  it('a message is pushed once the page is closed, and the worker shows it', async () => {
    const cdp = await juliet.page.context().newCDPSession(juliet.page)
    const registered = Promise.withResolvers<string>()
    cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      if (registrations[0] !== undefined) registered.resolve(registrations[0].registrationId)
    })
    await cdp.send('ServiceWorker.enable')
    const registrationId = await registered.promise
    // Another page of the same origin keeps the worker within reach; the chat's session ends.
    await juliet.page.goto(`${origin()}/chat.json`)
    const writer = personIn(romeo)
    await writer.seesContact('juliet@localhost', 'offline')
    await writer.openChat('juliet@localhost')
    await writer.say('But soft, what light?')
    await endpoint.received(1)
    const payload = (await browser.decrypt(endpoint.pushed[0]?.body ?? Buffer.of())).toString()
    assert.equal((JSON.parse(payload) as { text: string }).text, 'But soft, what light?')
    await cdp.send('ServiceWorker.deliverPushMessage', { origin: origin(), registrationId, data: payload })
    const shown = await juliet.page.waitForFunction(`(async () => {
      const [worker] = await navigator.serviceWorker.getRegistrations()
      const [notification] = await worker.getNotifications()
      return notification && notification.title + ' | ' + notification.body
    })()`)
    assert.equal(await shown.jsonValue(), 'romeo@localhost: 1 new message | But soft, what light?')
  })

  it('a click turns it off again, and no error went uncaught', async () => {
    await juliet.page.goto(`${origin()}/?as=juliet`)
    await juliet.page.locator('#push[aria-pressed=true]').click()
    await juliet.page.locator('#push[aria-pressed=false]').waitFor()
    assert.deepEqual([juliet.faults, romeo.faults, juliet.foreign], [[], [], []])
    await juliet.page.goto(`${origin()}/chat.json`)
    const writer = personIn(romeo)
    await writer.seesContact('juliet@localhost', 'offline')
    const count = endpoint.pushed.length
    await writer.say('It is my lady')
    // Longer than further messages are waited for, and than the pause after the last notification.
    await romeo.page.waitForTimeout(3000)
    assert.equal(endpoint.pushed.length, count)
  })
})
