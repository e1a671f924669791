/**
 * The messages between edge and core, and between cores: the only thing the two halves share.
 *
 * An edge knows connections by a number (`conn`), unique on that edge member; a core knows a session by (edge member,
 * conn). All members run the same table; on the in-process bus the records travel by reference, on others they are
 * encoded by `codec` functions beside the backends. Versioned by `PROTOCOL_VERSION`: readers ignore unknown fields.
 *
 * Order: the bus is FIFO per pair of members, so a client's stanzas reach its core in order, and what the core delivers
 * reaches the socket in order.
 */
import type { Jid } from '@rollcall/jid'
import type { SessionOrigin } from '@rollcall/module-api'
import type { Stanza } from '@rollcall/stanza'
import type { Bind2Wish, LoginMessage } from './login-messages.ts'
import type { Confirmed, MemberMessage, SessionState } from './member-messages.ts'
import type { DeliverBroadcast, PresenceStates } from './presence-messages.ts'
import type { XmlElement } from '@rollcall/xml'

export const PROTOCOL_VERSION = 1

/** Number of a connection on its edge member; never reused in a process. */
export type ConnId = number

// ---------------------------------------------------------------------------------------------- edge → core, one-way

/** A stanza from a bound client, `from` stamped by the edge with the session's full JID. */
export interface ClientStanza extends Confirmed {
  readonly kind: 'client-stanza'
  readonly conn: ConnId
  readonly stanza: Stanza
}
/**
 * A first-level element of a bound client that is no stanza, such as those of stream management (XEP-0198). In order with
 * the client's stanzas; what answers it is delivered.
 */
export interface ClientNonza extends Confirmed {
  readonly kind: 'client-nonza'
  readonly conn: ConnId
  readonly element: XmlElement
}
/**
 * The edge handled a stanza of a bound client itself, and this is what the client is to get: an answer's wire string, or ''.
 * Sent for connections with stream management, whose stanzas are counted in both directions by the core.
 */
export interface ClientAnswered extends Confirmed {
  readonly kind: 'client-answered'
  readonly conn: ConnId
  readonly wire: string
}
/** The stream ended: by the client's close tag or by a lost connection. */
export interface ClientClosed extends Confirmed {
  readonly kind: 'client-closed'
  readonly conn: ConnId
  readonly reason: 'closed' | 'lost'
}
/** A stanza from an authenticated component (XEP-0114), `from` checked by the edge to be of `domain`. */
export interface ComponentStanza {
  readonly kind: 'component-stanza'
  readonly conn: ConnId
  readonly stanza: Stanza
}
export interface ComponentClosed {
  readonly kind: 'component-closed'
  readonly conn: ConnId
}

// ---------------------------------------------------------------------------------------------- edge → core, requests

/** Reply `HostInfo`, or undefined when the host is not served. Edges ask once and again after `host-info-changed`. */
export interface GetHostInfo {
  readonly kind: 'host-info'
  readonly host: string
}
export interface HostInfo {
  /** Wire strings for `<stream:features/>`, from modules' declarations. */
  readonly featuresBeforeAuth: string
  readonly featuresAfterAuth: string
  /** Features that Bind 2 can turn on, by their name in its list (XEP-0386 §3.1). */
  readonly bind2Features?: readonly string[]
}

export type ScramHash = 'SHA-1' | 'SHA-256' | 'SHA-512'
export type ScramMechanismHash = ScramHash

/** Reply `ScramKeys`: always, also for an unknown account (then stable invented salt, keys nobody knows). */
export interface GetScramKeys {
  readonly kind: 'scram-keys'
  readonly account: Jid
  readonly hash: ScramHash
}
export interface ScramKeys {
  readonly isKnown: boolean
  readonly salt: Uint8Array
  readonly iterations: number
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
  /** As `check-lockout` answers it. */
  readonly waitMs: number
}
/** Reply `VerifyResult`: checks a password (PLAIN) in constant effort, known account or not. */
export interface VerifyPassword {
  readonly kind: 'verify-password'
  readonly account: Jid
  readonly password: string
}
export type VerifyResult = { readonly isValid: boolean }
/**
 * The edge reports how an authentication ended so that the account's back-off can grow or reset. Reply `AuthVerdict`: a
 * proof becomes a login only when the verdict has no `refusal`.
 */
