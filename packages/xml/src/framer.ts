/**
 * Frames an XMPP stream: bytes in, split anywhere; header, first-level elements and close tag out.
 *
 * How it works. Each chunk is scanned where it lies, with a scanner and a tape that all connections of the thread share.
 * Only when a chunk ends inside a unit (header, element, close tag) does the framer keep anything: a copy of the unit's
 * bytes and, if it is not small, a detached scanner that goes on when more arrive, so that one byte per packet is no attack.
 * The next chunk is then appended in small pieces until the unit is whole, and the rest is scanned in place again. A
 * framer between units holds no buffer.
 *
 * The sink is called in the middle of a chunk, and may call back: `reset` (the rest of the chunk is a new stream),
 * `pause` (the rest is kept), `takeRest`, `setLimits`. It may even feed another framer: shared state is per nesting level.
 */
import { isUtf8 } from '#bytes'
import { CLASS, GT, isXmlChar, LT, SLASH, SPACE } from './chars.ts'
import { XmlError } from './errors.ts'
import { type Frame, FrameView } from './frame.ts'
import { contextOf, decodeHeader, sharedContext, type StreamContext, type StreamHeader } from './header.ts'
import { checkLimits, type XmlLimits } from './limits.ts'
import { NO_PREFIXES, type ScanContext } from './namespaces.ts'
import { readByteOrderMark, readDeclaration, skipSpace } from './prolog.ts'
import { INCOMPLETE } from './references.ts'
import { Scanner } from './scanner.ts'
import { NAME_END, NAME_START } from './tape.ts'

/** Receives what a StreamFramer finds, in order. An exception from it kills the framer and passes through `push`. */
export interface FrameSink {
  /** A stream header; whether its names and attributes are right is for the sink to check. */
  streamOpen(header: StreamHeader): void
  /** A complete first-level element; the frame is valid only during the call. */
  element(frame: Frame): void
  /** The stream's close tag; anything after it is ignored. */
  streamClose(): void
  /** White space between elements, such as a keepalive (RFC 6120 §4.6.1): at least once per run of it. */
  whitespace?(): void
}

/** What comes next: a byte order mark, the same after a restart, an XML declaration, a header, stanzas, or nothing. */
type Phase = 'start' | 'restart' | 'declaration' | 'prolog' | 'stream' | 'closed' | 'dead'

/** Room left after an incomplete unit, and the least that is appended to it at a time: some more than a usual stanza. */
const APPEND_BYTES = 512
/** What is kept may hold on to so many times its size before it is copied. */
const WASTE_MAX = 4
/** Incomplete units up to this size are scanned again from their start, which is cheaper than keeping a scanner for them. */
const RESCAN_BYTES_MAX = 512
/** White space allowed inside a close tag. */
const CLOSE_SPACE_MAX = 256
const NO_BYTES = new Uint8Array(0)
const NO_CONTEXT: ScanContext = { defaultNs: '', prefixes: NO_PREFIXES }

/** What one running `push` works with; one per nesting level and thread. */
class Work {
  readonly scanner = new Scanner()
  readonly frame = new FrameView()
  /** The chunk, the next byte to scan in it, and the offset up to which it is known to be valid UTF-8 (-1: not looked). */
  chunk: Uint8Array = NO_BYTES
  at = 0
  validEnd = -1
  /** Add to an offset in the buffer being scanned to get the offset in the chunk. */
  shift = 0
}

const works: Work[] = []
let nesting = 0

/** Splits the bytes of one stream into units; a handful of fields while idle. */
export class StreamFramer {
  private limits: XmlLimits
  private phase: Phase = 'start'
  private context: StreamContext | undefined
  /** Bytes of an incomplete unit, or (`isStale`) bytes that must be scanned from their start. */
  private tail: Uint8Array | undefined
  private tailLength = 0
  private partial: Scanner | undefined
  private isStale = false
  private isPaused = false
  private work: Work | undefined

  constructor(limits: XmlLimits) {
    this.limits = checkLimits(limits)
  }

