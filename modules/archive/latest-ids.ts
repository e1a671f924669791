/** What is remembered of an account's log while messages come again that may be in it (`kept.ts`). */
import { randomHalfOf } from './stanza-ids.ts'

/** The random halves of the latest ids in an account's log. */
export class LatestIds {
  /** What the log had then was read. */
  readonly deaths: readonly number[]
  readonly untilMs: number
  readonly #read: Promise<ReadonlySet<string>>
  readonly #written = new Set<string>()

  constructor(read: Promise<ReadonlySet<string>>, deaths: readonly number[], untilMs: number) {
    this.#read = read
    this.deaths = deaths
    this.untilMs = untilMs
  }

  /** An entry was written here. */
  note(id: string): void {
    this.#written.add(randomHalfOf(id))
  }

  /** Rejects when the log cannot be read. */
  async has(half: string): Promise<boolean> {
    return (await this.#read).has(half) || this.#written.has(half)
  }
}
