/**
 * The shortest way of a string into a TCP socket.
 *
 * How it works: `socket.write` makes a request object with callbacks and turns the stream's state machine for every write,
 * although the kernel takes nearly every one at once. The handle under the socket says when it did, and then the request was
 * not needed and serves the next write: what is left is the system call (figures: bench/results/presence.txt).
 *
 * The handle is no public interface. Node is pinned (ADR 0001), and where anything is not as expected, the caller is told to
 * use `socket.write`; the two may be mixed, for both end in one queue.
 */
import type { Socket } from 'node:net'

interface WriteRequest {
  oncomplete?: (status: number) => void
  /** Keeps what is written for as long as the write is under way. */
  bytes?: Uint8Array
}
interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest
  readonly streamBaseState: ArrayLike<number>
  /** Where the state says that the last write is not done yet. */
  readonly kLastWriteWasAsync: number
}
interface StreamHandle {
  writeLatin1String(request: WriteRequest, text: string): number
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
}

/** Whose write it is. */
export interface DirectWriter {
  /** A write that was under way has ended, one way or the other. */
  written(): void
}

/** `taken`: it is with the kernel. `under-way`: `written` will be called. `impossible`: nothing was done. */
export type DirectWrite = 'taken' | 'under-way' | 'impossible'

const HANDLE = '_handle'

const binding = findBinding()
let spare: WriteRequest | undefined

/**
 * Writes a wire string, or bytes that are not changed afterwards, to a socket without TLS. One whose connection is gone is
 * destroyed, as `socket.write` would.
 */
export function writeDirectly(socket: Socket, wire: string | Uint8Array, writer: DirectWriter): DirectWrite {
  const handle = (socket as unknown as Partial<Record<typeof HANDLE, Partial<StreamHandle> | null>>)[HANDLE]
  if (binding === undefined || handle?.writeLatin1String === undefined || handle.writeBuffer === undefined) return 'impossible'
  const request = (spare ??= new binding.WriteWrap())
  const status = typeof wire === 'string' ? handle.writeLatin1String(request, wire) : handle.writeBuffer(request, wire)
  if (status !== 0) {
    socket.destroy()
    return 'taken'
  }
  if (binding.streamBaseState[binding.kLastWriteWasAsync] === 0) return 'taken'
  spare = undefined
  if (typeof wire !== 'string') request.bytes = wire
  request.oncomplete = (status) => {
    if (status < 0) socket.destroy()
    writer.written()
  }
  return 'under-way'
}

function findBinding(): StreamBinding | undefined {
  try {
    const found = (process as unknown as { binding(name: string): Partial<StreamBinding> }).binding('stream_wrap')
    const isWhole = typeof found.WriteWrap === 'function' && found.streamBaseState !== undefined && typeof found.kLastWriteWasAsync === 'number'
    return isWhole ? (found as StreamBinding) : undefined
  } catch {
    return undefined
  }
}
