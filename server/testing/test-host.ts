/**
 * A whole core in the test's own process: real router, modules and storage interface, no sockets, no real time.
 *
 * Scripted clients speak XML over the bus exactly as an edge would, so that what a wire script shows is what a client
 * sees. Time is a `FakeClock`, storage is in memory, ids come from a seed.
 */
import { defaultLimits, latin1ToBytes, parseElement, parseText, scanDocument } from '@rollcall/xml'
import type { XmlElement } from '@rollcall/xml'
import { jidOf, parseJid, parseJidWire } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { AnyModule } from '@rollcall/module-api'
import type { Bus, StorageBackend } from '@rollcall/ports'
import { StanzaError, stanzaFromFrame } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { FakeClock, FakeLoad, recordingLog, recordingMetrics, SeededRandom } from '@rollcall/testing'
import type { RecordingLog, RecordingMetrics } from '@rollcall/testing'
import { createLocalBus } from '../../backends/bus-local/index.ts'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import { defaultCoreLimits, defaultStreamManagement } from '../core/config.ts'
import type { CoreLimits, StreamManagementConfig } from '../core/config.ts'
import { createCore } from '../core/core.ts'
import type { Core } from '../core/core.ts'
import type { CredentialStore } from '../core/account-ports.ts'
import { defaultAuthConfig, LoginClients } from '../core/auth/index.ts'
import { HostSecrets } from '../core/auth/host-secrets.ts'
import type { FinishLogin, LoginFinished } from '../protocol/login-messages.ts'
import { nodeCrypto } from '../runtime/crypto.ts'
import type { BindReply, CoreToEdge, HostInfo, ResumeReply, ServerMessage } from '../protocol/messages.ts'
import { nodeHasher } from '../runtime/hasher.ts'
import { singleMember } from '../protocol/placement.ts'
import { ScriptedEntity } from './scripted-entity.ts'

export interface TestHostOptions {
  readonly modules: readonly AnyModule[]
  /** Options by module name. */
  readonly options?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Localparts at `host`; the password of each is its localpart. */
  readonly accounts?: readonly string[]
  /** Default `capulet.example`. */
  readonly hosts?: readonly string[]
  readonly admins?: readonly string[]
  readonly contacts?: Readonly<Record<string, readonly string[]>>
  /** What differs from the defaults. */
  readonly limits?: Partial<CoreLimits>
  readonly streamManagement?: Partial<StreamManagementConfig>
  /** Shared to restart a server on the same data. */
  readonly storage?: StorageBackend
}

export interface Bind2Client extends Partial<Pick<FinishLogin, 'agent' | 'method' | 'tokenMechanism'>> {
  readonly tag?: string
  /** Elements for `<bind/>`. */
  readonly requests?: readonly string[]
}

export const TEST_HOST = 'capulet.example'
// Each start has its own seed: a server that is started again on the same data makes other ids than before.
let starts = 0

const CORE = 'core'
/** Two edges: a client may come back on another than it left. */
const EDGES = ['edge', 'edge-2'] as const

export interface ResumeWish {
  readonly previousId: string
  readonly handled: number
  /** Default: the first. */
  readonly edge?: (typeof EDGES)[number]
}

type TestHostParts = Pick<TestHost, 'clock' | 'load' | 'log' | 'metrics' | 'storage' | 'host' | 'controlCalls'>

export class TestHost {
  readonly core: Core
  readonly clock: FakeClock
  readonly load: FakeLoad
  readonly log: RecordingLog
  readonly metrics: RecordingMetrics
  readonly storage: StorageBackend
  readonly host: string
  /** What `ServerControl` was asked for. */
  readonly controlCalls: string[]
  readonly #buses: ReadonlyMap<string, Bus<ServerMessage>>
  readonly #entities = new Map<number, ScriptedEntity>()
  #nextConn = 1
  #messageCount = 0

