/** The config file's schema: every section and setting with its default, bounds and one sentence. */
import { prepareDomainpart, tryParseJid } from '@rollcall/jid'
import type { AnyModule } from '@rollcall/module-api'
import { optionFault } from '../core/module-loader.ts'
import { defaultAuthConfig } from '../core/auth/config.ts'
import { defaultStreamManagement } from '../core/config.ts'
import { defaultEdgeConfig } from '../edge/config.ts'
import { field, number, optionField, section } from './field.ts'
import type { AnySection, Infer, ListField, SectionField, TableField } from './field.ts'
import { accountLockout, addressLockout, boshFields, limits, loginClients, overload, streamManagementFields, timeouts } from './limit-fields.ts'

const LISTENERS_MAX = 64
const HOSTS_MAX = 10_000
const ITERATIONS_MIN = 4096
const ITERATIONS_MAX = 10_000_000

export const mechanisms = ['SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'PLAIN', 'EXTERNAL'] as const
export const listenerKinds = ['client', 'client-tls', 'component', 'http', 'https'] as const
/** Kinds of contact addresses (XEP-0157). */
const contactKinds = ['abuse', 'admin', 'feedback', 'sales', 'security', 'status', 'support'] as const

const { tls, http } = defaultEdgeConfig

/** What is wrong with a domain, or undefined. */
function domainFault(domain: string): string | undefined {
  try {
    prepareDomainpart(domain)
    return undefined
  } catch {
    return `'${domain}' is not a domain: write a name such as chat.example`
  }
}

function accountFault(text: string): string | undefined {
  const jid = tryParseJid(text)
  const isAccount = jid !== undefined && jid.localpart !== '' && !jid.isFull
  return isAccount ? undefined : `'${text}' is not an account: write localpart@host`
}

function uriFault(text: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:\S+$/i.test(text)) return undefined
  return `'${text}' is not a URI: write mailto:name@chat.example, xmpp:name@chat.example or https://…`
}

function pathFault(path: string): string | undefined {
  return /^\/[\w./~-]*$/.test(path) ? undefined : 'must be a path that begins with /'
}

function addressFault(address: string): string | undefined {
  return /^[\w.:%-]+$/.test(address) ? undefined : `'${address}' is not an address to listen on: write '::', 127.0.0.1 or a host name`
}

/** Of a server that clients reach (XEP-0198 §3): `host:port`, the port where it is not 5222. */
function locationFault(location: string): string | undefined {
  if (location === '' || /^(?:\[[\da-f:.]+\]|[^\s:[\]/@]+)(?::\d{1,5})?$/i.test(location)) return undefined
  return `'${location}' is not a place to connect to: write xmpp.chat.example:5222 or [2001:db8::1]:5222`
}

const port = (fallback: number | undefined, description: string) => field.integer(fallback, 0, 65_535, description)

const host = section('A domain served here.', {
  domain: field.text(undefined, 'The domain, as in the addresses of its accounts.', { check: domainFault }),
  certificate: field.path('', 'PEM file with the certificate, then intermediates; without one the server makes a self-signed certificate.'),
  key: field.path('', 'PEM file with the private key.'),
  passphrase: field.text('', 'Of the private key, if it has one.'),
  anonymous: field.boolean(false, 'Anybody may log in with a throw-away account (SASL ANONYMOUS).'),
})
export type HostSettings = Infer<typeof host>

const listener = section('A port to listen on.', {
  kind: field.choice(undefined, listenerKinds, 'What is spoken: TCP with STARTTLS, with direct TLS, components (in clear), web chat with WebSocket and BOSH.'),
  address: field.text('::', 'Address to bind; :: is IPv4 and IPv6.', { check: addressFault }),
  port: port(undefined, '0 lets the system choose.'),
  shared: field.boolean(false, 'Several members behind one port (SO_REUSEPORT).'),
})
export type ListenerSettings = Infer<typeof listener>

const component = section('A service that may connect (XEP-0114).', {
  domain: field.text(undefined, 'The domain it serves.', { check: domainFault }),
  secret: field.text(undefined, 'What it proves to know.', { check: (secret) => (secret === '' ? 'must not be empty' : undefined) }),
})

const list = <T>(rest: Omit<ListField<T>, 'kind'>): ListField<T> => ({ kind: 'list', ...rest })

