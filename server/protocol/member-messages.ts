/**
 * Messages between members that exist only where there are several: safe delivery, the shard map, sessions that outlive
 * their core (ADR 0012). All are plain data, so a bus may carry them as JSON.
 */
import type { Json, MemberId } from '@rollcall/ports'
import type { Stanza } from '@rollcall/stanza'

/** Fields of a message that its receiver confirms; see `server/workers/links.ts`. */
export interface Confirmed {
  /** Counts the messages of this sender to this receiver, from 1. */
  readonly seq?: number
  /** It may have been handled before, by a member that is gone. */
  readonly isAgain?: true
}

/** Everything up to `seq` is handled, and safe where it has to be. One-way, back to the sender. */
export interface SafeUpTo {
  readonly kind: 'safe'
  readonly seq: number
  /** Beyond it: first and last number of each run that is. */
  readonly also: readonly number[]
}

// ---------------------------------------------------------------------------------------------- the shard map, one-way

/** From the coordinator: who owns what as of `epoch`. Begins a change; see `server/workers/membership.ts`. */
export interface MapChange {
  readonly kind: 'map-change'
  readonly epoch: number
  readonly members: readonly MemberId[]
  /** Per shard an index into `members`. */
  readonly owners: readonly number[]
  /** Members that died since the last change. */
  readonly gone: readonly MemberId[]
  /** When members died lately, ms since the Unix epoch, the latest last: whoever joins has to know, too. */
  readonly deaths: readonly number[]
}
/**
 * Between members: nothing that follows was sent under the old map (`flushed`), every account that moves from the sender is on its way
 * (`moved`), and so is what waited at the sender for accounts that moved (`sent`).
 */
export interface MapMark {
  readonly kind: 'map-mark'
  readonly epoch: number
  readonly step: 'flushed' | 'moved' | 'sent'
}
/** To the coordinator: this member has what it is to own. */
export interface MapReady {
  readonly kind: 'map-ready'
  readonly epoch: number
}
/** From the coordinator: everybody is ready, the map holds. */
export interface MapActive {
  readonly kind: 'map-active'
  readonly epoch: number
}
/** From the coordinator: a member died; a change that waits for it waits no more. Its shards move with the next change. */
export interface MemberGone {
  readonly kind: 'member-gone'
  readonly member: MemberId
}
/** A warm account on its way to its new owner: an `AccountSnapshot`. */
export interface TakeOver {
  readonly kind: 'take-over'
  readonly snapshot: Json
}

/** Old owner to new: what a client had sent before its account moved is safe now. */
export interface StanzasSafe {
  readonly kind: 'stanzas-safe'
  /** The full JID. */
  readonly session: string
}

// ---------------------------------------------------------------------------------------------- sessions, one-way

