/** Listening sockets: one place for addresses, port sharing and errors that say what to do. */
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

export interface ListenOptions {
  /** An IP address; `::` listens on IPv6 and IPv4. */
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** Several processes share the port (SO_REUSEPORT). */
  readonly isShared?: boolean
  /** Connections the kernel queues before they are accepted; 511 unless told. */
  readonly backlog?: number
}

export interface Listener {
  readonly host: string
  readonly port: number
  /** Accepts no more; open sockets stay, and are not waited for. Idempotent. */
  close(): void
}

/** Why a listener could not be opened, in words for the operator. */
export class ListenError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.name = 'ListenError'
    this.code = code
  }
}

/** `host:port`, with brackets around IPv6. */
export function endpointText(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The peer's address without the IPv4-in-IPv6 prefix; '' when the socket is gone already. */
export function peerAddress(socket: Pick<Socket, 'remoteAddress'>): string {
  const address = socket.remoteAddress ?? ''
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there: stop it or choose another port',
  EACCES: 'this user may not use that port: choose one above 1023 or grant CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'the host is not an address of this machine',
  EINVAL: 'the address is not valid here',
  ERR_SOCKET_BAD_PORT: 'the port must be 0 to 65535',
}

/** Listens for TCP connections, with Nagle off; rejects with `ListenError`. */
export async function listenTcp(options: ListenOptions, onSocket: (socket: Socket) => void): Promise<Listener> {
  const server = createServer({ noDelay: true }, onSocket)
  await listening(server, options)
  const { address, port } = server.address() as AddressInfo
  return { host: address, port, close: () => void server.close() }
}

/** Opens any `net.Server` (TLS, HTTP); rejects with `ListenError` that names the endpoint and the remedy. */
export async function listening(server: Server, options: ListenOptions): Promise<void> {
  const { host, port, isShared = false, backlog = 511 } = options
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const code = error.code ?? 'UNKNOWN'
      reject(new ListenError(code, `cannot listen on ${endpointText(host, port)}: ${REASONS[code] ?? error.message}`))
    }
    server.once('error', failed)
    try {
      server.listen({ host, port, backlog, reusePort: isShared }, () => {
        server.removeListener('error', failed)
        resolve()
      })
    } catch (error) {
      failed(error as NodeJS.ErrnoException)
    }
  })
}