const scramIterations = (hash: 'SHA-1' | 'SHA-256' | 'SHA-512') =>
  field.integer(defaultAuthConfig.iterations[hash], ITERATIONS_MIN, ITERATIONS_MAX, `PBKDF2 iterations of new SCRAM-${hash} keys.`)

const auth = section('Logging in.', {
  mechanisms: field.choices(mechanisms, mechanisms, 'SASL mechanisms to offer; the -PLUS forms come with their SCRAM.'),
  plainWithoutTls: field.boolean(false, 'Offers PLAIN on connections without TLS: for tests, and for TLS that ends in front of the server.'),
  clientAuthority: field.path('', 'PEM file of authorities whose client certificates may log in (EXTERNAL).'),
  passwordUnitsMin: field.integer(defaultAuthConfig.passwordUnitsMin, 1, 1000, 'Fewest characters of a new password.'),
  derivationsMax: field.integer(defaultAuthConfig.derivationsMax, 1, 128, 'Passwords checked or set at once.'),
  derivationQueueMax: field.integer(defaultAuthConfig.derivationQueueMax, 1, 1_000_000, 'Passwords that may wait for that.'),
  iterations: section('Cost of guessing passwords from stolen keys; more takes longer at each login with PLAIN.', {
    sha1: scramIterations('SHA-1'),
    sha256: scramIterations('SHA-256'),
    sha512: scramIterations('SHA-512'),
  }),
  accountLockout,
  addressLockout,
  clients: loginClients,
})

const streamManagement = section('Acknowledgements, and sessions that outlive their connection (XEP-0198).', {
  durability: field.choice(defaultStreamManagement.durability, ['commit', 'async'],
    'commit: stanzas of clients are acknowledged when what they stand for is stored; async: when they were handled, sooner but not crash-safe.'),
  location: field.text(defaultStreamManagement.location, 'Where clients should resume, as host:port; the usual place when empty.', { check: locationFault }),
  ...streamManagementFields,
})

const httpSection = section('Web chat, WebSocket (RFC 7395), BOSH (XEP-0124) and host-meta (XEP-0156).', {
  publicUrl: field.text(http.publicUrl, 'What clients reach it as, for instance https://chat.example; taken from the request when empty.', {
    check: (url) => (url === '' || /^https?:\/\/[^\s/]+(?:\/\S*)?$/.test(url) ? undefined : 'must be a URL that begins with https:// or http://'),
  }),
  trustedProxies: field.texts(http.trustedProxies, 'Addresses of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.'),
  bodyBytesMax: number('bodyBytesMax', http.bodyBytesMax, 16_384, 2 ** 26, 'One request body.'),
  headerBytesMax: number('headerBytesMax', http.headerBytesMax, 1024, 2 ** 20, 'Header of one request.'),
  requestTimeoutMs: number('requestTimeoutMs', http.requestTimeoutMs, 1000, 600_000, 'From the first byte to the whole request.'),
  keepAliveMs: number('keepAliveMs', http.keepAliveMs, 0, 3_600_000, 'How long an idle HTTP connection stays open.'),
  websocket: section('WebSocket.', {
    path: field.text(http.websocket.path, 'Path of the address.', { check: pathFault }),
    pingMs: number('pingMs', http.websocket.pingMs, 1000, 3_600_000, 'How often a silent client is sent a ping.'),
    origins: field.texts(http.websocket.origins, 'Web sites whose pages may connect (values of Origin); all when empty.'),
  }),
  bosh: section('BOSH.', { path: field.text(http.bosh.path, 'Path of the address.', { check: pathFault }), ...boshFields }),
})

const contacts: TableField<readonly string[]> = {
  kind: 'table',
  description: 'Addresses of the operators by kind (XEP-0157), as URIs.',
  keys: contactKinds,
  value: field.texts([], 'URIs.', { checkItem: uriFault }),
  default: {},
}