  private constructor(core: Core, buses: readonly Bus<ServerMessage>[], parts: TestHostParts) {
    this.core = core
    this.clock = parts.clock
    this.load = parts.load
    this.log = parts.log
    this.storage = parts.storage
    this.host = parts.host
    this.controlCalls = parts.controlCalls
    this.metrics = parts.metrics
    this.#buses = new Map(buses.map((bus) => [bus.memberId, bus]))
    for (const bus of buses) {
      bus.attach({
        receive: (_from, message) => this.#receive(message as CoreToEdge),
        answer: () => Promise.reject(new Error('A test edge is asked nothing')),
      })
    }
  }

  get #bus(): Bus<ServerMessage> {
    return this.#busOf(EDGES[0])
  }

  #busOf(edge: string): Bus<ServerMessage> {
    return this.#buses.get(edge) as Bus<ServerMessage>
  }

  static async start(options: TestHostOptions): Promise<TestHost> {
    const hosts = options.hosts ?? [TEST_HOST]
    const host = hosts[0] as string
    const clock = new FakeClock()
    const load = new FakeLoad()
    const random = new SeededRandom(++starts)
    const log = recordingLog()
    const metrics = recordingMetrics()
    const hub = createLocalBus({ clock, log })
    const bus = hub.member<ServerMessage>(CORE)
    const storage = options.storage ?? new MemoryStorage()
    await storage.open()
    const controlCalls: string[] = []
    const credentials = memoryCredentials((options.accounts ?? []).map((localpart) => jidOf(localpart, host)))
    const clients = new LoginClients({
      storage, clock, log, crypto: nodeCrypto, metrics: recordingMetrics(), config: defaultAuthConfig.clients,
      secrets: new HostSecrets(storage, nodeCrypto, new Set(hosts)), passwordVersion: () => Promise.resolve(0),
    })
    const core = await createCore({
      config: {
        hosts, admins: options.admins ?? [], contacts: options.contacts ?? {},
        limits: { ...defaultCoreLimits, ...options.limits }, modules: options.options ?? {},
        streamManagement: { ...defaultStreamManagement, ...options.streamManagement },
      },
      software: { name: 'Rollcall', version: '0.0.0-test' },
      modules: options.modules,
      bus,
      placement: singleMember(CORE),
      storage, clock, random, load, log, metrics, hasher: nodeHasher, credentials,
      auth: { answer: (message) => (message.kind === 'finish-login' ? clients.finish(message) : undefined) },
      clients,
      control: {
        shutdown: (delayMs) => { controlCalls.push(`shutdown ${delayMs}`) },
        reload: () => Promise.resolve(void controlCalls.push('reload')),
      },
    })
    bus.attach(core.service)
    const buses = EDGES.map((edge) => hub.member<ServerMessage>(edge))
    return new TestHost(core, buses, { clock, load, log, metrics, storage, host, controlCalls })
  }

  /** Binds a resource as a client that has authenticated would. Sends nothing else: no roster get, no presence. */
  async connect(localpart: string, resourcepart = 'orchard', host = this.host, isSecure = true, isAnonymous = false): Promise<ScriptedEntity> {
    const conn = this.#nextConn++
    const entity = this.#entity(conn)
    const account = jidOf(localpart, host)
    const origin = { transport: 'tcp', address: '127.0.0.1', isSecure } as const
    const request = { kind: 'bind', account, resourcepart, conn, origin, isAnonymous } as const
    const reply = (await this.#bus.request(CORE, request, 10_000)) as BindReply
    if (!reply.isBound) throw new Error(`Not bound: ${reply.condition}`)
    entity.jid = reply.jid
    return entity
  }

  /** As `connect`, then sends initial presence and forgets everything received so far. */
  async login(localpart: string, resourcepart = 'orchard', presence = '<presence/>'): Promise<ScriptedEntity> {
    const entity = await this.connect(localpart, resourcepart)
    entity.send(presence)
    await this.settle()
    entity.clear()
    return entity
  }

  /** Resumes a session (XEP-0198 §5); what answers the request is the first thing received, and `jid` is set on success. */
  async resume(localpart: string, { previousId, handled, edge = EDGES[0] }: ResumeWish, host = this.host): Promise<ScriptedEntity> {
    const conn = this.#nextConn++
    const entity = this.#entity(conn, edge)
    const origin = { transport: 'tcp', address: '127.0.0.1', isSecure: true } as const
    const request = { kind: 'resume', account: jidOf(localpart, host), previousId, handled, conn, origin } as const
    const reply = (await this.#busOf(edge).request(CORE, request, 10_000)) as ResumeReply
    if (reply.isResumed) entity.jid = reply.jid
    if ('wire' in reply) entity.receiveFirst(reply.wire)
    else entity.close(reply.fault.condition, reply.fault.detail)
    await this.settle()
    return entity
  }

  /** Logs in as a client with SASL2 and Bind 2 does; the second is what stands in `<bound/>`, the third its token. */
  async bind2(localpart: string, wish: Bind2Client = {}): Promise<readonly [ScriptedEntity, readonly XmlElement[], string | undefined]> {
    const conn = this.#nextConn++
    const entity = this.#entity(conn)
    const account = jidOf(localpart, this.host)
    const { method = 'password', agent, tokenMechanism, tag = '', requests = [] } = wish
    const login = { kind: 'finish-login', account, method, ...(agent && { agent }), ...(tokenMechanism && { tokenMechanism }) } as const
    const { clientId, token } = (await this.#bus.request(CORE, login, 10_000)) as LoginFinished
    const origin = { transport: 'tcp', address: '127.0.0.1', isSecure: true, method, ...(clientId && { clientId }) } as const
    const bind2 = { tag, requests: requests.map((xml) => parseElement(xml, 'jabber:client')) }
    const request = { kind: 'bind', account, resourcepart: '', conn, origin, isAnonymous: false, bind2 } as const
    const reply = (await this.#bus.request(CORE, request, 10_000)) as BindReply
    if (!reply.isBound) throw new Error(`Not bound: ${reply.condition}`)
    entity.jid = reply.jid
    return [entity, reply.results ?? [], token?.text]
  }

  /** What Bind 2 can turn on. */
  async bind2Features(host = this.host): Promise<readonly string[]> {
    return ((await this.#bus.request(CORE, { kind: 'host-info', host }, 10_000)) as HostInfo).bind2Features ?? []
  }

  /** Connects an external component: the whole domain is one scripted entity, so it serves as "the remote server". */
  async component(domain: string): Promise<ScriptedEntity> {
    const conn = this.#nextConn++
    const entity = this.#entity(conn)
    entity.domain = domain
    const reply = await this.#bus.request(CORE, { kind: 'register-component', domain, conn }, 10_000)
    if (!(reply as { isAccepted: boolean }).isAccepted) throw new Error(`Component ${domain} was refused`)
    return entity
  }

  /** Wire string of the stream features after authentication. */
  async featuresAfterAuth(host = this.host): Promise<string> {
    const info = (await this.#bus.request(CORE, { kind: 'host-info', host }, 10_000)) as HostInfo
    return info.featuresAfterAuth
  }

  /** The same before authentication. */
  async featuresBeforeAuth(host = this.host): Promise<string> {
    const info = (await this.#bus.request(CORE, { kind: 'host-info', host }, 10_000)) as HostInfo
    return info.featuresBeforeAuth
  }

  /** Sends an iq as a client that has not authenticated, and returns the answer. */
  async beforeAuth(xml: string, address = '192.0.2.1', host = this.host): Promise<XmlElement> {
    const stanza = readStanza(xml, undefined)
    const reply = await this.#bus.request(CORE, { kind: 'pre-auth-iq', host, address, stanza }, 10_000)
    return parseElement(reply as string, 'jabber:client')
  }

  /** An edge answered a stanza of a client with stream management by itself. */
  async answeredByEdge(entity: ScriptedEntity, xml: string): Promise<void> {
    this.#busOf(entity.edge).send(CORE, { kind: 'client-answered', conn: entity.conn, wire: xml })
    await this.settle()
  }

  /** Ends a connection as the edge would report it. */
  async disconnect(entity: ScriptedEntity, reason: 'closed' | 'lost' = 'closed'): Promise<void> {
    const kind = entity.domain === '' ? 'client-closed' : 'component-closed'
    this.#busOf(entity.edge).send(CORE, kind === 'client-closed' ? { kind, conn: entity.conn, reason } : { kind, conn: entity.conn })
    await this.settle()
  }

  /** Waits until nothing moves any more: every promise, bus message and storage call has run. */
  async settle(): Promise<void> {
    let quietTurns = 0
    for (let turn = 0; turn < 10_000 && quietTurns < 5; turn++) {
      const before = this.#messageCount
      await new Promise((resolve) => setImmediate(resolve))
      this.clock.advance(0)
      quietTurns = this.#messageCount === before ? quietTurns + 1 : 0
    }
  }

  /** Lets time pass, timers firing. */
  async advance(ms: number): Promise<void> {
    await this.settle()
    this.clock.advance(ms)
    await this.settle()
  }

  async stop(): Promise<void> {
    await this.settle()
    await this.core.stop()
    for (const bus of this.#buses.values()) await bus.close()
  }

  #entity(conn: number, edge: string = EDGES[0]): ScriptedEntity {
    const entity = new ScriptedEntity(conn, edge, (xml) => this.#send(entity, xml), () => this.settle())
    this.#entities.set(conn, entity)
    return entity
  }

  #send(entity: ScriptedEntity, xml: string): void {
    this.#messageCount++
    if (!/^\s*<(?:message|presence|iq)\b/.test(xml)) {
      this.#busOf(entity.edge).send(CORE, { kind: 'client-nonza', conn: entity.conn, element: parseText(xml.trim(), '') })
      return
    }
    const stanza = readStanza(xml, entity)
    this.#busOf(entity.edge).send(CORE, { kind: entity.domain === '' ? 'client-stanza' : 'component-stanza', conn: entity.conn, stanza })
  }

  #receive(message: CoreToEdge): void {
    this.#messageCount++
    const { kind } = message
    if (kind === 'deliver' || kind === 'deliver-presence' || kind === 'deliver-echo') this.#entities.get(message.conn)?.receive(message.wire)
    if (message.kind === 'deliver-broadcast') {
      message.conns.forEach((conn, i) => this.#entities.get(conn)?.receive(message.head + message.addresses[i] + message.tail))
    }
    if (message.kind === 'close-stream') this.#entities.get(message.conn)?.close(message.condition, message.detail)
  }
}

/** What an edge makes of a client's or component's XML (text, jabber:client assumed). */
export function readStanza(xml: string, entity: ScriptedEntity | undefined): Stanza {
  const wire = Buffer.from(xml.trim(), 'utf8').toString('latin1').replace(/^<(\w+)/, "<$1 xmlns='jabber:client'")
  const frame = scanDocument(latin1ToBytes(wire), defaultLimits)
  const to = frame.attributeWire('to')
  const from = frame.attributeWire('from')
  const sender = entity === undefined ? undefined : entity.domain === '' ? entity.jid : from === undefined ? undefined : parseJidWire(from)
  return stanzaFromFrame(frame, sender, to === undefined ? undefined : parseJidWire(to))
}

export function memoryCredentials(initial: readonly Jid[]): CredentialStore {
  const passwords = new Map(initial.map((jid) => [jid.toString(), jid.localpart]))
  const ofHost = (host: string) => [...passwords.keys()].filter((text) => text.endsWith(`@${host}`)).sort()
  return {
    exists: (jid) => Promise.resolve(passwords.has(jid.bare.toString())),
    existsAfterLogin: (jid) => passwords.has(jid.bare.toString()),
    create: (jid, password) => {
      if (passwords.has(jid.bare.toString())) return Promise.reject(new StanzaError('conflict'))
      return Promise.resolve(void passwords.set(jid.bare.toString(), password))
    },
    setPassword: (jid, password) => Promise.resolve(void passwords.set(jid.bare.toString(), password)),
    // Nobody authenticates here, so nothing asks.
    setDisabled: () => Promise.resolve(),
    verifyPassword: (jid, password) => Promise.resolve(passwords.get(jid.bare.toString()) === password),
    deleteCredentials: (jid) => Promise.resolve(void passwords.delete(jid.bare.toString())),
    list: (host, after, limit) => {
      const start = after?.toString() ?? ''
      return Promise.resolve(ofHost(host).filter((text) => text > start).slice(0, limit).map((text) => parseJid(text)))
    },
    count: (host) => Promise.resolve(ofHost(host).length),
  }
}