  /** Bytes received and not yet handed to the sink. */
  get bufferedBytes(): number {
    return this.work === undefined ? this.tailLength : this.tailLength + this.work.chunk.length - this.work.at
  }

  /** Limits for what is scanned from now on. */
  setLimits(limits: XmlLimits): void {
    this.limits = checkLimits(limits)
  }

  /** Expects a new stream header (RFC 6120 §4.3.3); bytes not yet handed to the sink belong to the new stream. */
  reset(): void {
    if (this.phase === 'dead') return
    this.phase = 'restart'
    this.context = undefined
    this.partial = undefined
    this.isStale = this.tail !== undefined
  }

  /** What the header declared, once it was read: with it and the rest of the bytes another framer can go on. */
  get streamContext(): StreamContext | undefined {
    return this.context
  }

  /** Goes on with a stream whose header another framer has read; for a framer that has been given nothing yet. */
  continueStream(context: StreamContext): void {
    this.phase = 'stream'
    this.context = sharedContext(context)
  }

  /** Stops calling the sink: bytes are kept, at most `elementBytesMax` and one chunk, until `resume`. */
  pause(): void {
    this.isPaused = true
  }

  /** Undoes `pause` and scans what was kept. Throws like `push`. */
  resume(sink: FrameSink): void {
    this.isPaused = false
    if (this.work === undefined && this.tail !== undefined) this.push(NO_BYTES, sink)
  }

  /** Takes the bytes not yet handed to the sink out of the framer. */
  takeRest(): Uint8Array {
    const kept = this.tail?.subarray(0, this.tailLength) ?? NO_BYTES
    const coming = this.work === undefined ? NO_BYTES : this.work.chunk.subarray(this.work.at)
    const rest = joined(kept, coming)
    if (this.work !== undefined) this.work.at = this.work.chunk.length
    this.dropTail()
    return rest
  }

  /**
   * Scans a chunk and calls the sink for each unit that it completes; the chunk may be reused afterwards. Throws XmlError
   * with the stream error to send; after that the framer is dead and ignores everything.
   */
  push(chunk: Uint8Array, sink: FrameSink): void {
    if (this.work !== undefined) throw new Error('push called by the sink of the same framer')
    if (this.phase === 'dead' || this.phase === 'closed') return
    const work = (works[nesting] ??= new Work())
    nesting++
    this.work = work
    work.chunk = chunk
    work.at = 0
    work.validEnd = -1
    work.shift = 0
    let isDone = false
    try {
      if (this.isPaused) this.keepPaused(work)
      else this.run(work, sink)
      isDone = true
    } finally {
      work.chunk = NO_BYTES
      this.work = undefined
      nesting--
      if (!isDone) this.die()
    }
  }

  private die(): void {
    this.phase = 'dead'
    this.context = undefined
    this.dropTail()
  }

  private dropTail(): void {
    this.tail = undefined
    this.tailLength = 0
    this.partial = undefined
    this.isStale = false
  }

  private run(work: Work, sink: FrameSink): void {
    let isOwn = false
    if (this.isStale) {
      const kept = this.tail!.subarray(0, this.tailLength)
      isOwn = work.chunk.length === 0
      work.chunk = isOwn ? kept : joined(kept, work.chunk)
      this.dropTail()
    }
    if (this.tail !== undefined) this.completeTail(work, sink)
    while (work.at < work.chunk.length && !this.isPaused) {
      if (!this.unit(work, sink, work.chunk, work.at, work.chunk.length)) break
    }
    if (work.at >= work.chunk.length) return
    const rest = work.chunk.subarray(work.at)
    if (isOwn && this.isPaused && rest.length * WASTE_MAX >= rest.buffer.byteLength) this.keep(rest)
    else this.append(rest)
    this.isStale = this.isPaused
  }

  /** Without a copy: whoever is paused after every element would have all that follows copied each time. */
  private keep(own: Uint8Array): void {
    this.tail = own
    this.tailLength = own.length
  }

