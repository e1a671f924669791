/**
 * Writes delivery positions, a little later: what is lost in a crash comes again under the same stanza ids (ADR 0010).
 *
 * One timer for all accounts; each account that moved is written once per period. Until it is written its state stays
 * here, so that an account that is unloaded and loaded again in between does not go back.
 */
import type { Clock, Log, Timer } from '@rollcall/ports'
import type { AccountLog, LogStores } from './account-log.ts'

const PERIOD_MS = 2000

export class PositionWriter {
  readonly #stores: LogStores
  readonly #clock: Clock
  readonly #log: Log
  #dirty = new Map<string, AccountLog>()
  #writing = new Map<string, AccountLog>()
  #timer: Timer | undefined = undefined

  constructor(stores: LogStores, clock: Clock, log: Log) {
    this.#stores = stores
    this.#clock = clock
    this.#log = log
  }

  /** The account's position moved. */
  note(log: AccountLog): void {
    this.#dirty.set(log.owner, log)
    this.#timer ??= this.#clock.after(PERIOD_MS, () => void this.flush())
  }

  /** The state of an account that storage does not have yet. */
  pending(owner: string): AccountLog | undefined {
    return this.#dirty.get(owner) ?? this.#writing.get(owner)
  }

  /** The account is deleted. */
  forget(owner: string): void {
    this.#dirty.delete(owner)
  }

  /** Writes everything; settles when it is written. Never rejects: what fails is written with the next change. */
  async flush(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    const logs = this.#dirty
    if (logs.size === 0) return
    this.#dirty = new Map()
    for (const [owner, log] of logs) this.#writing.set(owner, log)
    await Promise.all([...logs.values()].map((log) => this.#write(log)))
  }

  async #write(log: AccountLog): Promise<void> {
    const done = log.doneTransient
    log.doneTransient = []
    try {
      const writes = [this.#stores.positions.set(log.owner, log.position.toStored())]
      if (done.length > 0) writes.push(this.#stores.waiting.delete(log.owner, done))
      await Promise.all(writes)
    } catch (error) {
      log.doneTransient.push(...done)
      this.#log.error('archive-position-failed', { account: log.owner, error })
    } finally {
      if (this.#writing.get(log.owner) === log) this.#writing.delete(log.owner)
    }
  }
}
