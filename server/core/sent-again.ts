/**
 * What a client sends again after its member died (ADR 0019): some of it that member may have handled, and nobody knows how much.
 *
 * So for a while the client's messages are looked for in the logs before they are taken for new, by their stamps. Looking takes
 * a moment, and nothing that the client sent later may overtake: its stanzas are begun one after the other, each when of the
 * one before it is decided whether it is new. Until what it says is durable is waited for as ever, by whoever acknowledges.
 */
import type { Stanza } from '@rollcall/stanza'

/** Of what a member handles the coordinator is told within a second: it has not handled more stanzas of one client beyond that. */
export const SENT_AGAIN_MAX = 2_000
/** What is sent again is sent at once. Counted from the first stanza. */
const LAST_MS = 60_000

export interface SentAgainPorts {
  readonly nowMs: () => number
  /** Settles when of the message with that stamp it is decided whether it is new. */
  readonly decided: (stamp: string) => Promise<void>
}

export class SentAgain {
  /** Number of the last stanza that the dead member may have handled, modulo 2^32. */
  readonly until: number
  readonly #ports: SentAgainPorts
  #endMs: number | undefined
  #line: Promise<void> = Promise.resolve()
  #lineLength = 0

  constructor(ports: SentAgainPorts, until: number) {
    this.#ports = ports
    this.until = until
  }

  /** Whether this and what comes after it is new, with nothing before it that is not decided. */
  isOver(serial: number): boolean {
    return this.#lineLength === 0 && this.#isNew(serial)
  }

  /** Handles a stanza in its turn; the promise settles when that says it is safe. */
  take(stanza: Stanza, serial: number, handle: () => void | Promise<void>): Promise<void> {
    this.#endMs ??= this.#ports.nowMs() + LAST_MS
    if (stanza.kind === 'message' && !this.#isNew(serial)) stanza.isAgain = true
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#lineLength++
    this.#line = this.#inTurn(stanza.stamp, () => resolve(handle()))
    return promise
  }

  async #inTurn(stamp: string, begin: () => void): Promise<void> {
    await this.#line
    begin()
    await this.#ports.decided(stamp)
    this.#lineLength--
  }

  /** Settles when nothing waits for its turn. */
  async idle(): Promise<void> {
    while (this.#lineLength > 0) await this.#line
  }

  #isNew(serial: number): boolean {
    return ((serial - this.until) | 0) > 0 || (this.#endMs !== undefined && this.#ports.nowMs() > this.#endMs)
  }
}
