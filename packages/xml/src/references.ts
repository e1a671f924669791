/**
 * Character references and the five predefined entities, checked in bytes and replaced in text.
 * Anything else after `&` would need a DTD, which XMPP forbids (RFC 6120 §11.1).
 */
import { isXmlChar } from './chars.ts'
import { XmlError } from './errors.ts'

/** Returned by byte readers that ran out of input. */
export const INCOMPLETE = -1

/** Longest reference read: leading zeros are legal in XML, but a reference must not grow without end. */
const REFERENCE_BYTES_MAX = 32
const SEMICOLON = 0x3b
const HASH = 0x23
const LOWER_X = 0x78

/**
 * Checks the reference whose `&` is at `at` and returns the offset after its `;`, or INCOMPLETE. Throws XmlError as
 * soon as the bytes cannot become a legal reference.
 */
export function readReference(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 >= end) return INCOMPLETE
  const stop = Math.min(end, at + REFERENCE_BYTES_MAX)
  const isNumeric = bytes[at + 1] === HASH
  const next = isNumeric ? readNumeric(bytes, at + 2, stop) : readNamed(bytes, at + 1, stop)
  if (next === INCOMPLETE && stop === at + REFERENCE_BYTES_MAX) throw new XmlError('not-well-formed', 'reference too long')
  return next
}

function readNumeric(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return INCOMPLETE
  const isHex = bytes[start] === LOWER_X
  const first = isHex ? start + 1 : start
  let code = 0
  for (let at = first; at < end; at++) {
    const byte = bytes[at]!
    if (byte === SEMICOLON && at > first) {
      if (!isXmlChar(code)) throw new XmlError('not-well-formed', 'reference to an illegal character')
      return at + 1
    }
    const digit = digitOf(byte)
    if (digit >= (isHex ? 16 : 10)) throw new XmlError('not-well-formed', 'malformed character reference')
    code = Math.min(code * (isHex ? 16 : 10) + digit, 0x110000)
  }
  return INCOMPLETE
}

function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : 99
}

function readNamed(bytes: Uint8Array, start: number, end: number): number {
  let name = ''
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte === SEMICOLON && at > start) {
      if (PREDEFINED.has(name)) return at + 1
      throw new XmlError('restricted-xml', 'reference to an entity that is not predefined')
    }
    const lower = byte | 0x20
    const isNameByte = (lower >= 0x61 && lower <= 0x7a) || (at > start && byte >= 0x30 && byte <= 0x39)
    if (!isNameByte) throw new XmlError('not-well-formed', 'malformed reference')
    name += String.fromCharCode(byte)
  }
  return INCOMPLETE
}

const PREDEFINED: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['apos', "'"],
  ['quot', '"'],
])

const REFERENCE = /&(?:#x([0-9a-fA-F]{1,28})|#([0-9]{1,28})|(amp|lt|gt|apos|quot));/g

/** Replaces references in text that a scan has accepted; anything else after `&` is left alone. */
export function replaceReferences(text: string): string {
  return text.replace(REFERENCE, (all: string, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined) return PREDEFINED.get(name)!
    const code = hex !== undefined ? Number.parseInt(hex, 16) : Number.parseInt(decimal!, 10)
    return isXmlChar(code) ? String.fromCodePoint(code) : all
  })
}
