/**
 * A client's socket goes to the member that owns its account, once the client has authenticated (ADR 0012).
 *
 * From then on edge and core of the client are one member, and two of the three crossings of a stanza between members are
 * gone. The moment is the one between two streams: after `<success/>` the client begins anew with a header (RFC 6120 §6.4.6),
 * so all there is to tell is who it is. Only sockets without TLS can go: TLS has its state in the process that made it.
 */
import type { Connection } from './connection.ts'
import type { Movable } from './guest.ts'
import type { Hub } from './hub.ts'

/** The client has authenticated and is about to begin its stream anew: it does so where its account is. */
export function handOn(hub: Hub, connection: Connection): void {
  const { bus, carrier, passOn, placement } = hub.ports
  const { host, negotiation } = connection
  const account = negotiation?.account
  if (passOn === undefined || account === undefined || host === undefined || !isMovable(connection)) return
  const owner = placement.memberOf(account)
  if (owner === bus.memberId || carrier?.isMoving(account) !== false) return
  const isAnonymous = negotiation?.isAnonymous === true
  const departed = connection.depart()
  if (departed === undefined) return
  hub.metrics.handedOn.add(1)
  passOn(owner, { account: account.toString(), isAnonymous, host: host.domainpart, rest: departed.rest }, departed.socket)
}

function isMovable(connection: Connection): connection is Connection & Movable {
  return 'depart' in connection
}
