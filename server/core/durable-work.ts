/** What has to be stored before a message is safe, and what becomes of the message when that fails. */
import type { Stanza } from '@rollcall/stanza'

/** Gathers what the handlers of one message asked to wait for. */
export class DurableWork {
  #promise: Promise<void> | undefined = undefined

  readonly waitFor = (work: Promise<void>): void => {
    this.#promise = this.#promise === undefined ? work : bothOf(this.#promise, work)
  }

  /** Undefined when there is nothing to wait for. Rejects as the first of them that rejects. */
  get promise(): Promise<void> | undefined {
    return this.#promise
  }
}

/** Settles when both have; rejects as the first that rejects. */
export function bothOf(first: Promise<void>, second: Promise<void>): Promise<void> {
  return first === second ? first : Promise.all([first, second]).then(nothing)
}

function nothing(): void {}

interface Outcome {
  readonly settled: Promise<void>
  readonly onFailure: ((error: unknown) => void)[]
}
const outcomes = new WeakMap<Promise<void>, Outcome>()

/**
 * A promise that resolves when the work has succeeded, or failed and `onFailure` was told. Messages of one commit wait for
 * the same work, and then they share this promise too: one for each would cost more than the commit.
 */
export function outcomeOf(work: Promise<void>, onFailure: (error: unknown) => void): Promise<void> {
  let outcome = outcomes.get(work)
  if (outcome === undefined) {
    const all: ((error: unknown) => void)[] = []
    const settled = work.catch((error: unknown) => {
      outcomes.delete(work)
      for (const one of all) one(error)
    })
    outcomes.set(work, outcome = { settled, onFailure: all })
  }
  outcome.onFailure.push(onFailure)
  return outcome.settled
}

const failed = new WeakSet<Stanza>()

/** Whether nobody has answered this message with an error for want of storage: it has two logs to go to, and its sender is told once. */
export function isFirstFailure(message: Stanza): boolean {
  if (failed.has(message)) return false
  failed.add(message)
  return true
}
