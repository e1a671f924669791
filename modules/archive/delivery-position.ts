/**
 * How far the received messages of one account are delivered (ADR 0010): a number, and what is known beyond it.
 *
 * Received messages are numbered without gaps. Everything up to `reached` is with a client or need not be delivered.
 * Beyond it, `open` has those that were given to a session: in flight until the client has them, delivered afterwards.
 * All others beyond it wait; they are only counted, which is possible because numbers and bytes run on for ever.
 */
import type { Json } from '@rollcall/ports'

/** A place in the log. */
export interface Mark {
  /** Id of an entry of the history: everything that waits there comes after it. '' for the beginning. */
  readonly id: string
  /** Number of the last received message up to there. */
  readonly number: number
  /** Bytes of all received messages up to there. */
  readonly end: number
}

interface OpenMessage {
  readonly mark: Mark
  readonly bytes: number
  isDelivered: boolean
}

export const BEGINNING: Mark = { id: '', number: 0, end: 0 }

/** Delivered messages beyond an undelivered one that are remembered in storage; the others may come again. */
const AHEAD_STORED_MAX = 1000

/** As stored. `ahead`: delivered messages beyond an undelivered one. */
export type StoredPosition = {
  readonly id: string
  readonly number: number
  readonly end: number
  readonly ahead: readonly (readonly [number: number, id: string, end: number, bytes: number])[]
}

export class DeliveryPosition {
  reached: Mark
  /** The last received message. */
  last: Mark
  readonly #open = new Map<number, OpenMessage>()
  #openBytes = 0

  constructor(reached: Mark, last: Mark) {
    this.reached = reached
    this.last = last.number >= reached.number ? last : reached
  }

  static restore(stored: StoredPosition | undefined, last: Mark): DeliveryPosition {
    const position = new DeliveryPosition(stored ?? BEGINNING, last)
    for (const [number, id, end, bytes] of stored?.ahead ?? []) {
      // Beyond the last message there is one that could not be written and was settled for that: its number is free again.
      if (number <= position.last.number) position.#add({ mark: { id, number, end }, bytes, isDelivered: true })
    }
    return position
  }

  /** Messages that no session has been given. */
  get waiting(): number {
    return this.last.number - this.reached.number - this.#open.size
  }

  get waitingBytes(): number {
    return this.last.end - this.reached.end - this.#openBytes
  }

  /** Nothing waits and nothing is in flight. */
  get isCaughtUp(): boolean {
    return this.last.number === this.reached.number
  }

  isWaiting(number: number): boolean {
    return number > this.reached.number && !this.#open.has(number)
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
    if (this.isWaiting(mark.number)) this.#add({ mark, bytes, isDelivered: false })
  }

  /** A message is with its client, or will never be delivered. False when that was known. */
  settle(mark: Mark, bytes: number): boolean {
    if (mark.number <= this.reached.number) return false
    const open = this.#open.get(mark.number)
    if (open?.isDelivered === true) return false
    if (open === undefined) this.#add({ mark, bytes, isDelivered: true })
    else open.isDelivered = true
    this.#advance()
    return true
  }

  /** A message that was given to a session waits again. False when it is delivered. */
  takeBack(number: number): boolean {
    const open = this.#open.get(number)
    if (open === undefined || open.isDelivered) return false
    this.#open.delete(number)
    this.#openBytes -= open.bytes
    return true
  }

  /** What was given to sessions under that id; for messages that were in flight when the account came from elsewhere. */
  find(id: string): { readonly mark: Mark; readonly bytes: number } | undefined {
    for (const open of this.#open.values()) if (open.mark.id === id) return open
    return undefined
  }

  toStored(): StoredPosition {
    const ahead: [number, string, number, number][] = []
    for (const { mark, bytes, isDelivered } of this.#open.values()) {
      if (isDelivered && ahead.length < AHEAD_STORED_MAX) ahead.push([mark.number, mark.id, mark.end, bytes])
    }
    return { ...this.reached, ahead }
  }

  exportState(): Json {
    const open = [...this.#open.values()].map(({ mark, bytes, isDelivered }) => ({ mark: { ...mark }, bytes, isDelivered }))
    return { reached: { ...this.reached }, last: { ...this.last }, open }
  }

  static importState(json: Json): DeliveryPosition {
    const { reached, last, open } = json as unknown as { reached: Mark; last: Mark; open: OpenMessage[] }
    const position = new DeliveryPosition(reached, last)
    for (const message of open) position.#add({ ...message })
    return position
  }

  #add(open: OpenMessage): void {
    this.#open.set(open.mark.number, open)
    this.#openBytes += open.bytes
  }

  #advance(): void {
    for (let next = this.#open.get(this.reached.number + 1); next?.isDelivered === true; next = this.#open.get(this.reached.number + 1)) {
      this.reached = next.mark
      this.#open.delete(next.mark.number)
      this.#openBytes -= next.bytes
    }
  }
}
