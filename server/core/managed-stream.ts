/**
 * Stream management of one session (XEP-0198): what came from the client, what went to it, and whether anybody is there.
 *
 * It exists only for sessions that asked for it. The rules are in `StreamManagement`; this is their record, for any kind of
 * session `S`, since sessions refer to it.
 */
import type { Stamps } from '../protocol/stamps.ts'
import { HandledCount } from './handled-count.ts'
import type { SentAgain } from './sent-again.ts'
import { UnackedQueue, wireOf } from './unacked-queue.ts'
import type { QueueEntry } from './unacked-queue.ts'

/** What a stream tells the rules. */
export interface StreamRules<S> {
  /** The client may be told that this many stanzas are safe. */
  acknowledge(stream: ManagedStream<S>, h: number): void
  /** An entry was put into the queue; true when it is to be sent now. */
  queued(stream: ManagedStream<S>, bytes: number): boolean
  /** The session is over. */
  ended(stream: ManagedStream<S>): void
}

export interface StreamStart {
  /** Names the stream for resumption; '' when it cannot be resumed. */
  readonly token: string
  /** How long a lost stream waits for its client. */
  readonly resumeMs: number
  readonly handled?: number
  readonly acked?: number
  /** The queue was lost with a member, and how far the client had acknowledged it: the client says that when it resumes. */
  readonly isAckedUnknown?: boolean
  /** The client has every message that it was given before that, in ms since the Unix epoch. */
  readonly since?: number
}

export class ManagedStream<S> {
  readonly session: S
  readonly token: string
  readonly resumeMs: number
  readonly inbound: HandledCount
  readonly queue: UnackedQueue
  /** Monotonic ms of the loss of the connection; undefined while there is one. */
  detachedAtMs: number | undefined = undefined
  /** Monotonic ms of the `<r/>` that is not answered; undefined when there is none. */
  requestedAtMs: number | undefined = undefined
  /** `sent` when the last `<r/>` went out. */
  requestedAtCount = 0
  /** Smoothed time from `<r/>` to `<a/>`; 0 before the first. */
  latencyMs = 0
  /** On the list of those to be asked at the end of the turn. */
  isAskDue = false
  /** A stanza came since the last look. */
  isHeard = false
  /** The queue passed its limit; the session is about to end. */
  isOverflowing = false
  /** Counts attempts to resume, so that the newest wins. */
  attempts = 0
  /** See `StreamStart`. */
  isAckedUnknown: boolean
  /** See `StreamStart`; as it was told last. */
  since: number
  /** In the queue are messages that are older than that they were put there. */
  isBehind: boolean
  /** The coordinator has all that another member needs to go on with the stream (`session-ledger.ts`). */
  isInLedger = false
  /** On the list of those of which the coordinator is told soon. */
  isCountDue = false
  /** Names the client's messages; there only where there are several members. */
  stamps: Stamps | undefined = undefined
  /** While the client sends again what a dead member may have handled. */
  again: SentAgain | undefined = undefined
  readonly #rules: StreamRules<S>

  constructor(rules: StreamRules<S>, session: S, start: StreamStart) {
    this.#rules = rules
    this.session = session
    this.token = start.token
    this.resumeMs = start.resumeMs
    this.inbound = new HandledCount((h) => rules.acknowledge(this, h), start.handled)
    this.queue = new UnackedQueue(start.acked)
    this.isAckedUnknown = start.isAckedUnknown === true
    this.since = start.since ?? 0
    this.isBehind = start.since !== undefined
  }

  get isDetached(): boolean {
    return this.detachedAtMs !== undefined
  }

  /** Counts a stanza of the client; see `HandledCount.add`. */
  count(work: void | Promise<void>): void {
    this.isHeard = true
    this.inbound.add(work)
  }

  /** Keeps a stanza until it is acknowledged; true when it is to be sent now. */
  keep(entry: QueueEntry): boolean {
    this.queue.push(entry)
    return this.#rules.queued(this, wireOf(entry).length)
  }

  /** The session is over: takes out what was never acknowledged. */
  end(): QueueEntry[] {
    this.#rules.ended(this)
    return this.queue.takeAll()
  }
}
