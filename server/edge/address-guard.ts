/**
 * What one network address may do: connections at a time, connections a minute, failed logins.
 *
 * A bounded map from address to four numbers. An entry is forgotten when it has no connections and nothing to hold
 * against it; when the map is full, the oldest entry without connections goes first, so that an attacker with many
 * addresses cannot make the map grow, only make it forget. IPv6 counts by /64, the unit that providers hand out.
 */
import { isIPv6 } from 'node:net'
import type { AuthBackoffConfig, EdgeLimits } from './config.ts'

const MINUTE_MS = 60_000

interface Entry {
  connections: number
  /** Connections left in the present minute. */
  connectsLeft: number
  minuteStartMs: number
  authFailures: number
  lastFailureMs: number
}

/** Text of an address without the IPv4-in-IPv6 prefix and without a zone. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined || address === '') return 'unknown'
  const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
  const zone = plain.indexOf('%')
  return zone === -1 ? plain : plain.slice(0, zone)
}

/** Whether the peer is on this machine. */
export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

/** The unit that limits count by: the address itself, or the /64 of an IPv6 address. */
export function networkOf(address: string): string {
  if (!address.includes(':') || !isIPv6(address)) return address
  const [head = '', tail = ''] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === '' ? [] : tail.split(':')
  const isShort = address.includes('::')
  const missing = isShort ? Math.max(0, 8 - left.length - right.length) : 0
  const groups = [...left, ...Array<string>(missing).fill('0'), ...right]
  return `${groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}

export class AddressGuard {
  readonly #entries = new Map<string, Entry>()
  #limits: EdgeLimits
  #backoff: AuthBackoffConfig
  #exempt: ReadonlySet<string>

  /** Connections of `exempt` addresses are not counted; their failed logins are. */
  constructor(limits: EdgeLimits, backoff: AuthBackoffConfig, exempt: readonly string[] = []) {
    this.#limits = limits
    this.#backoff = backoff
    this.#exempt = new Set(exempt)
  }

  configure(limits: EdgeLimits, backoff: AuthBackoffConfig, exempt: readonly string[]): void {
    this.#limits = limits
    this.#backoff = backoff
    this.#exempt = new Set(exempt)
  }

  get size(): number {
    return this.#entries.size
  }

  /** Counts a new connection; false when the address has too many or too many a minute, and nothing was counted. */
  enter(address: string, nowMs: number): boolean {
    if (this.#exempt.has(address)) return true
    const entry = this.#entry(networkOf(address), nowMs)
    if (nowMs - entry.minuteStartMs >= MINUTE_MS) {
      entry.minuteStartMs = nowMs
      entry.connectsLeft = this.#limits.connectsPerMinuteMax
    }
    if (entry.connections >= this.#limits.connectionsPerAddressMax || entry.connectsLeft <= 0) return false
    entry.connectsLeft--
    entry.connections++
    return true
  }

  /** Counts a connection that another member's guard had let in; false when the address has too many, and nothing was counted. */
  join(address: string, nowMs: number): boolean {
    if (this.#exempt.has(address)) return true
    const entry = this.#entry(networkOf(address), nowMs)
    if (entry.connections >= this.#limits.connectionsPerAddressMax) return false
    entry.connections++
    return true
  }

  /** A connection that `enter` or `join` counted is gone. */
  leave(address: string): void {
    const entry = this.#entries.get(networkOf(address))
    if (entry !== undefined && entry.connections > 0) entry.connections--
  }

  /** ms for which the address may not try to authenticate; 0 = go on. */
  authWaitMs(address: string, nowMs: number): number {
    const entry = this.#entries.get(networkOf(address))
    if (entry === undefined) return 0
    const { freeFailures, baseMs, maxMs, forgetMs } = this.#backoff
    if (nowMs - entry.lastFailureMs >= forgetMs) entry.authFailures = 0
    const excess = entry.authFailures - freeFailures
    if (excess <= 0) return 0
    const waitMs = Math.min(maxMs, baseMs * 2 ** Math.min(30, excess - 1))
    return Math.max(0, entry.lastFailureMs + waitMs - nowMs)
  }

  /** A login from the address failed. */
  authFailed(address: string, nowMs: number): void {
    const entry = this.#entry(networkOf(address), nowMs)
    entry.authFailures++
    entry.lastFailureMs = nowMs
  }

  /** Forgets what no longer matters; called now and then. */
  sweep(nowMs: number): void {
    for (const [network, entry] of this.#entries) {
      const isQuiet = nowMs - entry.minuteStartMs >= MINUTE_MS
      const isForgiven = entry.authFailures === 0 || nowMs - entry.lastFailureMs >= this.#backoff.forgetMs
      if (entry.connections === 0 && isQuiet && isForgiven) this.#entries.delete(network)
    }
  }

  #entry(network: string, nowMs: number): Entry {
    const known = this.#entries.get(network)
    if (known !== undefined) return known
    if (this.#entries.size >= this.#limits.addressesMax) this.#forgetOne()
    const connectsLeft = this.#limits.connectsPerMinuteMax
    const entry: Entry = { connections: 0, connectsLeft, minuteStartMs: nowMs, authFailures: 0, lastFailureMs: -Infinity }
    this.#entries.set(network, entry)
    return entry
  }

  /** Entries with connections are bounded by `connectionsMax` anyway. */
  #forgetOne(): void {
    let looked = 0
    for (const [network, entry] of this.#entries) {
      if (entry.connections === 0) {
        this.#entries.delete(network)
        return
      }
      // Skipped entries go to the end, so that the next search does not meet them again at once.
      this.#entries.delete(network)
      this.#entries.set(network, entry)
      if (++looked >= 64) return
    }
  }
}
