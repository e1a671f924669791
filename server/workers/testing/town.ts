/**
 * Several whole members in the test's own process: real cores, edges and sockets, one bus, one storage, one coordinator.
 *
 * What members say to each other goes through the wire form and back, so that nothing is shared that processes would not
 * share. A member can be killed: from then on nothing that it does reaches anybody, and its sockets close.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { jidOf, parseJid } from '@rollcall/jid'
import type { AnyModule } from '@rollcall/module-api'
import { WireReader } from '@rollcall/ports'
import type { Bus, BusHandler, MemberId, StorageBackend } from '@rollcall/ports'
import { recordingLog, recordingMetrics, SeededRandom } from '@rollcall/testing'
import type { RecordingLog, RecordingMetrics } from '@rollcall/testing'
import { createLocalBus } from '../../../backends/bus-local/index.ts'
import { MemoryStorage } from '../../../backends/storage-memory/index.ts'
import { defaultAuthConfig } from '../../core/auth/index.ts'
import { defaultCoreLimits, defaultStreamManagement } from '../../core/config.ts'
import type { StreamManagementConfig } from '../../core/config.ts'
import type { ConfigPatch } from '../../edge/testing/edge-harness.ts'
import { clearText, configOf, dial, HOST, logIn, OPEN, PASSWORD, plainAuth } from '../../edge/testing/edge-harness.ts'
import type { RawClient } from '../../edge/testing/edge-harness.ts'
import type { ListenerKind } from '../../edge/config.ts'
import { serverCodec } from '../../protocol/codec.ts'
import type { ServerMessage } from '../../protocol/messages.ts'
import { shardOf } from '../../protocol/placement.ts'
import { nodeCrypto } from '../../runtime/crypto.ts'
import { nodeHasher } from '../../runtime/hasher.ts'
import { realClock } from '../../runtime/index.ts'
import { createServer } from '../../server.ts'
import type { Server } from '../../server.ts'
import { Coordinator } from '../coordinator.ts'
import { openPassage } from '../passage.ts'
import type { WorkerPassage } from '../passage.ts'
import { rendezvous } from '../shard-table.ts'

export interface TownOptions {
  readonly modules: readonly AnyModule[]
  readonly members?: number
  readonly accounts?: readonly string[]
  /** Localparts of administrators. */
  readonly admins?: readonly string[]
  readonly options?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly listeners?: readonly ListenerKind[]
  readonly edge?: ConfigPatch
  readonly streamManagement?: Partial<StreamManagementConfig>
  /** Clients go to the member that owns their account, as between processes. */
  readonly isHandingOn?: boolean
}

/** A member dies in the middle of something. */
export interface TownDeath {
  /** The one that comes, unless told. */
  readonly of?: MemberId
  /** Whether it dies of a message, before it reads or writes it. */
  readonly diesOf: (message: ServerMessage) => boolean
}

const COORDINATOR = 'primary'

/** A bus that another process would be on; `kill` cuts it off. */
class RemoteBus implements Bus<ServerMessage> {
  readonly memberId: MemberId
  readonly #bus: Bus<ServerMessage>
  readonly #lines = new Map<MemberId, { encode(message: ServerMessage): ServerMessage }>()
  isDead = false
  /** Whether the member dies of a message, before it reads or writes it. */
  diesOf: (message: ServerMessage) => boolean = () => false
  died: () => void = () => {}

  constructor(bus: Bus<ServerMessage>) {
    this.#bus = bus
    this.memberId = bus.memberId
  }

  attach(handler: BusHandler<ServerMessage>): void {
    this.#bus.attach({
      receive: (from, message) => {
        if (this.#lives(message)) handler.receive(from, message)
      },
      answer: (from, message) => (this.isDead ? new Promise(() => {}) : handler.answer(from, message)),
    })
  }

  send(to: MemberId, message: ServerMessage): void {
    if (this.#lives(message)) this.#bus.send(to, to === this.memberId ? message : this.#line(to).encode(message))
  }

  #lives(message: ServerMessage): boolean {
    if (!this.isDead && this.diesOf(message)) {
      this.isDead = true
      this.died()
    }
    return !this.isDead
  }

  afterWritten(to: MemberId, then: () => void): void {
    if (!this.isDead) this.#bus.afterWritten(to, then)
  }

  async request(to: MemberId, message: ServerMessage, timeoutMs: number): Promise<unknown> {
    if (this.isDead) return new Promise(() => {})
    const reply = await this.#bus.request(to, to === this.memberId ? message : this.#line(to).encode(message), timeoutMs)
    return serverCodec.decoder().value(reading(serverCodec.encoder().value(reply)))
  }

  close(): Promise<void> {
    return this.#bus.close()
  }

  #line(to: MemberId) {
    let line = this.#lines.get(to)
    if (line === undefined) {
      const [encoder, decoder] = [serverCodec.encoder(), serverCodec.decoder()]
      line = { encode: (message) => decoder.message(reading(encoder.message(message))) as ServerMessage }
      this.#lines.set(to, line)
    }
    return line
  }
}

