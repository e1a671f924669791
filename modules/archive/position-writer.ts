/**
 * Writes delivery positions, a little later: what is lost in a crash comes again under the same stanza ids (ADR 0010).
 *
 * One timer for all accounts; each account that moved is written once per period. The fewer they are, the sooner: on a
 * quiet member hardly anything comes again after a crash, and on a busy one writing stays within its share of the storage.
 * Until it is written an account's state stays here, so that one that is unloaded and loaded again in between does not go back.
 */
import type { Clock, Log, Timer } from '@rollcall/ports'
import type { AccountLog, LogStores } from './account-log.ts'

const PERIOD_MIN_MS = 100
const PERIOD_MAX_MS = 2000
/** Two hundred positions a second at most, each of which takes about 10 µs of the database's thread. */
const PERIOD_PER_ACCOUNT_MS = 5

export class PositionWriter {
  readonly #stores: LogStores
  readonly #clock: Clock
  readonly #log: Log
  #dirty = new Map<string, AccountLog>()
  #writing = new Map<string, AccountLog>()
  #timer: Timer | undefined = undefined
  #periodMs = PERIOD_MIN_MS
  #isWriting = false

  constructor(stores: LogStores, clock: Clock, log: Log) {
    this.#stores = stores
    this.#clock = clock
    this.#log = log
  }

  /** The account's position moved. */
  note(log: AccountLog): void {
    this.#dirty.set(log.owner, log)
    this.#schedule()
  }

  /** A slow disk is not given more to do before it is done. */
  #schedule(): void {
    if (this.#isWriting || this.#dirty.size === 0) return
    this.#timer ??= this.#clock.after(this.#periodMs, () => void this.#flushInTurn())
  }

  async #flushInTurn(): Promise<void> {
    this.#isWriting = true
    await this.flush()
    this.#isWriting = false
    this.#schedule()
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
    this.#periodMs = Math.min(PERIOD_MAX_MS, Math.max(PERIOD_MIN_MS, logs.size * PERIOD_PER_ACCOUNT_MS))
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
