/**
 * The bus between processes of one machine: Unix sockets in a private directory, no broker.
 *
 * Every two members have two connections, one for each direction (`connections.ts`); what is sent in one turn is one write
 * (`link.ts`); a peer is up when both connections with one of its processes stand, and gone when either ends. A message to
 * a peer that is not up is dropped and a request rejects with `no-responder` at once. When a peer goes, what was asked of it
 * rejects with `no-responder`, and what it asked is not answered: a new process has a new link and knows nothing of it.
 * Messages to oneself never see a socket: they go through the in-process bus.
 *
 * Bounded: characters that wait for one peer (`bufferCharsMax`; a peer that lets more gather is given up: it is gone, and
 * connects again when it reads again), requests pending (`pendingRequestsMax`: reject with `timeout`).
 */
import { BusError } from '@rollcall/ports'
import type { Bus, BusCodec, BusHandler, BusMessage, Clock, Log, MemberId, Metrics, WireReader } from '@rollcall/ports'
import { createLocalBus } from '../bus-local/index.ts'
import { PendingRequests } from '../bus-local/pending-requests.ts'
import { Connections } from './connections.ts'
import type { PeerInfo } from './hello.ts'
import { Link } from './link.ts'
import type { LinkOwner } from './link.ts'
import { MARK } from './records.ts'

export type { PeerInfo } from './hello.ts'

export interface PeerEvent {
  /** After `gone` the same member may come `up` again, in the same process or another: see `bootId`. */
  readonly kind: 'up' | 'gone'
  readonly peer: PeerInfo
  /** Why it is gone, for people; '' when it is up. */
  readonly why: string
}

export interface SocketBusOptions<M extends BusMessage> {
  /** 1 to 64 letters, digits, `_`, `.`, `-`; unique in the directory. */
  readonly memberId: MemberId
  /** Differs at every start of the process. */
  readonly bootId: string
  /** Where the members' sockets are; made with mode 0700, refused with any wider one. */
  readonly directory: string
  readonly codec: BusCodec<M>
  readonly clock: Clock
  readonly log: Log
  readonly metrics?: Metrics
  /** Told of every peer, before its first message and after its last; never inside a call of the bus but `close`. */
  readonly onPeer?: (event: PeerEvent) => void
  /** Members that this one connects to, both sides alike; all unless told. */
  readonly isPeer?: (member: MemberId) => boolean
  /** 64 Mi unless told. */
  readonly bufferCharsMax?: number
  /** 100,000 unless told. */
  readonly pendingRequestsMax?: number
  /** How often the directory is looked at for peers that are not connected; 500 ms unless told. */
  readonly lookMs?: number
}

export interface SocketBus<M extends BusMessage = BusMessage> extends Bus<M> {
  /** Peers that are up now. */
  readonly peers: ReadonlyMap<MemberId, PeerInfo>
  /**
   * Joins the bus of the directory, once. Resolves when this member listens and has tried every peer that is there: those that
   * run are connected. Rejects when the directory is not private, or another running member has the id. Attach a handler before:
   * a peer asks as soon as it has met this member, which may be before this resolves.
   */
  open(): Promise<void>
  /** Writes what was sent so far, where waiting for the end of the turn is too long. */
  flush(): void
}

/** How long `close` waits for peers to take what was sent to them. */
const FAREWELL_MS = 1000

const DROPS_LOGGED_MAX = 1000

class SocketMember implements SocketBus, LinkOwner {
  readonly memberId: MemberId
  readonly peers = new Map<MemberId, PeerInfo>()
  readonly bufferCharsMax: number
  readonly #options: SocketBusOptions<BusMessage>
  readonly #pendingMax: number
  readonly #pending: PendingRequests
  readonly #own: Bus
  readonly #connections: Connections
  readonly #links = new Map<MemberId, Link>()
  #handler: BusHandler<BusMessage> | undefined
  #dirty: Link[] = []
  #isClosed = false
  #droppedCount = 0
  /** Destinations whose dropped messages were logged; the rest is only counted until they are up again. */
  readonly #dropsLogged = new Set<string>()
  #allGone: (() => void) | undefined
  readonly flush = (): void => {
    const dirty = this.#dirty
    this.#dirty = []
    for (const link of dirty) link.flush()
  }