  /** Appends pieces of the chunk to the incomplete unit until it is complete or the chunk is used up. */
  private completeTail(work: Work, sink: FrameSink): void {
    while (this.tail !== undefined && work.at < work.chunk.length) {
      const room = this.tail.length - this.tailLength
      const piece = work.chunk.subarray(work.at, work.at + Math.max(room, APPEND_BYTES))
      this.append(piece)
      work.at += piece.length
      work.shift = work.at - this.tailLength
      this.unit(work, sink, this.tail, 0, this.tailLength)
    }
    work.shift = 0
  }

  private append(bytes: Uint8Array): void {
    const length = this.tailLength + bytes.length
    if (this.tail === undefined || this.tail.length < length) {
      const grown = new Uint8Array(this.tail === undefined ? length + APPEND_BYTES : Math.max(length, this.tail.length * 2))
      if (this.tail !== undefined) grown.set(this.tail.subarray(0, this.tailLength))
      this.tail = grown
    }
    this.tail.set(bytes, this.tailLength)
    this.tailLength = length
  }

  private keepPaused(work: Work): void {
    if (this.tailLength > this.limits.elementBytesMax) throw new XmlError('policy-violation', 'too much sent unasked')
    if (work.chunk.length === 0) return
    this.append(work.chunk)
    this.partial = undefined
    this.isStale = true
  }

  /** The unit that ends at `end` in the buffer being scanned is the sink's now: nothing of it is kept. */
  private consume(work: Work, end: number): void {
    work.at = end + work.shift
    if (this.tail !== undefined) this.dropTail()
  }

  /** Handles the unit at `at`; false when it is incomplete. A unit that was incomplete never ends in its old bytes. */
  private unit(work: Work, sink: FrameSink, bytes: Uint8Array, at: number, end: number): boolean {
    switch (this.phase) {
      case 'stream':
        return this.streamUnit(work, sink, bytes, at, end)
      case 'start':
      case 'restart':
        return this.startUnit(work, sink, bytes, at, end)
      case 'declaration':
        return this.declarationUnit(work, sink, bytes, at, end)
      case 'prolog':
        return this.headerUnit(work, sink, bytes, at, end)
      default:
        this.consume(work, end)
        return true
    }
  }

  private startUnit(work: Work, sink: FrameSink, bytes: Uint8Array, at: number, end: number): boolean {
    // The old stream's trailing white space may arrive after the restart that its last element caused.
    const first = this.phase === 'restart' ? skipSpace(bytes, at, end) : at
    if (first > at) {
      this.consume(work, first)
      return true
    }
    const next = readByteOrderMark(bytes, at, end)
    if (next === INCOMPLETE) return false
    this.phase = 'declaration'
    if (next === at) return this.declarationUnit(work, sink, bytes, at, end)
    this.consume(work, next)
    return true
  }

  private declarationUnit(work: Work, sink: FrameSink, bytes: Uint8Array, at: number, end: number): boolean {
    const next = readDeclaration(bytes, at, end)
    if (next === INCOMPLETE) return false
    this.phase = 'prolog'
    if (next === at) return this.headerUnit(work, sink, bytes, at, end)
    this.consume(work, next)
    return true
  }

  private headerUnit(work: Work, sink: FrameSink, bytes: Uint8Array, at: number, end: number): boolean {
    const first = skipSpace(bytes, at, end)
    if (first > at) {
      this.consume(work, first)
      return true
    }
    if (bytes[at] !== LT) throw new XmlError('not-well-formed', 'no stream header')
    const scanner = this.scannerFor(work, NO_CONTEXT, true)
    const after = this.scanUnit(work, scanner, bytes, at, end)
    if (after === INCOMPLETE) return false
    const frame = work.frame.show(scanner, bytes, at, after)
    const header = decodeHeader(frame)
    this.context = contextOf(header, bytes, at + scanner.tape[NAME_START]!, at + scanner.tape[NAME_END]!)
    frame.hide()
    const isEmpty = bytes[after - 2] === SLASH
    this.phase = 'stream'
    this.consume(work, after)
    sink.streamOpen(header)
    if (isEmpty) this.close(sink)
    return true
  }

