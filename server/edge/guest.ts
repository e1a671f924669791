/** A client whose socket goes from one member to another: what both sides agree on (`hand-on.ts`, `take-in.ts`). */
import type { MemberId } from '@rollcall/ports'
import type { LoginMethod } from '@rollcall/stream'
import type { StreamContext } from '@rollcall/xml'
import type { PassedSocket } from '../runtime/index.ts'
import type { WishesWire } from './sasl2-wishes.ts'
import type { RecordState } from './tls-records/record-layer.ts'

/** What is known of it. Plain data, and secret where there is TLS: it goes from one process to the other and nowhere else. */
export interface Guest {
  /** The bare JID that has authenticated. */
  readonly account: string
  readonly isAnonymous: boolean
  readonly host: string
  /** What it sent and nobody has read: without TLS, or taken out of it. */
  readonly rest: Uint8Array
  /** Where its TLS goes on; left out where there is none. */
  readonly tls?: RecordState
  /** Left out where its stream begins anew. */
  readonly login?: GuestLogin
}

/** A login with SASL2 that has been granted: its stream goes on, and what was asked for beside is still to be done. */
export interface GuestLogin {
  readonly stream: StreamContext
  readonly lang: string
  readonly method: LoginMethod
  readonly data?: Uint8Array
  readonly wishes?: WishesWire
}

/** Brings clients' sockets to other members. */
export interface Passage {
  isOpenTo(member: MemberId): boolean
  /** Gives both away; secrets in them are overwritten here. Lost on the way when that member dies: then the connection is. */
  pass(to: MemberId, guest: Guest, socket: PassedSocket): void
}

/** What of a connection goes to another process. */
export interface Departed {
  readonly socket: PassedSocket
  /** Good for as long as nothing is read. */
  readonly rest: Uint8Array
  readonly tls?: RecordState
  /** Of a stream that does not begin anew. */
  readonly stream?: StreamContext
}

/** A connection that may leave this process. */
export interface Movable {
  /** Writes what is gathered and gives the socket away; undefined, and everything is as before, when it cannot go now. */
  depart(): Departed | undefined
}
