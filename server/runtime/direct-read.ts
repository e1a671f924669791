/**
 * Reads of a TCP socket into one buffer for all.
 *
 * How it works: for every read of an accepted socket Node allocates 64 KiB, cuts them to size, and pushes the piece through a
 * stream. `new Socket({ onread })` reads into a buffer of the caller's instead, which a server's sockets cannot ask for; so what
 * that option sets is set afterwards. A read is handled before the next one happens, so all sockets share a buffer.
 *
 * The places are no public interface. Node is pinned (ADR 0001), and where anything is not as expected, the caller is told to
 * listen for `data`.
 */
import type { Socket } from 'node:net'

/** What was read is in `bytes[0, byteCount)` during the call; true: reads on. */
export type OnRead<S extends Socket> = (this: S, byteCount: number, bytes: Uint8Array) => boolean

interface BufferHandle {
  useUserBuffer(buffer: Uint8Array): void
}
interface Places {
  readonly buffer: symbol
  readonly callback: symbol
}

const HANDLE = '_handle'
/** What Node reads at most at a time too. */
const BUFFER_BYTES = 65_536

let shared: Uint8Array | undefined
let places: Places | undefined

/**
 * Calls back with what is read from now on; `data` is emitted only of what waits in the stream. False, and nothing is done, where
 * that is impossible.
 */
export function readDirectly<S extends Socket>(socket: S, onRead: OnRead<S>): boolean {
  const handle = (socket as unknown as Partial<Record<typeof HANDLE, Partial<BufferHandle> | null>>)[HANDLE]
  places ??= findPlaces(socket)
  if (places === undefined || typeof handle?.useUserBuffer !== 'function') return false
  shared ??= new Uint8Array(BUFFER_BYTES)
  const target = socket as unknown as Record<symbol, unknown>
  // After `readAsStream` the handle has it already.
  if (target[places.buffer] !== shared) handle.useUserBuffer(shared)
  target[places.buffer] = shared
  target[places.callback] = onRead
  return true
}

/** Undoes it: `data` is emitted again. */
export function readAsStream(socket: Socket): void {
  if (places !== undefined) (socket as unknown as Record<symbol, unknown>)[places.callback] = pushCopy
}

/** A copy of its own: the stream may keep it. */
function pushCopy(this: Socket, byteCount: number, bytes: Uint8Array): boolean {
  return this.push(bytes.slice(0, byteCount))
}

function findPlaces(socket: Socket): Places | undefined {
  const symbols = Object.getOwnPropertySymbols(socket)
  const named = (name: string) => symbols.find(({ description }) => description === name)
  const [buffer, callback] = [named('kBuffer'), named('kBufferCb')]
  return buffer === undefined || callback === undefined ? undefined : { buffer, callback }
}
