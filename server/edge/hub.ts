/**
 * All connections of one edge, and everything they share: ports, limits, the flush list and the sweep.
 *
 * Output is gathered per connection and written once per turn: whoever has something to write is put on one list, which
 * `clock.soon` empties. Time-outs need no timers: connections with a deadline (negotiating, closing) are few and looked
 * at on every sweep; the others are visited in slices, for silence only.
 */
import { parseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { SessionOrigin } from '@rollcall/module-api'
import { idleLoad } from '@rollcall/ports'
import type { Bus, Clock, Load, Log, MemberId, Random, Timer } from '@rollcall/ports'
import type { SaslCrypto } from '@rollcall/stream'
import type { XmlLimits } from '@rollcall/xml'
import type { SessionState } from '../protocol/member-messages.ts'
import type { HostInfo, ServerMessage } from '../protocol/messages.ts'
import type { Carrier, FromClient, Placement } from '../protocol/placement.ts'
import { AddressGuard } from './address-guard.ts'
import { Admission } from './admission.ts'
import type { EdgeConfig } from './config.ts'
import type { EdgeMetrics } from './edge-metrics.ts'
import { FairShare } from './fair-share.ts'
import type { Passage } from './guest.ts'
import { weighOutput } from './output-bound.ts'
import { PresenceGathering } from './presence-gathering.ts'
import { hungUp } from '../runtime/hung-up.ts'
import { WriteBatch } from '../runtime/write-batch.ts'
import { writeRing } from '../runtime/write-ring.ts'
import type { RemoteSession } from './remote-session.ts'
import { HOLD_EDGE } from './stages.ts'
import type { Stage } from './stages.ts'
import type { StreamFault } from './stream-wire.ts'

/** What the edge is given. */
export interface HubPorts {
  readonly bus: Bus<ServerMessage>
  readonly placement: Placement
  /** Left out where there is one member. */
  readonly carrier?: Carrier
  /** Left out where clients stay on the member that accepted them. */
  readonly passage?: Passage
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly crypto: SaslCrypto
  /** An idle one when left out. */
  readonly load?: Load
}

/** What the hub and the edge need of a connection. */
export interface HubMember {
  readonly core: MemberId
  /** Once bound. */
  readonly jid: Jid | undefined
  readonly remote: RemoteSession | undefined
  readonly id: number
  readonly transport: SessionOrigin['transport']
  readonly stage: Stage
  /** On the flush list. */
  isDirty: boolean
  /** On the list of those whose presence is being gathered. */
  isGathering: boolean
  /** On the list of those whose output is weighed. */
  isWeighed: boolean
  /** Monotonic ms at which the present stage must be over. */
  readonly deadlineMs: number
  readonly queuedBytes: number
  flush(): void
  onDeadline(): void
  onBudget(nowMs: number): void
  onVisit(nowMs: number): void
  hold(reason: number): void
  release(reason: number): void
  deliver(wire: string): void
  deliverPresence(wire: string): void
  deliverEcho(wire: string): void
  closeByCore(fault: StreamFault | undefined): void
  fail(fault: StreamFault): void
  destroy(): void
  /** What the core of another member says of the session. */
  mirror(from: MemberId, state: SessionState): void
  /** From now on that member is the core; reads on. */
  moveTo(core: MemberId): void
}

/** A full round over the silent connections takes this many sweeps. */
const SLICES = 10
/** Hosts remembered as not served, so that a wrong name costs the core one question. */
const UNKNOWN_HOSTS_MAX = 1000

export class Hub {
  readonly ports: HubPorts
  readonly metrics: EdgeMetrics
  readonly guard: AddressGuard
  readonly load: Load
  readonly connections = new Map<number, HubMember>()
  config: EdgeConfig
  preAuthLimits: XmlLimits
  stanzaLimits: XmlLimits
  componentLimits: XmlLimits
  /** The host that answers where no served one was named. */
  defaultHost: Jid
  /** A reading of the monotonic clock, at most one sweep old: good enough for silence. */
  nowMs: number
  isDraining = false
  /** Bytes that wait for peers to read, at most one sweep old. */
  queuedBytes = 0
  /** HTTP connections, which carry streams or not: they count against `connectionsMax` too. */
  httpSocketCount = 0
  readonly #attended = new Set<HubMember>()
  readonly #hostInfos = new Map<string, HostInfo | null>()
  #dirty: HubMember[] = []
  #throttled: HubMember[] = []
  /** Those that had output since the last sweep, or had some left then: only theirs can wait. */
  #weighed: HubMember[] = []
  readonly writes = new WriteBatch(writeRing())
  readonly gathering: PresenceGathering
  readonly share: FairShare
  readonly admission: Admission
  #lastConn = 0
  #round: Iterator<HubMember> | undefined
  #sweeps = 0
  #timer: Timer | undefined

  constructor(config: EdgeConfig, ports: HubPorts, metrics: EdgeMetrics) {
    this.ports = ports
    this.metrics = metrics
    this.guard = new AddressGuard(config.limits, config.authBackoff, config.exemptAddresses)
    this.config = config
    this.preAuthLimits = preAuthLimits(config)
    this.stanzaLimits = stanzaLimits(config, config.limits.stanzaBytesMax)
    this.componentLimits = stanzaLimits(config, config.limits.componentStanzaBytesMax)
    this.defaultHost = parseJid(config.hosts[0] ?? 'localhost')
    this.nowMs = this.wholeMs()
    this.load = ports.load ?? idleLoad
    this.gathering = new PresenceGathering(ports.clock, this.load, () => this.#flushAll(), this.writes)
    this.share = new FairShare(ports.clock, this.load, metrics.shares)
    this.admission = new Admission(ports.clock, this.load, () => this.config.admission, hungUp)
  }

  configure(config: EdgeConfig): void {
    this.config = config
    this.guard.configure(config.limits, config.authBackoff, config.exemptAddresses)
    this.preAuthLimits = preAuthLimits(config)
    this.stanzaLimits = stanzaLimits(config, config.limits.stanzaBytesMax)
    this.componentLimits = stanzaLimits(config, config.limits.componentStanzaBytesMax)
    this.defaultHost = parseJid(config.hosts[0] ?? 'localhost')
    this.forgetHosts()
  }

  start(): void {
    this.#timer ??= this.ports.clock.every(this.config.timeouts.sweepMs, () => this.#sweep())
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.admission.close()
  }

  /** A number for a new connection; never reused. */
  nextConn(): number {
    return ++this.#lastConn
  }

  /** Takes a connection in; it has a deadline until it calls `relax`. */
  add(connection: HubMember): void {
    this.connections.set(connection.id, connection)
    this.#attended.add(connection)
  }

  remove(connection: HubMember): void {
    this.connections.delete(connection.id)
    this.#attended.delete(connection)
  }

  /** The monotonic clock in whole ms: a fraction would cost each field of a connection that keeps it a box of 16 bytes. */
  wholeMs(): number {
    return Math.floor(this.ports.clock.monotonic())
  }

  /** The connection's `deadlineMs` counts from now on. */
  attend(connection: HubMember): void {
    if (this.connections.get(connection.id) === connection) this.#attended.add(connection)
  }

  /** The connection has no deadline any more, only silence is watched. */
  relax(connection: HubMember): void {
    this.#attended.delete(connection)
  }

  /** Whether no further connection may be accepted. */
  get isFull(): boolean {
    return this.connections.size + this.httpSocketCount + this.admission.size >= this.config.limits.connectionsMax
  }

  /** Puts the connection on the list of those flushed at the end of this turn. */
  markDirty(connection: HubMember): void {
    if (connection.isDirty) return
    connection.isDirty = true
    if (!connection.isWeighed) this.#weigh(connection)
    if (this.#dirty.push(connection) === 1) this.ports.clock.soon(this.#flushAll)
  }

  /** Puts the connection, which has presence to be written and is on neither list, on the one behind everything else. */
  gather(connection: HubMember): void {
    if (!connection.isWeighed) this.#weigh(connection)
    this.gathering.add(connection)
  }

  /** As `gather`, for a connection that has nothing to be written but what its client has sent itself. */
  gatherEcho(connection: HubMember): void {
    if (!connection.isWeighed) this.#weigh(connection)
    this.gathering.addEcho(connection)
  }

  #weigh(connection: HubMember): void {
    connection.isWeighed = true
    this.#weighed.push(connection)
  }

  /** The connection sends too fast: it is read again after the next sweep that finds its budget positive. */
  throttle(connection: HubMember): void {
    this.metrics.throttles.add(1)
    this.#throttled.push(connection)
  }

  /** What the core says about a host, from memory or by asking; undefined when it is not served. Rejects when no core answers. */
  hostInfo(host: Jid): HostInfo | undefined | Promise<HostInfo | undefined> {
    const known = this.#hostInfos.get(host.domainpart)
    if (known !== undefined) return known ?? undefined
    return this.#askHost(host)
  }

  /** Stops or resumes reading all bound connections. */
  setReadsHeld(isHeld: boolean): void {
    for (const connection of this.connections.values()) {
      if (!isHeld) connection.release(HOLD_EDGE)
      else if (connection.stage === 'bound') connection.hold(HOLD_EDGE)
    }
  }

  forgetHosts(): void {
    this.#hostInfos.clear()
  }

  /** Asks the core that owns the entity. */
  request(entity: Jid, message: ServerMessage): Promise<unknown> {
    const { bus, carrier, placement } = this.ports
    const { coreMs } = this.config.timeouts
    return carrier === undefined ? bus.request(placement.memberOf(entity), message, coreMs) : carrier.request(entity, message, coreMs)
  }

  /** Something of a bound client, for its core. */
  sendFromClient(connection: HubMember, message: FromClient): void {
    const { bus, carrier } = this.ports
    const { core, jid } = connection
    if (carrier === undefined || jid === undefined) bus.send(core, message)
    // A client that is read has its account where it was; one that leaves may do so while its account moves.
    else if (core === bus.memberId && (message.kind !== 'client-closed' || !carrier.isMoving(jid))) bus.send(core, message)
    else carrier.fromClient(core, jid, message, connection)
  }

  /** No session of the account may stay behind on a connection that never got to use it. */
  undoSession(connection: HubMember, account: Jid, reason: 'closed' | 'lost'): void {
    const { bus, carrier, placement } = this.ports
    const message = { kind: 'client-closed', conn: connection.id, reason } as const
    const core = placement.memberOf(account)
    if (carrier === undefined || (core === bus.memberId && !carrier.isMoving(account))) bus.send(core, message)
    else carrier.fromClient(core, account, message, connection)
  }

  send(member: MemberId, message: ServerMessage): void {
    this.ports.bus.send(member, message)
  }

  async #askHost(host: Jid): Promise<HostInfo | undefined> {
    const info = await this.request(host, { kind: 'host-info', host: host.domainpart }) as HostInfo | undefined
    if (this.#hostInfos.size >= UNKNOWN_HOSTS_MAX + this.config.hosts.length) this.#hostInfos.clear()
    this.#hostInfos.set(host.domainpart, info ?? null)
    return info ?? undefined
  }

  readonly #flushAll = (): void => {
    const batch = this.#dirty
    this.#dirty = []
    this.writes.open()
    for (const connection of batch) {
      connection.isDirty = false
      connection.flush()
    }
    this.writes.close()
  }

  #sweep(): void {
    this.nowMs = this.wholeMs()
    for (const connection of this.#attended) {
      if (this.nowMs >= connection.deadlineMs) connection.onDeadline()
    }
    const throttled = this.#throttled
    this.#throttled = []
    for (const connection of throttled) connection.onBudget(this.nowMs)
    this.#boundOutput()
    this.#visitSlice()
    if (++this.#sweeps % 60 === 0) this.guard.sweep(this.nowMs)
  }

  #boundOutput(): void {
    if (this.#weighed.length === 0) return
    this.#weighed = this.#weighed.filter((connection) => {
      connection.isWeighed = connection.queuedBytes > 0 && this.connections.has(connection.id)
      return connection.isWeighed
    })
    const { queuedBytes, cut } = weighOutput(this.#weighed, this.config.limits.outputAllBytesMax)
    this.queuedBytes = queuedBytes
    for (const connection of cut) {
      this.metrics.overflows.add(1)
      // An error would stand behind all that is not read.
      connection.destroy()
    }
  }

  #visitSlice(): void {
    let left = Math.ceil(this.connections.size / SLICES)
    while (left-- > 0) {
      this.#round ??= this.connections.values()
      const { done, value } = this.#round.next()
      if (done === true) {
        this.#round = undefined
        return
      }
      if (value.stage === 'bound') value.onVisit(this.nowMs)
    }
  }
}

function preAuthLimits({ limits }: EdgeConfig): XmlLimits {
  return { elementBytesMax: limits.preAuthElementBytesMax, depthMax: 8, attributesMax: 24, childrenMax: 100 }
}

function stanzaLimits({ limits }: EdgeConfig, elementBytesMax: number): XmlLimits {
  return {
    elementBytesMax,
    depthMax: limits.stanzaDepthMax,
    attributesMax: limits.stanzaAttributesMax,
    childrenMax: limits.stanzaNodesMax,
  }
}