export interface ReportAuth {
  readonly kind: 'report-auth'
  readonly account: Jid
  readonly isSuccess: boolean
  readonly address: string
}
export interface AuthVerdict {
  /** ms for which further attempts on the account are refused; 0 when none. */
  readonly waitMs: number
  readonly refusal?: 'locked' | 'disabled' | 'expired' | 'unknown'
}
/** Asked before an exchange starts. Reply `{ waitMs }`: 0 = go on, else the account is locked that long. */
export interface CheckLockout {
  readonly kind: 'check-lockout'
  readonly account: Jid
}
/** Reply `{ salt, iterations }`-independent upgrade (XEP-0480): stores SCRAM keys of another hash for an account. */
export interface UpgradeKeys {
  readonly kind: 'upgrade-keys'
  readonly account: Jid
  readonly hash: ScramHash
  readonly salt: Uint8Array
  readonly iterations: number
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}
/** Creates the temporary account of an ANONYMOUS login. Reply: its bare JID as `Jid`. */
export interface CreateAnonymous {
  readonly kind: 'create-anonymous'
  readonly host: string
}
/** Resource binding (RFC 6120 §7). `resourcepart` is the client's wish, unprepared; '' = server's choice. Reply `Bound` or `BindRefused`. */
export interface BindSession {
  readonly kind: 'bind'
  readonly account: Jid
  readonly resourcepart: string
  readonly conn: ConnId
  readonly origin: SessionOrigin
  readonly isAnonymous: boolean
  /** Present when Bind 2 asks; then `resourcepart` is ''. */
  readonly bind2?: Bind2Wish
}
export type BindReply =
  /** `results`: what the features say to Bind 2. */
  | { readonly isBound: true; readonly jid: Jid; readonly results?: readonly XmlElement[] }
  | { readonly isBound: false; readonly condition: 'bad-request' | 'conflict' | 'not-allowed' | 'resource-constraint'; readonly text?: string }

/** Resumption instead of binding (XEP-0198 §5). Reply `ResumeReply`; what the client missed is delivered, in order, to `conn`. */
export interface ResumeSession {
  readonly kind: 'resume'
  readonly account: Jid
  readonly previousId: string
  readonly handled: number
  readonly conn: ConnId
  readonly origin: SessionOrigin
}
export type ResumeReply =
  /** `wire`: `<resumed/>`, to be sent before anything that is delivered. */
  | { readonly isResumed: true; readonly jid: Jid; readonly wire: string }
  /** `wire`: `<failed/>`; the client may still bind. */
  | { readonly isResumed: false; readonly wire: string }
  /** The stream is to end with this error. */
  | { readonly isResumed: false; readonly fault: Omit<CloseStream, 'kind' | 'conn'> }

/** An iq before authentication (XEP-0077). Reply: the answering stanza's wire string. */
export interface PreAuthIqMessage {
  readonly kind: 'pre-auth-iq'
  readonly host: string
  readonly address: string
  readonly stanza: Stanza
}
/** Reply `{ isAccepted: true, secret-checked }` or `{ isAccepted: false }` when the domain is taken or unknown. */
export interface RegisterComponent {
  readonly kind: 'register-component'
  readonly domain: string
  readonly conn: ConnId
}

// ---------------------------------------------------------------------------------------------- core → edge, one-way

/** Wire strings for one connection, in order. */
export interface Deliver {
  readonly kind: 'deliver'
  readonly conn: ConnId
  readonly wire: string
}
/** As `deliver`, for presence: the edge may gather it for a moment, in order with the rest. */
export interface DeliverPresence {
  readonly kind: 'deliver-presence'
  readonly conn: ConnId
  readonly wire: string
}
/** As `deliver-presence`, for what the client itself has sent: a busy edge may wait longer. A core says it to its own edge only. */
export interface DeliverEcho {
  readonly kind: 'deliver-echo'
  readonly conn: ConnId
  readonly wire: string
}
/** Ends the stream with an error (RFC 6120 §4.9.3), or cleanly when `condition` is ''. */
export interface CloseStream {
  readonly kind: 'close-stream'
  readonly conn: ConnId
  readonly condition: string
  readonly text?: string
  /** Wire string of an application-specific condition (RFC 6120 §4.9.4). */
  readonly detail?: string
}
export interface HostInfoChanged {
  readonly kind: 'host-info-changed'
}

// ---------------------------------------------------------------------------------------------- core → core, one-way

/** A stanza for an entity of a shard that the receiver owns. */
export interface RouteStanza extends Confirmed {
  readonly kind: 'route'
  readonly stanza: Stanza
}
/** One stanza for many entities of the receiver's shards; expanded there. */
export interface RouteBroadcast extends Confirmed {
  readonly kind: 'broadcast'
  readonly stanza: Stanza
  readonly targets: readonly Jid[]
}

export type EdgeToCore =
  | ClientStanza | ClientNonza | ClientAnswered | ClientClosed | ComponentStanza | ComponentClosed
  | GetHostInfo | GetScramKeys | VerifyPassword | ReportAuth | CheckLockout | UpgradeKeys | CreateAnonymous
  | BindSession | ResumeSession | PreAuthIqMessage | RegisterComponent
export type CoreToEdge = Deliver | DeliverPresence | DeliverEcho | DeliverBroadcast | CloseStream | HostInfoChanged | SessionState
export type CoreToCore = RouteStanza | RouteBroadcast | PresenceStates
export type ServerMessage = EdgeToCore | LoginMessage | CoreToEdge | CoreToCore | MemberMessage
