/**
 * Lines over which a process gives sockets to another one, each with some bytes: a Unix socket, and descriptors as its
 * ancillary data (SCM_RIGHTS).
 *
 * How it works: libuv sends handles over pipes in its IPC mode, which Node uses between a process and its children only, with
 * a message and an answer of its own for each handle. Such a pipe can as well be connected to a path. The side that accepts gets one
 * without that mode, so its descriptor is opened a second time in it. What was accepted is never used again, and never closed
 * either: it would close the descriptor that the other one has. Some 500 bytes of it stay behind for each line that ended.
 *
 * A frame is its length in 32 bits, the length of an endpoint in 8, the endpoint, and the bytes. The kernel ends a read behind the first
 * frame that brings a descriptor, so a frame that begins in a read without one has lost it (the process has too many open
 * files), and which socket belongs to which frame is proven by its endpoint besides. In doubt the line ends with all that is on it.
 *
 * The handles are no public interface. Node is pinned (ADR 0001), and where anything is not as expected there are no lines.
 */
import { rmSync } from 'node:fs'
import type { Conduit } from './conduit.ts'
import { endpointOfHandle } from './passed-socket.ts'
import type { PassedSocket, SocketHandle } from './passed-socket.ts'
import { conduitOn } from './stream-conduit.ts'

/** The sending end of a line. */
export interface SocketLine {
  /** It is connected and has room. */
  readonly isOpen: boolean
  /** Sends both, if the peer lives to read them; `bytes` is overwritten with zeros and `socket` closed when they are with the kernel. */
  send(bytes: Uint8Array, socket: PassedSocket): void
  close(): void
}

/** Where lines end. */
export interface SocketLanding {
  /** Stops listening, and ends the lines that have come. */
  close(): void
}

export interface LandingOptions {
  /** Replaced when there is something; who may connect is the folder's business. */
  readonly path: string
  /** `bytes` are good until the call returns. */
  readonly received: (bytes: Uint8Array, conduit: Conduit) => void
  /** A line could not go on, and the sockets on it are lost. */
  readonly broken: (why: string) => void
}

interface Pipe extends SocketHandle {
  readonly fd: number
  pendingHandle: SocketHandle | null
  onconnection(status: number, accepted: Pipe): void
  /** What was read is counted in the state of streams. */
  onread(this: void): void
  useUserBuffer(buffer: Uint8Array): void
  open(fd: number): void
  bind(path: string): number
  listen(backlog: number): number
  connect(request: Request, path: string): number
  readStart(): number
  writeBuffer(request: Request, bytes: Uint8Array, handle: SocketHandle): number
}
interface Request {
  oncomplete: (status: number) => void
}
interface Bindings {
  readonly Pipe: new (mode: number) => Pipe
  readonly PipeConnectWrap: new () => Request
  readonly WriteWrap: new () => Request
  readonly constants: { readonly SERVER: number; readonly IPC: number }
  readonly streamBaseState: ArrayLike<number>
  readonly kReadBytesOrError: number
}

const BACKLOG = 128
/** Sockets that the peer has not taken from the kernel, or the kernel from us: then others stay where they are. */
const UNDER_WAY_MAX = 256
const LENGTH_BYTES = 4
const HEAD_BYTES = LENGTH_BYTES + 1
/** What comes with a socket is what a client sent ahead, and little else. */
const FRAME_BYTES_MAX = 2 ** 22
const READ_BYTES = 65_536

const bindings = findBindings()
let shared: Buffer | undefined

/** Whether this Node has what lines are made of. */
export const hasSocketLines = bindings !== undefined

/** Listens; throws `Error` where there are no lines, or when the path cannot be used. */
export function landSockets({ broken, path, received }: LandingOptions): SocketLanding {
  if (bindings === undefined) throw new Error('this Node has no pipes for handles')
  const { Pipe, constants } = bindings
  const lines = new Set<Landed>()
  const server = new Pipe(constants.SERVER)
  server.onconnection = (status, accepted) => {
    if (status !== 0) return
    const line = new Landed(accepted.fd, received, (why) => {
      lines.delete(line)
      if (why !== '') broken(why)
    })
    lines.add(line)
  }
  rmSync(path, { force: true })
  const status = server.bind(path) || server.listen(BACKLOG)
  if (status !== 0) {
    server.close()
    throw new Error(`${path}: cannot listen (${status})`)
  }
  return {
    close() {
      server.close()
      for (const line of lines) line.end('')
      rmSync(path, { force: true })
    },
  }
}

/** A line to whoever listens there; it opens later, or ends, and then `ended` is called once, in a later turn. */
export function connectLine(path: string, ended: () => void): SocketLine {
  if (bindings === undefined) throw new Error('this Node has no pipes for handles')
  return new Line(bindings, path, ended)
}

class Line implements SocketLine {
  readonly #bindings: Bindings
  readonly #pipe: Pipe
  readonly #ended: () => void
  #isConnected = false
  #isClosed = false
  #underWay = 0

  constructor(found: Bindings, path: string, ended: () => void) {
    this.#bindings = found
    this.#ended = ended
    this.#pipe = new found.Pipe(found.constants.IPC)
    // Nothing comes back, but the end.
    this.#pipe.onread = () => {
      if ((found.streamBaseState[found.kReadBytesOrError] as number) < 0) this.#end()
    }
    const request = new found.PipeConnectWrap()
    request.oncomplete = (status) => {
      if (status !== 0) this.#end()
      else if (!this.#isClosed) {
        this.#isConnected = true
        this.#pipe.readStart()
      }
    }
    if (this.#pipe.connect(request, path) !== 0) setImmediate(() => this.#end())
  }

