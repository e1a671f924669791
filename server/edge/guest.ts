/** A client whose socket goes from one member to another: what both sides agree on (`hand-on.ts`, `take-in.ts`). */
import type { MemberId } from '@rollcall/ports'
import type { PassedSocket } from '../runtime/index.ts'

/** What is known of it. Plain data. */
export interface Guest {
  /** The bare JID that has authenticated. */
  readonly account: string
  readonly isAnonymous: boolean
  readonly host: string
  /** What it sent and nobody has read. */
  readonly rest: Uint8Array
}

/** Brings a client's socket to another member. It is lost on the way when that member dies: then the connection is. */
export type PassOn = (to: MemberId, guest: Guest, socket: PassedSocket) => void

/** A connection that may leave this process. */
export interface Movable {
  /** Writes what is gathered and gives the socket away; undefined, and everything is as before, when it cannot go now. */
  depart(): { readonly socket: PassedSocket; readonly rest: Uint8Array } | undefined
}
