/**
 * Stream management (XEP-0198) where the sessions are: acknowledgements both ways, sessions whose connection is lost, and
 * clients that come back for them, on whichever edge.
 *
 * Edges only pass the elements on, in order with the stanzas, so the counters cannot disagree with what was handled. There
 * are no timers per session: clients are asked for acknowledgements from one list, emptied once per turn, with one request
 * outstanding per stream; one sweep looks at streams that wait for an answer, oldest request first, and at sessions that
 * wait for their client.
 */
import type { Clock, CounterMetric, HistogramMetric, Log, MemberId, Metrics, Random, Timer } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import { clientNonza, messageAcked, sessionDetached, sessionResumed } from '@rollcall/module-api'
import {
  CodecError, HandledCountTooHigh, NS_STREAM_MANAGEMENT, SmAnswer, SmEnable, SmEnabled, SmFailed, SmRequest, SmResumed,
} from '@rollcall/protocol'
import type { Input } from '@rollcall/protocol'
import type { StanzaErrorCondition } from '@rollcall/stanza'
import type { XmlElement } from '@rollcall/xml'
import type { CloseStream, ResumeReply, ResumeSession } from '../protocol/messages.ts'
import { Stamps } from '../protocol/stamps.ts'
import type { Digest } from '../protocol/stamps.ts'
import type { AccountRegistry } from './account-registry.ts'
import type { Binding } from './binding.ts'
import type { StreamManagementConfig } from './config.ts'
import { EndedStreams } from './ended-streams.ts'
import type { LocalSession } from './entities.ts'
import type { ClaimChain, HookChains, ObserveChain } from './hook-chains.ts'
import type { HookEvent } from './hook-event.ts'
import { ManagedStream } from './managed-stream.ts'
import type { StreamRules, StreamStart } from './managed-stream.ts'
import type { SessionLedger } from './session-ledger.ts'
import type { QueueEntry } from './unacked-queue.ts'

export interface StreamManagementPorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly config: StreamManagementConfig
  readonly registry: AccountRegistry
  readonly binding: Binding
  readonly hooks: HookChains
  /** Absent where there is one member. */
  readonly members: StreamMembers | undefined
}

/** What stream management needs where there are several members (ADR 0019). */
export interface StreamMembers {
  readonly ledger: SessionLedger
  readonly digestOf: Digest
  /** A stream has begun: to be known elsewhere before the client knows. */
  readonly begun: (session: LocalSession) => void
}

const SWEEP_PERIOD_MS = 1_000
/** Sessions that one sweep ends: each tells contacts, and after a cut of the network all are due at once. */
const EXPIRIES_PER_SWEEP_MAX = 1_000
/** A client is lost when it takes this many times as long as it usually does. */
const LATENCY_FACTOR = 10
const REQUEST = SmRequest.toWire({})

type SessionStream = ManagedStream<LocalSession>
type Fault = Omit<CloseStream, 'kind' | 'conn'>

export class StreamManagement implements StreamRules<LocalSession> {
  readonly #ports: StreamManagementPorts
  readonly #config: StreamManagementConfig
  /** Lost sessions, in the order of their loss. */
  readonly #detached = new Set<SessionStream>()
  /** Streams with an unanswered `<r/>`, in the order of asking. */
  readonly #waiting = new Set<SessionStream>()
  readonly #endedStreams: EndedStreams
  readonly #sweep: Timer
  readonly #acked: ObserveChain<HookEvent<typeof messageAcked>>
  readonly #onDetached: ObserveChain<HookEvent<typeof sessionDetached>>
  readonly #nonzas: ClaimChain<HookEvent<typeof clientNonza>>
  readonly #onResumed: ObserveChain<HookEvent<typeof sessionResumed>>
  readonly #resumptions: Record<'resumed' | 'unknown' | 'refused', CounterMetric>
  readonly #replayed: CounterMetric
  readonly #overflows: CounterMetric
  readonly #timeouts: CounterMetric
  readonly #ackSeconds: HistogramMetric
  #asked: SessionStream[] = []
  #unackedStanzas = 0
  #unackedBytes = 0

