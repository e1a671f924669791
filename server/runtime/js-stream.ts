/**
 * A socket for TLS to run on whose bytes pass through us: the handle by which Node itself lets TLS run over any stream.
 *
 * `tls` also takes a Duplex, and puts this same handle under it; but then nothing leads from the finished TLS socket back to
 * the stream, and each read and write costs twice as much (figures: docs/adr/0014-tls-memory.md). The handle is no public interface:
 * Node is pinned (ADR 0001), and where anything is not as expected there is none, and the caller does without.
 */
import { Socket } from 'node:net'
import type { SocketConstructorOpts } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** A write that is to be answered with `finishWrite`. */
export type StreamRequest = object

interface Peer {
  address?: string | undefined
  port?: number | undefined
  family?: string | undefined
}

/** What Node's side calls; the last four are ours to call. Returned numbers are 0: it is under way. */
export interface JsStreamHandle {
  isClosing(): boolean
  onreadstart(): number
  onreadstop(): number
  onwrite(request: StreamRequest, chunks: readonly Buffer[]): number
  onshutdown(request: StreamRequest): number
  close(closed: () => void): void
  getpeername(into: Peer): number
  getsockname(into: Peer): number

  readBuffer(chunk: Uint8Array): void
  emitEOF(): void
  finishWrite(request: StreamRequest, status: number): void
  finishShutdown(request: StreamRequest, status: number): void
}

/** What a request that can no longer be done is answered with: libuv's `UV_ECANCELED`. */
export const CANCELED = -125

const HANDLE = '_handle'
const Handle = findHandle()

/** Whether this Node has such handles. */
export const hasJsStreams = Handle !== undefined

/** A handle without its callbacks; throws where there are none. */
export function createJsStream(): JsStreamHandle {
  if (Handle === undefined) throw new Error('this Node has no JSStream')
  return new Handle()
}

/** The socket that TLS is given. */
export function socketOver(handle: JsStreamHandle): Socket {
  return new Socket({ handle, manualStart: true } as unknown as SocketConstructorOpts)
}

/** Encrypted bytes that OpenSSL has written and the stream has not taken; undefined when that cannot be told. */
export function tlsQueueBytes(socket: TLSSocket): number | undefined {
  const queue = (socket as unknown as Partial<Record<typeof HANDLE, { readonly writeQueueSize?: unknown } | null>>)[HANDLE]?.writeQueueSize
  return typeof queue === 'number' ? queue : undefined
}

function findHandle(): (new () => JsStreamHandle) | undefined {
  try {
    const { JSStream } = (process as unknown as { binding(name: string): { readonly JSStream?: new () => JsStreamHandle } }).binding('js_stream')
    const prototype = JSStream?.prototype as Partial<JsStreamHandle> | undefined
    const isWhole = typeof prototype?.readBuffer === 'function' && typeof prototype.emitEOF === 'function' &&
      typeof prototype.finishWrite === 'function' && typeof prototype.finishShutdown === 'function'
    return isWhole ? JSStream : undefined
  } catch {
    return undefined
  }
}
