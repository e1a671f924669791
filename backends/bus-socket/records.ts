/**
 * The framing of a connection: records, each a length, a mark of one character and a body.
 *
 * A chunk becomes one string, and records are positions in it; nothing is copied unless a record crosses a chunk's end.
 * Then pieces gather until the record is whole and are joined once, so that a large record costs no more per byte.
 * Records with an unknown mark are skipped, which leaves room for later versions.
 */
import { WireReader, varint } from '@rollcall/ports'

export const MARK = {
  /** First on every connection: the hello as JSON. */
  hello: 72,
  /** One-way message. */
  message: 77,
  /** Serial, message. */
  request: 81,
  /** Serial, value. */
  reply: 82,
  /** Serial, code and text of a `BusError` as JSON. */
  failure: 70,
} as const

/** A longer record is a defect or a stranger. */
export const RECORD_CHARS_MAX = 256 * 1024 * 1024

export function record(mark: number, body: string): string {
  return varint(body.length + 1) + String.fromCharCode(mark) + body
}

const MESSAGE_HEADS_MAX = 4096
const messageHeads: string[] = new Array<string>(MESSAGE_HEADS_MAX).fill('')

/** What stands before the body of a one-way message. */
export function messageHead(bodyLength: number): string {
  if (bodyLength >= MESSAGE_HEADS_MAX) return varint(bodyLength + 1) + 'M'
  return (messageHeads[bodyLength] ||= varint(bodyLength + 1) + 'M')
}

/** Gets one record; the reader stands at the body and is good until the call returns. False ends the reading. */
export type TakeRecord = (mark: number, reader: WireReader) => boolean

/** Cuts chunks into records. */
export class RecordStream {
  readonly #take: TakeRecord
  readonly #reader = new WireReader()
  #pieces: string[] = []
  #piecesLength = 0
  /** Characters that must be there before it is worth looking again. */
  #needed = 0

  constructor(take: TakeRecord) {
    this.#take = take
  }

  /** Gives every whole record on; throws `RangeError` for what no sender writes, and whatever the receiver throws. */
  feed(chunk: string): void {
    let text = chunk
    if (this.#piecesLength > 0) {
      this.#pieces.push(chunk)
      this.#piecesLength += chunk.length
      if (this.#piecesLength < this.#needed) return
      text = this.#pieces.join('')
      this.#pieces = []
      this.#piecesLength = 0
    }
    this.#cut(text)
  }

  #cut(text: string): void {
    const { length } = text
    let at = 0
    while (at < length) {
      const start = at
      let size = 0
      let scale = 1
      let digit = 128
      while (digit >= 128 && at < length) {
        digit = text.charCodeAt(at++)
        size += (digit & 127) * scale
        scale *= 128
      }
      if (size > RECORD_CHARS_MAX) throw new RangeError(`a record of ${size} characters`)
      if (digit >= 128) return this.#keep(text, start, at - start + 1)
      const end = at + size
      if (end > length) return this.#keep(text, start, end - start)
      if (size === 0) throw new RangeError('a record without a mark')
      const mark = text.charCodeAt(at)
      if (!this.#take(mark, this.#reader.load(text, at + 1, end))) return
      at = end
    }
  }

  #keep(text: string, start: number, needed: number): void {
    this.#pieces.push(start === 0 ? text : text.substring(start))
    this.#piecesLength = text.length - start
    this.#needed = needed
  }
}