  constructor(ports: StreamManagementPorts) {
    const { clock, config, hooks, metrics } = ports
    this.#ports = ports
    this.#config = config
    this.#endedStreams = new EndedStreams(config.endedSessionsKept)
    this.#acked = hooks.observe(messageAcked)
    this.#onDetached = hooks.observe(sessionDetached)
    this.#nonzas = hooks.claim(clientNonza)
    this.#onResumed = hooks.observe(sessionResumed)
    this.#sweep = clock.every(SWEEP_PERIOD_MS, () => this.sweep())
    const resumptions = (result: string) => metrics.counter('rollcall_resumptions_total', 'Attempts to resume a session, by result.', { result })
    this.#resumptions = { resumed: resumptions('resumed'), unknown: resumptions('unknown'), refused: resumptions('refused') }
    this.#replayed = metrics.counter('rollcall_replayed_stanzas_total', 'Stanzas sent again to clients that resumed.')
    this.#overflows = metrics.counter('rollcall_unacked_overflows_total', 'Sessions ended because too much was not acknowledged.')
    this.#timeouts = metrics.counter('rollcall_ack_timeouts_total', 'Connections given up because the client did not acknowledge.')
    this.#ackSeconds = metrics.histogram(
      'rollcall_ack_seconds', 'Time from a request for acknowledgement to the answer of the client.', [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    )
    metrics.observedGauge('rollcall_sessions_detached', 'Sessions whose client is expected back.', () => this.#detached.size)
    metrics.observedGauge('rollcall_unacked_stanzas', 'Stanzas sent and not acknowledged.', () => this.#unackedStanzas)
    metrics.observedGauge('rollcall_unacked_bytes', 'Bytes of stanzas sent and not acknowledged.', () => this.#unackedBytes)
  }

  stop(): void {
    this.#sweep.cancel()
  }

  // ------------------------------------------------------------------------------------ elements of the client

  /** Handles a first-level element of a bound client that is no stanza. */
  receive(session: LocalSession, element: XmlElement): void {
    try {
      this.#handle(session, element)
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      this.#fault(session, { condition: 'bad-format', text: error.message })
    }
  }

  #handle(session: LocalSession, element: XmlElement): void {
    const { management } = session
    switch (element.ns === NS_STREAM_MANAGEMENT ? element.name : '') {
      case 'r':
        if (management === undefined) break
        if (this.#config.durability === 'async') this.acknowledge(management, management.inbound.handled)
        else management.inbound.owe()
        return
      case 'a':
        if (management === undefined) break
        this.#answered(management, SmAnswer.decode(element).handled)
        return
      case 'enable':
        if (management === undefined) this.#enable(session, element)
        else this.#enabledTwice(session)
        return
      case 'resume':
        break
      default:
        if (element.ns !== NS_STREAM_MANAGEMENT && this.#nonzas.run({ session, element }) !== false) return
        this.#fault(session, { condition: 'unsupported-stanza-type' })
        return
    }
    session.sendNonza(failed('unexpected-request'))
  }

  #enable(session: LocalSession, element: XmlElement): void {
    let wish: SmEnable
    try {
      wish = SmEnable.decode(element)
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      session.sendNonza(failed('bad-request'))
      return
    }
    const answer = SmEnabled.toWire(this.#start(session, wish))
    this.#ports.members?.begun(session)
    session.sendNonza(answer)
  }

  /** Turns acknowledgements on while the resource is bound (§2.1); the answer stands in `<bound/>`. */
  enableInline(session: LocalSession, wish: SmEnable): XmlElement {
    if (session.management !== undefined) return SmFailed.encode({ condition: { name: 'unexpected-request' } })
    return SmEnabled.encode(this.#start(session, wish))
  }

  #start(session: LocalSession, wish: SmEnable): Input<typeof SmEnabled> {
    const { location, resumeMaxSeconds } = this.#config
    const seconds = wish.resume ? Math.min(wish.max ?? resumeMaxSeconds, resumeMaxSeconds) : 0
    const token = seconds === 0 ? '' : this.#ports.random.id()
    session.management = this.#newStream(session, { token, resumeMs: seconds * 1000 })
    session.management.since = this.#ports.clock.now()
    return seconds === 0 ? {} : { id: token, resume: true, max: seconds, ...(location === '' ? {} : { location }) }
  }

  #newStream(session: LocalSession, start: StreamStart): SessionStream {
    const { members } = this.#ports
    const stream = new ManagedStream(this, session, start)
    if (members !== undefined && start.token !== '') stream.stamps = new Stamps(members.digestOf, start.token)
    return stream
  }

  /** §3: one attempt is all there is. */
  #enabledTwice(session: LocalSession): void {
    session.sendNonza(failed('unexpected-request'))
    session.closeStream('policy-violation', 'Stream management is enabled already')
    this.lost(session)
  }

  #answered(stream: SessionStream, h: number): void {
    const distance = stream.queue.distance(h)
    if (distance > stream.queue.length) {
      this.#fault(stream.session, tooHigh(h, stream.queue.sent))
      return
    }
    this.#noteAnswer(stream)
    // A count that goes back says nothing new: what was acknowledged is forgotten.
    if (distance > 0) this.#drop(stream, distance)
    if (stream.queue.length > 0 && stream.queue.sent !== stream.requestedAtCount) this.#askSoon(stream)
  }

  #noteAnswer(stream: SessionStream): void {
    if (stream.requestedAtMs === undefined) return
    const latencyMs = this.#ports.clock.monotonic() - stream.requestedAtMs
    stream.requestedAtMs = undefined
    this.#waiting.delete(stream)
    this.#ackSeconds.observe(latencyMs / 1000)
    stream.latencyMs = stream.latencyMs === 0 ? latencyMs : stream.latencyMs + (latencyMs - stream.latencyMs) / 8
  }

