/**
 * How many stanzas of one client were handled, and how many of those are safe (XEP-0198 §4, invariant "acked means safe").
 *
 * Handling a stanza gives nothing, or a promise that settles when what it stands for is committed. `handled` counts all;
 * `safe` is the length of the prefix without an open promise. Stanzas without a promise, which is nearly all, cost one
 * addition: records exist only for promises that are open.
 */

interface OpenWork {
  /** What `handled` was with this stanza counted. */
  readonly serial: number
  readonly work: Promise<void>
  isSettled: boolean
}

/** Requests of the client that may wait for an answer; beyond it the last ones share one. */
const OWED_MAX = 64

export class HandledCount {
  /** Stanzas handled since the beginning, modulo 2^32. */
  handled: number
  /** Oldest first; the first is not settled. */
  #open: OpenWork[] = []
  /** What `safe` must reach for each request that waits for its answer, in order. */
  #owed: number[] = []
  readonly #acknowledge: (h: number) => void

  /** `acknowledge` is called when requests that had to wait can be answered. */
  constructor(acknowledge: (h: number) => void, handled = 0) {
    this.#acknowledge = acknowledge
    this.handled = handled
  }

  /** Stanzas that are handled and safe with all before them, modulo 2^32. */
  get safe(): number {
    const first = this.#open[0]
    return first === undefined ? this.handled : (first.serial - 1) >>> 0
  }

  /** Whether a request of the client waits for its answer. */
  get isOwing(): boolean {
    return this.#owed.length > 0
  }

  /** Counts a stanza whose handling gave `work`. */
  add(work: void | Promise<void>): void {
    this.handled = (this.handled + 1) >>> 0
    if (work !== undefined) this.#open.push(this.#watched(work))
  }

  /** The latest `count` stanzas were handled elsewhere, and are safe when `work` settles. To be called before anything is added. */
  reopen(count: number, work: Promise<void>): void {
    this.#open.push(this.#watched(work, (this.handled - count + 1) >>> 0))
  }

  /** Whether what is not safe ever will be nobody can say: it counts as not handled, and its client sends it again. */
  rollBack(): void {
    this.handled = this.safe
    this.#open = []
    this.#owed = []
  }

  /** The client asks; `acknowledge` is called as soon as everything handled so far is safe. */
  owe(): void {
    if (this.#open.length === 0) this.#acknowledge(this.handled)
    else if (this.#owed.length < OWED_MAX) this.#owed.push(this.handled)
    else this.#owed[OWED_MAX - 1] = this.handled
  }

  /** Settles when everything handled so far is safe; undefined when it is. */
  settled(): Promise<unknown> | undefined {
    return this.#open.length === 0 ? undefined : Promise.all(this.#open.map(({ work }) => work))
  }

  #watched(work: Promise<void>, serial = this.handled): OpenWork {
    const settle = () => {
      open.isSettled = true
      this.#advance()
    }
    // A failure was answered with an error where it happened: that answer is what the client has to know.
    const open: OpenWork = { serial, work: work.then(settle, settle), isSettled: false }
    return open
  }

  #advance(): void {
    let count = 0
    while (this.#open[count]?.isSettled === true) count++
    if (count === 0) return
    this.#open.splice(0, count)
    const { safe } = this
    let answered = 0
    while (answered < this.#owed.length && (((this.#owed[answered] as number) - safe) | 0) <= 0) answered++
    if (answered === 0) return
    this.#owed.splice(0, answered)
    this.#acknowledge(safe)
  }
}
