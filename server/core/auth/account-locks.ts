/** Changes of one account's record happen one after the other, since storage has no compare-and-set. */

const ignore = (): void => {}

export class AccountLocks {
  readonly #tails = new Map<string, Promise<void>>()

  /** Runs `work` once all earlier work on `account` has ended, well or badly. */
  async run<T>(account: string, work: () => Promise<T>): Promise<T> {
    const result = (this.#tails.get(account) ?? Promise.resolve()).then(work)
    const tail = result.then(ignore, ignore)
    this.#tails.set(account, tail)
    try {
      return await result
    } finally {
      if (this.#tails.get(account) === tail) this.#tails.delete(account)
    }
  }
}