function reading(text: string): WireReader {
  return new WireReader().load(text, 0, text.length)
}

/** The storage as a member sees it, until the member dies. */
function untilDeath(storage: StorageBackend, bus: RemoteBus): StorageBackend {
  return new Proxy(storage, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => (bus.isDead ? new Promise(() => {}) : Reflect.apply(value, target, args))
    },
  })
}

export interface TownMember {
  readonly id: MemberId
  readonly server: Server
  readonly bus: RemoteBus
  readonly metrics: RecordingMetrics
  readonly port: number
  readonly passage: WorkerPassage | undefined
}

export class Town {
  readonly coordinator: Coordinator
  readonly storage = new MemoryStorage()
  readonly log: RecordingLog = recordingLog()
  readonly members = new Map<MemberId, TownMember>()
  readonly #clock = realClock(this.log)
  readonly #hub = createLocalBus({ clock: this.#clock, log: this.log })
  readonly #options: TownOptions
  #epoch = 0
  #waiting: { readonly epoch: number; readonly resolve: () => void }[] = []
  #serial = 0
  /** Of the lines for sockets. */
  #directory: string | undefined

  private constructor(options: TownOptions) {
    this.#options = options
    const bus = new RemoteBus(this.#hub.member<ServerMessage>(COORDINATOR))
    this.coordinator = new Coordinator({
      bus, clock: this.#clock, log: this.log,
      stuck: (member) => void this.kill(member),
      active: (epoch) => {
        this.#epoch = epoch
        for (const { resolve } of this.#waiting.filter((one) => one.epoch <= epoch)) resolve()
        this.#waiting = this.#waiting.filter((one) => one.epoch > epoch)
      },
    })
    bus.attach({
      receive: (from, message) => void this.coordinator.receive(from, message),
      answer: () => Promise.reject(new Error('Nobody asks the coordinator')),
    })
  }

  static async start(options: TownOptions): Promise<Town> {
    const town = new Town(options)
    await town.storage.open()
    for (let i = 0; i < (options.members ?? 2); i++) await town.add()
    const [first] = town.members.values()
    for (const localpart of options.accounts ?? []) await first?.server.core.admin.create(jidOf(localpart, HOST), PASSWORD)
    return town
  }

  /** One more member; settles when it owns its shards, or, should somebody die meanwhile, when those who are left own all of them. */
  async add(death?: TownDeath): Promise<TownMember> {
    const id = `worker-${++this.#serial}`
    const { admins = [], edge = {}, listeners = ['client'], modules, options = {}, streamManagement } = this.#options
    const bus = new RemoteBus(this.#hub.member<ServerMessage>(id))
    const metrics = recordingMetrics()
    const passage = this.#options.isHandingOn === true ? await this.#openPassage(id) : undefined
    const server = await createServer({
      edgeConfig: configOf(listeners, { ...clearText, ...edge }),
      coreConfig: {
        hosts: [HOST], admins: admins.map((admin) => `${admin}@${HOST}`), contacts: {}, limits: defaultCoreLimits, modules: options,
        streamManagement: { ...defaultStreamManagement, ...streamManagement },
      },
      authConfig: { ...defaultAuthConfig, hosts: new Set([HOST]), anonymousHosts: new Set(), iterations: { 'SHA-1': 4096, 'SHA-256': 4096, 'SHA-512': 4096 } },
      software: { name: 'Rollcall', version: '0.0.0-test' },
      modules, routes: [], bus, storage: untilDeath(this.storage, bus),
      clock: this.#clock, random: new SeededRandom(1000 + this.#serial), crypto: nodeCrypto, hasher: nodeHasher, log: this.log, metrics,
      control: { shutdown: () => {}, reload: () => Promise.resolve() },
      cluster: {
        coordinator: COORDINATOR,
        ...(passage === undefined ? {} : { passage }),
      },
    })
    await server.start()
    const port = server.edge.listeners[0]?.port ?? 0
    const member: TownMember = { id, server, bus, metrics, port, passage }
    this.members.set(id, member)
    const active = this.nextEpoch()
    if (death === undefined) {
      this.coordinator.join(id)
      await active
      return member
    }
    const whose = death.of ?? id
    const died = this.#deathOf(this.member(whose).bus, death)
    const withoutIt = this.nextEpoch(2)
    this.coordinator.join(id)
    await died
    await this.kill(whose)
    await withoutIt
    return member
  }

  #deathOf(bus: RemoteBus, { diesOf }: TownDeath): Promise<void> {
    bus.diesOf = diesOf
    return new Promise((resolve) => {
      bus.died = resolve
    })
  }

  async #openPassage(memberId: MemberId): Promise<WorkerPassage> {
    this.#directory ??= await mkdtemp(join(tmpdir(), 'town-'))
    const passage = await openPassage({
      memberId, directory: this.#directory, log: this.log,
      takeIn: (guest, conduit) => this.member(memberId).server.edge.takeIn(guest, conduit),
    })
    if (passage === undefined) throw new Error('this Node has no lines for sockets')
    for (const { id, passage: other } of this.members.values()) {
      passage.connect(id)
      other?.connect(memberId)
    }
    return passage
  }

  /** Where they hand sockets to each other. */
  get passages(): string {
    return this.#directory ?? ''
  }

  /** As `kill -9` of the process: settles when the others own its shards. */
  async kill(id: MemberId): Promise<void> {
    const member = this.member(id)
    this.members.delete(id)
    member.bus.isDead = true
    member.passage?.close()
    for (const { passage } of this.members.values()) passage?.forget(id)
    await member.bus.close()
    const active = this.nextEpoch()
    this.coordinator.leave(id)
    await member.server.edge.stop()
    if (this.members.size > 0) await active
  }

  /** Settles when the next map holds, or a later one. */
  nextEpoch(count = 1): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ epoch: this.#epoch + count, resolve }))
  }

