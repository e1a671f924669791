/**
 * Whether every watcher saw its contacts' states: in order, not twice, from nobody else, and the true one in the end.
 *
 * A client numbers its presences over all its sessions. Presence is a state, so a server may leave out states that a
 * newer one replaced (counted as coalesced, no violation); it may not go back to an older one, and the last one must
 * arrive. While a watcher is logging in, answers to probes and broadcasts may bring a state twice: those are counted
 * apart, since the protocol does not forbid them.
 */
import type { PairTable } from './pair-table.ts'
import type { Tally, ViolationKind } from './violations.ts'

export class PresenceChecker {
  deliveredCount = 0
  /** States that a newer one replaced before they were delivered. */
  coalescedCount = 0
  /** Repetitions while the watcher was logging in, and unavailable presence of those who were not seen as available. */
  redundantCount = 0
  private readonly pairs: PairTable
  private readonly violations: Tally<ViolationKind>
  private readonly nameOf: (client: number) => string
  /** Per pair: number of the last state, and whether it is available. */
  private readonly last: Uint32Array
  private readonly available: Uint8Array
  /** Per client: number of its last presence, whether it is available now, and since when it sees everything, in µs. */
  private readonly sequence: Uint32Array
  private readonly isUp: Uint8Array
  private readonly readyUs: Float64Array
  private readonly downUs: Float64Array

  constructor(pairs: PairTable, clientCount: number, violations: Tally<ViolationKind>, nameOf: (client: number) => string) {
    this.pairs = pairs
    this.violations = violations
    this.nameOf = nameOf
    this.last = new Uint32Array(pairs.size)
    this.available = new Uint8Array(pairs.size)
    this.sequence = new Uint32Array(clientCount)
    this.isUp = new Uint8Array(clientCount)
    this.readyUs = new Float64Array(clientCount).fill(Infinity)
    this.downUs = new Float64Array(clientCount)
  }

  isAvailable(client: number): boolean {
    return this.isUp[client] === 1
  }

  /** Whether `sequence` is the number of the client's last presence. */
  isLatest(client: number, sequence: number): boolean {
    return this.sequence[client] === sequence
  }

  /** The client is about to send presence: its number. Initial presence makes it see everything anew. */
  announce(client: number): number {
    if (this.isUp[client] === 0) {
      this.isUp[client] = 1
      this.readyUs[client] = Infinity
      this.last.fill(0, this.pairs.starts[client], this.pairs.starts[client + 1])
      this.available.fill(0, this.pairs.starts[client], this.pairs.starts[client + 1])
    }
    return ++this.sequence[client]!
  }

  /** The client has seen its own presence: from now on it must get every change. */
  ready(client: number, nowUs: number): void {
    this.readyUs[client] = nowUs
  }

  /** The client is about to send unavailable presence: its number; or it has been cut off, and the number is not used. */
  gone(client: number, nowUs: number): number {
    this.isUp[client] = 0
    this.readyUs[client] = Infinity
    this.downUs[client] = nowUs
    return ++this.sequence[client]!
  }

  /**
   * Available presence of `source` has arrived. True when it is news that the watcher was ready for when it was due at
   * `dueUs`: then its time counts.
   */
  availableReceived(watcher: number, source: number, sequence: number, dueUs: number): boolean {
    const pair = this.pairOf(watcher, source)
    if (pair < 0) return false
    this.deliveredCount++
    const last = this.last[pair]!
    if (sequence > this.sequence[source]! || sequence < last) {
      this.violations.add('presence-out-of-order', () => `${this.nameOf(watcher)} got state ${sequence} of ${this.nameOf(source)} after ${last}`)
      return false
    }
    const wasReady = dueUs >= this.readyUs[watcher]!
    if (sequence === last && this.available[pair] === 1) {
      if (wasReady) this.violations.add('presence-duplicate', () => `${this.nameOf(watcher)} got state ${sequence} of ${this.nameOf(source)} again`)
      else this.redundantCount++
      return false
    }
    if (last > 0 && this.available[pair] === 1) this.coalescedCount += sequence - last - 1
    this.last[pair] = sequence
    this.available[pair] = 1
    return wasReady
  }

  /** Unavailable presence has arrived; `sequence` 0: the server's own, for a client that was cut off. Result as above. */
  unavailableReceived(watcher: number, source: number, sequence: number): boolean {
    const pair = this.pairOf(watcher, source)
    if (pair < 0) return false
    this.deliveredCount++
    if (sequence > 0 && sequence < this.last[pair]!) {
      const describe = (): string => `${this.nameOf(watcher)} got unavailable ${sequence} of ${this.nameOf(source)} after ${this.last[pair]}`
      this.violations.add('presence-out-of-order', describe)
      return false
    }
    if (sequence > 0) this.last[pair] = sequence
    if (this.available[pair] === 0) {
      this.redundantCount++
      return false
    }
    this.available[pair] = 0
    return this.downUs[source]! >= this.readyUs[watcher]!
  }

  /** When the client last went, in µs. */
  downSince(client: number): number {
    return this.downUs[client]!
  }

  /** Pairs whose watcher is available and does not see the source's true state. */
  wrongCount(): number {
    let wrong = 0
    for (let watcher = 0; watcher < this.isUp.length; watcher++) {
      if (this.isUp[watcher] === 0) continue
      for (let pair = this.pairs.starts[watcher]!; pair < this.pairs.starts[watcher + 1]!; pair++) {
        if (this.isWrong(watcher, pair)) wrong++
      }
    }
    return wrong
  }

  /** Counts the wrong final states as violations; call once, when nothing more can come. */
  finish(): void {
    for (let watcher = 0; watcher < this.isUp.length; watcher++) {
      if (this.isUp[watcher] === 0) continue
      for (let pair = this.pairs.starts[watcher]!; pair < this.pairs.starts[watcher + 1]!; pair++) {
        if (this.isWrong(watcher, pair)) this.violations.add('presence-wrong-state', () => this.wrongText(watcher, pair))
      }
    }
  }

  private isWrong(watcher: number, pair: number): boolean {
    const source = this.pairs.sources[pair]!
    if (source === watcher) return false
    const isUp = this.isUp[source]!
    return this.available[pair] !== isUp || (isUp === 1 && this.last[pair] !== this.sequence[source])
  }

  private wrongText(watcher: number, pair: number): string {
    const source = this.pairs.sources[pair]!
    const state = (isUp: number | undefined, sequence: number | undefined): string => (isUp === 1 ? `state ${sequence}` : 'offline')
    const truth = state(this.isUp[source], this.sequence[source])
    return `${this.nameOf(watcher)} sees ${this.nameOf(source)} as ${state(this.available[pair], this.last[pair])}, the truth is ${truth}`
  }

  private pairOf(watcher: number, source: number): number {
    const pair = this.pairs.find(watcher, source)
    if (pair < 0) this.violations.add('presence-stranger', () => `${this.nameOf(watcher)} got presence of ${this.nameOf(source)}`)
    return pair
  }
}
