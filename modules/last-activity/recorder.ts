/** Writes that nobody waits for, except the stop of the server. */
import type { Jid } from '@rollcall/jid'
import type { Keyval, Log } from '@rollcall/ports'
import type { LastSeen } from './port.ts'

export class Recorder {
  readonly #store: Keyval<LastSeen>
  readonly #log: Log
  /** Under way; as many as sessions end within one commit, and storage refuses what it cannot hold. */
  readonly #pending = new Set<Promise<void>>()

  constructor(store: Keyval<LastSeen>, log: Log) {
    this.#store = store
    this.#log = log
  }

  write(account: Jid, seen: LastSeen): void {
    const written: Promise<void> = this.#store.set(account.toString(), seen).then(
      () => void this.#pending.delete(written),
      (error: unknown) => {
        this.#pending.delete(written)
        this.#log.warn('last-activity-not-written', { account: account.toString(), error })
      },
    )
    this.#pending.add(written)
  }

  /** Settles when everything written so far is durable or has failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending)
  }
}