  member(id: MemberId): TownMember {
    const member = this.members.get(id)
    if (member === undefined) throw new Error(`no member ${id}`)
    return member
  }

  /** The member that owns an account. */
  ownerOf(localpart: string): MemberId {
    const members = [...this.members.keys()]
    return members[rendezvous(members)[shardOf(parseJid(`${localpart}@${HOST}`))] as number] as MemberId
  }

  /** A localpart whose account that member owns; different ones for different `n`. */
  nameOn(id: MemberId, prefix: string, n = 0): string {
    for (let i = 0, found = 0; ; i++) if (this.ownerOf(`${prefix}${i}`) === id && found++ === n) return `${prefix}${i}`
  }

  async createAccount(localpart: string): Promise<void> {
    const [first] = this.members.values()
    await first?.server.core.admin.create(jidOf(localpart, HOST), PASSWORD)
  }

  /** A bound client on that member's edge. */
  async connect(edge: MemberId, localpart: string, resource?: string): Promise<RawClient> {
    const client = await dial(this.member(edge).port)
    await logIn(client, localpart, resource)
    return client
  }

  /** Comes back for a session; the answer is not read. */
  async resume(edge: MemberId, localpart: string, previousId: string, handled: number): Promise<RawClient> {
    const client = await dial(this.member(edge).port)
    client.send(OPEN)
    await client.read(/<\/stream:features>/)
    client.send(plainAuth(localpart))
    await client.read(/<success[^>]*>/)
    client.send(OPEN)
    await client.read(/<\/stream:features>/)
    client.send(`<resume xmlns='urn:xmpp:sm:3' previd='${previousId}' h='${handled}'/>`)
    return client
  }

  async stop(): Promise<void> {
    this.coordinator.stop()
    for (const { server } of this.members.values()) await server.edge.stop()
    for (const { bus, passage, server } of this.members.values()) {
      await server.core.stop()
      passage?.close()
      await bus.close()
    }
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true })
  }
}

/** Makes two accounts contacts of each other. */
export async function befriend(a: RawClient, aName: string, b: RawClient, bName: string): Promise<void> {
  a.send(`<presence to='${bName}@${HOST}' type='subscribe'/>`)
  await b.read(/type='subscribe'/)
  b.send(`<presence to='${aName}@${HOST}' type='subscribed'/><presence to='${aName}@${HOST}' type='subscribe'/>`)
  await a.read(/type='subscribe'/)
  a.send(`<presence to='${bName}@${HOST}' type='subscribed'/>`)
  await b.read(new RegExp(`<presence from='${aName}@${HOST}/[^>]*>`))
  await pause(50)
  a.text = ''
  b.text = ''
}
