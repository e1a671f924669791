/**
 * Account records that logins under way have read, so that the steps of one login read once.
 *
 * It is no cache: a record is kept for about as long as a client needs to answer a challenge, and a change of the account
 * made here ends it at once, also for a read that was under way meanwhile. A first step never looks here, because a faster
 * answer would tell a stranger who logs in just now.
 */
import type { AccountRecord } from './account-record.ts'

/** Time from a challenge to the proof, ample for any network; what another member changes is unseen for no longer. */
const KEPT_MS = 2_000
/** Logins that are half done at a time; the oldest read again. */
const RECORDS_MAX = 10_000

interface Kept {
  readonly record: AccountRecord
  readonly readAtMs: number
}

export class RecentRecords {
  readonly #now: () => number
  /** In the order of reading. */
  readonly #kept = new Map<string, Kept>()
  #changeCount = 0

  /** `now`: monotonic ms. */
  constructor(now: () => number) {
    this.#now = now
  }

  get size(): number {
    return this.#kept.size
  }

  /** Grows with every change of any account; to be noted before a record is read. */
  get changeCount(): number {
    return this.#changeCount
  }

  /** Keeps what was read, unless anything has changed since `changeCount` was noted. */
  keep(owner: string, record: AccountRecord, changeCount: number): void {
    if (changeCount !== this.#changeCount) return
    const readAtMs = this.#now()
    this.#kept.delete(owner)
    this.#kept.set(owner, { record, readAtMs })
    for (const [oldest, kept] of this.#kept) {
      if (this.#kept.size <= RECORDS_MAX && readAtMs - kept.readAtMs <= KEPT_MS) return
      this.#kept.delete(oldest)
    }
  }

  find(owner: string): AccountRecord | undefined {
    const kept = this.#kept.get(owner)
    return kept !== undefined && this.#now() - kept.readAtMs <= KEPT_MS ? kept.record : undefined
  }

  /** The account is about to change. */
  forget(owner: string): void {
    this.#changeCount++
    this.#kept.delete(owner)
  }
}