  constructor(options: SocketBusOptions<BusMessage>) {
    const { memberId, bootId, directory, codec, clock, log, lookMs = 500 } = options
    this.#options = options
    this.memberId = memberId
    this.bufferCharsMax = options.bufferCharsMax ?? 64 * 1024 * 1024
    this.#pendingMax = options.pendingRequestsMax ?? 100_000
    this.#pending = new PendingRequests(clock)
    this.#own = createLocalBus({ clock, log }).member(memberId)
    this.#connections = new Connections({
      own: { memberId, bootId, protocolVersion: codec.protocolVersion },
      directory, clock, log, lookMs,
      isPeer: options.isPeer ?? (() => true),
      linkFor: (peer, direction) => this.#linkFor(peer, direction),
      linkOf: member => this.#links.get(member),
    })
    options.metrics?.observedGauge('rollcall_bus_socket_peers', 'Peers that are up', () => this.peers.size)
    options.metrics?.observedGauge('rollcall_bus_socket_buffered_bytes', 'Bytes that wait for peers', () => this.#bufferedChars())
    options.metrics?.observedGauge('rollcall_bus_socket_dropped_messages', 'Messages dropped so far', () => this.#droppedCount)
  }

  open(): Promise<void> {
    return this.#connections.open()
  }

  attach(handler: BusHandler<BusMessage>): void {
    this.#own.attach(handler)
    if (!this.#isClosed) this.#handler = handler
  }

  send(to: MemberId, message: BusMessage): void {
    if (to === this.memberId) return this.#own.send(to, message)
    if (this.#isClosed) return
    const link = this.#links.get(to)
    if (link === undefined || !link.isUp) return this.#dropped(to, message.kind, 'no such member')
    try {
      link.send(message)
    } catch (error) {
      this.#options.log.error('bus-message-unsendable', { to, kind: message.kind, error })
    }
  }

  afterWritten(to: MemberId, then: () => void): void {
    if (to === this.memberId) return this.#own.afterWritten(to, then)
    const link = this.#links.get(to)
    if (!this.#isClosed && link?.isUp === true) link.afterWritten(then)
  }

  async request(to: MemberId, message: BusMessage, timeoutMs: number): Promise<unknown> {
    if (to === this.memberId) return this.#own.request(to, message, timeoutMs)
    if (this.#isClosed) throw new BusError('closed', `member ${this.memberId} is closed`)
    const link = this.#links.get(to)
    if (link === undefined || !link.isUp) throw new BusError('no-responder', `no member ${to} on this bus`)
    if (this.#pending.size >= this.#pendingMax) {
      throw new BusError('timeout', `${this.#pending.size} requests of member ${this.memberId} are pending already`)
    }
    return new Promise((resolve, reject) => {
      const serial = this.#pending.add(to, timeoutMs, resolve, reject)
      try {
        link.request(serial, message)
      } catch (error) {
        reject(error)
        this.#pending.settle(serial, undefined, undefined)
      }
    })
  }

  // ------------------------------------------------------------------------------------ input

  dispatch(link: Link, mark: number, reader: WireReader): void {
    if (this.#isClosed) return
    try {
      switch (mark) {
        case MARK.message:
          return this.#receive(link, reader)
        case MARK.request:
          return this.#answer(link, reader.varint(), reader)
        case MARK.reply:
          return this.#settle(reader.varint(), undefined, link.decoder.value(reader))
        case MARK.failure: {
          const serial = reader.varint()
          const { code, text } = JSON.parse(reader.rest()) as { code: BusError['code']; text: string }
          return this.#settle(serial, new BusError(code, text), undefined)
        }
        default:
      }
    } catch (error) {
      this.#options.log.error('bus-message-unreadable', { from: link.peer.memberId, error })
    }
  }

  #receive(link: Link, reader: WireReader): void {
    const from = link.peer.memberId
    const message = link.decoder.message(reader)
    if (message === undefined) return this.#dropped(`${from} ${link.peer.bootId}`, 'unknown', 'a kind that this version does not know')
    if (this.#handler === undefined) return this.#dropped(this.memberId, message.kind, 'no handler')
    try {
      this.#handler.receive(from, message)
    } catch (error) {
      this.#options.log.error('bus-handler-threw', { member: this.memberId, from, kind: message.kind, error })
    }
  }

  #answer(link: Link, serial: number, reader: WireReader): void {
    const from = link.peer.memberId
    const failed = (error: unknown): void => {
      this.#options.log.error('bus-request-failed', { member: this.memberId, from, error })
      link.fail(serial, 'remote', error instanceof Error ? error.message : String(error))
    }
    try {
      // Even where nobody answers: a decoder remembers what came before.
      const message = link.decoder.message(reader)
      const handler = this.#handler
      if (handler === undefined) return link.fail(serial, 'no-responder', `member ${this.memberId} does not answer`)
      if (message === undefined) throw new Error(`member ${this.memberId} does not know this kind of request`)
      handler.answer(from, message).then(value => link.reply(serial, value)).catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  #settle(serial: number, error: BusError | undefined, value: unknown): void {
    this.#pending.settle(serial, error, value)
  }

  #dropped(to: string, kind: string, why: string): void {
    this.#droppedCount++
    if (this.#dropsLogged.has(to) || this.#dropsLogged.size >= DROPS_LOGGED_MAX) return
    this.#dropsLogged.add(to)
    this.#options.log.warn('bus-message-dropped', { to, kind, why })
  }

  // ------------------------------------------------------------------------------------ links

  after(delayMs: number, callback: () => void): void {
    this.#options.clock.after(delayMs, callback)
  }

  flushSoon(link: Link): void {
    this.#dirty.push(link)
    if (this.#dirty.length === 1) this.#options.clock.soon(this.flush)
  }

  #bufferedChars(): number {
    let sum = 0
    for (const link of this.#links.values()) sum += link.bufferedChars
    return sum
  }

  #linkFor(peer: PeerInfo, direction: 'inbound' | 'outbound'): Link {
    const known = this.#links.get(peer.memberId)
    const isTaken = known !== undefined && (direction === 'inbound' ? known.hasInbound : known.hasOutbound)
    if (known !== undefined && !isTaken && known.peer.bootId === peer.bootId) return known
    known?.end('it started again')
    const { codec } = this.#options
    const link = new Link(this, peer, codec.encoder(), codec.decoder())
    this.#links.set(peer.memberId, link)
    return link
  }

  linkUp({ peer }: Link): void {
    this.peers.set(peer.memberId, peer)
    this.#dropsLogged.clear()
    this.#tell({ kind: 'up', peer, why: '' })
  }

  linkEnded(link: Link, why: string): void {
    const { peer } = link
    if (this.#links.get(peer.memberId) === link) this.#links.delete(peer.memberId)
    if (link.isUp) {
      this.peers.delete(peer.memberId)
      this.#pending.rejectAll(new BusError('no-responder', `member ${peer.memberId} left the bus: ${why}`), peer.memberId)
      this.#tell({ kind: 'gone', peer, why })
    }
    if (this.#links.size === 0) this.#allGone?.()
  }

  #tell(event: PeerEvent): void {
    const { peer: { memberId, bootId }, why } = event
    this.#options.log.info(`bus-peer-${event.kind}`, { peer: memberId, bootId, why })
    try {
      this.#options.onPeer?.(event)
    } catch (error) {
      this.#options.log.error('bus-peer-listener-threw', { peer: memberId, error })
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#handler = undefined
    await this.#own.close()
    this.#pending.rejectAll(new BusError('closed', `member ${this.memberId} is closed`))
    this.#connections.stopGrowing()
    await this.#farewell()
    for (const link of this.#links.values()) link.end('closed')
    await this.#connections.close()
  }

  /** Resolves when every peer has read what was sent to it, or after a while. */
  async #farewell(): Promise<void> {
    if (this.#links.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(FAREWELL_MS, resolve)
      this.#allGone = () => {
        timer.cancel()
        resolve()
      }
      for (const link of [...this.#links.values()]) link.finish()
    })
  }
}

/** A member that nobody meets before `open`. */
export function createSocketBus<M extends BusMessage>(options: SocketBusOptions<M>): SocketBus<M> {
  // Narrowed by agreement: all members of one directory speak the table of the codec, which `M` stands for.
  return new SocketMember(options)
}
