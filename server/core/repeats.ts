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
  #latest: Promise<unknown> = Promise.resolve()

  constructor(ports: RepeatsPorts) {
    this.#ports = ports
  }

  /** Whether the account's log has the message of that stamp. False when it cannot be read: twice is better than never. */
  isKept(account: Jid, stamp: string): Promise<boolean> {
    const found = this.#ports.kept()?.isKept(account, stamp) ?? Promise.resolve(false)
    const decided = found.catch((error: unknown) => {
      this.#ports.log.error('kept-message-lookup-failed', { account: account.toString(), error })
      return false
    })
    this.#latest = decided
    return decided
  }

  /** Delivers a stanza to an account here, unless it is a message that the account has. */
  deliver(stanza: Stanza): void | Promise<void> {
    return stanza.isAgain && stanza.kind === 'message' ? this.#deliverOnce(stanza) : this.#ports.deliver(stanza)
  }

  /** For a client that sends again what a dead member may have handled, up to its stanza of that number. */
  sentAgain(until: number): SentAgain {
    return new SentAgain({ nowMs: () => this.#ports.clock.monotonic(), decided: () => this.decided() }, until)
  }

  /** Settles when of all messages that came again it is decided whether they are new; who asked first goes on first. */
  async decided(): Promise<void> {
    for (let seen: unknown; seen !== this.#latest;) {
      seen = this.#latest
      await seen
    }
  }

  async #deliverOnce(stanza: Stanza): Promise<void> {
    if (!await this.isKept((stanza.to as Jid).bare, stanza.stamp)) await this.#ports.deliver(stanza)
  }
}
