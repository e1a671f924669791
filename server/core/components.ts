/**
 * Domains of connected components (XEP-0114): which edge and connection serves each.
 *
 * Every member has the whole table, so that a stanza for a component needs no detour. The owner of the domain's shard says
 * who may have it, and tells all others.
 */
import type { Bus, MemberId } from '@rollcall/ports'
import type { Stanza } from '@rollcall/stanza'
import type { ConnId, ServerMessage } from '../protocol/messages.ts'

interface Component {
  readonly edge: MemberId
  readonly conn: ConnId
}

export class ComponentTable {
  readonly #bus: Bus<ServerMessage>
  readonly #others: () => readonly MemberId[]
  readonly #byDomain = new Map<string, Component>()

  /** `others`: the other members. */
  constructor(bus: Bus<ServerMessage>, others: () => readonly MemberId[] = () => []) {
    this.#bus = bus
    this.#others = others
  }

  domains(): readonly string[] {
    return [...this.#byDomain.keys()]
  }

  has(domain: string): boolean {
    return this.#byDomain.has(domain)
  }

  /** False when another connection serves the domain already. */
  register(domain: string, edge: MemberId, conn: ConnId): boolean {
    if (this.#byDomain.has(domain)) return false
    this.install(domain, edge, conn)
    for (const member of this.#others()) this.#bus.send(member, { kind: 'component-up', domain, edge, conn })
    return true
  }

  /** The owner of the domain says that this connection serves it. */
  install(domain: string, edge: MemberId, conn: ConnId): void {
    this.#byDomain.set(domain, { edge, conn })
  }

  /** Whether this connection is registered, so that its stanzas are to be believed. */
  isRegistered(edge: MemberId, conn: ConnId): boolean {
    for (const component of this.#byDomain.values()) if (component.edge === edge && component.conn === conn) return true
    return false
  }

  /** The connection is gone. */
  unregister(edge: MemberId, conn: ConnId): void {
    this.remove(edge, conn)
    for (const member of this.#others()) this.#bus.send(member, { kind: 'component-down', edge, conn })
  }

  /** Forgets a connection that another member knows to be gone. */
  remove(edge: MemberId, conn: ConnId): void {
    for (const [domain, component] of this.#byDomain) {
      if (component.edge === edge && component.conn === conn) this.#byDomain.delete(domain)
    }
  }

  /** The member died, and all its connections. */
  edgeGone(edge: MemberId): void {
    for (const [domain, component] of this.#byDomain) if (component.edge === edge) this.#byDomain.delete(domain)
  }

  /** Tells a member that has come which components are connected to this one. */
  announceTo(member: MemberId): void {
    const own = this.#bus.memberId
    for (const [domain, { edge, conn }] of this.#byDomain) {
      if (edge === own) this.#bus.send(member, { kind: 'component-up', domain, edge, conn })
    }
  }

  /** Hands the stanza to the domain's component; false when none is connected. */
  deliver(stanza: Stanza, domain: string): boolean {
    const component = this.#byDomain.get(domain)
    if (component === undefined) return false
    this.#bus.send(component.edge, { kind: 'deliver', conn: component.conn, wire: stanza.toWire() })
    return true
  }
}
