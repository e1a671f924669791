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
  readonly clients: ClientsConfig
}

/** What is remembered of clients (XEP-0388), and their tokens (XEP-0484). */
export interface ClientsConfig {
  /** Clients remembered per account; who was seen longest ago makes room. */
  readonly clientsMax: number
  /** How long a client without a live token is remembered after its last login, in ms; 0 forgets it at once. */
  readonly keptMs: number
  /** Keep what clients say about software and device. */
  readonly areNamesKept: boolean
  /** Longest name kept, in UTF-16 units. */
  readonly nameUnitsMax: number
  /** Lifetime of a token from its issue, in ms: a device that is off for longer needs the password again. */
  readonly tokenLifetimeMs: number
  /** Age at which a token is replaced at the next login with it, in ms. */
  readonly tokenRotationMs: number
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

const DAY_MS = 24 * 60 * 60_000

/** Everything but the hosts. */
export const defaultAuthConfig: Omit<AuthConfig, 'hosts' | 'anonymousHosts'> = {
  scramHashes: ['SHA-1', 'SHA-256', 'SHA-512'],
  iterations: { 'SHA-1': 10_000, 'SHA-256': 10_000, 'SHA-512': 4096 },
  passwordUnitsMin: 1,
  derivationsMax: 2,
  derivationQueueMax: 1_000,
  clients: {
    clientsMax: 64, keptMs: 60 * DAY_MS, areNamesKept: true, nameUnitsMax: 128, tokenLifetimeMs: 30 * DAY_MS, tokenRotationMs: DAY_MS,
  },
  lockout: { freeFailures: 10, baseMs: 1_000, maxMs: 60_000, forgetMs: 15 * 60_000, accountsMax: 65_536 },
}
