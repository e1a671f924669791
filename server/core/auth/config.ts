/** What the authentication service reads of the configuration, with every limit named. */
import type { ScramHash } from '@rollcall/stream'

export interface AuthConfig {
  /** Domains served here, prepared. */
  readonly hosts: ReadonlySet<string>
  /** Hosts where anybody may log in with ANONYMOUS. */
  readonly anonymousHosts: ReadonlySet<string>
  /** Hashes for which keys are derived whenever a password is known; what is offered should be among them. */
  readonly scramHashes: readonly ScramHash[]
  /** PBKDF2 iterations for new keys; at least 4096 each (docs/adr/0003-credentials.md has the reasons for the defaults). */
  readonly iterations: Readonly<Record<ScramHash, number>>
  /** Fewest characters of a password set from now on. */
  readonly passwordUnitsMin: number
  /** Derivations at once on libuv's threads, which files and DNS share. */
  readonly derivationsMax: number
  /** Derivations that wait; further ones are refused for now (`resource-constraint`). */
  readonly derivationQueueMax: number
  readonly lockout: LockoutConfig
}

/** Back-off of one account after failures; the edge has another per address. */
export interface LockoutConfig {
  /** Failures in a row that cost nothing yet: a person mistypes, a client retries with an old password. */
  readonly freeFailures: number
  /** Wait after the first failure beyond those, in ms; doubles with each further one. */
  readonly baseMs: number
  /** Longest wait in ms: somebody who fails on purpose must not lock the owner out for long. */
  readonly maxMs: number
  /** After this long without a failure the count starts anew, in ms. */
  readonly forgetMs: number
  /** Accounts remembered; the one that failed longest ago makes room. */
  readonly accountsMax: number
}

/** Everything but the hosts. */
export const defaultAuthConfig: Omit<AuthConfig, 'hosts' | 'anonymousHosts'> = {
  scramHashes: ['SHA-1', 'SHA-256', 'SHA-512'],
  iterations: { 'SHA-1': 10_000, 'SHA-256': 10_000, 'SHA-512': 4096 },
  passwordUnitsMin: 1,
  derivationsMax: 2,
  derivationQueueMax: 1_000,
  lockout: { freeFailures: 10, baseMs: 1_000, maxMs: 60_000, forgetMs: 15 * 60_000, accountsMax: 65_536 },
}