  #drop(stream: SessionStream, count: number): void {
    const { bytes } = stream.queue
    // Streams are in order: who has what was counted has what was written before counting began.
    if (count > 0) stream.session.earlyArrived()
    stream.queue.drop(count, (entry) => this.#tellAcked(stream, entry))
    this.#unackedStanzas -= count
    this.#unackedBytes -= bytes - stream.queue.bytes
  }

  #tellAcked({ session }: SessionStream, entry: QueueEntry): void {
    if (typeof entry === 'string' || this.#acked.isEmpty || entry.stanza.kind !== 'message') return
    this.#acked.run({ session, stanza: entry.stanza })
  }

  /** The client broke the protocol so that its counts mean nothing: stream and session end. */
  #fault(session: LocalSession, { condition, text, detail }: Fault): void {
    session.closeStream(condition, text, detail)
    this.#ports.binding.unbind(session, 'lost')
  }

  // ------------------------------------------------------------------------------------ what streams tell (StreamRules)

  acknowledge(stream: SessionStream, h: number): void {
    if (stream.isInLedger) this.#ports.members?.ledger.acknowledge(stream, h)
    else stream.session.sendNonza(SmAnswer.toWire({ handled: h }))
  }

  queued(stream: SessionStream, bytes: number): boolean {
    this.#unackedStanzas++
    this.#unackedBytes += bytes
    if (stream.isOverflowing) return false
    const { queue, session } = stream
    if (queue.length > this.#config.unackedStanzasMax || queue.bytes > this.#config.unackedBytesMax) {
      stream.isOverflowing = true
      this.#overflows.add(1)
      session.close('policy-violation', 'Too much is not acknowledged')
      return false
    }
    if (stream.isDetached) return false
    this.#askSoon(stream)
    return true
  }

  ended(stream: SessionStream): void {
    this.#unackedStanzas -= stream.queue.length
    this.#unackedBytes -= stream.queue.bytes
    this.#detached.delete(stream)
    this.#waiting.delete(stream)
    if (stream.token !== '') this.#endedStreams.add(stream.token, stream.session.account.jid.toString(), stream.inbound.safe)
  }

  // ------------------------------------------------------------------------------------ requests for acknowledgement

  #askSoon(stream: SessionStream): void {
    if (stream.isAskDue || stream.requestedAtMs !== undefined) return
    stream.isAskDue = true
    if (this.#asked.push(stream) === 1) this.#ports.clock.soon(this.#askAll)
  }

  readonly #askAll = (): void => {
    const streams = this.#asked
    this.#asked = []
    const now = this.#ports.clock.monotonic()
    for (const stream of streams) {
      stream.isAskDue = false
      const { session, queue } = stream
      if (session.isEnded || stream.isDetached || queue.length === 0 || stream.requestedAtMs !== undefined) continue
      stream.requestedAtMs = now
      // What came before says nothing of now.
      stream.isHeard = false
      stream.requestedAtCount = queue.sent
      this.#waiting.add(stream)
      session.sendNonza(REQUEST)
    }
  }

  // ------------------------------------------------------------------------------------ loss

  /** The session's connection is lost: the session waits for its client, or ends. */
  lost(session: LocalSession): void {
    const { management } = session
    const mayWait = management !== undefined && management.token !== '' && this.#detached.size < this.#config.detachedSessionsMax
    if (mayWait) this.#detach(management)
    else this.#ports.binding.unbind(session, 'lost')
  }

  #detach(stream: SessionStream): void {
    if (stream.isDetached) return
    const { session } = stream
    this.#ports.binding.sessions.remove(session)
    this.#waitForClient(stream, this.#ports.clock.monotonic())
    this.#onDetached.run({ session })
  }

  #waitForClient(stream: SessionStream, sinceMs: number): void {
    stream.detachedAtMs = sinceMs
    stream.requestedAtMs = undefined
    this.#waiting.delete(stream)
    this.#detached.add(stream)
  }

  /** Gives up connections that do not answer, and sessions whose time is over. */
  sweep(): void {
    const now = this.#ports.clock.monotonic()
    for (const stream of this.#waiting) {
      const waitedMs = now - (stream.requestedAtMs ?? now)
      if (waitedMs < this.#config.ackTimeoutMinMs) break
      if (stream.isHeard) this.#goOnWaiting(stream, now)
      else if (waitedMs >= this.#timeoutMs(stream)) this.#giveUp(stream)
    }
    let left = EXPIRIES_PER_SWEEP_MAX
    for (const stream of this.#detached) {
      if (now - (stream.detachedAtMs ?? now) < stream.resumeMs) continue
      this.#ports.binding.unbind(stream.session, 'lost')
      if (--left === 0) break
    }
  }

  /** Somebody who sends is there; a slow link may hold the answer up. */
  #goOnWaiting(stream: SessionStream, now: number): void {
    stream.isHeard = false
    stream.requestedAtMs = now
    this.#waiting.delete(stream)
    this.#waiting.add(stream)
  }

  #timeoutMs({ latencyMs }: SessionStream): number {
    const { ackTimeoutMaxMs, ackTimeoutMinMs } = this.#config
    return latencyMs === 0 ? ackTimeoutMaxMs : Math.min(ackTimeoutMaxMs, Math.max(ackTimeoutMinMs, latencyMs * LATENCY_FACTOR))
  }

  #giveUp({ session }: SessionStream): void {
    this.#timeouts.add(1)
    session.closeStream('connection-timeout', 'No acknowledgement came')
    this.lost(session)
  }

  // ------------------------------------------------------------------------------------ resumption

  /** Gives an earlier session to another connection of its account (§5). */
  async resume(edge: MemberId, request: ResumeSession): Promise<ResumeReply> {
    const stream = this.#find(request)
    if (stream === undefined) return this.#unknown(request)
    const refusal = this.#refusal(stream, request)
    if (refusal !== undefined) return refusal
    const { session } = stream
    const attempt = ++stream.attempts
    // A socket may be dead without anybody having noticed.
    session.closeStream('conflict', 'Resumed on another connection')
    this.#detach(stream)
    // The client sends again what is not covered by the count, so nothing may be handled and not counted.
    if (this.#config.durability === 'commit') await stream.inbound.settled()
    if (session.isEnded || stream.attempts !== attempt) return this.#unknown(request)
    this.#attach(stream, edge, request)
    // The client forgets what it is told is handled.
    if (stream.isInLedger) await this.#ports.members?.ledger.written()
    return { isResumed: true, jid: session.jid, wire: SmResumed.toWire({ previousId: stream.token, handled: stream.inbound.handled }) }
  }

  #find({ account, previousId }: ResumeSession): SessionStream | undefined {
    if (previousId === '') return undefined
    for (const { management } of this.#ports.registry.warm(account.bare)?.sessions.values() ?? []) {
      if (management?.token === previousId) return management
    }
    return undefined
  }

  #unknown({ account, previousId }: ResumeSession): ResumeReply {
    this.#resumptions.unknown.add(1)
    return { isResumed: false, wire: failed('item-not-found', this.#endedStreams.handledBy(previousId, account.bare.toString())) }
  }

  #refusal(stream: SessionStream, { handled }: ResumeSession): ResumeReply | undefined {
    if (stream.isAckedUnknown) return undefined
    const { queue } = stream
    const distance = queue.distance(handled)
    if (distance >= 0 && distance <= queue.length) return undefined
    this.#resumptions.refused.add(1)
    if (distance > 0) return { isResumed: false, fault: tooHigh(handled, queue.sent) }
    // The client lost what it had acknowledged: there is no exact replay of that.
    return { isResumed: false, wire: failed('item-not-found', stream.inbound.safe) }
  }

  #attach(stream: SessionStream, edge: MemberId, { conn, handled, origin }: ResumeSession): void {
    const { queue, session } = stream
    this.#detached.delete(stream)
    stream.detachedAtMs = undefined
    session.edge = edge
    session.conn = conn
    session.origin = origin
    this.#ports.binding.sessions.add(session)
    // The client read the name of its stream, and so everything before.
    session.earlyArrived()
    if (stream.isAckedUnknown) queue.acked = handled
    stream.isAckedUnknown = false
    this.#drop(stream, queue.distance(handled))
    for (const entry of queue.entries()) session.replay(entry)
    this.#replayed.add(queue.length)
    this.#resumptions.resumed.add(1)
    if (queue.length > 0) this.#askSoon(stream)
    this.#ports.log.info('session-resumed', { session: session.jid.toString(), replayed: queue.length })
    this.#onResumed.run({ session })
  }

  // ------------------------------------------------------------------------------------ hand-over

  /** Makes the stream of a session that came from another member. `detachedForMs`: undefined while it has a connection. */
  adopt(session: LocalSession, start: StreamStart, entries: Iterable<QueueEntry>, detachedForMs: number | undefined): SessionStream {
    // Who says nothing of it had the connection until now: what is older was acknowledged, or the connection given up.
    const stream = this.#newStream(session, { since: this.#ports.clock.now() - this.#config.ackTimeoutMaxMs, ...start })
    session.management = stream
    for (const entry of entries) {
      stream.queue.push(entry)
      this.#unackedStanzas++
    }
    this.#unackedBytes += stream.queue.bytes
    if (detachedForMs !== undefined) this.#waitForClient(stream, this.#ports.clock.monotonic() - detachedForMs)
    else if (stream.queue.length > 0) this.#askSoon(stream)
    return stream
  }

  /** As `adopt`, of a session that died with its member: its client is expected, as long as there is room for it. */
  adoptLost(session: LocalSession, start: StreamStart, detachedForMs: number): SessionStream | undefined {
    if (this.#detached.size >= this.#config.detachedSessionsMax) return undefined
    return this.adopt(session, { ...start, isAckedUnknown: true }, [], detachedForMs)
  }

  /** The connection of an adopted session went with its member: those who care are told. */
  lostWithMember(session: LocalSession): void {
    this.#onDetached.run({ session })
  }

  /** Forgets the stream of a session that went to another member. */
  release(stream: SessionStream): void {
    this.#unackedStanzas -= stream.queue.length
    this.#unackedBytes -= stream.queue.bytes
    this.#detached.delete(stream)
    this.#waiting.delete(stream)
  }

  /** Settles when everything that the account's clients sent so far is safe. */
  async settled(account: Jid): Promise<void> {
    for (const { management } of this.#ports.registry.warm(account.bare)?.sessions.values() ?? []) await management?.inbound.settled()
  }
}

function failed(condition: StanzaErrorCondition, handled?: number): string {
  return SmFailed.toWire({ condition: { name: condition }, ...(handled === undefined ? {} : { handled }) })
}

/** §6. */
function tooHigh(h: number, sent: number): Fault {
  return {
    condition: 'undefined-condition',
    text: `You acknowledged ${h} stanzas, but only ${sent} were sent`,
    detail: HandledCountTooHigh.toWire({ handled: h, sent }),
  }
}
