/**
 * Presence on its way out: the lane behind everything else.
 *
 * A socket write costs more than everything else about a presence, so a connection's presence waits for more of it: while
 * slices of writes do not reach it, and on a member whose turns get long for a window too. Whatever else is sent to the
 * connection meanwhile takes it along, in order: it already stands in the output. Writes are made in slices of a turn, and
 * before each slice everything else that is to be written: so after a broadcast to very many the messages that come in pass
 * between the slices. On an idle member nothing waits longer than to the end of its turn.
 */
import type { Clock, Load } from '@rollcall/ports'

/** How long one slice of writes may take, in ms: messages wait for one slice at most. */
export const SLICE_MS = 2
/** Writes between two looks at the clock. */
const WRITES_PER_LOOK = 16
/** Lag between which the window grows from nothing to `LAGGING_MS`, all in ms. */
const LAG_FROM_MS = 15
const LAG_TO_MS = 60
const LAGGING_MS = 60

/** What is gathered for. */
export interface Gatherer {
  readonly isDirty: boolean
  isGathering: boolean
  flush(): void
}

/** How long presence may wait at the edge, in ms; at most a quarter of what the presence engine allows in all. */
export function gatherWindowMs(load: Load): number {
  if (load.pressure() !== 'normal') return LAGGING_MS
  return LAGGING_MS * Math.min(1, Math.max(0, (load.lagMs() - LAG_FROM_MS) / (LAG_TO_MS - LAG_FROM_MS)))
}

export class PresenceGathering {
  readonly #clock: Clock
  readonly #load: Load
  readonly #writeOthers: () => void
  #waiting: Gatherer[] = []
  #leaving: Gatherer[] = []
  #at = 0
  #isScheduled = false

  /** `writeOthers` writes what is not presence. */
  constructor(clock: Clock, load: Load, writeOthers: () => void) {
    this.#clock = clock
    this.#load = load
    this.#writeOthers = writeOthers
  }

  /** Connections whose presence waits. */
  get size(): number {
    return this.#waiting.length + this.#leaving.length - this.#at
  }

  /** Flushes the connection when its window is over. It must not be waiting already. */
  add(connection: Gatherer): void {
    connection.isGathering = true
    this.#waiting.push(connection)
    if (!this.#isScheduled) this.#schedule()
  }

  #schedule(): void {
    this.#isScheduled = true
    const windowMs = gatherWindowMs(this.#load)
    if (windowMs < 1) this.#clock.soon(this.#flush)
    else this.#clock.after(windowMs, this.#flush)
  }

  readonly #flush = (): void => {
    this.#writeOthers()
    if (this.#leaving.length === 0) {
      const emptied = this.#leaving
      this.#leaving = this.#waiting
      this.#waiting = emptied
    }
    const leaving = this.#leaving
    const endMs = this.#clock.monotonic() + SLICE_MS
    while (this.#at < leaving.length) {
      const connection = leaving[this.#at++] as Gatherer
      connection.isGathering = false
      // A dirty one is flushed in this very turn, presence and all.
      if (!connection.isDirty) connection.flush()
      if (this.#at % WRITES_PER_LOOK === 0 && this.#clock.monotonic() >= endMs) break
    }
    if (this.#at < leaving.length) return this.#clock.soon(this.#flush)
    leaving.length = 0
    this.#at = 0
    this.#isScheduled = false
    if (this.#waiting.length > 0) this.#schedule()
  }
}
