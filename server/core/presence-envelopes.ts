/**
 * One presence on its way to many sessions. Those that one edge serves share one message: the parts that all have in common
 * travel once, and the edge puts each recipient's wire string together.
 */
import type { PresenceEnvelope, PresenceEnvelopes } from '@rollcall/module-api'
import type { Bus, MemberId } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import type { ServerMessage } from '../protocol/messages.ts'
import type { LocalSession } from './entities.ts'

class Share {
  readonly conns: number[] = []
  readonly addresses: string[] = []
}

class OpenEnvelope implements PresenceEnvelope {
  readonly #bus: Bus<ServerMessage>
  readonly #from: Jid
  readonly #head: string
  readonly #tail: string
  // Nearly always there is one edge: that one needs no map.
  #edge: MemberId = ''
  #share: Share | undefined = undefined
  #others: Map<MemberId, Share> | undefined = undefined

  constructor(bus: Bus<ServerMessage>, from: Jid, head: string, tail: string) {
    this.#bus = bus
    this.#from = from
    this.#head = head
    this.#tail = tail
  }

  give(session: LocalSession, to: Jid): void {
    if (session.isPlain) this.givePlain(session, to)
    else session.sendPresence(this.#head + to.wire + this.#tail, this.#from)
  }

  givePlain(session: LocalSession, to: Jid): void {
    const share = session.edge === this.#edge && this.#share !== undefined ? this.#share : this.#shareOf(session.edge)
    share.conns.push(session.conn)
    share.addresses.push(to.wire)
  }

  close(): void {
    if (this.#share !== undefined) this.#send(this.#edge, this.#share)
    this.#share = undefined
    for (const [edge, share] of this.#others ?? []) this.#send(edge, share)
    this.#others = undefined
  }

  #shareOf(edge: MemberId): Share {
    if (this.#share === undefined) {
      this.#edge = edge
      return (this.#share = new Share())
    }
    const others = (this.#others ??= new Map())
    let share = others.get(edge)
    if (share === undefined) others.set(edge, share = new Share())
    return share
  }

  #send(edge: MemberId, { conns, addresses }: Share): void {
    this.#bus.send(edge, { kind: 'deliver-broadcast', head: this.#head, tail: this.#tail, conns, addresses })
  }
}

export function presenceEnvelopes(bus: Bus<ServerMessage>): PresenceEnvelopes {
  return { open: (from, head, tail) => new OpenEnvelope(bus, from, head, tail) }
}
