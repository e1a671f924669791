/**
 * How many accounts may be made: attempts per network address, and accounts in all, within a window of time.
 *
 * Windows start with the first attempt and are forgotten whole: no timer, and one small record per address. When there
 * are too many addresses the oldest record goes; the limit on all accounts together holds all the same.
 */
import type { Clock } from '@rollcall/ports'

/** Addresses remembered at a time. */
const ADDRESSES_MAX = 10_000

interface Window {
  readonly startedAt: number
  count: number
}

export interface RateLimits {
  /** Attempts of one network address, good or bad. */
  readonly attemptsPerAddressMax: number
  /** Accounts made by all. */
  readonly accountsMax: number
  readonly windowMs: number
}

export class RegistrationRate {
  readonly #clock: Clock
  readonly #limits: RateLimits
  readonly #addresses = new Map<string, Window>()
  #all: Window

  constructor(clock: Clock, limits: RateLimits) {
    this.#clock = clock
    this.#limits = limits
    this.#all = { startedAt: clock.monotonic(), count: 0 }
  }

  get addressCount(): number {
    return this.#addresses.size
  }

  /** Counts an attempt; whether it may go on. If it fails, `giveBack` is to be called. */
  admit(address: string): boolean {
    const now = this.#clock.monotonic()
    const network = networkOf(address)
    const window = this.#windowOf(network, now)
    if (this.#isOver(this.#all, now)) this.#all = { startedAt: now, count: 0 }
    if (window.count >= this.#limits.attemptsPerAddressMax || this.#all.count >= this.#limits.accountsMax) return false
    window.count++
    this.#all.count++
    return true
  }

  /** No account was made of an admitted attempt. The attempt itself stays counted: it may have been a guess at names. */
  giveBack(): void {
    if (this.#all.count > 0) this.#all.count--
  }

  #windowOf(network: string, now: number): Window {
    const known = this.#addresses.get(network)
    if (known !== undefined && !this.#isOver(known, now)) return known
    this.#addresses.delete(network)
    const window = { startedAt: now, count: 0 }
    this.#addresses.set(network, window)
    // Insertion order is the order of age.
    for (const [oldest, other] of this.#addresses) {
      if (this.#addresses.size <= ADDRESSES_MAX && !this.#isOver(other, now)) break
      this.#addresses.delete(oldest)
    }
    return window
  }

  #isOver(window: Window, now: number): boolean {
    return now - window.startedAt >= this.#limits.windowMs
  }
}

/** What one subscriber of a provider has: an IPv4 address, or the first 64 bits of an IPv6 address. */
export function networkOf(address: string): string {
  const [text = ''] = address.toLowerCase().split('%')
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(text)?.[1]
  if (mapped !== undefined) return mapped
  if (!text.includes(':')) return text
  const [head = '', tail] = text.split('::')
  const groups = (part: string | undefined) => (part === undefined || part === '' ? [] : part.split(':'))
  const before = groups(head)
  const after = groups(tail)
  const missing = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)
  const all = [...before, ...Array.from({ length: missing }, () => '0'), ...after]
  return all.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, '')).join(':')
}
