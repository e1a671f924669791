/** The other end of `hand-on.ts`: a connection that comes from another member, with a client that has authenticated there. */
import { parseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Sasl2Granted } from '@rollcall/stream'
import type { HostInfo } from '../protocol/messages.ts'
import type { Conduit } from '../runtime/index.ts'
import { plainAddress } from './address-guard.ts'
import type { ClientStream } from './client-stream.ts'
import type { Guest, GuestLogin } from './guest.ts'
import type { Hub } from './hub.ts'
import { wishesFromWire } from './sasl2-wishes.ts'
import { holdUntil } from './stream-steps.ts'
import { TcpConnection } from './tcp-connection.ts'
import { RecordLayer } from './tls-records/record-layer.ts'

/** Goes on with the client's stream, or closes it when there is no room for it. */
export function takeIn(hub: Hub, service: ClientStream, guest: Guest, conduit: Conduit): void {
  const address = plainAddress(conduit.remoteAddress)
  const isWelcome = !hub.isFull && hub.guard.join(address, hub.ports.clock.monotonic())
  hub.metrics.accepted(isWelcome ? 'handed-on' : hub.isFull ? 'full' : 'address-limit')
  if (!isWelcome) {
    conduit.destroy()
    return
  }
  const connection = new TcpConnection(hub, service, address, conduit, undefined)
  hub.add(connection)
  const { login, rest, tls } = guest
  if (login === undefined) {
    // White space of the stream that is over may still come.
    connection.restart()
  } else {
    connection.continueStream(login.stream)
    connection.lang = login.lang
  }
  goOn(hub, service, connection, guest)
  connection.start(tls && RecordLayer.from(tls))
  if (rest.length > 0) connection.onPlaintext(rest)
}

function goOn(hub: Hub, service: ClientStream, connection: TcpConnection, { account, host, isAnonymous, login }: Guest): void {
  const { negotiation } = connection
  if (negotiation === undefined) return
  connection.host = parseJid(host)
  negotiation.account = parseJid(account)
  negotiation.isAnonymous = isAnonymous
  const granted = login && grantedOf(login, negotiation.account, isAnonymous)
  negotiation.wishes = login?.wishes && wishesFromWire(login.wishes)
  const known = (info: HostInfo | undefined): Promise<void> | undefined => {
    negotiation.hostInfo = info
    if (info === undefined) connection.fail({ condition: 'host-unknown' })
    else if (granted !== undefined) return service.finishSasl2(connection, negotiation, granted)
    return undefined
  }
  const info = hub.hostInfo(connection.host)
  if (info instanceof Promise || granted !== undefined) holdUntil(hub, connection, Promise.resolve(info), known)
  else void known(info)
}

/** A copy of what comes with bytes that are overwritten. */
function grantedOf({ data, method }: GuestLogin, account: Jid, isAnonymous: boolean): Sasl2Granted {
  return { kind: 'granted', account, isAnonymous, method, ...(data && { data: new Uint8Array(data) }) }
}
