/**
 * A socket on its way from one process to another.
 *
 * What travels is the handle under the socket, as in Node's own `cluster` (`socket-line.ts`). The handle is no public interface;
 * Node is pinned (ADR 0001), and where anything is not as expected the socket stays where it is.
 */
import { Socket } from 'node:net'

/** What is under a socket, and whose it is. Closed by whoever has it, once the next one has it too. */
export interface PassedSocket {
  readonly handle: SocketHandle
  /** See `endpointOf`. */
  readonly endpoint: string
}

export interface SocketHandle {
  close(): void
}

interface ReadableHandle extends SocketHandle {
  /** What `Socket` remembers of it. */
  reading: boolean
  readStop(): number
}

/** What Node writes about one end. */
interface Named {
  readonly address?: string
  readonly port?: number
}

interface NamedHandle {
  getsockname(into: Named): number
  getpeername(into: Named): number
}

interface Ends {
  readonly localPort?: number | undefined
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
}

const HANDLE = '_handle'
type Handled = { [HANDLE]?: Partial<ReadableHandle> | null }

/**
 * Takes the handle out of a socket, which is not good for anything afterwards. Undefined, and nothing is done, when bytes are
 * under way in either direction, when it has no such handle, or when the peer is gone.
 */
export function takeHandle(socket: Socket): PassedSocket | undefined {
  const handled = socket as unknown as Handled
  const handle = handled[HANDLE]
  if (socket.destroyed || socket.readableEnded || socket.readableLength > 0 || socket.writableLength > 0) return undefined
  const endpoint = endpointOf(socket)
  if (endpoint === undefined || typeof handle?.readStop !== 'function' || typeof handle.close !== 'function' || handle.readStop() !== 0) return undefined
  handle.reading = false
  handled[HANDLE] = null
  return { handle: handle as ReadableHandle, endpoint }
}

/** A socket on a handle that came from elsewhere; it is read once it has a listener for data. */
export function socketOn(handle: SocketHandle): Socket {
  return new Socket({ handle, readable: true, writable: true } as object)
}

/** Both ends of a connection, as no other living one of this machine has them; undefined once it is gone. */
export function endpointOf({ localPort, remoteAddress, remotePort }: Ends): string | undefined {
  return remotePort === undefined ? undefined : `${remoteAddress} ${remotePort} ${localPort}`
}

/** The same of what is under a socket. */
export function endpointOfHandle(handle: SocketHandle): string | undefined {
  const near: Named = {}
  const far: Named = {}
  const named = handle as Partial<NamedHandle>
  named.getsockname?.(near)
  named.getpeername?.(far)
  return endpointOf({ localPort: near.port, remoteAddress: far.address, remotePort: far.port })
}