const topLevel = {
  hosts: list({
    description: 'Domains served here, the main one first. A domain alone is enough; it then has a self-signed certificate.',
    item: host,
    shorthand: 'domain',
    default: [],
    itemsMax: HOSTS_MAX,
    example: ['- domain: chat.example', '  certificate: certs/chat.example.pem', '  key: certs/chat.example.key'],
  }),
  data: field.path('data', 'Folder of the database, of self-signed certificates and of the control socket.'),
  workers: field.integer(1, 0, 64, 'Processes that share the work behind the same ports; 0: one for each core.'),
  placeClients: field.boolean(true, 'Clients that have logged in go on at the worker that owns their account, which saves most of the way between workers.'),
  rehearsal: field.boolean(true,
    'After a start, while nobody is connected, the server rehearses with itself for about a second, so that its first users cost less. Not with workers.'),
  demo: field.choice('auto', ['auto', 'on', 'off'], 'Two demo accounts, ready to chat; auto: only while no hosts are set.'),
  listeners: list({
    description: 'Ports to listen on. Without hosts they are on loopback addresses only.',
    item: listener,
    default: [],
    itemsMax: LISTENERS_MAX,
    example: defaultEdgeConfig.listeners.map(({ kind, address, port }) => `- { kind: ${kind}, address: '${address}', port: ${port} }`),
  }),
  components: list({
    description: 'Services that connect to a listener of kind component.',
    item: component,
    default: [],
    itemsMax: 1000,
    example: ['- { domain: rooms.chat.example, secret: change-me }'],
  }),
  tls: section('Encryption.', {
    required: field.boolean(defaultEdgeConfig.isTlsRequired, 'Clients must encrypt before they log in; HTTP from loopback addresses is let through.'),
    minVersion: field.choice(tls.minVersion, ['TLSv1.2', 'TLSv1.3'], 'Oldest version of TLS.'),
    ciphers: field.text(tls.ciphers, 'OpenSSL cipher list.'),
    compact: field.boolean(tls.isCompact, 'Connections of TLS 1.3 take about as little memory as those without TLS; false leaves them to OpenSSL.'),
    pollMs: number('pollMs', tls.pollMs, 100, 3_600_000, 'How often certificate files are looked at for changes.'),
  }),
  storage: section('Where durable data is.', {
    kind: field.choice('sqlite', ['sqlite', 'memory'], 'memory forgets everything when the server stops.'),
    path: field.path('', 'The database file; rollcall.sqlite in the data folder when empty.'),
    durability: field.choice('full', ['full', 'normal'], 'full: what was acknowledged survives power loss; normal: power loss may take the last moments.'),
    cacheBytes: number('cacheBytes', 16 * 2 ** 20, 2 ** 20, 2 ** 36, 'Memory for pages of the database; the system caches the file besides.'),
    databaseBytesMax: number('databaseBytesMax', 0, 0, 2 ** 46, 'The database grows no larger; 0 is unlimited.'),
  }),
  auth,
  limits,
  timeouts,
  overload,
  streamManagement,
  http: httpSection,
  admins: field.texts([], 'Accounts that may administrate over XMPP (XEP-0133).', { checkItem: accountFault }),
  contacts,
  log: section('The log goes to standard output.', {
    level: field.choice('info', ['debug', 'info', 'warn', 'error'], 'Least important messages written.'),
    format: field.choice('auto', ['auto', 'json', 'text'], 'json: a line each for machines; text: for people; auto: text on a terminal.'),
  }),
  admin: section('HTTP for operators: /healthz, /readyz and /metrics. Bind it to a trusted network.', {
    enabled: field.boolean(true, 'Whether to listen at all.'),
    address: field.text('127.0.0.1', 'Address to bind.', { check: addressFault }),
    port: port(5281, '0 lets the system choose.'),
  }),
}

export type ModuleSettings = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** The whole schema with the sections of `modules`. */
export function schemaOf(modules: readonly AnyModule[]) {
  return section('Rollcall.', { ...topLevel, modules: modulesSection(modules) })
}

/** The settings as read. */
export type Settings = Infer<ReturnType<typeof schemaOf>>

function modulesSection(modules: readonly AnyModule[]): SectionField<ModuleSettings> {
  const sorted = [...modules].sort((a, b) => (a.name < b.name ? -1 : 1))
  const fields = Object.fromEntries(sorted.map((module) => [module.name, moduleSection(module)]))
  return { kind: 'section', description: 'Features; each can be turned off.', fields, isSparse: true }
}

function moduleSection({ config = {}, isOffByDefault = false, summary }: AnyModule): AnySection {
  const options = Object.entries(config).map(([key, option]) => {
    const checked = { ...optionField(key, option), check: (value: unknown) => optionFault(option, value) }
    return [key, checked] as const
  })
  const enabled = field.boolean(!isOffByDefault, 'Whether the feature is there.')
  return { kind: 'section', description: summary, fields: { enabled, ...Object.fromEntries(options) }, isSparse: true }
}
