/**
 * XML that comes as a whole: a WebSocket message (RFC 7395), a BOSH body, a wire string from the bus or from storage.
 */
import { isUtf8, latin1ToBytes } from '#bytes'
import type { XmlElement } from './element.ts'
import { XmlError } from './errors.ts'
import { toWire } from './escape.ts'
import { type Frame, FrameView } from './frame.ts'
import { checkLimits, internalLimits, type XmlLimits } from './limits.ts'
import { NO_PREFIXES, type ScanContext } from './namespaces.ts'
import { readByteOrderMark, readDeclaration, skipSpace } from './prolog.ts'
import { INCOMPLETE } from './references.ts'
import { Scanner } from './scanner.ts'

/** How a wire string is read: the widest limits and no prefixes unless told. */
export interface ParseOptions {
  readonly limits?: XmlLimits
  /** Namespaces by prefix that the surrounding XML declares (`Frame.prefixes`). */
  readonly prefixes?: ReadonlyMap<string, string>
}

const TOP: ScanContext = { defaultNs: '', prefixes: NO_PREFIXES }
const scanner = new Scanner()

/**
 * Scans a message that holds exactly one element (RFC 7395 §3.3), after an optional byte order mark and XML declaration.
 * The frame stays valid as long as `bytes` does not change. Throws XmlError.
 */
export function scanDocument(bytes: Uint8Array, limits: XmlLimits): Frame {
  checkLimits(limits)
  const start = readProlog(bytes)
  const end = scanWhole(bytes, start, TOP, limits)
  return new FrameView().show(scanner.detach(), bytes, start, end)
}

/** Scans a wire string that holds exactly one element, as it stood inside other XML; the frame stays valid. Throws XmlError. */
export function scanFragment(wire: string, inheritedNs: string, options: ParseOptions = {}): Frame {
  const bytes = wireBytes(wire)
  const start = skipSpace(bytes, 0, bytes.length)
  const end = scanWhole(bytes, start, contextOf(inheritedNs, options), options.limits ?? internalLimits)
  return new FrameView().show(scanner.detach(), bytes, start, end, wire.substring(start, end))
}

/** Parses a wire string that holds exactly one element; `inheritedNs` is the default namespace around it. Throws XmlError. */
export function parseElement(wire: string, inheritedNs: string, options: ParseOptions = {}): XmlElement {
  const bytes = wireBytes(wire)
  const start = skipSpace(bytes, 0, bytes.length)
  const end = scanWhole(bytes, start, contextOf(inheritedNs, options), options.limits ?? internalLimits)
  return new FrameView().show(scanner, bytes, start, end, wire.substring(start, end)).toElement()
}

/** Parses ordinary text that holds exactly one element. Throws XmlError. */
export function parseText(text: string, inheritedNs: string, options: ParseOptions = {}): XmlElement {
  if (!text.isWellFormed()) throw new XmlError('not-well-formed', 'lone surrogate')
  return parseElement(toWire(text), inheritedNs, options)
}

function contextOf(defaultNs: string, options: ParseOptions): ScanContext {
  return { defaultNs, prefixes: options.prefixes ?? NO_PREFIXES }
}

const NOT_A_BYTE = /[^\x00-\xff]/

function wireBytes(wire: string): Uint8Array {
  if (NOT_A_BYTE.test(wire)) throw new RangeError('text given where a wire string is expected')
  return latin1ToBytes(wire)
}

function readProlog(bytes: Uint8Array): number {
  const end = bytes.length
  const mark = readByteOrderMark(bytes, 0, end)
  const declaration = mark === INCOMPLETE ? INCOMPLETE : readDeclaration(bytes, mark, end)
  if (declaration === INCOMPLETE) throw new XmlError('not-well-formed', 'no element')
  return skipSpace(bytes, declaration, end)
}

/** Scans the one element from `start` to the end of `bytes`, white space after it allowed; returns where it ends. */
function scanWhole(bytes: Uint8Array, start: number, context: ScanContext, limits: XmlLimits): number {
  if (bytes.length - start > limits.elementBytesMax) throw new XmlError('policy-violation', 'element too large')
  if (bytes[start] !== 0x3c) throw new XmlError('not-well-formed', 'no element')
  scanner.begin(context, false)
  const end = scanner.scan(bytes, start, bytes.length, limits)
  if (end === INCOMPLETE) throw new XmlError('not-well-formed', 'element does not end')
  if (skipSpace(bytes, end, bytes.length) !== bytes.length) throw new XmlError('not-well-formed', 'data after the element')
  if (!isUtf8(bytes)) throw new XmlError('not-well-formed', 'invalid UTF-8')
  return end
}
