/** How much of an ended session's stanzas was handled, for clients that come too late to resume it (XEP-0198 §5). Bounded. */

interface Ended {
  readonly account: string
  readonly handled: number
}

export class EndedStreams {
  readonly #max: number
  /** By token, the oldest first. */
  readonly #byToken = new Map<string, Ended>()

  constructor(max: number) {
    this.#max = max
  }

  /** Remembers a stream of the account (bare JID), forgetting the oldest one beyond the limit. */
  add(token: string, account: string, handled: number): void {
    this.#byToken.set(token, { account, handled })
    if (this.#byToken.size <= this.#max) return
    for (const oldest of this.#byToken.keys()) {
      this.#byToken.delete(oldest)
      break
    }
  }

  /** What was handled of the stream, or undefined when it is not remembered or not the account's. */
  handledBy(token: string, account: string): number | undefined {
    const ended = this.#byToken.get(token)
    return ended?.account === account ? ended.handled : undefined
  }
}
