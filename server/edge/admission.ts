/**
 * Who may come in while the member is overloaded: new connections wait their turn, or are told to come back later.
 *
 * How it works: normally a connection is admitted at once and nothing is kept. In brown-out it waits, unheard, in one queue,
 * oldest first, and so many a second are let in; when the member is well again the queue is emptied at a multiple of that,
 * so that the wait does not end in a new storm. Whoever waits past the deadline, comes to a full queue, or comes while new
 * work is refused, is refused. What waits costs a connection and an entry: no stream, no TLS, and what it sends stays in the kernel.
 * A connection that is not read does not see its peer go, so the kernel is asked for those every now and then.
 */
import type { Clock, Load, Timer } from '@rollcall/ports'
import type { Conduit } from '../runtime/index.ts'

export interface AdmissionConfig {
  /** Connections that may wait. */
  readonly queueMax: number
  /** How long one may wait. */
  readonly waitMs: number
  /** Let in per second during brown-out. */
  readonly perSecond: number
}

/** How admission went: what metrics call it, and why one was refused. */
export type Verdict = 'accepted' | 'overload' | 'queue-full' | 'queue-expired'

/** A connection that wants in; exactly one verdict is given, unless it leaves before. */
export interface Applicant {
  readonly conduit: Conduit
  decide(verdict: Verdict): void
  /** Its peer is gone. */
  left(): void
}

/** The places of those whose peer is gone. */
type HungUp = (conduits: readonly Conduit[]) => readonly number[]

/** How often the queue is looked at, in ms. */
const TICK_MS = 50
/** Ticks from one look for those who are gone to the next. It takes 0.6 ms for a full queue. */
const GONE_TICKS = 5
/** When the member is well again, the queue is emptied this many times as fast. */
const RECOVERY_FACTOR = 10

export class Admission {
  readonly #clock: Clock
  readonly #load: Load
  readonly #config: () => AdmissionConfig
  /** Since when, oldest first: a `Map` keeps its order, and whoever leaves is forgotten at once. */
  readonly #waiting = new Map<Applicant, number>()
  readonly #hungUp: HungUp
  #credit = 0
  #ticks = 0
  #timer: Timer | undefined = undefined

  constructor(clock: Clock, load: Load, config: () => AdmissionConfig, hungUp: HungUp) {
    this.#clock = clock
    this.#load = load
    this.#config = config
    this.#hungUp = hungUp
  }

  /** Connections that wait. */
  get size(): number {
    return this.#waiting.size
  }

  /** Whether nobody new is let in. */
  get isRefusing(): boolean {
    return this.#load.pressure() === 'refuse'
  }

  /** The verdict on whoever comes now; undefined when it has to `wait` for one. */
  verdict(): Verdict | undefined {
    const pressure = this.#load.pressure()
    if (pressure === 'refuse') return 'overload'
    if (pressure === 'normal' && this.#waiting.size === 0) return 'accepted'
    return this.#waiting.size >= this.#config().queueMax ? 'queue-full' : undefined
  }

  /** Decides later. */
  wait(applicant: Applicant): void {
    this.#waiting.set(applicant, this.#clock.monotonic())
    this.#timer ??= this.#clock.every(TICK_MS, () => this.#tick())
  }

  /** Refuses whoever waits: the member stops. */
  close(): void {
    for (const applicant of this.#waiting.keys()) this.#decide(applicant, 'overload')
    this.#rest()
  }

  #tick(): void {
    const { waitMs, perSecond } = this.#config()
    if (this.#ticks++ % GONE_TICKS === 0) this.#forgetGone()
    const expiredMs = this.#clock.monotonic() - waitMs
    for (const [applicant, sinceMs] of this.#waiting) {
      if (sinceMs > expiredMs) break
      this.#decide(applicant, 'queue-expired')
    }
    const pressure = this.#load.pressure()
    const rate = pressure === 'refuse' ? 0 : pressure === 'normal' ? perSecond * RECOVERY_FACTOR : perSecond
    this.#credit += (rate * TICK_MS) / 1000
    for (const applicant of this.#waiting.keys()) {
      if (this.#credit < 1) break
      this.#credit--
      this.#decide(applicant, 'accepted')
    }
    if (this.#waiting.size === 0) this.#rest()
  }

  #forgetGone(): void {
    const waiting = [...this.#waiting.keys()]
    for (const at of this.#hungUp(waiting.map(({ conduit }) => conduit))) {
      const applicant = waiting[at] as Applicant
      this.#waiting.delete(applicant)
      applicant.left()
    }
  }

  #decide(applicant: Applicant, verdict: Verdict): void {
    this.#waiting.delete(applicant)
    applicant.decide(verdict)
  }

  #rest(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#ticks = 0
    // Credit of an empty queue would let the next storm through.
    this.#credit = 0
  }
}
