// Starts Converse.js against the server that served this page. While the demo is on, `chat.json` names accounts, and
// `?as=romeo` logs in as one of them, so that two windows are two people.

/** Where the page stands, which may be below a path of a reverse proxy. */
const base = new URL('.', location.href)

async function readSettings() {
  const response = await fetch(new URL('chat.json', base))
  if (!response.ok) throw new Error(`chat.json: ${response.status}`)
  return response.json()
}

function showDemo(demo, current) {
  document.getElementById('demo').hidden = false
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

const settings = await readSettings()
const wanted = new URLSearchParams(location.search).get('as')
const account = settings.demo?.accounts.find(({ localpart }) => localpart === wanted)
if (settings.demo) showDemo(settings.demo, account)

const socket = new URL(settings.websocketPath, location.origin)
socket.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'

const login = account
  ? { jid: `${account.localpart}@${settings.host}`, password: account.password, auto_login: true, nickname: account.localpart }
  : {}

window.converse.initialize({
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
  // Each window is its own client: the demo has two people in one browser.
  keepalive: !account,
  persistent_store: account ? 'sessionStorage' : 'localStorage',
  loglevel: 'warn',
  ...login,
})
