/**
 * The received messages of an account that were delivered while an earlier one waits.
 *
 * An account whose only client takes no messages for it, but gets those that are for the client itself, would collect them
 * without end. They are numbered without gaps, so neighbours are joined: what is kept is a run for each gap between waiting
 * messages, and of those there are only as many as may wait.
 */

/** A place in the log. */
export interface Mark {
  /** Id of an entry of the history: everything that waits there comes after it. '' for the beginning. */
  readonly id: string
  /** Number of the last received message up to there. */
  readonly number: number
  /** Bytes of all received messages up to there. */
  readonly end: number
}

/** Messages `first` to `last.number`. */
export interface Run {
  readonly first: number
  /** Of its last message. */
  readonly last: Mark
  /** Of all its messages. */
  readonly bytes: number
}

export class DeliveredRuns {
  /** In order; between two of them is at least one message that is not delivered. */
  readonly #runs: Run[] = []
  #count = 0
  #bytes = 0

  /** Messages in all runs. */
  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  has(number: number): boolean {
    const run = this.#runs[this.#after(number) - 1]
    return run !== undefined && number <= run.last.number
  }

  /** Adds messages that are in no run. */
  add({ first, last, bytes }: Run): void {
    const at = this.#after(first)
    const before = this.#runs[at - 1]
    const after = this.#runs[at]
    const isAtBefore = before?.last.number === first - 1
    const isAtAfter = after?.first === last.number + 1
    const joined: Run = {
      first: isAtBefore ? before.first : first,
      last: isAtAfter ? after.last : last,
      bytes: bytes + (isAtBefore ? before.bytes : 0) + (isAtAfter ? after.bytes : 0),
    }
    this.#runs.splice(at - Number(isAtBefore), Number(isAtBefore) + Number(isAtAfter), joined)
    this.#count += last.number - first + 1
    this.#bytes += bytes
  }

  /** Takes the first run out, if it begins with that message. */
  takeFrom(number: number): Run | undefined {
    const run = this.#runs[0]
    if (run?.first !== number) return undefined
    this.#runs.shift()
    this.#count -= run.last.number - run.first + 1
    this.#bytes -= run.bytes
    return run
  }

  [Symbol.iterator](): Iterator<Run> {
    return this.#runs.values()
  }

  /** Place of the first run that begins after the message. */
  #after(number: number): number {
    let low = 0
    let high = this.#runs.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#runs[middle] as Run).first > number) high = middle
      else low = middle + 1
    }
    return low
  }
}
