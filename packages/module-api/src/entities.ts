/**
 * The entities that a module meets: accounts and their sessions, as the member that owns the shard sees them.
 */
import type { Jid } from '@rollcall/jid'
import type { Json, Stored, WholeStore } from '@rollcall/ports'
import type { Stanza } from '@rollcall/stanza'

/**
 * A module's in-memory state about one account. Loaded before any stanza of the account is handled, so that handlers are
 * synchronous; moves with the account when its shard moves.
 */
export interface AccountSlot<T> {
  readonly slotName: string
  /** Raised when `exportState` changes shape; `importState` gets the version it was written with. */
  readonly version: number
  /** A store that is read together with those of other slots when the account becomes warm; see `storedIn`. */
  readonly reads?: WholeStore
  /**
   * Makes the state when the account becomes warm; `stored` is what `reads` has. Rejecting makes the stanza that warmed it fail
   * with `resource-constraint`.
   */
  load(account: Jid, stored: unknown): Promise<T> | T
  /** The hand-off form. Undefined: the new owner loads from storage instead. */
  exportState?(state: T): Json
  importState?(json: Json, version: number): T
  readonly state?: T
}

/** A module's in-memory state about one session; undefined until set. Moves with the session. */
export interface SessionSlot<T> {
  readonly slotName: string
  readonly version: number
  exportState(state: T): Json
  importState(json: Json, version: number): T
  readonly state?: T
}

export const accountSlot = <T>(slot: AccountSlot<T>): AccountSlot<T> => slot

/** The parts of a slot whose state is made of what one store has: `accountSlot({ slotName, version, ...storedIn(store, make) })`. */
export function storedIn<D extends WholeStore, T>(
  store: D, make: (stored: Stored<D>, account: Jid) => T,
): Required<Pick<AccountSlot<T>, 'reads' | 'load'>> {
  return { reads: store, load: (account, stored) => make(stored as Stored<D>, account) }
}

export const sessionSlot = <T>(slot: SessionSlot<T>): SessionSlot<T> => slot

/** An account that we host and that is warm (loaded) on this member. */
export interface Account {
  /** The bare JID. */
  readonly jid: Jid
  /** False once it was unloaded or went to another member: whoever kept a reference looks it up anew. */
  readonly isWarm: boolean
  /**
   * Another number after every change of who of the account gets presence, and how: of its sessions, whether they are available,
   * their sieves, holds and stream management, and whatever was noted.
   */
  readonly changeCount: number
  /** Notes a change of a module's state that decides about presence which comes for the account (`FilterScope.concerns`). */
  noteChange(): void
  /** Connected resources by resourcepart. */
  readonly sessions: ReadonlyMap<string, Session>
  get<T>(slot: AccountSlot<T>): T
  /** Sessions that have sent initial presence and not gone unavailable. */
  availableSessions(): Iterable<Session>
}

/** A connected resource (RFC 6121 §4 calls it available once it sent presence). */
export interface Session {
  readonly account: Account
  /** The full JID. */
  readonly jid: Jid
  /** Latest undirected available presence, as sent on to contacts; undefined while unavailable. */
  presence: Stanza | undefined
  /** RFC 6121 §4.7.2.3; meaningful while `presence` is set. */
  priority: number
  /** Asked for the roster (RFC 6121 §2.2): gets roster pushes. */
  isInterested: boolean
  /** ms since the Unix epoch. */
  readonly boundAt: number
  /** From where: 'tcp' | 'tls' | 'websocket' | 'bosh', and the peer's address as text. */
  readonly origin: SessionOrigin
  get<T>(slot: SessionSlot<T>): T | undefined
  set<T>(slot: SessionSlot<T>, state: T | undefined): void
  /** Sends to the client; never throws. After the session ended it does nothing. */
  send(stanza: Stanza): void
  /** As `send`, for a stanza that is already serialised and shared between recipients (a wire string). */
  sendWire(wire: string): void
  /**
   * As `sendWire`, for undirected presence of `from`: it may wait a little for other presence so that both are written
   * together, never behind anything that is sent after it.
   */
  sendPresence(wire: string, from: Jid): void
  /** Whether `sendPresence` writes at once and nothing remembers it: available, without sieve, hold and stream management. */
  readonly isPlain: boolean
  /** As `sendPresence`, for what the client itself has sent: on a busy member it waits a little longer for whatever comes next. */
  sendEcho(wire: string): void
  /** While set, it decides what the client gets now. Belongs to whoever set it. */
  sieve: SendSieve | undefined
  /**
   * Keeps back everything that is sent to the client from now on, so that what comes from storage can go first. In
   * order, and bounded: a client for which too much is kept back is disconnected. Holds may overlap: each is a point in the
   * flow, and what a holder sends stands there.
   */
  hold(): SessionHold
  /** Ends the session, by the end of this turn, and its stream with an error (RFC 6120 §4.9.3), for instance `conflict`. */
  close(condition: string, text?: string): void
}

/** Stands between a session and its client; what it does not let pass it may keep, and send once it is no longer set. */
export interface SendSieve {
  /** Whether a stanza may pass. Whatever must stand before it has to be sent within the call. */
  passes(wire: string): boolean
  /** The same for undirected presence of `from`. */
  passesPresence(wire: string, from: Jid): boolean
  /** Sends what it keeps: the session is about to move to another member. */
  flush(): void
}

/** A pause in what a client gets; see `Session.hold`. Whoever has it must release it, whatever happens. */
export interface SessionHold {
  /** Sends past the hold: after what was kept back before it began, before what came since. */
  send(stanza: Stanza): void
  /** Lets what was kept back since go, once no earlier hold is left. Idempotent. */
  release(): void
}

export interface SessionOrigin {
  readonly transport: 'tcp' | 'tls' | 'websocket' | 'bosh'
  readonly address: string
  readonly isSecure: boolean
  /** What the client proved to have; absent when it logged in with SASL of RFC 6120. */
  readonly method?: 'password' | 'token' | 'certificate' | 'anonymous'
  /** The client's installation, by its id among those of the account (see `LoginClients`); absent when it named none. */
  readonly clientId?: string
}
