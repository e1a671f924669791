/**
 * Two cores on one bus, east and west, and an edge that all clients are connected to: for what modules do when contacts live
 * on different members. Accounts are placed by name and can be moved; delivery between the cores is plain, in order and
 * never lost, and everything that crosses is noted.
 */
import { jidOf } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { AnyModule, ProbeAnswer } from '@rollcall/module-api'
import type { Bus } from '@rollcall/ports'
import type { Stanza } from '@rollcall/stanza'
import { FakeClock, FakeLoad, recordingLog, recordingMetrics, SeededRandom } from '@rollcall/testing'
import type { RecordingMetrics } from '@rollcall/testing'
import { createLocalBus } from '../../backends/bus-local/index.ts'
import type { LocalBus } from '../../backends/bus-local/index.ts'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import { defaultCoreLimits } from '../core/config.ts'
import { createCore } from '../core/core.ts'
import type { Core } from '../core/core.ts'
import type { BindReply, CoreToEdge, ServerMessage } from '../protocol/messages.ts'
import type { Carrier, Placement } from '../protocol/placement.ts'
import { nodeHasher } from '../runtime/hasher.ts'
import { ScriptedEntity } from './scripted-entity.ts'
import { memoryCredentials, readStanza, TEST_HOST } from './test-host.ts'

export type Side = 'east' | 'west'
const EDGE = 'edge'

interface Crossing {
  readonly to: Side
  readonly kind: 'route' | 'broadcast' | 'presence-states'
  readonly stanzaCount: number
}

/** Delivery between cores without its confirmations. */
class PlainCarrier implements Carrier {
  readonly #bus: Bus<ServerMessage>
  readonly #scene: TwoCores
  readonly others: readonly Side[]

  constructor(bus: Bus<ServerMessage>, scene: TwoCores) {
    this.#bus = bus
    this.#scene = scene
    this.others = [bus.memberId === 'east' ? 'west' : 'east']
  }

  route(stanza: Stanza): Promise<void> {
    this.#send(this.#scene.sideOf(stanza.to as Jid), { kind: 'route', stanza }, 1)
    return Promise.resolve()
  }

  broadcast(stanza: Stanza, targets: readonly Jid[]): void {
    for (const side of this.others) {
      const there = targets.filter((target) => this.#scene.sideOf(target) === side)
      if (there.length > 0) this.#send(side, { kind: 'broadcast', stanza, targets: there }, there.length)
    }
  }

  states(to: Jid, answer: ProbeAnswer): void {
    this.#send(this.#scene.sideOf(to), { kind: 'presence-states', to, ...answer }, answer.states.length)
  }

  isMoving(): boolean {
    return false
  }

  fromClient(): void {
    throw new Error('Clients are connected to the edge')
  }

  request(): Promise<unknown> {
    return Promise.reject(new Error('Nothing is asked here'))
  }

  #send(to: Side, message: ServerMessage & { readonly kind: Crossing['kind'] }, stanzaCount: number): void {
    this.#scene.crossings.push({ to, kind: message.kind, stanzaCount })
    this.#bus.send(to, message)
  }
}

export class TwoCores {
  readonly clock: FakeClock
  readonly storage = new MemoryStorage()
  readonly load: Readonly<Record<Side, FakeLoad>> = { east: new FakeLoad(), west: new FakeLoad() }
  readonly metrics: Readonly<Record<Side, RecordingMetrics>> = { east: recordingMetrics(), west: recordingMetrics() }
  /** What crossed between the cores, in order. */
  readonly crossings: Crossing[] = []
  readonly #cores = new Map<Side, Core>()
  readonly #sides: Map<string, Side>
  readonly #entities = new Map<number, ScriptedEntity>()
  readonly #records = new Map<number, string>()
  readonly #edge: Bus<ServerMessage>
  #messageCount = 0

