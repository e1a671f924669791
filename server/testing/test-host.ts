/**
 * A whole core in the test's own process: real router, modules and storage interface, no sockets, no real time.
 *
 * Scripted clients speak XML over the bus exactly as an edge would, so that what a wire script shows is what a client
 * sees. Time is a `FakeClock`, storage is in memory, ids come from a seed.
 */
import { defaultLimits, latin1ToBytes, parseElement, scanDocument } from '@rollcall/xml'
import type { XmlElement } from '@rollcall/xml'
import { jidOf, parseJid, parseJidWire } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { AnyModule } from '@rollcall/module-api'
import type { Bus, StorageBackend } from '@rollcall/ports'
import { StanzaError, stanzaFromFrame } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { FakeClock, recordingLog, recordingMetrics, SeededRandom } from '@rollcall/testing'
import type { RecordingLog } from '@rollcall/testing'
import { createLocalBus } from '../../backends/bus-local/index.ts'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import { defaultCoreLimits } from '../core/config.ts'
import { createCore } from '../core/core.ts'
import type { Core } from '../core/core.ts'
import type { CredentialStore } from '../core/account-ports.ts'
import type { BindReply, CoreToEdge, HostInfo, ServerMessage } from '../protocol/messages.ts'
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
  /** Shared to restart a server on the same data. */
  readonly storage?: StorageBackend
}

export const TEST_HOST = 'capulet.example'
// Each start has its own seed: a server that is started again on the same data makes other ids than before.
let starts = 0

const CORE = 'core'
const EDGE = 'edge'

export class TestHost {
  readonly core: Core
  readonly clock: FakeClock
  readonly log: RecordingLog
  readonly storage: StorageBackend
  readonly host: string
  /** What `ServerControl` was asked for. */
  readonly controlCalls: string[]
  readonly #bus: Bus<ServerMessage>
  readonly #entities = new Map<number, ScriptedEntity>()
  #nextConn = 1
  #messageCount = 0

  private constructor(core: Core, bus: Bus<ServerMessage>, parts: Pick<TestHost, 'clock' | 'log' | 'storage' | 'host' | 'controlCalls'>) {
    this.core = core
    this.clock = parts.clock
    this.log = parts.log
    this.storage = parts.storage
    this.host = parts.host
    this.controlCalls = parts.controlCalls
    this.#bus = bus
    bus.attach({
      receive: (_from, message) => this.#receive(message as CoreToEdge),
      answer: () => Promise.reject(new Error('A test edge is asked nothing')),
    })
  }

  static async start(options: TestHostOptions): Promise<TestHost> {
    const hosts = options.hosts ?? [TEST_HOST]
    const host = hosts[0] as string
    const clock = new FakeClock()
    const random = new SeededRandom(++starts)
    const log = recordingLog()
    const hub = createLocalBus({ clock, log })
    const bus = hub.member<ServerMessage>(CORE)
    const storage = options.storage ?? new MemoryStorage()
    await storage.open()
    const controlCalls: string[] = []
    const credentials = memoryCredentials((options.accounts ?? []).map((localpart) => jidOf(localpart, host)))
    const core = await createCore({
      config: {
        hosts, admins: options.admins ?? [], contacts: options.contacts ?? {},
        limits: defaultCoreLimits, modules: options.options ?? {},
      },
      software: { name: 'Rollcall', version: '0.0.0-test' },
      modules: options.modules,
      bus,
      placement: singleMember(CORE),
      storage, clock, random, log, metrics: recordingMetrics(), hasher: nodeHasher, credentials,
      auth: { answer: () => undefined },
      control: {
        shutdown: (delayMs) => { controlCalls.push(`shutdown ${delayMs}`) },
        reload: () => Promise.resolve(void controlCalls.push('reload')),
      },
    })
    bus.attach(core.service)
    return new TestHost(core, hub.member<ServerMessage>(EDGE), { clock, log, storage, host, controlCalls })
  }

  /** Binds a resource as a client that has authenticated would. Sends nothing else: no roster get, no presence. */
  async connect(localpart: string, resourcepart = 'orchard', host = this.host, isSecure = true): Promise<ScriptedEntity> {
    const conn = this.#nextConn++
    const entity = this.#entity(conn)
    const account = jidOf(localpart, host)
    const origin = { transport: 'tcp', address: '127.0.0.1', isSecure } as const
    const request = { kind: 'bind', account, resourcepart, conn, origin, isAnonymous: false } as const
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

  /** Ends a connection as the edge would report it. */
  async disconnect(entity: ScriptedEntity, reason: 'closed' | 'lost' = 'closed'): Promise<void> {
    const kind = entity.domain === '' ? 'client-closed' : 'component-closed'
    this.#bus.send(CORE, kind === 'client-closed' ? { kind, conn: entity.conn, reason } : { kind, conn: entity.conn })
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
    await this.#bus.close()
  }

  #entity(conn: number): ScriptedEntity {
    const entity = new ScriptedEntity(conn, (xml) => this.#send(entity, xml), () => this.settle())
    this.#entities.set(conn, entity)
    return entity
  }

  #send(entity: ScriptedEntity, xml: string): void {
    const stanza = readStanza(xml, entity)
    this.#messageCount++
    this.#bus.send(CORE, { kind: entity.domain === '' ? 'client-stanza' : 'component-stanza', conn: entity.conn, stanza })
  }

  #receive(message: CoreToEdge): void {
    this.#messageCount++
    if (message.kind === 'deliver') this.#entities.get(message.conn)?.receive(message.wire)
    if (message.kind === 'close-stream') this.#entities.get(message.conn)?.close(message.condition)
  }
}

/** What an edge makes of a client's or component's XML (text, jabber:client assumed). */
function readStanza(xml: string, entity: ScriptedEntity | undefined): Stanza {
  const wire = Buffer.from(xml.trim(), 'utf8').toString('latin1').replace(/^<(\w+)/, "<$1 xmlns='jabber:client'")
  const frame = scanDocument(latin1ToBytes(wire), defaultLimits)
  const to = frame.attributeWire('to')
  const from = frame.attributeWire('from')
  const sender = entity === undefined ? undefined : entity.domain === '' ? entity.jid : from === undefined ? undefined : parseJidWire(from)
  return stanzaFromFrame(frame, sender, to === undefined ? undefined : parseJidWire(to))
}

function memoryCredentials(initial: readonly Jid[]): CredentialStore {
  const passwords = new Map(initial.map((jid) => [jid.toString(), jid.localpart]))
  const ofHost = (host: string) => [...passwords.keys()].filter((text) => text.endsWith(`@${host}`)).sort()
  return {
    exists: (jid) => Promise.resolve(passwords.has(jid.bare.toString())),
    create: (jid, password) => {
      if (passwords.has(jid.bare.toString())) return Promise.reject(new StanzaError('conflict'))
      return Promise.resolve(void passwords.set(jid.bare.toString(), password))
    },
    setPassword: (jid, password) => Promise.resolve(void passwords.set(jid.bare.toString(), password)),
    // Nobody authenticates here, so nothing asks.
    setDisabled: () => Promise.resolve(),
    verifyPassword: (jid, password) => Promise.resolve(passwords.get(jid.bare.toString()) === password),
    list: (host, after, limit) => {
      const start = after?.toString() ?? ''
      return Promise.resolve(ofHost(host).filter((text) => text > start).slice(0, limit).map((text) => parseJid(text)))
    },
    count: (host) => Promise.resolve(ofHost(host).length),
  }
}
