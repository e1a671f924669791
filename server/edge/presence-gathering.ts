/**
 * Presence on its way out: the lane behind everything else.
 *
 * A socket write costs more than everything else about a presence, so a connection's presence waits for more of it: while
 * slices of writes do not reach it, and on a member whose turns get long for a window too. Whatever else is sent to the
 * connection meanwhile takes it along, in order: it already stands in the output. Writes are made in slices of a turn, and
 * before each slice everything else that is to be written: so after a broadcast to very many the messages that come in pass
 * between the slices. On an idle member nothing waits longer than to the end of its turn.
 *
 * The echo of a client's own presence tells it nothing, and is one write in eleven where people have ten contacts. While many
 * change at a time it waits for whatever its client gets next, for some ms, and mostly needs no write of its own.
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
/** Echoes of one turn from which on they wait, and for how long at least and half of for how long at most, in ms. */
const ECHOES_MANY = 8
export const ECHO_MS = 15

/** What is gathered for. */
export interface Gatherer {
  readonly isDirty: boolean
  isGathering: boolean
  flush(): void
}

/** Between `open` and `close` writes go to the kernel together. */
export interface Writes {
  open(): void
  close(): void
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
  readonly #writes: Writes
  #waiting: Gatherer[] = []
  #leaving: Gatherer[] = []
  #at = 0
  #isScheduled = false
  /** Connections with an echo, the older ones and those since the timer was set; what went with something else is here too. */
  #oldEchoes: Gatherer[] = []
  #echoes: Gatherer[] = []
  #isEchoTimerSet = false

  /** `writeOthers` writes what is not presence. */
  constructor(clock: Clock, load: Load, writeOthers: () => void, writes: Writes) {
    this.#clock = clock
    this.#writes = writes
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

  /** As `add`, of a connection that has nothing else to be written. */
  addEcho(connection: Gatherer): void {
    this.#echoes.push(connection)
    if (!this.#isScheduled && !this.#isEchoTimerSet) this.#schedule()
  }

  #schedule(): void {
    this.#isScheduled = true
    const windowMs = gatherWindowMs(this.#load)
    if (windowMs < 1) this.#clock.soon(this.#flush)
    else this.#clock.after(windowMs, this.#flush)
  }

  readonly #flush = (): void => {
    this.#writeOthers()
    if (!this.#isEchoTimerSet) this.#settleEchoes()
    if (this.#leaving.length === 0) {
      const emptied = this.#leaving
      this.#leaving = this.#waiting
      this.#waiting = emptied
    }
    const leaving = this.#leaving
    const endMs = this.#clock.monotonic() + SLICE_MS
    this.#writes.open()
    while (this.#at < leaving.length) {
      const connection = leaving[this.#at++] as Gatherer
      connection.isGathering = false
      // A dirty one is flushed in this very turn, presence and all.
      if (!connection.isDirty) connection.flush()
      if (this.#at % WRITES_PER_LOOK === 0 && this.#clock.monotonic() >= endMs) break
    }
    this.#writes.close()
    if (this.#at < leaving.length) return this.#clock.soon(this.#flush)
    leaving.length = 0
    this.#at = 0
    this.#isScheduled = false
    if (this.#waiting.length > 0) this.#schedule()
  }

  /** A few are written now; many wait until the timer has run twice. */
  readonly #settleEchoes = (): void => {
    this.#isEchoTimerSet = false
    const old = this.#oldEchoes
    this.#oldEchoes = []
    this.#writeEchoes(old)
    if (this.#echoes.length >= ECHOES_MANY) {
      this.#isEchoTimerSet = true
      this.#clock.after(ECHO_MS, this.#settleEchoes)
      this.#oldEchoes = this.#echoes
    } else this.#writeEchoes(this.#echoes)
    this.#echoes = []
  }

  #writeEchoes(connections: readonly Gatherer[]): void {
    for (const connection of connections) if (!connection.isDirty && !connection.isGathering) this.add(connection)
  }
}