  private constructor(clock: FakeClock, hub: LocalBus, sides: Readonly<Record<string, Side>>) {
    this.clock = clock
    this.#sides = new Map(Object.entries(sides))
    this.#edge = hub.member<ServerMessage>(EDGE)
    this.#edge.attach({
      receive: (_from, message) => this.#receive(message as CoreToEdge),
      answer: () => Promise.reject(new Error('A test edge is asked nothing')),
    })
  }

  /** `sides`: where each account lives, by localpart. */
  static async start(modules: readonly AnyModule[], sides: Readonly<Record<string, Side>>): Promise<TwoCores> {
    const clock = new FakeClock()
    const hub = createLocalBus({ clock, log: recordingLog() })
    const scene = new TwoCores(clock, hub, sides)
    await scene.storage.open()
    const credentials = memoryCredentials(Object.keys(sides).map((localpart) => jidOf(localpart, TEST_HOST)))
    for (const side of ['east', 'west'] as const) scene.#cores.set(side, await scene.#core(hub, side, modules, credentials))
    return scene
  }

  sideOf(entity: Jid): Side {
    return this.#sides.get(entity.localpart) as Side
  }

  async #core(hub: LocalBus, side: Side, modules: readonly AnyModule[], credentials: ReturnType<typeof memoryCredentials>): Promise<Core> {
    const bus = hub.member<ServerMessage>(side)
    const placement: Placement = { memberOf: (jid) => this.sideOf(jid), isHere: (jid) => this.sideOf(jid) === side }
    const core = await createCore({
      config: { hosts: [TEST_HOST], admins: [], contacts: {}, limits: defaultCoreLimits, modules: {} },
      software: { name: 'Rollcall', version: '0.0.0-test' },
      modules, bus, placement, credentials,
      members: { carrier: new PlainCarrier(bus, this), coordinator: EDGE },
      storage: this.storage, clock: this.clock, random: new SeededRandom(side === 'east' ? 1 : 2), load: this.load[side],
      log: recordingLog(), metrics: this.metrics[side], hasher: nodeHasher,
      auth: { answer: () => undefined },
      clients: { list: () => Promise.resolve([]), revoke: () => Promise.resolve('unknown') },
      control: { shutdown: () => {}, reload: () => Promise.resolve() },
    })
    bus.attach(core.service)
    return core
  }

  /** A connected resource that has sent nothing yet. */
  async connect(localpart: string, resourcepart = 'orchard'): Promise<ScriptedEntity> {
    const conn = this.#entities.size + 1
    const account = jidOf(localpart, TEST_HOST)
    const entity = new ScriptedEntity(conn, EDGE, (xml) => this.#send(entity, xml), () => this.settle())
    this.#entities.set(conn, entity)
    const origin = { transport: 'tcp', address: '127.0.0.1', isSecure: true } as const
    const request = { kind: 'bind', account, resourcepart, conn, origin, isAnonymous: false } as const
    const reply = (await this.#edge.request(this.sideOf(account), request, 10_000)) as BindReply
    if (!reply.isBound) throw new Error(`Not bound: ${reply.condition}`)
    entity.jid = reply.jid
    return entity
  }

  /** An available resource; what it received so far is forgotten. */
  async enter(localpart: string, presence = '<presence/>'): Promise<ScriptedEntity> {
    const entity = await this.connect(localpart)
    entity.send(presence)
    await this.settle()
    entity.clear()
    return entity
  }

  async disconnect(entity: ScriptedEntity): Promise<void> {
    this.#edge.send(this.sideOf(entity.jid), { kind: 'client-closed', conn: entity.conn, reason: 'lost' })
    await this.settle()
  }

  /** The core of an account dies; the other one has it now and is told of its session by the edge. */
  async succeed(entity: ScriptedEntity): Promise<void> {
    const successor = this.sideOf(entity.jid) === 'east' ? 'west' : 'east'
    this.#sides.set(entity.jid.localpart, successor)
    const record = this.#records.get(entity.conn) as string
    const account = entity.jid.bare.toString()
    await this.#cores.get(successor)?.members.restore(EDGE, { kind: 'restore', conn: entity.conn, account, record, recent: [] })
    await this.settle()
  }

  /** The core of an account dies and its connection with it; the other one has the account now and buries the session. */
  async bury(entity: ScriptedEntity): Promise<void> {
    const successor = this.sideOf(entity.jid) === 'east' ? 'west' : 'east'
    this.#sides.set(entity.jid.localpart, successor)
    const record = this.#records.get(entity.conn) as string
    this.#edge.send(successor, { kind: 'bury', sessions: [{ key: entity.jid.toString(), record }] })
    await this.settle()
  }

  /** Waits until nothing moves any more. */
  async settle(): Promise<void> {
    let quietTurns = 0
    for (let turn = 0; turn < 10_000 && quietTurns < 5; turn++) {
      const before = this.#messageCount
      await new Promise((resolve) => setImmediate(resolve))
      this.clock.advance(0)
      quietTurns = this.#messageCount === before ? quietTurns + 1 : 0
    }
  }

  async advance(ms: number): Promise<void> {
    await this.settle()
    this.clock.advance(ms)
    await this.settle()
  }

  async stop(): Promise<void> {
    await this.settle()
    for (const core of this.#cores.values()) await core.stop()
  }

  #send(entity: ScriptedEntity, xml: string): void {
    this.#messageCount++
    this.#edge.send(this.sideOf(entity.jid), { kind: 'client-stanza', conn: entity.conn, stanza: readStanza(xml, entity) })
  }

  #receive(message: CoreToEdge): void {
    this.#messageCount++
    switch (message.kind) {
      case 'deliver':
      case 'deliver-presence':
      case 'deliver-echo':
        this.#entities.get(message.conn)?.receive(message.wire)
        return
      case 'deliver-broadcast':
        message.conns.forEach((conn, i) => this.#entities.get(conn)?.receive(message.head + message.addresses[i] + message.tail))
        return
      case 'session-state':
        this.#records.set(message.conn, message.record)
        return
      case 'close-stream':
        this.#entities.get(message.conn)?.close(message.condition, message.detail)
        return
      default:
    }
  }
}
