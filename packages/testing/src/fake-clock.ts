/**
 * A clock that stands still until a test moves it.
 *
 * Timers fire in order of due time, equal ones in order of creation; everything asked for with `soon` runs before time
 * passes on. So a run depends on nothing but the calls made, which is what makes simulations replayable.
 */
import type { Clock, Timer } from '@rollcall/ports'

interface Entry {
  dueMs: number
  serial: number
  isLive: boolean
  readonly periodMs: number | undefined
  readonly callback: () => void
}

/** Guards against a callback that asks for `soon`, or a zero period, for ever. */
const CALLBACKS_PER_ADVANCE_MAX = 1_000_000

/** 2024-01-01T00:00:00Z: any fixed instant does, a recognisable one reads better in failures. */
export const FAKE_CLOCK_START_MS = 1_704_067_200_000

export class FakeClock implements Clock {
  #wallOffsetMs: number
  #elapsedMs = 0
  #serial = 0
  /** Binary heap by (dueMs, serial); cancelled entries leave it lazily. */
  readonly #heap: Entry[] = []
  #liveCount = 0
  #soon: (() => void)[] = []
  #isInSoon = false
  #callbacksLeft = CALLBACKS_PER_ADVANCE_MAX

  constructor(startMs: number = FAKE_CLOCK_START_MS) {
    this.#wallOffsetMs = startMs
  }

  now(): number {
    return this.#wallOffsetMs + this.#elapsedMs
  }

  monotonic(): number {
    return this.#elapsedMs
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#add(delayMs, undefined, callback)
  }

  every(periodMs: number, callback: () => void): Timer {
    if (!(periodMs > 0)) throw new RangeError(`period must be positive, not ${periodMs}`)
    return this.#add(periodMs, periodMs, callback)
  }

  soon(callback: () => void): void {
    this.#soon.push(callback)
  }

  endTurn(): void {
    if (this.#isInSoon) return
    this.#callbacksLeft = CALLBACKS_PER_ADVANCE_MAX
    this.#runSoonBatch()
  }

  /** Wall-clock jump (NTP, an operator): `now` changes by `byMs`, timers do not notice. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs
  }

  /** Timers that have not fired and were not cancelled: a test's leak check. */
  get pendingCount(): number {
    return this.#liveCount
  }

  /** Due time of the next timer in `monotonic()` terms, undefined when there is none. */
  get nextDueMs(): number | undefined {
    this.#dropCancelled()
    return this.#heap[0]?.dueMs
  }

  /** Runs what is due now through `soon`, without moving time. */
  runSoon(): void {
    this.#callbacksLeft = CALLBACKS_PER_ADVANCE_MAX
    this.#drainSoon()
  }

  /** Moves time on, firing on the way; callbacks run synchronously, promises settle only after it returns. */
  advance(byMs: number): void {
    const untilMs = this.#elapsedMs + byMs
    this.#callbacksLeft = CALLBACKS_PER_ADVANCE_MAX
    this.#drainSoon()
    for (let entry = this.#takeDue(untilMs); entry; entry = this.#takeDue(untilMs)) {
      this.#fire(entry)
      this.#drainSoon()
    }
    this.#elapsedMs = untilMs
  }

  /** As `advance`, but lets every promise settle after each callback: for code that awaits between timers. */
  async run(byMs: number): Promise<void> {
    const untilMs = this.#elapsedMs + byMs
    this.#callbacksLeft = CALLBACKS_PER_ADVANCE_MAX
    await this.#settle()
    for (let entry = this.#takeDue(untilMs); entry; entry = this.#takeDue(untilMs)) {
      this.#fire(entry)
      await this.#settle()
    }
    this.#elapsedMs = untilMs
  }

  async #settle(): Promise<void> {
    do {
      this.#drainSoon()
      // A real macrotask: by then every microtask, however long the chain, has run.
      await new Promise<void>(resolve => setImmediate(resolve))
    } while (this.#soon.length > 0)
  }

  #drainSoon(): void {
    while (this.#soon.length > 0) this.#runSoonBatch()
  }

  #runSoonBatch(): void {
    const batch = this.#soon
    this.#soon = []
    this.#isInSoon = true
    try {
      for (const callback of batch) {
        this.#spend()
        callback()
      }
    } finally {
      this.#isInSoon = false
    }
  }

  #spend(): void {
    if (this.#callbacksLeft-- === 0) {
      throw new Error(`fake clock ran ${CALLBACKS_PER_ADVANCE_MAX} callbacks in one advance: a callback reschedules itself`)
    }
  }

  #fire(entry: Entry): void {
    this.#spend()
    this.#elapsedMs = Math.max(this.#elapsedMs, entry.dueMs)
    if (entry.periodMs === undefined) {
      this.#retire(entry)
    } else {
      entry.dueMs += entry.periodMs
      entry.serial = this.#serial++
      this.#push(entry)
    }
    entry.callback()
  }

  #retire(entry: Entry): void {
    if (!entry.isLive) return
    entry.isLive = false
    this.#liveCount--
  }

  #add(delayMs: number, periodMs: number | undefined, callback: () => void): Timer {
    const dueMs = this.#elapsedMs + Math.max(0, delayMs)
    const entry: Entry = { dueMs, serial: this.#serial++, isLive: true, periodMs, callback }
    this.#liveCount++
    this.#push(entry)
    return { cancel: () => this.#retire(entry) }
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let at = heap.push(entry) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(heap[at]!, heap[parent]!)) break
      ;[heap[at], heap[parent]] = [heap[parent]!, heap[at]!]
      at = parent
    }
  }

  #takeDue(untilMs: number): Entry | undefined {
    this.#dropCancelled()
    const top = this.#heap[0]
    if (!top || top.dueMs > untilMs) return undefined
    this.#pop()
    return top
  }

  #dropCancelled(): void {
    while (this.#heap.length > 0 && !this.#heap[0]!.isLive) this.#pop()
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    heap[0] = last
    for (let at = 0; ; ) {
      let least = at
      const left = 2 * at + 1
      if (left < heap.length && isBefore(heap[left]!, heap[least]!)) least = left
      if (left + 1 < heap.length && isBefore(heap[left + 1]!, heap[least]!)) least = left + 1
      if (least === at) return
      ;[heap[at], heap[least]] = [heap[least]!, heap[at]!]
      at = least
    }
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.serial < other.serial)
}
