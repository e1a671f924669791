/**
 * How much one connection may have handled in one turn of the event loop before the others have theirs.
 *
 * How it works: a peer that sent much is read up to its share; then its stream and its socket are held, and it stands in line.
 * Each turn those in front go on, for a slice of the turn, and stand in line again if they have more. So a turn is short
 * however many send much, and where input comes from so many that reading it alone takes long, what else is to be done has its time in
 * between (`Clock.endTurn`): whoever sends little is handled in the turn in which it arrives, and what is above the capacity of
 * the member stays in sockets and slows its senders down (TCP). How long the line takes is how late the member is for those
 * who stand in it (`waitMs`), and part of its load; the later, the smaller the shares, so that all have theirs sooner. While
 * storage is behind the line stands still: else what waits would wait there, for everybody.
 */
import type { Clock, CounterMetric, Load } from '@rollcall/ports'
import { HOLD_SHARE } from './stages.ts'

/** Elements of one connection in one turn, on a member that is not late, and at least. */
const ELEMENTS_MAX = 64
const ELEMENTS_MIN = 1
/**
 * Once a turn has taken so long, in ms, it ends for all others, and whoever is read in what is left of it has one element: lag is a
 * mean, and says so too late.
 */
const LONG_TURN_MS = 20
/** Reads between two looks at the clock; a power of two. */
const READS_PER_LOOK = 16
/** Lag from which on shares shrink, in ms. */
const LATE_MS = 20
/** How long those in line go on in one turn, in ms. */
const SLICE_MS = 10
/** While storage is behind nobody in line goes on; it is asked again so often, in ms. */
const BEHIND_MS = 20

/** What waits for its next turn. */
export interface Sharer {
  release(reason: number): void
}

interface Waiting {
  readonly connection: Sharer
  readonly sinceMs: number
}

/** Elements that a connection may have handled in one turn. */
export function shareOf(lagMs: number): number {
  return lagMs <= LATE_MS ? ELEMENTS_MAX : Math.max(ELEMENTS_MIN, Math.floor(ELEMENTS_MAX * (LATE_MS / lagMs) ** 2))
}

export class FairShare {
  /** The present share. A plain field: it is read for every element. */
  elementsMax = ELEMENTS_MAX
  readonly #clock: Clock
  readonly #load: Load
  readonly #counter: CounterMetric
  /** In line are those from `#at` on. */
  #line: Waiting[] = []
  #at = 0
  #isScheduled = false
  #isTurnOpen = false
  #turnEndMs = 0
  #reads = 0

  constructor(clock: Clock, load: Load, counter: CounterMetric) {
    this.#clock = clock
    this.#load = load
    this.#counter = counter
  }

  /** Connections in line. */
  get size(): number {
    return this.#line.length - this.#at
  }

  /** How long the one in front has stood in line, in ms. */
  get waitMs(): number {
    const front = this.#line[this.#at]
    return front === undefined ? 0 : this.#clock.monotonic() - front.sinceMs
  }

  /** The connection holds `HOLD_SHARE`; it is released when it is its turn. */
  yielded(connection: Sharer): void {
    this.#counter.add(1)
    this.#line.push({ connection, sinceMs: this.#clock.monotonic() })
    this.#schedule()
  }

  #schedule(delayMs = 0): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    if (delayMs === 0) this.#clock.soon(this.#nextTurn)
    else this.#clock.after(delayMs, this.#nextTurn)
  }

  /** Bytes of a connection are about to be read; `mayEndTurn`: nothing of it is half-way. */
  beginRead(mayEndTurn = true): void {
    if (!this.#isTurnOpen) {
      this.#openTurn()
      this.#adapt()
    } else if ((++this.#reads & (READS_PER_LOOK - 1)) === 0 && this.#clock.monotonic() >= this.#turnEndMs) {
      if (mayEndTurn) this.#clock.endTurn()
      if (!this.#isTurnOpen) this.#openTurn()
      this.elementsMax = ELEMENTS_MIN
    }
  }

  #openTurn(): void {
    this.#isTurnOpen = true
    this.#reads = 0
    this.#turnEndMs = this.#clock.monotonic() + LONG_TURN_MS
    this.#clock.soon(this.#endTurn)
  }

  readonly #endTurn = (): void => {
    this.#isTurnOpen = false
  }

  /** Makes shares what the load allows. */
  #adapt(): void {
    this.elementsMax = this.#load.isBehind() ? ELEMENTS_MIN : shareOf(this.#load.lagMs())
  }

  readonly #nextTurn = (): void => {
    this.#isScheduled = false
    this.#adapt()
    if (this.#load.isBehind()) return this.#schedule(BEHIND_MS)
    const endMs = this.#clock.monotonic() + SLICE_MS
    // Those who hold again stand behind these, and have their turn after everybody's input of this one.
    const end = this.#line.length
    while (this.#at < end) {
      const { connection } = this.#line[this.#at++] as Waiting
      connection.release(HOLD_SHARE)
      if (this.#clock.monotonic() >= endMs) break
    }
    if (this.#at * 2 >= this.#line.length) {
      this.#line = this.#line.slice(this.#at)
      this.#at = 0
    }
    if (this.size > 0) this.#schedule()
    return undefined
  }
}
