// Starts Converse.js against the server that served this page. While the demo is on, `chat.json` names accounts, and
// `?as=romeo` logs in as one of them, so that two windows are two people.

import converse from './converse/converse.min.js'
import { addPush } from './push.js'

/** Where the page stands, which may be below a path of a reverse proxy. */
const base = new URL('.', location.href)

async function readSettings() {
  const response = await fetch(new URL('chat.json', base))
  if (!response.ok) throw new Error(`chat.json: ${response.status}`)
  return response.json()
}

function showDemo(demo, current) {
  const bar = document.getElementById('demo')
  bar.hidden = false
  // The bar takes as many lines as the window is narrow; the rest is the chat's (chat.css).
  new ResizeObserver(() => {
    document.documentElement.style.setProperty('--demo-height', `${bar.offsetHeight}px`)
  }).observe(bar)
  document.getElementById('demo-text').textContent = 'Open two windows, one for each account:'
  const nav = document.getElementById('demo-accounts')
  for (const { localpart } of demo.accounts) {
    const link = document.createElement('a')
    link.href = `?as=${encodeURIComponent(localpart)}`
    link.target = `rollcall-${localpart}`
    link.textContent = localpart
    if (localpart === current?.localpart) link.setAttribute('aria-current', 'true')
    nav.append(link)
  }
  const off = document.getElementById('demo-off')
  off.append('Passwords are public. To turn the demo off: set ')
  const code = document.createElement('code')
  code.textContent = demo.howToTurnOff
  off.append(code, ' in the config file.')
}

/** In place of Converse.js's own footer, which loads pictures of its sponsors from their sites. */
class Footer extends HTMLElement {
  connectedCallback() {
    const link = document.createElement('a')
    link.href = 'https://conversejs.org'
    link.target = '_blank'
    link.rel = 'noopener noreferrer'
    link.textContent = 'Converse.js'
    this.replaceChildren('This page is ', link, ', an open source XMPP client.')
  }
}
customElements.define('converse-footer', Footer)

const settings = await readSettings()
const wanted = new URLSearchParams(location.search).get('as')
const account = settings.demo?.accounts.find(({ localpart }) => localpart === wanted)
if (settings.demo) showDemo(settings.demo, account)

const socket = new URL(settings.websocketPath, location.origin)
socket.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'

const login = account
  ? { jid: `${account.localpart}@${settings.host}`, password: account.password, auto_login: true, nickname: account.localpart }
  : {}

/** Converse.js asks once, and without the list its chats fail to be drawn (14.0): but the server may be away for a moment. */
async function emojisSoonerOrLater() {
  for (let waitMs = 250; ; waitMs = Math.min(30_000, 2 * waitMs)) {
    await new Promise((resolve) => setTimeout(resolve, waitMs))
    const response = await fetch(new URL('converse/emoji.json', base)).catch(() => undefined)
    if (response?.ok) return response.json()
  }
}

// A demo account's window that is closed says goodbye, so that the other window sees it go at once; by itself Converse.js
// leaves it to the server to find out, which waits for a client that may come back (XEP-0198). Others may come back.
converse.plugins.add('rollcall', {
  initialize() {
    const { api } = this['_converse']
    if (account) addEventListener('pagehide', () => api.connection.disconnect())
    api.listen.on('loadEmojis', (_, emojis) => (Object.keys(emojis).length > 0 ? emojis : emojisSoonerOrLater()))
  },
})

addPush(converse, base)

await converse.initialize({
  whitelisted_plugins: ['rollcall', 'rollcall-push'],
  view_mode: 'fullscreen',
  authentication: 'login',
  assets_path: new URL('converse/', base).pathname,
  websocket_url: socket.href,
  discover_connection_methods: false,
  default_domain: settings.host,
  domain_placeholder: settings.host,
  allow_registration: settings.isRegistrationOpen,
  allow_url_history_change: false,
  reuse_scram_keys: false,
  show_self_in_roster: false,
  // End-to-end encryption is WebAssembly, which our Content-Security-Policy forbids and Converse.js looks for at the wrong path.
  // Reactions fail while the list of emojis is still loading (Converse.js 14.0).
  blacklisted_plugins: ['converse-omemo', 'converse-omemo-views', 'converse-reactions', 'converse-reaction-views'],
  // Each window is its own client: the demo has two people in one browser.
  keepalive: !account,
  persistent_store: account ? 'sessionStorage' : 'localStorage',
  loglevel: 'warn',
  ...login,
})
