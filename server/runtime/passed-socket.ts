/**
 * A socket on its way from one process to another.
 *
 * What travels is the handle under the socket, as in Node's own `cluster`: the process in between never reads it, so that no
 * byte can be lost there. The handle is no public interface; Node is pinned (ADR 0001), and where anything is not as
 * expected the socket stays where it is.
 */
import { Socket } from 'node:net'

/** Opaque; closed by whoever has it, once the next one has it too. */
export interface PassedSocket {
  close(): void
}

interface ReadableHandle extends PassedSocket {
  /** What `Socket` remembers of it. */
  reading: boolean
  readStop(): number
}

const HANDLE = '_handle'
type Handled = { [HANDLE]?: Partial<ReadableHandle> | null }

/**
 * Takes the handle out of a socket, which is not good for anything afterwards. Undefined, and nothing is done, when bytes are
 * under way in either direction or it has no such handle.
 */
export function takeHandle(socket: Socket): PassedSocket | undefined {
  const handled = socket as unknown as Handled
  const handle = handled[HANDLE]
  if (socket.destroyed || socket.readableEnded || socket.readableLength > 0 || socket.writableLength > 0) return undefined
  if (typeof handle?.readStop !== 'function' || typeof handle.close !== 'function' || handle.readStop() !== 0) return undefined
  handle.reading = false
  handled[HANDLE] = null
  return handle as ReadableHandle
}

/** A socket on a handle that came from elsewhere; it is read once it has a listener for data. */
export function socketOn(handle: PassedSocket): Socket {
  return new Socket({ handle, readable: true, writable: true } as object)
}
