/** What the core reads of the configuration, with every limit named; the config file's schema is made from it. */

export interface CoreConfig {
  /** Domains served here, prepared. */
  readonly hosts: readonly string[]
  /** Bare JIDs of administrators, as text. */
  readonly admins: readonly string[]
  /** Contact addresses by kind (XEP-0157). */
  readonly contacts: Readonly<Record<string, readonly string[]>>
  readonly limits: CoreLimits
  /** The defaults when left out. */
  readonly streamManagement?: StreamManagementConfig
  /** Options by module name; `enabled` turns a module on or off. */
  readonly modules: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/** Stream management (XEP-0198). */
export interface StreamManagementConfig {
  /** `commit`: a stanza is acknowledged when what it stands for is committed; `async`: when it was handled. */
  readonly durability: 'commit' | 'async'
  /** How long a lost session waits for its client, in seconds; a client may wish for less. 0: no resumption. */
  readonly resumeMaxSeconds: number
  /** Where clients should resume: `domainpart:port`, IPv6 in brackets; '' for wherever they find the server. */
  readonly location: string
  /** Stanzas sent to one client and not acknowledged; more end its session. */
  readonly unackedStanzasMax: number
  /** Bytes of them. */
  readonly unackedBytesMax: number
  /** Sessions that wait for their client at a time; beyond it a lost one ends at once. */
  readonly detachedSessionsMax: number
  /** Ended sessions whose count of handled stanzas is remembered for clients that come too late. */
  readonly endedSessionsKept: number
  /** A client that does not answer a request for acknowledgement within ten times its usual delay is taken for lost: at the earliest after this, */
  readonly ackTimeoutMinMs: number
  /** at the latest after this, in ms. */
  readonly ackTimeoutMaxMs: number
}

export const defaultStreamManagement: StreamManagementConfig = {
  durability: 'commit',
  resumeMaxSeconds: 600,
  location: '',
  unackedStanzasMax: 20_000,
  // Below the edge's limit for output that waits, so that a replay never exceeds that.
  unackedBytesMax: 4 * 1024 * 1024,
  detachedSessionsMax: 100_000,
  endedSessionsKept: 10_000,
  ackTimeoutMinMs: 20_000,
  ackTimeoutMaxMs: 90_000,
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
