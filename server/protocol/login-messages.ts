/**
 * Messages of SASL2 and Bind 2 between edge and core, all requests: what a login asks beyond `messages.ts`.
 *
 * The edge runs the mechanisms; tokens, clients and resources are the core's.
 */
import type { Jid } from '@rollcall/jid'
import type { LoginMethod, ScramHash, TokenProof } from '@rollcall/stream'
import type { XmlElement } from '@rollcall/xml'

/** Checks and uses up the proof of a token (XEP-0484). Reply `TokenAnswer` of `@rollcall/stream`. */
export interface CheckToken extends TokenProof {
  readonly kind: 'check-token'
  readonly account: Jid
}
/** Reply `UpgradeParameters`, or undefined when the account needs no keys of the hash (XEP-0480). */
export interface GetUpgradeParameters {
  readonly kind: 'upgrade-parameters'
  readonly account: Jid
  readonly hash: ScramHash
}
/** What a client says that it is (XEP-0388 §2.3). */
export interface LoginAgent {
  readonly id: string
  readonly software?: string
  readonly device?: string
}
/**
 * A client has authenticated completely: remembers it, and gives it a token when it asks for one or its own is due for
 * another (XEP-0484 §3.2, §3.5). Reply `LoginFinished`.
 */
export interface FinishLogin {
  readonly kind: 'finish-login'
  readonly account: Jid
  readonly method: LoginMethod
  readonly agent?: LoginAgent
  /** The mechanism that a token is asked for, one that was on offer. */
  readonly tokenMechanism?: string
}
export interface LoginFinished {
  /** Names the installation within the account; tells nothing about the id that it gave. Absent when it gave none. */
  readonly clientId?: string
  /** `expiresAt` in ms since the Unix epoch. */
  readonly token?: { readonly text: string; readonly expiresAt: number }
}
/** What Bind 2 adds to binding (XEP-0386 §3.2). */
export interface Bind2Wish {
  /** Names the software; '' when the client does not say. */
  readonly tag: string
  /** Features to turn on. */
  readonly requests: readonly XmlElement[]
}

export type LoginMessage = CheckToken | GetUpgradeParameters | FinishLogin
