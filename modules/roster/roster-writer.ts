/**
 * Writes rows, and remembers those that could not be written until they can.
 *
 * A roster changes in memory at once and clients are told at once, because stanzas cannot wait for a disk. So a write that
 * fails must not be forgotten: it is repeated until it succeeds or until a newer one for the same contact takes its place.
 */
import type { Clock, Log, MapStore, Timer } from '@rollcall/ports'
import { StanzaError } from '@rollcall/stanza'
import type { RosterRow } from './rows.ts'

const RETRY_MS = 5_000
/** Failed writes remembered; beyond it, the oldest is given up, with a log entry. */
const FAILED_MAX = 10_000
/** Failed writes repeated at once. */
const BATCH_MAX = 100

interface FailedWrite {
  readonly owner: string
  readonly key: string
  /** Undefined: to be deleted. */
  readonly row: RosterRow | undefined
}

export class RosterWriter {
  readonly #store: MapStore<RosterRow>
  readonly #clock: Clock
  readonly #log: Log
  readonly #failed = new Map<string, FailedWrite>()
  /** The write of each row that is under way; a row's later writes outdate its earlier ones. */
  readonly #underWay = new Map<string, number>()
  #writes = 0
  #retry: Timer | undefined = undefined

  constructor(store: MapStore<RosterRow>, clock: Clock, log: Log) {
    this.#store = store
    this.#clock = clock
    this.#log = log
  }

  /** Rows that memory has and storage has not. */
  get failedCount(): number {
    return this.#failed.size
  }

  /** Writes a row, or deletes it when undefined. Rejects with `resource-constraint` when it is not stored yet. */
  async write(owner: string, key: string, row: RosterRow | undefined): Promise<void> {
    const id = `${owner} ${key}`
    const write = ++this.#writes
    this.#failed.delete(id)
    this.#underWay.set(id, write)
    try {
      await (row === undefined ? this.#store.delete(owner, key) : this.#store.set(owner, key, row))
    } catch (error) {
      this.#log.error('roster-write-failed', { account: owner, contact: key, error })
      if (this.#underWay.get(id) === write) this.#remember(id, { owner, key, row })
      throw new StanzaError('resource-constraint', 'The change cannot be stored now; it will be tried again')
    } finally {
      if (this.#underWay.get(id) === write) this.#underWay.delete(id)
    }
  }

  /** Gives up what failed for an account that is being deleted. */
  forget(owner: string): void {
    for (const [id, write] of this.#failed) if (write.owner === owner) this.#failed.delete(id)
  }

  stop(): void {
    this.#retry?.cancel()
  }

  #remember(id: string, write: FailedWrite): void {
    if (this.#failed.size >= FAILED_MAX) {
      const [oldest] = this.#failed
      if (oldest !== undefined) {
        this.#failed.delete(oldest[0])
        this.#log.error('roster-write-lost', { account: oldest[1].owner, contact: oldest[1].key })
      }
    }
    this.#failed.set(id, write)
    this.#startTimer()
  }

  #startTimer(): void {
    this.#retry ??= this.#clock.after(RETRY_MS, () => {
      this.#retry = undefined
      this.#writeAgain()
    })
  }

  #writeAgain(): void {
    const batch = [...this.#failed.values()].slice(0, BATCH_MAX)
    // A failure has been logged and remembered by `write` itself.
    for (const { owner, key, row } of batch) this.write(owner, key, row).catch(() => {})
    if (this.#failed.size > 0) this.#startTimer()
  }
}
