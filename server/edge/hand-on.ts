/**
 * A client's socket goes to the member that owns its account, once the client has authenticated (ADR 0012).
 *
 * From then on edge and core of the client are one member, and two of the three crossings of a stanza between members are
 * gone. The moment is the one between two streams: after `<success/>` the client begins anew with a header (RFC 6120 §6.4.6),
 * so all there is to tell is who it is, and where its TLS is when that is in our own record layer (ADR 0014). TLS that is still in
 * OpenSSL cannot leave the process, so those clients stay.
 */
import type { Connection } from './connection.ts'
import type { Movable } from './guest.ts'
import type { Hub } from './hub.ts'

/** The client has authenticated and is about to begin its stream anew: it does so where its account is. */
export function handOn(hub: Hub, connection: Connection): void {
  const { bus, carrier, passage, placement } = hub.ports
  const { host, negotiation } = connection
  const account = negotiation?.account
  if (passage === undefined || account === undefined || host === undefined || !isMovable(connection)) return
  const owner = placement.memberOf(account)
  if (owner === bus.memberId || carrier?.isMoving(account) !== false || !passage.isOpenTo(owner)) return
  const isAnonymous = negotiation?.isAnonymous === true
  const departed = connection.depart()
  if (departed === undefined) return
  hub.metrics.handedOn.add(1)
  const { socket, ...rest } = departed
  passage.pass(owner, { account: account.toString(), isAnonymous, host: host.domainpart, ...rest }, socket)
}

function isMovable(connection: Connection): connection is Connection & Movable {
  return 'depart' in connection
}
