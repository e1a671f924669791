/**
 * The writes that one turn makes to many sockets, handed to the kernel together.
 *
 * How it works: between `open` and `close` a write is only noted. Then all go with one call (`write-ring.ts`). What the kernel did
 * not take, in whole or in part, goes back to the writer, who writes it as it would have without all this; so does one
 * that is alone, which a call of its own serves as well.
 */
import type { Socket } from 'node:net'
import { RING_WRITES_MAX } from './write-ring.ts'
import type { WriteRing } from './write-ring.ts'

/** Above this a copy costs more than a call. */
const WIRE_BYTES_MAX = 16_384

/** Whose write it is. */
export interface BatchWriter {
  /** Where it writes to now: a socket without TLS. */
  readonly target: Socket
  /** For the batch alone, at first undefined: the handle under `target` when it was last written to. */
  handle: BatchHandle | undefined
  /** The same: what that handle said. */
  fd: number
  /** The kernel did not take this part of what was to be written, the last one, which may be all of it. */
  writeRest(rest: string | Uint8Array): void
}

interface Write {
  readonly wire: string | Uint8Array
  readonly writer: BatchWriter
}
export interface BatchHandle {
  /** Negative when it is closed. */
  readonly fd: number
}
const HANDLE = '_handle'

export class WriteBatch {
  readonly #ring: WriteRing | undefined
  #waiting: Write[] = []
  #isOpen = false

  /** Without a ring nothing is ever gathered. */
  constructor(ring: WriteRing | undefined) {
    this.#ring = ring
  }

  /** From now on writes are gathered. */
  open(): void {
    this.#isOpen = this.#ring !== undefined
  }

  /** Writes what was gathered; from now on nothing is. */
  close(): void {
    this.#isOpen = false
    this.submit()
  }

  /**
   * Notes a write of a wire string, or of bytes, to a writer that has nothing else to write. False, and nothing is done,
   * while nothing is gathered.
   */
  add(wire: string | Uint8Array, writer: BatchWriter): boolean {
    if (!this.#isOpen || wire.length > WIRE_BYTES_MAX) return false
    if (this.#waiting.push({ wire, writer }) === RING_WRITES_MAX) this.submit()
    return true
  }

  /** Writes what was gathered so far. */
  submit(): void {
    const writes = this.#waiting
    const [first] = writes
    if (first === undefined) return
    this.#waiting = []
    if (writes.length === 1) first.writer.writeRest(first.wire)
    else for (let at = 0; at < writes.length;) at = this.#submitFrom(writes, at)
  }

  /** As many as fit, from number `from` on; the number of the next. */
  #submitFrom(writes: readonly Write[], from: number): number {
    const ring = this.#ring as WriteRing
    let at = from
    for (; at < writes.length; at++) {
      const { wire, writer } = writes[at] as Write
      // Of one that is gone by now the number may be another's; the kernel refuses -1.
      if (!ring.add(rememberedDescriptor(writer), wire)) break
    }
    ring.submit()
    for (let i = from; i < at; i++) {
      const { wire, writer } = writes[i] as Write
      const taken = ring.resultOf(i - from)
      if (taken === wire.length) continue
      writer.writeRest(taken <= 0 ? wire : typeof wire === 'string' ? wire.slice(taken) : wire.subarray(taken))
    }
    return at
  }
}

/** The file descriptor under a socket; -1 when there is none any more. */
export function descriptorOf(socket: Socket): number {
  return handleOf(socket)?.fd ?? -1
}

/**
 * The same without a call out of JavaScript, of which each touches four objects of C++. A handle has one descriptor until it is
 * closed, and a socket lets go of its handle before it closes it or gives it away: so while it is the same handle, the number
 * is not another's.
 */
function rememberedDescriptor(writer: BatchWriter): number {
  const handle = handleOf(writer.target)
  if (handle !== writer.handle) {
    writer.handle = handle
    writer.fd = handle?.fd ?? -1
  }
  return writer.fd
}

function handleOf(socket: Socket): BatchHandle | undefined {
  return (socket as unknown as Partial<Record<typeof HANDLE, BatchHandle | null>>)[HANDLE] ?? undefined
}
