/**
 * Accounts and sessions as their core holds them.
 *
 * An account is warm while it is here: its sessions and the modules' loaded state. A session is a connected resource;
 * its socket lives on an edge and is known as (edge, conn). The two refer to each other, so they share a file.
 */
import type { Jid } from '@rollcall/jid'
import type { Bus, MemberId } from '@rollcall/ports'
import type { Account, AccountSlot, Session, SessionHold, SessionOrigin, SessionSlot } from '@rollcall/module-api'
import type { Stanza } from '@rollcall/stanza'
import type { ConnId, ServerMessage } from '../protocol/messages.ts'
import { HeldQueue } from './held-queue.ts'

/** A slot token after registration: `index` is its place in every account's state array. */
export interface RegisteredSlot<T> extends AccountSlot<T> {
  readonly index: number
}

export class LocalAccount implements Account {
  readonly jid: Jid
  readonly sessions = new Map<string, LocalSession>()
  readonly states: unknown[]
  /** Monotonic ms of the last use without a session; drives unloading. */
  lastUsedAt = 0

  constructor(jid: Jid, states: unknown[]) {
    this.jid = jid
    this.states = states
  }

  get<T>(slot: AccountSlot<T>): T {
    return this.states[(slot as RegisteredSlot<T>).index] as T
  }

  *availableSessions(): Iterable<LocalSession> {
    for (const session of this.sessions.values()) if (session.presence !== undefined) yield session
  }
}

export class LocalSession implements Session {
  readonly account: LocalAccount
  readonly jid: Jid
  readonly edge: MemberId
  readonly conn: ConnId
  readonly boundAt: number
  readonly origin: SessionOrigin
  presence: Stanza | undefined = undefined
  priority = 0
  isInterested = false
  isEnded = false
  readonly #bus: Bus<ServerMessage>
  // Most sessions of most modules keep nothing, so the map is made on first use.
  #slots: Map<SessionSlot<unknown>, unknown> | undefined = undefined
  #held: HeldQueue | undefined = undefined

  constructor(
    bus: Bus<ServerMessage>, account: LocalAccount, jid: Jid,
    edge: MemberId, conn: ConnId, boundAt: number, origin: SessionOrigin,
  ) {
    this.#bus = bus
    this.account = account
    this.jid = jid
    this.edge = edge
    this.conn = conn
    this.boundAt = boundAt
    this.origin = origin
  }

  get<T>(slot: SessionSlot<T>): T | undefined {
    return this.#slots?.get(slot) as T | undefined
  }

  set<T>(slot: SessionSlot<T>, state: T | undefined): void {
    if (state === undefined) this.#slots?.delete(slot)
    else (this.#slots ??= new Map()).set(slot, state)
  }

  /** Every slot that is set, for the hand-off snapshot. */
  slots(): Iterable<[SessionSlot<unknown>, unknown]> {
    return this.#slots ?? []
  }

  send(stanza: Stanza): void {
    this.sendWire(stanza.toWire())
  }

  sendWire(wire: string): void {
    if (this.#held === undefined || this.#held.isEmpty) this.#deliver(wire)
    else if (!this.isEnded) this.#held.keep(wire)
  }

  hold(): SessionHold {
    this.#held ??= new HeldQueue(
      (wire) => this.#deliver(wire),
      () => this.close('resource-constraint', 'Too much came while stored messages were read'),
    )
    return this.#held.hold()
  }

  /** Lets everything that holds kept back go: before the session moves to another member. */
  releaseAll(): void {
    this.#held?.releaseAll()
  }

  #deliver(wire: string): void {
    if (!this.isEnded) this.#bus.send(this.edge, { kind: 'deliver', conn: this.conn, wire })
  }

  close(condition: string, text?: string): void {
    if (this.isEnded) return
    this.#bus.send(this.edge, { kind: 'close-stream', conn: this.conn, condition, ...(text === undefined ? {} : { text }) })
  }
}
