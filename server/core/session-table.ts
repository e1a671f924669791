/** Sessions by (edge, conn): how the core finds the sender of a client's stanza. */
import type { MemberId } from '@rollcall/ports'
import type { ConnId } from '../protocol/messages.ts'
import type { LocalSession } from './entities.ts'

export class SessionTable {
  readonly #byEdge = new Map<MemberId, Map<ConnId, LocalSession>>()
  #count = 0

  get count(): number {
    return this.#count
  }

  find(edge: MemberId, conn: ConnId): LocalSession | undefined {
    return this.#byEdge.get(edge)?.get(conn)
  }

  /** All sessions of that edge's connections. */
  ofEdge(edge: MemberId): LocalSession[] {
    return [...this.#byEdge.get(edge)?.values() ?? []]
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
