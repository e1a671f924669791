/**
 * One stream, whatever carries it: its stage, its deadline, its output, and how it ends.
 *
 * Transports extend it with the few things that differ (how a header, an element, an end look; how bytes leave). What the
 * elements mean is the business of a `StreamService`, one object shared by all connections of a kind. So a connection is a
 * record of a few fields, and an idle one holds neither buffers nor closures nor timers.
 */
import type { Jid } from '@rollcall/jid'
import type { SessionOrigin } from '@rollcall/module-api'
import type { MemberId } from '@rollcall/ports'
import { XmlError } from '@rollcall/xml'
import type { SessionState } from '../protocol/member-messages.ts'
import type { Frame, StreamHeader, XmlLimits } from '@rollcall/xml'
import type { Opening } from './header-rules.ts'
import type { Hub, HubMember } from './hub.ts'
import { Negotiation } from './negotiation.ts'
import { RemoteSession } from './remote-session.ts'
import { HOLD_MOVE, HOLD_RATE, HOLD_SHARE } from './stages.ts'
import type { Stage } from './stages.ts'
import { NS_STREAM } from './stream-wire.ts'
import type { OwnHeader, StreamFault } from './stream-wire.ts'

/** A client whose connection was lost is asked for a sign of life that much sooner. */
const RESUMED_FACTOR = 4

/** What the elements of a stream mean; shared by all connections of a kind. */
export interface StreamService {
  readonly contentNs: string
  /** A header in TCP's clothes. */
  header(connection: Connection, header: StreamHeader): void
  /** The facts of a header in other clothes. */
  opening(connection: Connection, opening: Opening): void
  element(connection: Connection, frame: Frame): void
  /** The peer was bound and is gone; called once, not when the core itself ended the stream. */
  gone(connection: Connection, reason: 'closed' | 'lost'): void
  /** A sign of life is wanted from a silent peer. */
  probe(connection: Connection): void
  outputBytesMax(): number
  /** Whether each connection is one peer, to whom `FairShare` gives as much as to the next one. */
  readonly isShared: boolean
}

export abstract class Connection implements HubMember {
  abstract readonly transport: SessionOrigin['transport']
  abstract readonly isSecure: boolean
  /** The peer's address as text. */
  readonly address: string
  readonly acceptedMs: number
  /** When the present stage must be over. */
  deadlineMs: number
  lastInputMs: number
  /** When a sign of life was asked for; 0 when none is outstanding. */
  probedMs = 0
  /** A message or request was sent since anything came. */
  private hasUnanswered = false
  /** It took the place of a connection that was lost: its network may lose this one as well. */
  isResumed = false
  /** When something meaningless was last sent to keep the connection alive. */
  private keptMs = 0
  /** The full JID once bound; a component's domain. */
  jid: Jid | undefined
  /** The member that owns `jid`. */
  core: MemberId = ''
  /** The host that this stream is for, once its header was accepted. */
  host: Jid | undefined
  lang = ''
  /** Until a resource is bound. */
  streamId = ''
  /** Whom the peer says it is, as it goes into our header. */
  peer: string | undefined
  /**
   * The client asked for stream management (XEP-0198), or resumed: the core counts its stanzas in both directions, so
   * nothing may be answered or sent past it.
   */
  isManaged = false
  /** There only while the core is another member. */
  remote: RemoteSession | undefined
  /** State that ends with the negotiation. */
  negotiation: Negotiation | undefined = new Negotiation()
  protected isHeaderSent = false
  protected holds = 0
  /** Elements of the peer since the network last gave us bytes of it: see `FairShare`. */
  protected shareUsed = 0
  private hasLeft = false
  private budgetBytes: number
  private budgetMs: number
  // Last, and the first fields of `TcpConnection` behind them: what is touched for each delivery, in few lines of the processor's cache.
  readonly id: number
  readonly hub: Hub
  readonly service: StreamService
  stage: Stage = 'header'
  /** Wire string gathered for the next flush. */
  out = ''
  /** On the hub's flush list. */
  isDirty = false
  isGathering = false
  isWeighed = false

