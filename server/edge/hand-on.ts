/**
 * A client's socket goes to the member that owns its account, once the client has authenticated (ADR 0012).
 *
 * From then on edge and core of the client are one member, and two of the three crossings of a stanza between members are
 * gone. With SASL the moment is the one between two streams: after `<success/>` the client begins anew with a header (RFC 6120
 * §6.4.6), so all there is to tell is who it is, and where its TLS is when that is in our own record layer (ADR 0014). With SASL2 the
 * stream goes on, and the moment is the one before what was asked for inline is done, and before `<success/>`. TLS that
 * is still in OpenSSL cannot leave the process, so those clients stay.
 */
import type { Sasl2Granted } from '@rollcall/stream'
import type { StreamContext } from '@rollcall/xml'
import type { Connection } from './connection.ts'
import type { GuestLogin, Movable } from './guest.ts'
import type { Hub } from './hub.ts'
import { wishesToWire } from './sasl2-wishes.ts'
import type { InlineWishes } from './sasl2-wishes.ts'

/**
 * The client has authenticated: what comes next is done where its account is. False when it stays. `granted`: with SASL2, after
 * which the stream goes on instead of beginning anew.
 */
export function handOn(hub: Hub, connection: Connection, granted?: Sasl2Granted): boolean {
  const { bus, carrier, passage, placement } = hub.ports
  const { host, negotiation } = connection
  const account = negotiation?.account
  if (passage === undefined || account === undefined || host === undefined || !isMovable(connection)) return false
  const owner = placement.memberOf(account)
  if (owner === bus.memberId || carrier?.isMoving(account) !== false || !passage.isOpenTo(owner)) return false
  const isAnonymous = negotiation?.isAnonymous === true
  const wishes = negotiation?.wishes
  const departed = connection.depart()
  if (departed === undefined) return false
  hub.metrics.handedOn.add(1)
  const { socket, stream, ...rest } = departed
  const login = granted && stream && loginOf(connection, stream, granted, wishes)
  passage.pass(owner, { account: account.toString(), isAnonymous, host: host.domainpart, ...rest, ...(login && { login }) }, socket)
  return true
}

function loginOf({ lang }: Connection, stream: StreamContext, { data, method }: Sasl2Granted, wishes: InlineWishes | undefined): GuestLogin {
  return { stream, lang, method, ...(data && { data }), ...(wishes && { wishes: wishesToWire(wishes) }) }
}

function isMovable(connection: Connection): connection is Connection & Movable {
  return 'depart' in connection
}
