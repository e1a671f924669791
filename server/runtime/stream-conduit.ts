/**
 * A `net.Socket`, or TLS by OpenSSL, as a conduit: for what cannot do without the stream.
 *
 * Sockets carry their conduit under a symbol and share their listeners, so one costs no closures.
 */
import type { Socket } from 'node:net'
import { bareConduit } from './bare-conduit.ts'
import type { Conduit, ConduitOwner } from './conduit.ts'
import { socketOn, takeHandle } from './passed-socket.ts'
import type { PassedSocket, SocketHandle } from './passed-socket.ts'

const CONDUIT = Symbol('conduit')
const HANDLE = '_handle'

interface ReadHandle {
  readonly fd: number
  /** What `Socket` remembers of it. */
  reading: boolean
  readStart(): number
  readStop(): number
}
type OwnedSocket = Socket & { [CONDUIT]?: StreamConduit | undefined }
type Handled = Partial<Record<typeof HANDLE, Partial<ReadHandle> | null>>

/** The best conduit there can be on a handle that belongs to nobody else. */
export function conduitOn(handle: SocketHandle): Conduit {
  return bareConduit(handle) ?? new StreamConduit(socketOn(handle))
}

export class StreamConduit implements Conduit {
  readonly #socket: OwnedSocket
  #owner: ConduitOwner | undefined
  #isHeld = false

  /** From now on errors of the socket do no harm. */
  constructor(socket: Socket) {
    this.#socket = socket
    socket.off('error', onError)
    socket.on('error', onError)
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  get fd(): number {
    return handleOf(this.#socket)?.fd ?? -1
  }

  get waitingBytes(): number {
    return this.#socket.writableLength
  }

  /**
   * Node asks for the first bytes of a socket as it makes it, and keeps what has come, up to 64 KiB, until somebody listens. In the turn in
   * which it was accepted nothing of this has reached the kernel, so taking it back costs no system call, and nothing that was read
   * can be lost. `pauseOnConnect` would hold every socket, and make those that nobody wants to wait pay for starting again.
   */
  hold(): void {
    const handle = handleOf(this.#socket)
    if (typeof handle?.readStop !== 'function') return
    this.#isHeld = true
    handle.reading = false
    handle.readStop()
  }

  #releaseRead(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    const handle = handleOf(this.#socket)
    if (typeof handle?.readStart !== 'function') return
    handle.reading = true
    if (handle.readStart() !== 0) this.#socket.destroy()
  }

  start(owner: ConduitOwner): void {
    this.watch(owner)
    this.#socket.on('data', onData)
    // One that was paused before listens and does not flow.
    this.#socket.resume()
  }

  /** Calls the owner back of the end only: somebody else reads. */
  watch(owner: ConduitOwner): void {
    this.#releaseRead()
    const socket = this.#socket
    this.#owner = owner
    socket[CONDUIT] = this
    socket.on('close', onClose)
    socket.on('end', onEnd)
    socket.on('drain', onDrain)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  write(wire: string | Uint8Array): boolean {
    const socket = this.#socket
    return socket.destroyed || !socket.writable || (typeof wire === 'string' ? socket.write(wire, 'latin1') : socket.write(wire))
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#disown()
    this.#socket.destroy()
  }

  toSocket(): Socket {
    this.#releaseRead()
    this.#disown()
    return this.#socket
  }

  takeHandle(): PassedSocket | undefined {
    const passed = takeHandle(this.#socket)
    if (passed !== undefined) this.#disown()
    return passed
  }

  /** The raw socket under TLS keeps its error listener: an unheard error would end the process. */
  #disown(): void {
    const socket = this.#socket
    this.#owner = undefined
    socket[CONDUIT] = undefined
    socket.off('data', onData)
    socket.off('close', onClose)
    socket.off('end', onEnd)
    socket.off('drain', onDrain)
  }

  static ownerOf(socket: OwnedSocket): ConduitOwner | undefined {
    const conduit = socket[CONDUIT]
    return conduit === undefined ? undefined : conduit.#owner
  }
}

function handleOf(socket: Socket): Partial<ReadHandle> | undefined {
  return (socket as unknown as Handled)[HANDLE] ?? undefined
}

function onData(this: OwnedSocket, chunk: Uint8Array): void {
  StreamConduit.ownerOf(this)?.onBytes(chunk)
}

function onEnd(this: OwnedSocket): void {
  StreamConduit.ownerOf(this)?.onEnd()
}

function onDrain(this: OwnedSocket): void {
  StreamConduit.ownerOf(this)?.onDrained()
}

function onClose(this: OwnedSocket): void {
  StreamConduit.ownerOf(this)?.onGone()
}

/** `close` follows and does the rest. */
function onError(this: OwnedSocket): void {
  this.destroy()
}