/** What an edge knows of a stream's counters (XEP-0198); texts are wire strings. */
export interface StreamMirror {
  readonly token: string
  readonly resumeMs: number
  /** Stanzas of the client that are handled. */
  readonly handled: number
  /** Stanzas that the client acknowledged. */
  readonly acked: number
  /** Sent after those, oldest first. */
  readonly unacked: readonly string[]
}
/** Core to the edge of a session on another member: what a new core needs to go on. Replaces what was said before. */
export interface SessionState {
  readonly kind: 'session-state'
  readonly conn: number
  /** A `SessionRecord` as JSON, opaque to edges. */
  readonly record: string
  /** Present when the stream's counters start here. */
  readonly stream?: StreamMirror
  /** The session came with its account: `stream.handled` counts what the client sent so far. */
  readonly isMoved?: true
}
/** Edge to the new core of a session whose core died. */
export interface RestoreSession {
  readonly kind: 'restore'
  readonly conn: number
  readonly account: string
  readonly record: string
  readonly stream?: StreamMirror
  /** Messages that the client got lately; wire strings. */
  readonly recent: readonly string[]
}
/** Core to the coordinator: a session that no edge of another member holds. '' when it is over, or held by one; or `heir` is there. */
export interface LedgerEntry {
  readonly kind: 'ledger'
  /** The full JID. */
  readonly key: string
  readonly record: string
  /** Present when its client may resume it (XEP-0198). */
  readonly stream?: StreamCounts
  /**
   * The member that it goes to with its account, in whose name `record` is entered, unless it is ''. What was said of it before holds
   * until the change of the map is over, should the sender die in it.
   */
  readonly heir?: MemberId
}
/** Where a stream stands that is in the ledger. */
export interface StreamCounts {
  /** So many stanzas of the client are handled and safe, modulo 2^32: at least as many as it has been told of. */
  readonly handled: number
  /** The client has every message that it was given before that, in ms since the Unix epoch. */
  readonly since: number
}
/** Core to the coordinator: streams of the ledger have moved on. */
export interface LedgerCounts {
  readonly kind: 'ledger-counts'
  readonly counts: readonly (StreamCounts & { readonly key: string })[]
}
/** Coordinator to the new owner, in a change of the map: sessions that died with their core and that their clients will resume. */
export interface AdoptSessions {
  readonly kind: 'adopt'
  readonly sessions: readonly (StreamCounts & { readonly key: string; readonly record: string })[]
}
/** Coordinator to the new owner: sessions that died with their core. */
export interface BurySessions {
  readonly kind: 'bury'
  readonly sessions: readonly { readonly key: string; readonly record: string }[]
}

// ---------------------------------------------------------------------------------------------- what all members know

/** A component is connected (XEP-0114). */
export interface ComponentUp {
  readonly kind: 'component-up'
  readonly domain: string
  readonly edge: MemberId
  readonly conn: number
}
export interface ComponentDown {
  readonly kind: 'component-down'
  readonly edge: MemberId
  readonly conn: number
}
/** An answer to a request that another member's core sent. */
export interface IqAnswer {
  readonly kind: 'iq-answer'
  readonly stanza: Stanza
}
/** A login from the address failed. */
export interface AddressFailed {
  readonly kind: 'address-failed'
  readonly address: string
}

// ---------------------------------------------------------------------------------------------- requests

/** Account management by the owner of the account. Reply `AccountAdminReply`. */
export interface AccountAdminRequest {
  readonly kind: 'account-admin'
  readonly operation: 'create' | 'remove' | 'setPassword' | 'setDisabled'
  readonly account: string
  readonly password?: string
  readonly isDisabled?: boolean
}
/** `condition`: of the `StanzaError` that it failed with. */
export type AccountAdminReply = { readonly isDone: true } | { readonly isDone: false; readonly condition: string; readonly text: string }
/** A module's question to its like on another member (`Members` of the module API). Reply `ModuleReply`. */
export interface ModuleQuestion {
  readonly kind: 'module-question'
  readonly name: string
  readonly asked: Json
}
/** `condition`: of the `StanzaError` that it was answered with. */
export type ModuleReply = { readonly answer: Json } | { readonly condition: string; readonly text: string }
/** An operator's operation (`server/admin/operations.ts`). Reply `OperateReply`. */
export interface Operate {
  readonly kind: 'operate'
  readonly name: string
  readonly request: Json
}
export type OperateReply = { readonly answer: Json } | { readonly code: string; readonly message: string }
/** Reply: the metrics of the member in the Prometheus text format. */
export interface GetMetrics {
  readonly kind: 'metrics'
}
/** A BOSH request (XEP-0124) for a session that the receiver holds. Reply: the wire string of the answering body. */
export interface BoshRequest {
  readonly kind: 'bosh-request'
  readonly sid: string
  /** Wire string. */
  readonly body: string
}

export type MemberMessage =
  | SafeUpTo | MapChange | MapMark | MapReady | MapActive | MemberGone | TakeOver | StanzasSafe
  | SessionState | RestoreSession | LedgerEntry | LedgerCounts | BurySessions | AdoptSessions
  | ComponentUp | ComponentDown | IqAnswer | AddressFailed
  | AccountAdminRequest | ModuleQuestion | Operate | GetMetrics | BoshRequest