  constructor(hub: Hub, service: StreamService, address: string) {
    this.id = hub.nextConn()
    this.hub = hub
    this.service = service
    this.address = address
    this.acceptedMs = hub.wholeMs()
    this.deadlineMs = this.acceptedMs + hub.config.timeouts.negotiationMs
    this.lastInputMs = this.acceptedMs
    this.budgetBytes = hub.config.limits.inputBurstBytesMax
    this.budgetMs = this.acceptedMs
  }

  // ------------------------------------------------------------------------------------ what a transport provides

  /** Writes our header. */
  protected abstract writeHeader(header: OwnHeader): void
  /** Writes a stream error. */
  protected abstract writeFault(fault: StreamFault): void
  /** Writes our close tag. */
  protected abstract writeClose(): void
  /** Writes one element of the stream level: features, SASL, TLS. Its default namespace, if any, is declared in it or is content. */
  abstract sendControl(wire: string): void
  /** Writes one stanza. */
  abstract sendStanza(wire: string): void
  /** Hands what was gathered to the network. */
  abstract flush(): void
  /** Flushes, then ends our direction. */
  protected abstract endOutput(): void
  /** Gives the connection up at once. */
  abstract destroy(): void
  /** Reading stops when `holds` becomes non-zero and goes on when it is zero again. */
  protected abstract applyHolds(): void
  /** Expects a new header on the same transport (RFC 6120 §6.4.6). */
  abstract restart(): void
  /** Bytes gathered and not taken by the network. */
  abstract get queuedBytes(): number
  /** Bounds for what is read from now on. */
  abstract setLimits(limits: XmlLimits): void
  /** Writes something that means nothing, to keep middleboxes awake. */
  protected abstract writeKeepalive(): void

  // ------------------------------------------------------------------------------------ input

  get isOpen(): boolean {
    return this.stage !== 'closing' && this.stage !== 'closed'
  }

  /** Notes input for idle detection and the rate limit. */
  protected noteInput(bytes: number): void {
    this.lastInputMs = this.hub.nowMs
    this.probedMs = 0
    this.hasUnanswered = false
    this.hub.metrics.bytesIn.add(bytes)
    if (this.stage !== 'bound') this.countPreAuth(bytes)
    else if (this.hub.config.limits.inputBytesPerSecondMax > 0) this.spendBudget(bytes)
  }

  private countPreAuth(bytes: number): void {
    const { negotiation } = this
    if (negotiation === undefined || !this.isOpen) return
    negotiation.bytes += bytes
    if (negotiation.bytes > this.hub.config.limits.preAuthBytesMax) {
      this.fail({ condition: 'policy-violation', text: 'too much sent before authentication' })
    }
  }

  private spendBudget(bytes: number): void {
    this.budgetBytes -= bytes
    if (this.budgetBytes >= 0 || (this.holds & HOLD_RATE) !== 0) return
    this.refill(this.hub.wholeMs())
    if (this.budgetBytes >= 0) return
    this.hold(HOLD_RATE)
    this.hub.throttle(this)
  }

  private refill(nowMs: number): void {
    const { inputBytesPerSecondMax, inputBurstBytesMax } = this.hub.config.limits
    const earned = ((nowMs - this.budgetMs) / 1000) * inputBytesPerSecondMax
    this.budgetBytes = Math.min(inputBurstBytesMax, this.budgetBytes + earned)
    this.budgetMs = nowMs
  }

  /** After a throttle: reads on if the budget allows. */
  onBudget(nowMs: number): void {
    this.refill(nowMs)
    if (this.budgetBytes >= 0 || this.hub.config.limits.inputBytesPerSecondMax === 0) this.release(HOLD_RATE)
    else this.hub.throttle(this)
  }

  /** An element of the peer. */
  protected receive(frame: Frame): void {
    if (!this.isOpen) return
    this.service.element(this, frame)
    if (++this.shareUsed >= this.hub.share.elementsMax) this.yieldTurn()
  }

  /** The peer has had its share of this turn: what else it sent waits, in its socket where possible, until the next. */
  private yieldTurn(): void {
    this.shareUsed = 0
    if (this.stage !== 'bound' || !this.service.isShared) return
    this.hold(HOLD_SHARE)
    this.hub.share.yielded(this)
  }

