/**
 * How much one connection may have handled in one turn of the event loop before the others have theirs.
 *
 * How it works: a peer that sent much is read up to its share, then its stream and its socket are held until the next
 * turn, in which it goes on. So a turn is at most the number of busy peers times the share, however much each has sent;
 * what is above the capacity of the member stays in sockets and slows its senders down (TCP), and whoever sends little
 * is handled in the turn in which it arrives. The share shrinks as turns get long.
 */
import type { Clock, CounterMetric, Load } from '@rollcall/ports'
import { HOLD_SHARE } from './stages.ts'

/** Elements of one connection in one turn, on a member that is not late, and at least. */
const ELEMENTS_MAX = 64
const ELEMENTS_MIN = 4
/** Length of turns from which on shares shrink, in ms. */
const LATE_MS = 20

/** What waits for its next turn. */
export interface Sharer {
  release(reason: number): void
}

/** Elements that a connection may have handled in one turn. */
export function shareOf(lagMs: number): number {
  return lagMs <= LATE_MS ? ELEMENTS_MAX : Math.max(ELEMENTS_MIN, Math.floor((ELEMENTS_MAX * LATE_MS) / lagMs))
}

export class FairShare {
  /** The present share. A plain field: it is read for every element. */
  elementsMax = ELEMENTS_MAX
  readonly #clock: Clock
  readonly #load: Load
  readonly #counter: CounterMetric
  #held: Sharer[] = []

  constructor(clock: Clock, load: Load, counter: CounterMetric) {
    this.#clock = clock
    this.#load = load
    this.#counter = counter
  }

  /** Connections that wait for the next turn. */
  get size(): number {
    return this.#held.length
  }

  /** The connection holds `HOLD_SHARE` and is released after this turn. */
  yielded(connection: Sharer): void {
    this.#counter.add(1)
    if (this.#held.push(connection) === 1) this.#clock.soon(this.#nextTurn)
  }

  readonly #nextTurn = (): void => {
    const held = this.#held
    this.#held = []
    this.elementsMax = shareOf(this.#load.lagMs())
    // Those who hold again are on the new list, and have their turn after everybody's input of this one.
    for (const connection of held) connection.release(HOLD_SHARE)
  }
}
