/**
 * A TCP connection without a `net.Socket`: the handle under it, and what is needed of the rest.
 *
 * How it works: a socket is two state machines for streams, a dozen listeners and a kilobyte, made anew for every client. None of it
 * is wanted here: what is read goes into one buffer for all, since a read is handled before the next one happens; what is
 * written the kernel takes at once, nearly always, and the handle says so; and what it does not take waits in an array that exists
 * only then. The request object of a write that was taken serves the next one (figures: docs/adr/0022-bare-handles.md).
 *
 * The handle is no public interface. Node is pinned (ADR 0001), and where anything is not as expected, `bareConduit` and
 * `acceptBare` say so, and there are sockets as before.
 */
import { Socket } from 'node:net'
import type { Server, SocketConstructorOpts } from 'node:net'
import { flatCopy } from '@rollcall/ports'
import type { Conduit, ConduitOwner } from './conduit.ts'
import { endpointOfHandle } from './passed-socket.ts'
import type { PassedSocket, SocketHandle } from './passed-socket.ts'

const CONDUIT = Symbol('conduit')

interface Handle extends SocketHandle {
  [CONDUIT]?: BareConduit | undefined
  readonly fd: number
  /** What `Socket` remembers of it. */
  reading: boolean
  /** What was read is counted in the state of streams. */
  onread: (this: Handle) => void
  close(closed?: () => void): void
  getpeername(into: { readonly address?: string }): number
  readStart(): number
  readStop(): number
  shutdown(request: ShutdownRequest): number
  useUserBuffer(buffer: Uint8Array): void
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  writeLatin1String(request: WriteRequest, text: string): number
}
interface WriteRequest {
  oncomplete?: (status: number) => void
  /** Keeps what is written for as long as the write is under way. */
  bytes?: Uint8Array
}
interface ShutdownRequest {
  oncomplete?: (status: number) => void
}
interface Bindings {
  readonly WriteWrap: new () => WriteRequest
  readonly ShutdownWrap: new () => ShutdownRequest
  readonly streamBaseState: ArrayLike<number>
  readonly kReadBytesOrError: number
  /** Where the state says that the last write is not done yet. */
  readonly kLastWriteWasAsync: number
}

const SERVER_HANDLE = '_handle'
const METHODS = [
  'close', 'getpeername', 'getsockname', 'readStart', 'readStop', 'shutdown', 'useUserBuffer', 'writeBuffer', 'writeLatin1String',
] as const
/** What Node reads at most at a time too. */
const BUFFER_BYTES = 65_536
/** libuv's number for the end of what the peer sends. */
const END_OF_FILE = -4095
const FD_UNKNOWN = -2

const bindings = findBindings()
const shared = new Uint8Array(BUFFER_BYTES)
let spare: WriteRequest | undefined

/** A conduit on a handle that belongs to nobody else; undefined, and nothing is done, where there can be none. */
export function bareConduit(handle: SocketHandle): Conduit | undefined {
  return bindings !== undefined && isHandle(handle) ? new BareConduit(bindings, handle) : undefined
}

/**
 * Takes what a server that listens accepts before a socket is made of it, for as long as it listens; false, and nothing is done, where that is
 * impossible. Those connections are none of the server's: it emits nothing for them, sets no options, and does not count them.
 */
export function acceptBare(server: Server, accepted: (conduit: Conduit) => void): boolean {
  type Listening = { onconnection?: (this: unknown, status: number, handle?: SocketHandle) => void }
  const listening = (server as unknown as Partial<Record<typeof SERVER_HANDLE, Listening | null>>)[SERVER_HANDLE]
  const asSocket = listening?.onconnection
  if (bindings === undefined || !listening || typeof asSocket !== 'function') return false
  listening.onconnection = function onConnection(status, handle) {
    const conduit = status === 0 && handle !== undefined ? bareConduit(handle) : undefined
    if (conduit === undefined) asSocket.call(this, status, handle)
    else accepted(conduit)
  }
  return true
}

