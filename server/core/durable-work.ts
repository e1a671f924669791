/** Gathers what the handlers of one message asked to wait for. */
export class DurableWork {
  #promise: Promise<void> | undefined = undefined

  readonly waitFor = (work: Promise<void>): void => {
    this.#promise = this.#promise === undefined ? work : both(this.#promise, work)
  }

  /** Undefined when there is nothing to wait for. Rejects as the first of them that rejects. */
  get promise(): Promise<void> | undefined {
    return this.#promise
  }
}

async function both(first: Promise<void>, second: Promise<void>): Promise<void> {
  await Promise.all([first, second])
}