  /** The peer's close tag. */
  protected peerClosed(): void {
    if (this.stage === 'closed') return
    if (this.stage !== 'closing') {
      this.leave('closed')
      this.openIfNeeded()
      this.writeClose()
      this.startClosing()
    }
    this.endOutput()
  }

  /** What reading the peer's bytes threw. */
  protected onReadError(error: unknown): void {
    if (error instanceof XmlError) {
      this.fail({ condition: error.condition, text: error.message })
      return
    }
    this.hub.ports.log.error('stream-defect', { conn: this.id, error })
    this.fail({ condition: 'internal-server-error' })
  }

  /** Stops reading for a reason (`HOLD_…`). */
  hold(reason: number): void {
    this.holds |= reason
    this.applyHolds()
  }

  /** The reason is gone; reads on when it was the last. */
  release(reason: number): void {
    if ((this.holds & reason) === 0) return
    this.holds &= ~reason
    this.applyHolds()
  }

  // ------------------------------------------------------------------------------------ output

  /** Answers the peer's header. */
  open(): void {
    this.isHeaderSent = true
    this.streamId = this.hub.ports.random.id()
    this.writeHeader({ id: this.streamId, from: (this.host ?? this.hub.defaultHost).domainpart, to: this.peer })
  }

  /** Forgets that a header was sent: the next one belongs to a new stream. */
  protected reopen(): void {
    this.isHeaderSent = false
    this.stage = 'header'
  }

  // RFC 6120 §4.9.1.2: whatever goes wrong is said inside a stream.
  private openIfNeeded(): void {
    if (!this.isHeaderSent) this.open()
  }

  /** A stanza from the core. */
  deliver(wire: string): void {
    if (this.stage === 'bound') {
      this.hasUnanswered = true
      this.sendStanza(wire)
    } else if (this.negotiation !== undefined) this.keepEarly(this.negotiation, wire)
  }

  /** The core knows of the session before we have its answer, and may deliver at once: that goes behind the answer. */
  private keepEarly(negotiation: Negotiation, wire: string): void {
    negotiation.early ??= []
    negotiation.early.push(wire)
    negotiation.earlyBytes += wire.length
    if (negotiation.earlyBytes > this.service.outputBytesMax()) this.overflow()
  }

  /** Stanzas flow from now on, after `first`: a stanza that the peer has to know before them, or ''. */
  becomeBound(jid: Jid, core: MemberId, limits: XmlLimits, first: string): void {
    const early = this.negotiation?.early
    this.jid = jid
    this.core = core
    this.stage = 'bound'
    this.negotiation = undefined
    this.streamId = ''
    this.hub.relax(this)
    this.setLimits(limits)
    if (first !== '') this.sendStanza(first)
    for (const wire of early ?? []) {
      if (!this.isOpen) return
      this.sendStanza(wire)
    }
  }

  /** Presence from the core: it may wait for more of it, and goes before anything that comes later. */
  deliverPresence(wire: string): void {
    if (this.stage === 'bound') this.sendPresence(wire)
    // A stream that is being resumed counts it: what is not sent would be taken for the next stanza.
    else if (this.negotiation !== undefined) this.keepEarly(this.negotiation, wire)
  }

  /** As `deliverPresence`, of what the client has sent itself. */
  deliverEcho(wire: string): void {
    if (this.stage === 'bound') this.sendEcho(wire)
    else this.deliverPresence(wire)
  }

  /** Writes presence. Transports that can wait with it do. */
  protected sendPresence(wire: string): void {
    this.sendStanza(wire)
  }

  /** Writes what the client has sent itself. Transports that can wait longer with it do. */
  protected sendEcho(wire: string): void {
    this.sendPresence(wire)
  }

  /** The peer does not read what it is sent. */
  protected overflow(): void {
    this.hub.metrics.overflows.add(1)
    this.out = ''
    this.fail({ condition: 'policy-violation', text: 'too much output waits to be read' })
    // The error stands behind a full buffer; a peer that reads again within the close time-out still gets it.
  }

  // ------------------------------------------------------------------------------------ several members

