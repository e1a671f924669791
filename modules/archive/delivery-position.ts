/**
 * How far the received messages of one account are delivered (ADR 0010): a number, and what is known beyond it.
 *
 * Received messages are numbered without gaps. Everything up to `reached` is with a client or need not be delivered.
 * Beyond it, `open` has those that are in flight: given to a session whose client does not have them yet; `ahead` those that
 * are delivered. All others beyond it wait; they are only counted, which is possible because numbers and bytes run on for ever.
 */
import type { Json } from '@rollcall/ports'
import { DeliveredRuns } from './delivered-runs.ts'
import type { Mark, Run } from './delivered-runs.ts'

export type { Mark }

interface OpenMessage {
  readonly mark: Mark
  readonly bytes: number
}

export const BEGINNING: Mark = { id: '', number: 0, end: 0 }

/** Runs of delivered messages beyond an undelivered one that are remembered in storage; the others may come again. */
const AHEAD_STORED_MAX = 1000

/** The last message of a run, the bytes and the number of all; one when left out. */
type StoredRun = readonly [number: number, id: string, end: number, bytes: number, count?: number]

/** As stored. `ahead`: delivered messages beyond an undelivered one. */
export type StoredPosition = {
  readonly id: string
  readonly number: number
  readonly end: number
  readonly ahead: readonly StoredRun[]
}

export class DeliveryPosition {
  reached: Mark
  /** The last received message. */
  last: Mark
  readonly #open = new Map<number, OpenMessage>()
  #openBytes = 0
  readonly #ahead = new DeliveredRuns()

  constructor(reached: Mark, last: Mark) {
    this.reached = reached
    this.last = last.number >= reached.number ? last : reached
  }

  static restore(stored: StoredPosition | undefined, last: Mark): DeliveryPosition {
    const { id, number, end } = stored ?? BEGINNING
    const position = new DeliveryPosition({ id, number, end }, last)
    for (const run of stored?.ahead ?? []) {
      const written = upTo(position.last, runOf(run))
      if (written !== undefined) position.#ahead.add(written)
    }
    return position
  }

  /** Messages that no session has been given. */
  get waiting(): number {
    return this.last.number - this.reached.number - this.#open.size - this.#ahead.count
  }

  get waitingBytes(): number {
    return this.last.end - this.reached.end - this.#openBytes - this.#ahead.bytes
  }

  /** Nothing waits and nothing is in flight. */
  get isCaughtUp(): boolean {
    return this.last.number === this.reached.number
  }

  isWaiting(number: number): boolean {
    return number > this.reached.number && !this.#open.has(number) && !this.#ahead.has(number)
  }

  /** Counts a received message in; it waits. */
  append(mark: Mark): void {
    this.last = mark
  }

  /** An entry that is no received message was appended: nobody need read it to find what waits. */
  pass(id: string): void {
    if (this.isCaughtUp) this.reached = { ...this.reached, id }
  }

  /** A message was given to a session. */
  give(mark: Mark, bytes: number): void {
    if (this.isWaiting(mark.number)) this.#add({ mark, bytes })
  }

  /** A message is with its client, or will never be delivered. False when that was known. */
  settle(mark: Mark, bytes: number): boolean {
    if (mark.number <= this.reached.number) return false
    if (this.#ahead.has(mark.number)) return false
    const open = this.#open.get(mark.number)
    if (open !== undefined) this.#remove(open)
    const delivered = open ?? { mark, bytes }
    if (mark.number === this.reached.number + 1) this.reached = delivered.mark
    else this.#ahead.add({ first: mark.number, last: delivered.mark, bytes: delivered.bytes })
    this.reached = this.#ahead.takeFrom(this.reached.number + 1)?.last ?? this.reached
    return true
  }

  /** A message that was given to a session waits again. False when it is delivered. */
  takeBack(number: number): boolean {
    const open = this.#open.get(number)
    if (open === undefined) return false
    this.#remove(open)
    return true
  }

  /** What was given to sessions under that id; for messages that were in flight when the account came from elsewhere. */
  find(id: string): { readonly mark: Mark; readonly bytes: number } | undefined {
    for (const open of this.#open.values()) if (open.mark.id === id) return open
    return undefined
  }

  toStored(): StoredPosition {
    return { ...this.reached, ahead: Array.from(this.#ahead, storedRun).slice(0, AHEAD_STORED_MAX) }
  }

  exportState(): Json {
    const open = [...this.#open.values()].map(({ mark, bytes }) => ({ mark: { ...mark }, bytes }))
    return { reached: { ...this.reached }, last: { ...this.last }, open, ahead: Array.from(this.#ahead, storedRun) }
  }

  static importState(json: Json): DeliveryPosition {
    const { reached, last, open, ahead } = json as unknown as { reached: Mark; last: Mark; open: OpenMessage[]; ahead: StoredRun[] }
    const position = new DeliveryPosition(reached, last)
    for (const message of open) position.#add({ ...message })
    for (const run of ahead) position.#ahead.add(runOf(run))
    return position
  }

  #add(open: OpenMessage): void {
    this.#open.set(open.mark.number, open)
    this.#openBytes += open.bytes
  }

  #remove({ mark, bytes }: OpenMessage): void {
    this.#open.delete(mark.number)
    this.#openBytes -= bytes
  }
}

/** Beyond the last message there is what could not be written and was settled for that: such numbers are free again. */
function upTo(end: Mark, run: Run): Run | undefined {
  if (run.last.number <= end.number) return run
  return run.first > end.number ? undefined : { first: run.first, last: end, bytes: run.bytes - (run.last.end - end.end) }
}

function storedRun({ first, last, bytes }: Run): [number, string, number, number] | [number, string, number, number, number] {
  const count = last.number - first + 1
  return count === 1 ? [last.number, last.id, last.end, bytes] : [last.number, last.id, last.end, bytes, count]
}

function runOf([number, id, end, bytes, count = 1]: StoredRun): Run {
  return { first: number - count + 1, last: { id, number, end }, bytes }
}
