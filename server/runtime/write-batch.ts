/**
 * The writes that one turn makes to many sockets, handed to the kernel together.
 *
 * How it works: between `open` and `close` a write is only noted. Then all go with one call (`write-ring.ts`). What the kernel did
 * not take, in whole or in part, goes back to the writer, who writes it as it would have without all this; so does one
 * that is alone, which a call of its own serves as well.
 */
import { RING_WRITES_MAX } from './write-ring.ts'
import type { WriteRing } from './write-ring.ts'

/** Above this a copy costs more than a call. */
const WIRE_BYTES_MAX = 16_384

/** Whose write it is. */
export interface BatchWriter {
  /** The descriptor of what it writes to now; -1 when that is closed or given away. */
  readonly fd: number
  /** The kernel did not take this part of what was to be written, the last one, which may be all of it. */
  writeRest(rest: string | Uint8Array): void
}

interface Write {
  readonly wire: string | Uint8Array
  readonly writer: BatchWriter
}

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
      if (!ring.add(writer.fd, wire)) break
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
