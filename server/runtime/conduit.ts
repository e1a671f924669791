/**
 * What is under a connection over TCP: bytes in both directions, and the end.
 *
 * There are two kinds. A `BareConduit` is the handle that Node's own sockets are made of, and nothing else; a `StreamConduit` is a
 * `net.Socket`, which OpenSSL and HTTP need, and a Node that is not as expected.
 */
import type { Socket } from 'node:net'
import type { PassedSocket } from './passed-socket.ts'

/** Whose conduit it is. Nothing is called after `destroy`, `toSocket` or `takeHandle`, nor from within a call to the conduit. */
export interface ConduitOwner {
  /** Good until the call returns. */
  onBytes(chunk: Uint8Array): void
  /** The peer has ended its direction; unless the owner destroys it, the conduit ends the other one too. */
  onEnd(): void
  /** What waited to be written is with the kernel. */
  onDrained(): void
  /** It is closed without the owner's doing: an error, or both directions have ended. Called once, and nothing comes after it. */
  onGone(): void
}

export interface Conduit {
  /** The peer's; undefined when it is gone already. */
  readonly remoteAddress: string | undefined
  /** The descriptor under it; -1 when there is none any more. */
  readonly fd: number
  /** Bytes that were written and that the kernel does not have. */
  readonly waitingBytes: number
  /** Leaves in the kernel what the peer sends until `start`; in the turn in which it was accepted. */
  hold(): void
  /** Calls the owner back, and reads. */
  start(owner: ConduitOwner): void
  pause(): void
  resume(): void
  /** Writes a wire string, or bytes that are not changed afterwards. False when some of it waits: then `onDrained` comes. */
  write(wire: string | Uint8Array): boolean
  /** Ends our direction behind what was written, and closes when the peer has ended the other. Nothing can be written afterwards. */
  end(): void
  /** Closes at once. */
  destroy(): void
  /** Gives everything up to a socket that is not read yet. */
  toSocket(): Socket
  /** Gives the handle up. Undefined, and nothing is done, when that is impossible or bytes are under way in either direction. */
  takeHandle(): PassedSocket | undefined
}
