// Notifications while the page is closed: a switch in the corner of the page. The browser subscribes with the key of the
// server, the server gives out a node for it (urn:rollcall:web-push:0), and XEP-0357 does the rest.
//
// Browsers ask for permission only when somebody clicks, so nothing happens by itself but the renewal at each login.

const NS_WEB_PUSH = 'urn:rollcall:web-push:0'
const NS_PUSH = 'urn:xmpp:push:0'
const FORM_OPTIONS = 'http://jabber.org/protocol/pubsub#publish-options'
const IQ_TIMEOUT_MS = 15_000

/** Whether this browser, on this page, can be told anything at all: Web Push needs HTTPS or localhost. */
export const isPushPossible = 'serviceWorker' in navigator && 'PushManager' in window && 'Notification' in window

/** Adds the plugin to Converse.js; its name has to be on the list of plugins that may run. */
export function addPush(converse, base) {
  converse.plugins.add('rollcall-push', {
    initialize() {
      const { api } = this['_converse']
      const switcher = new Switch(new Registration(api, converse.env.Strophe, base))
      api.listen.on('connected', () => void switcher.connected())
      api.listen.on('reconnected', () => void switcher.connected())
      // Whoever logs out here leaves: the next person at this computer is not told of their messages.
      api.listen.on('beforeLogout', () => switcher.leave())
      api.listen.on('disconnected', () => switcher.hide())
    },
  })
}

/** What the browser, the server and XEP-0357 have to agree on. */
class Registration {
  constructor(api, strophe, base) {
    this.api = api
    this.strophe = strophe
    this.base = base
  }

  /** Remembered per account, because several people may use one browser. */
  get storageKey() {
    return `rollcall-push:${this.strophe.getBareJidFromJid(this.api.connection.get().jid)}`
  }

  get node() {
    return localStorage.getItem(this.storageKey) ?? undefined
  }

  /** The server's key, or undefined when it tells no browsers. */
  async key() {
    try {
      const reply = await this.ask('get', element('key', NS_WEB_PUSH))
      return reply.querySelector('key')?.textContent || undefined
    } catch {
      return undefined
    }
  }

  async enable(key) {
    const worker = await navigator.serviceWorker.register(new URL('push-worker.js', this.base), { scope: this.base.pathname })
    const subscription = await subscribed(await ready(worker), key)
    const { endpoint, keys } = subscription.toJSON()
    const reply = await this.ask('set', element('subscribe', NS_WEB_PUSH, { endpoint, p256dh: keys.p256dh, auth: keys.auth }))
    const given = reply.querySelector('subscribed')
    const [jid, node, secret] = ['jid', 'node', 'secret'].map((name) => given.getAttribute(name))
    await this.ask('set', element('enable', NS_PUSH, { jid, node }, [optionsForm(secret)]))
    localStorage.setItem(this.storageKey, node)
  }

  async disable() {
    const { node } = this
    localStorage.removeItem(this.storageKey)
    if (node === undefined) return
    const jid = this.strophe.getDomainFromJid(this.api.connection.get().jid)
    await this.ask('set', element('disable', NS_PUSH, { jid, node }))
    // The browser's own subscription stays: other accounts may use it.
    await this.ask('set', element('unsubscribe', NS_WEB_PUSH, { node }))
  }

  ask(type, payload) {
    const iq = element('iq', 'jabber:client', { type, id: crypto.randomUUID() }, [payload])
    return this.api.sendIQ(iq, IQ_TIMEOUT_MS)
  }
}

/** The button that people see. */
class Switch {
  constructor(registration) {
    this.registration = registration
    this.button = document.getElementById('push')
    this.button.addEventListener('click', () => void this.toggle())
  }

  async connected() {
    this.key = isPushPossible ? await this.registration.key() : undefined
    if (this.key === undefined || Notification.permission === 'denied') return this.hide()
    this.button.hidden = false
    // Endpoints change now and then, and the server may have forgotten this one.
    if (this.registration.node !== undefined && Notification.permission === 'granted') await this.attempt(() => this.registration.enable(this.key))
    this.show()
  }

  async toggle() {
    this.button.disabled = true
    await this.attempt(async () => {
      if (this.registration.node !== undefined) await this.registration.disable()
      else if (await Notification.requestPermission() === 'granted') await this.registration.enable(this.key)
    })
    this.button.disabled = false
    this.show()
  }

  async leave() {
    await this.attempt(() => this.registration.disable())
    this.hide()
  }

  hide() {
    this.button.hidden = true
  }

  show() {
    const isOn = this.registration.node !== undefined
    this.button.setAttribute('aria-pressed', String(isOn))
    this.button.textContent = isOn ? 'Notifications are on' : 'Notify me when this page is closed'
  }

  async attempt(step) {
    try {
      await step()
    } catch (error) {
      console.warn('Notifications:', error instanceof Error ? error.message : error)
    }
  }
}

async function subscribed(worker, key) {
  const options = { userVisibleOnly: true, applicationServerKey: bytesOf(key) }
  const known = await worker.pushManager.getSubscription()
  if (known === null || isSame(known.options.applicationServerKey, options.applicationServerKey)) return worker.pushManager.subscribe(options)
  // The server has other keys than it had: what was subscribed with the old ones is worth nothing.
  await known.unsubscribe()
  return worker.pushManager.subscribe(options)
}

/** A registration whose worker runs: only then a browser subscribes. */
async function ready(registration) {
  const worker = registration.installing ?? registration.waiting
  if (registration.active === null && worker !== null) {
    await new Promise((resolve) => {
      worker.addEventListener('statechange', () => { if (worker.state === 'activated') resolve() })
      if (worker.state === 'activated') resolve()
    })
  }
  return registration
}

function optionsForm(secret) {
  const field = (name, value) => element('field', 'jabber:x:data', { var: name }, [element('value', 'jabber:x:data', {}, [value])])
  return element('x', 'jabber:x:data', { type: 'submit' }, [field('FORM_TYPE', FORM_OPTIONS), field('secret', secret)])
}

const xml = document.implementation.createDocument(null, null)

function element(name, ns, attributes = {}, children = []) {
  const made = xml.createElementNS(ns, name)
  // Converse.js writes out what stands in attributes, namespaces too.
  made.setAttribute('xmlns', ns)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children)
  return made
}

function bytesOf(text) {
  const base64 = text.replaceAll('-', '+').replaceAll('_', '/')
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
}

function isSame(buffer, bytes) {
  const known = new Uint8Array(buffer ?? 0)
  return known.length === bytes.length && known.every((byte, at) => byte === bytes[at])
}
