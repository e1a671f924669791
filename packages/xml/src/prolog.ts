/**
 * What may come before the first tag: a byte order mark and an XML declaration (RFC 6120 §11.5), and the refusal of
 * everything that is not UTF-8 (§11.6).
 */
import { latin1 } from '#bytes'
import { CLASS, GT, LEAD_EF, LT, QUESTION, SPACE } from './chars.ts'
import { XmlError } from './errors.ts'
import { INCOMPLETE } from './references.ts'

/** An XML declaration is some 40 bytes; more is not worth buffering. */
const DECLARATION_BYTES_MAX = 256
const OPEN = '<?xml'
const S = '[ \\t\\r\\n]'
const DECLARATION = new RegExp(
  `^<\\?xml${S}+version${S}*=${S}*(?:'1\\.[0-9]+'|"1\\.[0-9]+")` +
    `(?:${S}+encoding${S}*=${S}*(?:'([A-Za-z][A-Za-z0-9._-]*)'|"([A-Za-z][A-Za-z0-9._-]*)"))?` +
    `(?:${S}+standalone${S}*=${S}*(?:'(?:yes|no)'|"(?:yes|no)"))?${S}*\\?>$`,
)

/**
 * Reads a byte order mark at `at`: returns the offset after it, `at` when there is none, or INCOMPLETE. Throws XmlError
 * (`unsupported-encoding`) for what looks like UTF-16 or UTF-32.
 */
export function readByteOrderMark(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return INCOMPLETE
  const first = bytes[at]!
  if (first >= 0xfe) throw new XmlError('unsupported-encoding', 'not UTF-8')
  if (first === LT || first === 0) {
    if (at + 1 >= end) return INCOMPLETE
    const second = bytes[at + 1]!
    const isWide = first === 0 ? second === 0 || second === LT : second === 0
    if (isWide) throw new XmlError('unsupported-encoding', 'not UTF-8')
  }
  if (first !== LEAD_EF) return at
  if (at + 1 < end && bytes[at + 1] !== 0xbb) return at
  if (at + 2 >= end) return INCOMPLETE
  return bytes[at + 2] === 0xbf ? at + 3 : at
}

/**
 * Reads an XML declaration at `at`: returns the offset after it, `at` when something else is there, or INCOMPLETE. Throws
 * XmlError: `restricted-xml` for another processing instruction, `unsupported-encoding`, `not-well-formed`.
 */
export function readDeclaration(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] !== LT) return at
  if (at + 1 >= end) return INCOMPLETE
  if (bytes[at + 1] !== QUESTION) return at
  for (let length = 2; length <= OPEN.length; length++) {
    if (at + length >= end) return INCOMPLETE
    const byte = bytes[at + length]!
    const isRight = length < OPEN.length ? byte === OPEN.charCodeAt(length) : (CLASS[byte]! & SPACE) !== 0
    if (!isRight) throw new XmlError('restricted-xml', 'processing instruction')
  }
  const stop = Math.min(end, at + DECLARATION_BYTES_MAX)
  for (let next = at + OPEN.length; next < stop; next++) {
    if (bytes[next] !== GT && bytes[next] !== LT) continue
    checkDeclaration(latin1(bytes, at, next + 1))
    return next + 1
  }
  if (stop - at >= DECLARATION_BYTES_MAX) throw new XmlError('policy-violation', 'XML declaration too long')
  return INCOMPLETE
}

function checkDeclaration(declaration: string): void {
  const match = DECLARATION.exec(declaration)
  if (match === null) throw new XmlError('not-well-formed', 'malformed XML declaration')
  const encoding = match[1] ?? match[2] ?? 'utf-8'
  if (encoding.toLowerCase() !== 'utf-8') throw new XmlError('unsupported-encoding', 'encoding other than UTF-8 declared')
}

/** The offset of the first byte from `at` on that is not white space. */
export function skipSpace(bytes: Uint8Array, at: number, end: number): number {
  let next = at
  while (next < end && (CLASS[bytes[next]!]! & SPACE) !== 0) next++
  return next
}
