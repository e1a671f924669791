/**
 * Back-off of accounts after failed logins: pure bookkeeping on the monotonic clock, in memory only.
 *
 * Names that nobody has are counted exactly as others are, so a lock tells nothing. The map is ordered by last failure:
 * what is to be forgotten, and what makes room, is always at its front.
 */
import type { LockoutConfig } from './config.ts'

interface Failures {
  readonly count: number
  /** Monotonic ms. */
  readonly lockedUntil: number
  readonly forgottenAt: number
}

/** Doubling beyond this changes nothing: 2^32 times any base is longer than any maximum. */
const DOUBLINGS_MAX = 32

export class Lockout {
  readonly #config: LockoutConfig
  readonly #now: () => number
  readonly #failures = new Map<string, Failures>()

  /** `now`: monotonic ms. */
  constructor(config: LockoutConfig, now: () => number) {
    this.#config = config
    this.#now = now
  }

  /** Accounts remembered. */
  get size(): number {
    return this.#failures.size
  }

  /** ms for which the account takes no attempts. */
  waitMs(account: string): number {
    return Math.max(0, (this.#failures.get(account)?.lockedUntil ?? 0) - this.#now())
  }

  /** Counts a failure; answers the wait it leads to, in ms. */
  fail(account: string): number {
    const { freeFailures, baseMs, maxMs, forgetMs, accountsMax } = this.#config
    this.#forget()
    const now = this.#now()
    const count = (this.#failures.get(account)?.count ?? 0) + 1
    const doublings = Math.min(count - freeFailures - 1, DOUBLINGS_MAX)
    const waitMs = doublings < 0 ? 0 : Math.min(maxMs, baseMs * 2 ** doublings)
    this.#failures.delete(account)
    if (this.#failures.size >= accountsMax) this.#dropOldest()
    this.#failures.set(account, { count, lockedUntil: now + waitMs, forgottenAt: now + forgetMs })
    return waitMs
  }

  /** Starts the count anew; not to be called while the account is locked. */
  succeed(account: string): void {
    this.#failures.delete(account)
  }

  #forget(): void {
    const now = this.#now()
    for (const [account, failures] of this.#failures) {
      if (failures.forgottenAt > now) return
      this.#failures.delete(account)
    }
  }

  #dropOldest(): void {
    for (const account of this.#failures.keys()) {
      this.#failures.delete(account)
      return
    }
  }
}
