/**
 * A connected resource as its core sees it. It outlives nothing: the socket lives on an edge, known as (edge, conn).
 */
import type { Jid } from '@rollcall/jid'
import type { Bus, MemberId } from '@rollcall/ports'
import type { Session, SessionOrigin, SessionSlot } from '@rollcall/module-api'
import type { Stanza } from '@rollcall/stanza'
import type { ConnId, ServerMessage } from '../protocol/messages.ts'
import type { LocalAccount } from './account.ts'

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
    return this.#slots?.get(slot as SessionSlot<unknown>) as T | undefined
  }

  set<T>(slot: SessionSlot<T>, state: T | undefined): void {
    if (state === undefined) this.#slots?.delete(slot as SessionSlot<unknown>)
    else (this.#slots ??= new Map()).set(slot as SessionSlot<unknown>, state)
  }

  /** Every slot that is set, for the hand-off snapshot. */
  slots(): Iterable<[SessionSlot<unknown>, unknown]> {
    return this.#slots ?? []
  }

  send(stanza: Stanza): void {
    this.sendWire(stanza.toWire())
  }

  sendWire(wire: string): void {
    if (!this.isEnded) this.#bus.send(this.edge, { kind: 'deliver', conn: this.conn, wire })
  }

  close(condition: string, text?: string): void {
    if (this.isEnded) return
    this.#bus.send(this.edge, { kind: 'close-stream', conn: this.conn, condition, ...(text === undefined ? {} : { text }) })
  }
}

/** Sessions by (edge, conn): how the core finds the sender of a client's stanza. */
export class SessionTable {
  readonly #byEdge = new Map<MemberId, Map<ConnId, LocalSession>>()
  #count = 0

  get count(): number {
    return this.#count
  }

  find(edge: MemberId, conn: ConnId): LocalSession | undefined {
    return this.#byEdge.get(edge)?.get(conn)
  }

  add(session: LocalSession): void {
    let conns = this.#byEdge.get(session.edge)
    if (conns === undefined) this.#byEdge.set(session.edge, conns = new Map())
    conns.set(session.conn, session)
    this.#count++
  }

  remove(session: LocalSession): void {
    const conns = this.#byEdge.get(session.edge)
    if (conns?.get(session.conn) !== session) return
    conns.delete(session.conn)
    this.#count--
    if (conns.size === 0) this.#byEdge.delete(session.edge)
  }
}
