/** Domains of connected components (XEP-0114): which edge and connection serves each. */
import type { Bus, MemberId } from '@rollcall/ports'
import type { Stanza } from '@rollcall/stanza'
import type { ConnId, ServerMessage } from '../protocol/messages.ts'

interface Component {
  readonly edge: MemberId
  readonly conn: ConnId
}

export class ComponentTable {
  readonly #bus: Bus<ServerMessage>
  readonly #byDomain = new Map<string, Component>()

  constructor(bus: Bus<ServerMessage>) {
    this.#bus = bus
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
    this.#byDomain.set(domain, { edge, conn })
    return true
  }

  /** Whether this connection is registered, so that its stanzas are to be believed. */
  isRegistered(edge: MemberId, conn: ConnId): boolean {
    for (const component of this.#byDomain.values()) if (component.edge === edge && component.conn === conn) return true
    return false
  }

  unregister(edge: MemberId, conn: ConnId): void {
    for (const [domain, component] of this.#byDomain) {
      if (component.edge === edge && component.conn === conn) this.#byDomain.delete(domain)
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