  mirror(from: MemberId, state: SessionState): void {
    this.remote ??= new RemoteSession()
    this.remote.update(from, state, this.stage !== 'bound')
  }

  moveTo(core: MemberId): void {
    this.core = core
    if (core === this.hub.ports.bus.memberId) this.remote = undefined
    this.release(HOLD_MOVE)
  }

  // ------------------------------------------------------------------------------------ end

  /** Ends the stream with an error (RFC 6120 §4.9). */
  fail(fault: StreamFault): void {
    if (!this.isOpen) return
    this.leave('lost')
    this.hub.metrics.streamError(fault.condition)
    if (this.hub.ports.log.isDebug) {
      this.hub.ports.log.debug('stream-error', { conn: this.id, address: this.address, ...fault })
    }
    this.openIfNeeded()
    this.writeFault(fault)
    this.writeClose()
    this.startClosing()
    this.endOutput()
  }

  /** An element that means nothing here: an error, unless it is the peer's own stream error (RFC 6120 §4.9.1.1). */
  refuseElement(frame: Frame, condition: StreamFault['condition']): void {
    if (frame.name === 'error' && frame.ns === NS_STREAM) this.close()
    else this.fail({ condition })
  }

  /** Ends the stream because the core says so, which therefore is not told. */
  closeByCore(fault: StreamFault | undefined): void {
    this.hasLeft = true
    if (fault !== undefined) this.fail(fault)
    else this.close()
  }

  /** Ends the stream in order: our close tag, then the peer's. */
  close(): void {
    if (!this.isOpen) return
    this.leave('closed')
    this.openIfNeeded()
    this.writeClose()
    this.startClosing()
    this.hub.markDirty(this)
  }

  private startClosing(): void {
    this.stage = 'closing'
    this.negotiation = undefined
    this.deadlineMs = this.hub.wholeMs() + this.hub.config.timeouts.closeMs
    this.hub.attend(this)
    // Whatever held the input, the peer's close tag is wanted now.
    this.holds = 0
    this.applyHolds()
  }

  /** The connection no longer counts; for transports whose accept counted it. */
  protected released(): void {}

  /** Silence after which something meaningless is sent; 0 never. */
  protected get keepaliveMs(): number {
    return this.hub.config.timeouts.keepaliveMs
  }

  /** The transport is gone. */
  protected lost(): void {
    if (this.stage === 'closed') return
    this.leave('lost')
    this.stage = 'closed'
    this.out = ''
    this.negotiation?.abandon()
    this.negotiation = undefined
    this.hub.remove(this)
    this.released()
  }

  private leave(reason: 'closed' | 'lost'): void {
    if (this.hasLeft || this.stage !== 'bound') return
    this.hasLeft = true
    this.service.gone(this, reason)
  }

  // ------------------------------------------------------------------------------------ time

  /** `deadlineMs` has come. */
  onDeadline(): void {
    if (this.isOpen) this.fail({ condition: 'connection-timeout' })
    else this.destroy()
  }

  /** Silence after which a sign of life is wanted: what is lost meanwhile decides. */
  private get silenceMaxMs(): number {
    const { idleMs, unansweredMs } = this.hub.config.timeouts
    if (idleMs === 0) return Infinity
    // With stream management the core asks whenever something is sent, and gives up much sooner.
    if (this.hasUnanswered && !this.isManaged) return Math.min(idleMs, unansweredMs)
    return this.isResumed ? idleMs / RESUMED_FACTOR : idleMs
  }

  /** A bound connection is visited: how long has it been silent? */
  onVisit(nowMs: number): void {
    const { probeMs } = this.hub.config.timeouts
    const { keepaliveMs } = this
    const silentMs = nowMs - this.lastInputMs
    if (this.probedMs !== 0) {
      if (nowMs - this.probedMs >= probeMs) this.fail({ condition: 'connection-timeout' })
    } else if (silentMs >= this.silenceMaxMs) {
      this.probedMs = nowMs
      this.service.probe(this)
    } else if (keepaliveMs > 0 && silentMs >= keepaliveMs && nowMs - this.keptMs >= keepaliveMs) {
      this.keptMs = nowMs
      this.writeKeepalive()
    }
  }
}
