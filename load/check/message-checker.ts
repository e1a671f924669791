/**
 * Whether every message arrived once, in order, and at the right client.
 *
 * Messages of a directed pair are numbered from 1. Per pair there are: the last number given out, the highest received,
 * and a window of 32 bits that says which of those just below it were received: a number that comes again is a duplicate,
 * one that fills a hole is out of order, a hole that stays is missing.
 *
 * What was under way when its receiver's session ended, or when its sender was cut off, may or may not arrive: it is
 * *excused*, and not a violation if it comes later after all (stored offline), at another client of the same user, or back
 * as an error.
 */
import type { PairTable } from './pair-table.ts'
import type { Tally, ViolationKind } from './violations.ts'

const WINDOW_BITS = 32

/** What became of a delivery: `first` counts for rates and latency. */
export type Delivery = 'first' | 'late' | 'wrong'

export class MessageChecker {
  sentCount = 0
  deliveredCount = 0
  /** Arrived after their receiver's or sender's session had ended. */
  lateCount = 0
  /** Came back as an error because the receiver had gone. */
  bouncedCount = 0
  private readonly pairs: PairTable
  private readonly violations: Tally<ViolationKind>
  private readonly nameOf: (client: number) => string
  private readonly sent: Uint32Array
  private readonly seen: Uint32Array
  private readonly window: Uint32Array
  private readonly excusedTo: Uint32Array
  private excusedCount = 0
  private holeCount = 0

  constructor(pairs: PairTable, violations: Tally<ViolationKind>, nameOf: (client: number) => string) {
    this.pairs = pairs
    this.violations = violations
    this.nameOf = nameOf
    this.sent = new Uint32Array(pairs.size)
    this.seen = new Uint32Array(pairs.size)
    this.window = new Uint32Array(pairs.size)
    this.excusedTo = new Uint32Array(pairs.size)
  }

  /** Messages sent that must still arrive. */
  get pendingCount(): number {
    return this.sentCount - this.deliveredCount - this.excusedCount
  }

  /** Messages that may or may not arrive. */
  get maybeCount(): number {
    return this.excusedCount
  }

  /** Number for the next message of a pair, counted as sent. */
  next(pair: number): number {
    this.sentCount++
    return ++this.sent[pair]!
  }

  /** A message numbered `sequence`, sent by `source` to `target`, has arrived at `receiver`. */
  received(receiver: number, source: number, target: number, sequence: number): Delivery {
    const pair = target === receiver ? this.pairs.find(receiver, source) : this.rerouted(receiver, source, target, sequence)
    if (pair < 0 || sequence < 1 || sequence > this.sent[pair]!) {
      this.violations.add('message-stranger', () => `${this.nameOf(receiver)} got message ${sequence} of ${this.nameOf(source)} to ${this.nameOf(target)}`)
      return 'wrong'
    }
    const back = this.seen[pair]! - sequence
    if (back < 0) {
      this.advance(pair, -back)
      this.holeCount += -back - 1
      this.deliveredCount++
      return 'first'
    }
    return this.behind(pair, receiver, sequence, back)
  }

  /** A message came back to its sender as an error. */
  bounced(source: number, target: number, sequence: number): void {
    const pair = this.pairs.find(target, source)
    if (pair >= 0 && sequence <= this.excusedTo[pair]!) this.bouncedCount++
    else this.violations.add('message-error', () => `message ${sequence} of ${this.nameOf(source)} to ${this.nameOf(target)}, who is online, came back`)
  }

  /** A client's session has ended: what was under way to it is excused. */
  receiverGone(client: number): void {
    for (let pair = this.pairs.starts[client]!; pair < this.pairs.starts[client + 1]!; pair++) this.excuse(pair)
  }

  /** A client was cut off some time ago: what it had sent and nobody got may never have reached the server. */
  senderCut(client: number): void {
    const { starts, sources } = this.pairs
    for (let row = starts[client]!; row < starts[client + 1]!; row++) {
      const pair = this.pairs.find(sources[row]!, client)
      if (pair >= 0) this.excuse(pair)
    }
  }

  /** Counts what never arrived; call once, when nothing more can come. */
  finish(): void {
    for (let pair = 0; pair < this.sent.length; pair++) {
      const missing = this.sent[pair]! - this.seen[pair]!
      if (missing > 0) this.violations.add('message-missing', () => `${this.pairText(pair)}: the last ${missing} of ${this.sent[pair]}`, missing)
    }
    this.violations.add('message-missing', () => `${this.holeCount} that were overtaken by later ones of their pair`, this.holeCount)
  }

  private pairText(pair: number): string {
    let receiver = 0
    while (this.pairs.starts[receiver + 1]! <= pair) receiver++
    return `${this.nameOf(this.pairs.sources[pair]!)} to ${this.nameOf(receiver)}`
  }

  /** The pair of a message that another client of the same user got; -1 unless its own target had gone (RFC 6121 §8.5.3.2.1). */
  private rerouted(receiver: number, source: number, target: number, sequence: number): number {
    if (this.pairs.find(receiver, target) < 0) return -1
    const pair = this.pairs.find(target, source)
    return pair >= 0 && sequence <= this.excusedTo[pair]! ? pair : -1
  }

  private behind(pair: number, receiver: number, sequence: number, back: number): Delivery {
    const isKnown = back < WINDOW_BITS
    const isSeen = isKnown && (this.window[pair]! & (1 << back)) !== 0
    const describe = (): string => `${this.nameOf(receiver)} got message ${sequence} of ${this.nameOf(this.pairs.sources[pair]!)} after ${this.seen[pair]}`
    if (isSeen) {
      this.violations.add('message-duplicate', describe)
      return 'wrong'
    }
    if (isKnown) this.window[pair]! |= 1 << back
    if (sequence <= this.excusedTo[pair]!) {
      this.lateCount++
      this.deliveredCount++
      this.excusedCount--
      return 'late'
    }
    this.violations.add('message-out-of-order', describe)
    if (isKnown) {
      this.holeCount--
      this.deliveredCount++
    }
    return 'wrong'
  }

  private advance(pair: number, by: number): void {
    this.window[pair] = by >= WINDOW_BITS ? 1 : (this.window[pair]! << by) | 1
    this.seen[pair]! += by
  }

  private excuse(pair: number): void {
    const open = this.sent[pair]! - this.seen[pair]!
    if (open === 0) return
    this.excusedCount += open
    this.window[pair] = open >= WINDOW_BITS ? 0 : this.window[pair]! << open
    this.seen[pair] = this.sent[pair]!
    this.excusedTo[pair] = this.sent[pair]!
  }
}