  get isOpen(): boolean {
    return this.#isConnected && !this.#isClosed && this.#underWay < UNDER_WAY_MAX
  }

  send(bytes: Uint8Array, { endpoint, handle }: PassedSocket): void {
    const frame = frameOf(bytes, endpoint)
    bytes.fill(0)
    const request = new this.#bindings.WriteWrap()
    request.oncomplete = (status) => {
      this.#underWay--
      frame.fill(0)
      handle.close()
      if (status < 0) this.#end()
    }
    this.#underWay++
    const status = this.#isClosed ? -1 : this.#pipe.writeBuffer(request, frame, handle)
    if (status !== 0) request.oncomplete(status)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#pipe.close()
  }

  #end(): void {
    if (this.#isClosed) return
    this.close()
    this.#ended()
  }
}

/** The receiving end. */
class Landed {
  readonly #pipe: Pipe
  readonly #received: LandingOptions['received']
  readonly #ended: (why: string) => void
  #handle: SocketHandle | undefined
  /** Of the frame whose socket that is. */
  #bytes: Buffer = Buffer.alloc(0)
  #isEnded = false

  constructor(fd: number, received: LandingOptions['received'], ended: (why: string) => void) {
    const { Pipe, constants, kReadBytesOrError, streamBaseState } = bindings as Bindings
    this.#received = received
    this.#ended = ended
    const pipe = new Pipe(constants.IPC)
    this.#pipe = pipe
    pipe.open(fd)
    pipe.pendingHandle = null
    // Node would allocate as much for every read; a read is handled before the next one happens.
    const buffer = shared ??= Buffer.alloc(READ_BYTES)
    pipe.useUserBuffer(buffer)
    pipe.onread = () => {
      const handle = pipe.pendingHandle ?? undefined
      pipe.pendingHandle = null
      const count = streamBaseState[kReadBytesOrError] as number
      if (count < 0) this.end('')
      else this.#read(buffer.subarray(0, count), handle)
    }
    pipe.readStart()
  }

  #read(chunk: Buffer, handle: SocketHandle | undefined): void {
    let fresh = handle
    let rest = chunk
    while (rest.length > 0 && !this.#isEnded) {
      if (this.#handle === undefined) {
        this.#handle = fresh
        fresh = undefined
        if (this.#handle === undefined) {
          this.end('a socket was lost on its way: too many open files?')
          return
        }
      }
      rest = this.#gather(rest)
      const end = rest.length < HEAD_BYTES ? Infinity : LENGTH_BYTES + rest.readUInt32BE(0)
      if (end !== Infinity && end > FRAME_BYTES_MAX) {
        this.end('a frame that is too long')
        return
      }
      if (end > rest.length) break
      this.#deliver(this.#handle, rest.subarray(0, end))
      rest = rest.subarray(end)
    }
    if (fresh !== undefined) {
      fresh.close()
      this.end('a socket without a frame')
    }
  }

  /** All that there is of the frame; nothing of it stays in the buffer, which is for the next read. */
  #gather(chunk: Buffer): Buffer {
    const before = this.#bytes
    this.#bytes = Buffer.concat([before, chunk])
    before.fill(0)
    chunk.fill(0)
    return this.#bytes
  }

  #deliver(handle: SocketHandle, frame: Buffer): void {
    this.#handle = undefined
    this.#bytes = Buffer.alloc(0)
    const bodyAt = HEAD_BYTES + (frame[LENGTH_BYTES] as number)
    const endpoint = endpointOfHandle(handle)
    if (endpoint === frame.toString('latin1', HEAD_BYTES, bodyAt)) {
      this.#received(frame.subarray(bodyAt), conduitOn(handle))
    } else {
      handle.close()
      // Without one it is gone, and that is all.
      if (endpoint !== undefined) this.end('a socket that belongs to another frame')
    }
    frame.fill(0)
  }

  end(why: string): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#handle?.close()
    this.#pipe.close()
    this.#ended(why)
  }
}

function frameOf(bytes: Uint8Array, endpoint: string): Buffer {
  // Of memory that is not shared with other buffers: keys may be in it.
  const frame = Buffer.alloc(HEAD_BYTES + endpoint.length + bytes.length)
  frame.writeUInt32BE(frame.length - LENGTH_BYTES, 0)
  frame[LENGTH_BYTES] = endpoint.length
  frame.write(endpoint, HEAD_BYTES, 'latin1')
  frame.set(bytes, HEAD_BYTES + endpoint.length)
  return frame
}

function findBindings(): Bindings | undefined {
  try {
    const inside = process as unknown as { binding(name: string): Partial<Bindings> }
    const { Pipe, PipeConnectWrap, constants } = inside.binding('pipe_wrap')
    const { WriteWrap, kReadBytesOrError, streamBaseState } = inside.binding('stream_wrap')
    const prototype = Pipe?.prototype as Partial<Pipe> | undefined
    const isWhole = typeof prototype?.open === 'function' && typeof prototype.writeBuffer === 'function' && typeof prototype.useUserBuffer === 'function' &&
      typeof PipeConnectWrap === 'function' && typeof WriteWrap === 'function' && typeof constants?.IPC === 'number' && typeof constants.SERVER === 'number' &&
      typeof kReadBytesOrError === 'number' && streamBaseState !== undefined
    return isWhole ? { Pipe, PipeConnectWrap, WriteWrap, constants, streamBaseState, kReadBytesOrError } as Bindings : undefined
  } catch {
    return undefined
  }
}
