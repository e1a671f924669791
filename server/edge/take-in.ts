/** The other end of `hand-on.ts`: a socket that comes from another member, with a client that has authenticated there. */
import type { Socket } from 'node:net'
import { parseJid } from '@rollcall/jid'
import type { HostInfo } from '../protocol/messages.ts'
import { plainAddress } from './address-guard.ts'
import type { StreamService } from './connection.ts'
import type { Guest } from './guest.ts'
import type { Hub } from './hub.ts'
import { holdUntil } from './stream-steps.ts'
import { TcpConnection } from './tcp-connection.ts'
import { RecordLayer } from './tls-records/record-layer.ts'

/** Goes on with the client's stream, or closes the socket when there is no room for it. */
export function takeIn(hub: Hub, service: StreamService, { account, host, isAnonymous, rest, tls }: Guest, socket: Socket): void {
  const address = plainAddress(socket.remoteAddress)
  const isWelcome = !hub.isFull && hub.guard.join(address, hub.ports.clock.monotonic())
  hub.metrics.accepted(isWelcome ? 'handed-on' : hub.isFull ? 'full' : 'address-limit')
  if (!isWelcome) {
    socket.destroy()
    return
  }
  const connection = new TcpConnection(hub, service, address, socket, undefined)
  hub.add(connection)
  // White space of the stream that is over may still come.
  connection.restart()
  const { negotiation } = connection
  if (negotiation === undefined) return
  connection.host = parseJid(host)
  negotiation.account = parseJid(account)
  negotiation.isAnonymous = isAnonymous
  const known = (info: HostInfo | undefined) => {
    negotiation.hostInfo = info
    if (info === undefined) connection.fail({ condition: 'host-unknown' })
  }
  const info = hub.hostInfo(connection.host)
  if (info instanceof Promise) holdUntil(hub, connection, info, known)
  else known(info)
  connection.start(tls && RecordLayer.from(tls))
  if (rest.length > 0) connection.onPlaintext(rest)
}
