/**
 * What runs at the end of a turn of the event loop, which may be brought forward.
 *
 * libuv handles up to 48 times 1,024 sockets with input before it comes to anything else: with ten thousand clients who
 * all have something to say, what is to be written waits for all of them. So callbacks are kept here, and `runAll` runs them between
 * two inputs. Each has a `setImmediate` of its own, which runs the one that has waited longest: between two of those promises go on.
 */

/** Places that are kept for the next turns. */
const KEPT_PLACES_MAX = 1024

export class TurnEnd {
  readonly #run: (callback: () => void) => void
  #callbacks: ((() => void) | undefined)[] = []
  /** Those that wait, from the first on and before the end: both go back to 0 when nobody does. */
  #head = 0
  #end = 0
  #isRunning = false

  /** `run` runs a callback and does not throw. */
  constructor(run: (callback: () => void) => void) {
    this.#run = run
  }

  add(callback: () => void): void {
    this.#callbacks[this.#end++] = callback
    setImmediate(this.#runOne)
  }

  /** Runs those that wait now; none when one of them asks. */
  runAll(): void {
    if (this.#isRunning) return
    for (let left = this.#end - this.#head; left > 0; left--) this.#runOne()
  }

  /** More often called than there are callbacks, after `runAll`. */
  readonly #runOne = (): void => {
    if (this.#head === this.#end) return
    const callback = this.#callbacks[this.#head] as () => void
    this.#callbacks[this.#head++] = undefined
    if (this.#head === this.#end) {
      this.#head = this.#end = 0
      if (this.#callbacks.length > KEPT_PLACES_MAX) this.#callbacks = []
    }
    this.#isRunning = true
    this.#run(callback)
    this.#isRunning = false
  }
}
