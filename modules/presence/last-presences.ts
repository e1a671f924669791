/**
 * The end of each account's last presence session, for probes of those who are away (RFC 6121 §4.3.2) and for last activity.
 *
 * Written lazily: people come and go all the time and a lost one costs a detail, so a change waits a while, and only the
 * newest of an account is written. Reads see what waits.
 */
import type { Clock, Keyval, Log, Timer } from '@rollcall/ports'
import type { LastPresence } from './port.ts'

/** How long a change waits, in ms. */
const DELAY_MS = 2_000
/** Accounts whose change may wait; beyond it the oldest are written at once. */
const WAITING_MAX = 50_000
/** Writes handed to storage together. */
const BATCH_MAX = 500

export class LastPresences {
  readonly #store: Keyval<LastPresence>
  readonly #clock: Clock
  readonly #log: Log
  readonly #waiting = new Map<string, LastPresence>()
  #timer: Timer | undefined = undefined
  #flushing: Promise<void> | undefined = undefined

  constructor(store: Keyval<LastPresence>, clock: Clock, log: Log) {
    this.#store = store
    this.#clock = clock
    this.#log = log
  }

  note(account: string, last: LastPresence): void {
    this.#waiting.delete(account)
    this.#waiting.set(account, last)
    if (this.#waiting.size > WAITING_MAX) void this.flush()
    else this.#timer ??= this.#clock.after(DELAY_MS, () => void this.flush())
  }

  async read(account: string): Promise<LastPresence | undefined> {
    return this.#waiting.get(account) ?? (await this.#store.get(account))
  }

  /** An account is being deleted: nothing of it may be written any more. */
  forget(account: string): void {
    this.#waiting.delete(account)
  }

  /** Writes everything that waits; settles when it is stored or given up. */
  flush(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    return (this.#flushing ??= this.#writeAll().finally(() => {
      this.#flushing = undefined
    }))
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.size > 0) {
      const batch: Promise<void>[] = []
      for (const [account, last] of this.#waiting) {
        if (batch.length >= BATCH_MAX) break
        this.#waiting.delete(account)
        batch.push(this.#store.set(account, last))
      }
      try {
        await Promise.all(batch)
      } catch (error) {
        // Given up, not tried again: the next presence session of each account replaces it.
        this.#log.warn('last-presence-lost', { count: batch.length, error })
      }
    }
  }
}
