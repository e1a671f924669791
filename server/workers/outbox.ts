/**
 * What one member sent to another and the other has not confirmed, oldest first; and the same seen from the other end.
 *
 * Confirmation is by number, because both sides see the same messages in the same order: one small message confirms a turn's
 * work, and nothing is looked up.
 */
import type { Jid } from '@rollcall/jid'
import type { ProbeAnswer } from '@rollcall/module-api'
import type { Stanza } from '@rollcall/stanza'
import type { FromClient } from '../protocol/placement.ts'

/** A message as long as it may have to be sent to somebody else. */
export type Letter =
  | { readonly kind: 'route'; readonly stanza: Stanza; readonly safe: Pick<Safety, 'done'>; isAgain: boolean }
  | { readonly kind: 'broadcast'; readonly stanza: Stanza; readonly targets: readonly Jid[]; isAgain: boolean }
  | { readonly kind: 'states'; readonly to: Jid; readonly answer: ProbeAnswer; isAgain: boolean }
  | { readonly kind: 'client'; readonly client: Jid; readonly message: FromClient; readonly connection: object; isAgain: boolean }

/**
 * The promise that letters are safe, one for all that are given between two confirmations: a promise and its functions for each
 * would live as long as the letter, and cost as much as the rest of it.
 */
export class Safety {
  readonly promise: Promise<void>
  readonly #resolve: () => void
  #missing = 0
  #isClosed = false

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.promise = promise
    this.#resolve = resolve
  }

  /** One more letter is to be safe. */
  add(): void {
    this.#missing++
  }

  /** One of them is. */
  done(): void {
    if (--this.#missing === 0 && this.#isClosed) this.#resolve()
  }

  /** No more are added. */
  close(): void {
    this.#isClosed = true
    if (this.#missing === 0) this.#resolve()
  }
}

/** Confirmed letters stay in the array until there are this many of them and they are the greater half. */
const COMPACT_AT = 1024

export class Outbox {
  /** Of the last letter. */
  seq = 0
  /** Letters that are not confirmed. */
  size = 0
  /** From the oldest that is not confirmed; undefined where one is confirmed before it. */
  #letters: (Letter | undefined)[] = []
  #head = 0
  #safety: Safety | undefined

  /** For the next letter: it counts already. */
  safety(): Safety {
    const safety = (this.#safety ??= new Safety())
    safety.add()
    return safety
  }

  /** Keeps a letter; answers its number. */
  push(letter: Letter): number {
    this.#letters.push(letter)
    this.size++
    return ++this.seq
  }

  /** Everything up to `seq` is safe, and what `also` says. Numbers that were never given are ignored. */
  confirm(seq: number, also: readonly number[]): void {
    const last = Math.min(seq, this.seq)
    for (let at = this.#first; at <= last; at++) this.#done(at)
    for (let i = 0; i + 1 < also.length; i += 2) {
      const to = Math.min(also[i + 1] as number, this.seq)
      for (let at = Math.max(also[i] as number, this.#first); at <= to; at++) this.#done(at)
    }
    while (this.#head < this.#letters.length && this.#letters[this.#head] === undefined) this.#head++
    this.#compact()
    this.close()
  }

  /** Letters from now on have a promise of their own. */
  close(): void {
    this.#safety?.close()
    this.#safety = undefined
  }

  /** What is not confirmed, oldest first. */
  letters(): readonly Letter[] {
    return this.#letters.slice(this.#head).filter((letter) => letter !== undefined)
  }

  /** Number of the letter at the head. */
  get #first(): number {
    return this.seq - (this.#letters.length - this.#head) + 1
  }

  #done(seq: number): void {
    const at = this.#letters.length - (this.seq - seq) - 1
    const letter = this.#letters[at]
    if (letter === undefined) return
    this.#letters[at] = undefined
    this.size--
    if (letter.kind === 'route') letter.safe.done()
  }

  #compact(): void {
    if (this.#head === this.#letters.length) {
      this.#letters = []
      this.#head = 0
    } else if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#letters.length) {
      this.#letters.splice(0, this.#head)
      this.#head = 0
    }
  }
}

/** What is safe: everything up to `seq`, and pairs of first and last beyond. */
export interface Confirmation {
  readonly seq: number
  readonly also: readonly number[]
}

/**
 * Which messages of one sender are safe.
 *
 * Each is confirmed by itself: what a client sent may be safe only when its core has word from the sender's own member, and
 * the same the other way round, so that waiting for all earlier ones would be waiting for each other.
 */
export class Confirmations {
  /** Of the last message that came. */
  received = 0
  /** Numbers of messages whose work is not over, in order. */
  readonly #open = new Set<number>()
  /** Safe, beyond an open one, and not told yet. */
  #beyond: number[] = []
  readonly #changed: () => void

  /** `changed`: there is something to tell. */
  constructor(changed: () => void) {
    this.#changed = changed
  }

  /** Notes the next message, whose handling gave `work`. What work fails with was answered where it happened. */
  add(work: void | Promise<void>): void {
    const seq = ++this.received
    if (work === undefined) {
      this.#safe(seq)
      return
    }
    this.#open.add(seq)
    const settle = () => {
      this.#open.delete(seq)
      this.#safe(seq)
    }
    work.then(settle, settle)
  }

  /** What is to be told. */
  take(): Confirmation {
    const [oldest = this.received + 1] = this.#open
    const beyond = this.#beyond.filter((seq) => seq > oldest).sort((a, b) => a - b)
    this.#beyond = []
    const also: number[] = []
    for (const seq of beyond) {
      if (also.at(-1) === seq - 1) also[also.length - 1] = seq
      else also.push(seq, seq)
    }
    return { seq: oldest - 1, also }
  }

  #safe(seq: number): void {
    if (this.#open.size > 0) this.#beyond.push(seq)
    this.#changed()
  }
}
