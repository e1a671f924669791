/** What the core reads of the configuration, with every limit named; the config file's schema is made from it. */

export interface CoreConfig {
  /** Domains served here, prepared. */
  readonly hosts: readonly string[]
  /** Bare JIDs of administrators, as text. */
  readonly admins: readonly string[]
  /** Contact addresses by kind (XEP-0157). */
  readonly contacts: Readonly<Record<string, readonly string[]>>
  readonly limits: CoreLimits
  /** Options by module name; `enabled` turns a module on or off. */
  readonly modules: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export interface CoreLimits {
  /** Connected resources of one account; a further bind gets `resource-constraint`. */
  readonly sessionsPerAccountMax: number
  /** Warm accounts without a session kept in memory. */
  readonly idleAccountsMax: number
  /** How long an account without a session stays warm, in ms. */
  readonly idleAccountMs: number
  /** Stanzas that wait for one account to load; further ones are answered `resource-constraint`. */
  readonly loadingQueueMax: number
  /** Requests of the server itself that wait for an answer. */
  readonly pendingRequestsMax: number
}

export const defaultCoreLimits: CoreLimits = {
  sessionsPerAccountMax: 50,
  idleAccountsMax: 10_000,
  idleAccountMs: 60_000,
  loadingQueueMax: 1_000,
  pendingRequestsMax: 10_000,
}