  private streamUnit(work: Work, sink: FrameSink, bytes: Uint8Array, at: number, end: number): boolean {
    const byte = bytes[at]!
    if (byte !== LT) {
      if ((CLASS[byte]! & SPACE) === 0) throw strayText(byte)
      this.consume(work, skipSpace(bytes, at, end))
      sink.whitespace?.()
      return true
    }
    if (at + 1 >= end) return false
    if (bytes[at + 1] === SLASH) return this.closeUnit(work, sink, bytes, at, end)
    const scanner = this.scannerFor(work, this.context!, false)
    const after = this.scanUnit(work, scanner, bytes, at, end)
    if (after === INCOMPLETE) return false
    const frame = scanner === work.scanner ? work.frame : new FrameView()
    frame.show(scanner, bytes, at, after)
    this.consume(work, after)
    try {
      sink.element(frame)
    } finally {
      frame.hide()
    }
    return true
  }

  private scannerFor(work: Work, context: ScanContext, tagOnly: boolean): Scanner {
    if (this.partial !== undefined) return this.partial
    work.scanner.begin(context, tagOnly)
    return work.scanner
  }

  /** Scans to the end of the unit, or keeps the scanner's state and returns INCOMPLETE. */
  private scanUnit(work: Work, scanner: Scanner, bytes: Uint8Array, at: number, end: number): number {
    const { elementBytesMax } = this.limits
    const stop = Math.min(end, at + elementBytesMax)
    const after = scanner.scan(bytes, at, stop, this.limits)
    if (after !== INCOMPLETE) {
      if (!isValid(work, bytes, at, after, end)) throw new XmlError('not-well-formed', 'invalid UTF-8')
      return after
    }
    if (end - at >= elementBytesMax) throw new XmlError('policy-violation', 'element too large')
    if (stop - at > RESCAN_BYTES_MAX) this.partial ??= scanner.detach()
    return INCOMPLETE
  }

  private closeUnit(work: Work, sink: FrameSink, bytes: Uint8Array, at: number, end: number): boolean {
    const { qname } = this.context!
    let next = at + 2
    for (let index = 0; index < qname.length; index++, next++) {
      if (next >= end) return false
      if (bytes[next] !== qname.charCodeAt(index)) throw new XmlError('not-well-formed', 'close tag does not match')
    }
    const spaceEnd = skipSpace(bytes, next, end)
    if (spaceEnd - next > CLOSE_SPACE_MAX) throw new XmlError('policy-violation', 'white space in a close tag')
    if (spaceEnd >= end) return false
    if (bytes[spaceEnd] !== GT) throw new XmlError('not-well-formed', 'malformed close tag')
    this.consume(work, spaceEnd + 1)
    this.close(sink)
    return true
  }

  private close(sink: FrameSink): void {
    this.phase = 'closed'
    sink.streamClose()
  }
}

/** Text between stanzas is well-formed but means nothing in XMPP (RFC 6120 §4.9.3.1); a control is not even that. */
function strayText(byte: number): XmlError {
  if (!isXmlChar(byte)) return new XmlError('not-well-formed', 'control character')
  return new XmlError('bad-format', 'text between stanzas')
}

/** Whether `bytes[at, after)` is UTF-8. The rest of a chunk is checked in one go, one by one only if that fails. */
function isValid(work: Work, bytes: Uint8Array, at: number, after: number, end: number): boolean {
  if (bytes === work.chunk) {
    if (after <= work.validEnd) return true
    if (work.validEnd < 0) {
      const whole = wholeEnd(bytes, at, end)
      work.validEnd = isUtf8(bytes.subarray(at, whole)) ? whole : at
      if (after <= work.validEnd) return true
    }
  }
  return isUtf8(bytes.subarray(at, after))
}

/** `end`, or before a multi-byte character that `end` cuts. */
function wholeEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let back = 1; back <= 3 && end - back >= start; back++) {
    const byte = bytes[end - back]!
    if (byte < 0x80) return end
    if (byte < 0xc0) continue
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    return length > back ? end - back : end
  }
  return end
}

/** A copy of both, one after the other. */
function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length)
  both.set(first)
  both.set(second, first.length)
  return both
}
