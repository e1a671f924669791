/**
 * What one member sent to another and the other has not confirmed, oldest first; and the same seen from the other end.
 *
 * Confirmation is by count, for everything up to a number, because both sides see the same messages in the same order: one
 * small message confirms a turn's work, and nothing is looked up.
 */
import type { Jid } from '@rollcall/jid'
import type { ProbeAnswer } from '@rollcall/module-api'
import type { Stanza } from '@rollcall/stanza'
import type { FromClient } from '../protocol/placement.ts'

/** A message as long as it may have to be sent to somebody else. */
export type Letter =
  | { readonly kind: 'route'; readonly stanza: Stanza; readonly done: () => void; isAgain: boolean }
  | { readonly kind: 'broadcast'; readonly stanza: Stanza; readonly targets: readonly Jid[]; isAgain: boolean }
  | { readonly kind: 'states'; readonly to: Jid; readonly answer: ProbeAnswer; isAgain: boolean }
  | { readonly kind: 'client'; readonly client: Jid; readonly message: FromClient; readonly connection: object; isAgain: boolean }

/** Confirmed letters stay in the array until there are this many of them and they are the greater half. */
const COMPACT_AT = 1024

export class Outbox {
  /** Of the last letter. */
  seq = 0
  #letters: (Letter | undefined)[] = []
  #head = 0

  get size(): number {
    return this.#letters.length - this.#head
  }

  /** Keeps a letter; answers its number. */
  push(letter: Letter): number {
    this.#letters.push(letter)
    return ++this.seq
  }

  /** Everything up to `seq` is safe. A number that was never given is ignored. */
  confirm(seq: number): void {
    let count = seq - (this.seq - this.size)
    if (count > this.size) return
    while (count-- > 0) {
      const letter = this.#letters[this.#head] as Letter
      this.#letters[this.#head++] = undefined
      if (letter.kind === 'route') letter.done()
    }
    if (this.#head === this.#letters.length) {
      this.#letters = []
      this.#head = 0
    } else if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#letters.length) {
      this.#letters.splice(0, this.#head)
      this.#head = 0
    }
  }

  /** What is not confirmed, oldest first. */
  letters(): readonly Letter[] {
    return this.#letters.slice(this.#head) as Letter[]
  }
}

interface OpenWork {
  readonly seq: number
  isSettled: boolean
}

/** Which messages of one sender are safe. */
export class Confirmations {
  /** Of the last message that came. */
  received = 0
  #open: OpenWork[] = []
  readonly #changed: () => void

  /** `changed`: `safe` grew. */
  constructor(changed: () => void) {
    this.#changed = changed
  }

  /** Everything up to here is safe. */
  get safe(): number {
    const first = this.#open[0]
    return first === undefined ? this.received : first.seq - 1
  }

  /** Notes the next message, whose handling gave `work`. What work fails with was answered where it happened. */
  add(work: void | Promise<void>): void {
    const seq = ++this.received
    if (work === undefined) {
      if (this.#open.length === 0) this.#changed()
      return
    }
    const open: OpenWork = { seq, isSettled: false }
    const settle = () => {
      open.isSettled = true
      let count = 0
      while (this.#open[count]?.isSettled === true) count++
      if (count === 0) return
      this.#open.splice(0, count)
      this.#changed()
    }
    this.#open.push(open)
    work.then(settle, settle)
  }
}