class BareConduit implements Conduit {
  readonly #bindings: Bindings
  /** Undefined when it is closed or given away. */
  #handle: Handle | undefined
  #owner: ConduitOwner | undefined
  #fd = FD_UNKNOWN
  waitingBytes = 0
  /** What is not even under way. */
  #queue: (string | Uint8Array)[] | undefined
  #isEnding = false
  #isShut = false
  #hasPeerEnded = false

  constructor(found: Bindings, handle: Handle) {
    this.#bindings = found
    this.#handle = handle
  }

  get remoteAddress(): string | undefined {
    const peer: { readonly address?: string } = {}
    this.#handle?.getpeername(peer)
    return peer.address
  }

  get fd(): number {
    // Asked for once: each call out of JavaScript touches four objects of C++.
    if (this.#fd === FD_UNKNOWN) this.#fd = this.#handle?.fd ?? -1
    return this.#fd
  }

  // ------------------------------------------------------------------------------------ input

  /** It is not read before `start` anyway. */
  hold(): void {}

  start(owner: ConduitOwner): void {
    const handle = this.#handle
    if (handle === undefined) return
    this.#owner = owner
    // One that had another conduit before has the buffer.
    if (!(CONDUIT in handle)) handle.useUserBuffer(shared)
    handle[CONDUIT] = this
    handle.onread = BareConduit.#onRead
    this.resume()
  }

  pause(): void {
    this.#handle?.readStop()
  }

  resume(): void {
    // After the end there is nothing to read, and the end would be said once more.
    if (this.#handle === undefined || this.#owner === undefined || this.#hasPeerEnded) return
    if (this.#handle.readStart() !== 0) this.#fail()
  }

  static #onRead(this: Handle): void {
    const conduit = this[CONDUIT]
    if (conduit !== undefined) conduit.#onCount()
  }

  #onCount(): void {
    const { streamBaseState, kReadBytesOrError } = this.#bindings
    const count = streamBaseState[kReadBytesOrError] as number
    if (count > 0) this.#owner?.onBytes(shared.subarray(0, count))
    else if (count === END_OF_FILE) this.#onEnd()
    else if (count < 0) this.#fail()
  }

  #onEnd(): void {
    this.#hasPeerEnded = true
    this.#owner?.onEnd()
    if (this.#isShut) this.#fail()
    else this.end()
  }

  // ------------------------------------------------------------------------------------ output

  write(wire: string | Uint8Array): boolean {
    if (this.#handle === undefined || this.#isEnding) return true
    const isBehind = this.waitingBytes > 0
    if (!isBehind && this.#give(this.#handle, wire)) return true
    // A slice would keep all alive that came with it.
    if (isBehind) (this.#queue ??= []).push(typeof wire === 'string' ? flatCopy(wire) : wire)
    this.waitingBytes += wire.length
    return false
  }

  /** False when it is under way; true also when that was the end of the connection. */
  #give(handle: Handle, wire: string | Uint8Array): boolean {
    const { WriteWrap, kLastWriteWasAsync, streamBaseState } = this.#bindings
    const request = (spare ??= new WriteWrap())
    const status = typeof wire === 'string' ? handle.writeLatin1String(request, wire) : handle.writeBuffer(request, wire)
    if (status !== 0) {
      spare = undefined
      this.#fail()
      return true
    }
    if (streamBaseState[kLastWriteWasAsync] === 0) return true
    spare = undefined
    // A string was copied.
    if (typeof wire !== 'string') request.bytes = wire
    const byteCount = wire.length
    request.oncomplete = (status) => this.#onWritten(status, byteCount)
    return false
  }

  #onWritten(status: number, byteCount: number): void {
    if (this.#handle === undefined) return
    if (status < 0) {
      this.#fail()
      return
    }
    this.waitingBytes -= byteCount
    for (let wire = this.#next(); wire !== undefined; wire = this.#next()) {
      if (!this.#give(this.#handle, wire)) return
      if (this.#handle === undefined) return
      this.waitingBytes -= wire.length
    }
    if (this.#isEnding) this.#shutDown(this.#handle)
    else this.#owner?.onDrained()
  }

  /** As much of the queue as goes in one write. */
  #next(): string | Uint8Array | undefined {
    const queue = this.#queue
    if (queue === undefined) return undefined
    const isText = typeof queue[0] === 'string'
    const end = queue.findIndex((wire) => (typeof wire === 'string') !== isText)
    const run = end === -1 ? queue : queue.splice(0, end)
    if (end === -1) this.#queue = undefined
    return isText ? run.join('') : Buffer.concat(run as Uint8Array[])
  }

  end(): void {
    if (this.#handle === undefined || this.#isEnding) return
    this.#isEnding = true
    if (this.waitingBytes === 0) this.#shutDown(this.#handle)
  }

  #shutDown(handle: Handle): void {
    // Closing says the same.
    if (this.#hasPeerEnded) {
      this.#fail()
      return
    }
    const request = new this.#bindings.ShutdownWrap()
    request.oncomplete = (status) => {
      this.#isShut = true
      if (status < 0 || this.#hasPeerEnded) this.#fail()
    }
    const status = handle.shutdown(request)
    if (status !== 0) request.oncomplete(status)
  }

  // ------------------------------------------------------------------------------------ end

  destroy(): void {
    this.#owner = undefined
    this.#letGo()?.close()
  }

  /** Closes what its owner did not, who is told in a later turn. */
  #fail(): void {
    this.#letGo()?.close(() => this.#owner?.onGone())
  }

  #letGo(): Handle | undefined {
    const handle = this.#handle
    if (handle === undefined) return undefined
    this.#handle = undefined
    this.#queue = undefined
    // Of one that is gone the number may be another's.
    this.#fd = -1
    if (CONDUIT in handle) handle[CONDUIT] = undefined
    return handle
  }

  toSocket(): Socket {
    const queue = this.#queue ?? []
    const handle = this.#letGo()
    this.#owner = undefined
    if (handle === undefined) return new Socket().destroy()
    handle.readStop()
    handle.reading = false
    // What is read comes in the buffer that the handle has.
    const onread = CONDUIT in handle ? { onread: { buffer: shared, callback: pushCopy } } : {}
    const socket = new Socket({ handle, manualStart: true, ...onread } as unknown as SocketConstructorOpts)
    for (const wire of queue) if (typeof wire === 'string') socket.write(wire, 'latin1'); else socket.write(wire)
    return socket
  }

  takeHandle(): PassedSocket | undefined {
    const handle = this.#handle
    if (handle === undefined || this.waitingBytes > 0 || this.#isEnding || this.#hasPeerEnded) return undefined
    const endpoint = endpointOfHandle(handle)
    if (endpoint === undefined || handle.readStop() !== 0) return undefined
    handle.reading = false
    this.#letGo()
    this.#owner = undefined
    return { handle, endpoint }
  }
}

/** A copy of its own: the stream may keep it. */
function pushCopy(this: Socket, byteCount: number, bytes: Uint8Array): boolean {
  return this.push(bytes.slice(0, byteCount))
}

function isHandle(handle: SocketHandle): handle is Handle {
  const there = handle as unknown as Partial<Record<string, unknown>>
  return METHODS.every((name) => typeof there[name] === 'function')
}

function findBindings(): Bindings | undefined {
  try {
    const inside = process as unknown as { binding(name: string): Partial<Bindings> }
    const found = inside.binding('stream_wrap')
    const isWhole = typeof found.WriteWrap === 'function' && typeof found.ShutdownWrap === 'function' && found.streamBaseState !== undefined &&
      typeof found.kReadBytesOrError === 'number' && typeof found.kLastWriteWasAsync === 'number'
    return isWhole ? (found as Bindings) : undefined
  } catch {
    return undefined
  }
}
