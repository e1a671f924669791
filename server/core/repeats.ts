/**
 * Messages that come again because a member died that may have handled them (ADR 0012): looked for in the account's log, where
 * that member would have put them. Looking takes a moment, in which nothing of the same sender may overtake.
 */
import type { KeptMessages } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { Clock, Log } from '@rollcall/ports'
import type { Stanza } from '@rollcall/stanza'
import { SentAgain } from './sent-again.ts'

export interface RepeatsPorts {
  /** Undefined where nobody keeps messages: then all are new. */
  readonly kept: () => KeptMessages | undefined
  readonly deliver: (stanza: Stanza) => void | Promise<void>
  readonly log: Log
  readonly clock: Clock
}

export class Repeats {
  readonly #ports: RepeatsPorts
  /** What is being looked for, by stamp: in one log after the other. */
  readonly #open = new Map<string, Promise<unknown>>()
  /** When members died lately, ms since the Unix epoch. A new list when there is another. */
  #deaths: readonly number[] = []

  constructor(ports: RepeatsPorts) {
    this.#ports = ports
  }

  /** Members died at these times: what they handled may come again. */
  noteDeaths(deaths: readonly number[]): void {
    if (deaths.at(-1) !== this.#deaths.at(-1)) this.#deaths = deaths
  }

  /** Whether the account's log has the message of that stamp. False when it cannot be read: twice is better than never. */
  isKept(account: Jid, stamp: string): Promise<boolean> {
    const found = this.#ports.kept()?.isKept(account, stamp, this.#deaths) ?? Promise.resolve(false)
    const decided = found.catch((error: unknown) => {
      this.#ports.log.error('kept-message-lookup-failed', { account: account.toString(), error })
      return false
    })
    this.#open.set(stamp, decided)
    // Before whoever waits for the answer goes on, and perhaps looks into the next log.
    void decided.then(() => this.#open.delete(stamp))
    return decided
  }

  /** Delivers a stanza to an account here, unless it is a message that the account has. */
  deliver(stanza: Stanza): void | Promise<void> {
    return stanza.isAgain && stanza.kind === 'message' ? this.#deliverOnce(stanza) : this.#ports.deliver(stanza)
  }

  /** For a client that sends again what a dead member may have handled, up to its stanza of that number. */
  sentAgain(until: number): SentAgain {
    return new SentAgain({ nowMs: () => this.#ports.clock.monotonic(), decided: (stamp) => this.decided(stamp) }, until)
  }

  /** Settles when of the message with that stamp it is decided whether it is new; who asked first goes on first. */
  async decided(stamp: string): Promise<void> {
    for (let open = this.#open.get(stamp); open !== undefined; open = this.#open.get(stamp)) await open
  }

  async #deliverOnce(stanza: Stanza): Promise<void> {
    if (!await this.isKept((stanza.to as Jid).bare, stanza.stamp)) await this.#ports.deliver(stanza)
  }
}
