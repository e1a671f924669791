/**
 * Which bytes and code points XML 1.0 (fifth edition) and Namespaces in XML allow where.
 *
 * The scanner asks one question per byte: a load from `CLASS` and a mask. Names are ASCII in practice, so ASCII is
 * decided by the table alone; a byte of 0x80 or more is marked HIGH and decided by code point on a slow path.
 */

/** May start an ASCII name (without `:`). */
export const NAME_START = 1
/** May continue an ASCII name (without `:`). */
export const NAME = 2
/** XML white space. */
export const SPACE = 4
/** The text loop must look: `<`, `&`, `>` (of `]]>`), CR, 0xEF (lead byte of U+FFFE and U+FFFF) and illegal controls. */
export const TEXT_STOP = 8
/** The attribute value loop must look: quotes, `<`, `&`, TAB, CR, LF, 0xEF and illegal controls. */
export const VALUE_STOP = 16
/** Part of a multi-byte character. */
export const HIGH = 32
/** The colon of a qualified name. */
export const COLON = 64

export const LT = 0x3c
export const GT = 0x3e
export const AMP = 0x26
export const APOS = 0x27
export const QUOT = 0x22
export const SLASH = 0x2f
export const BANG = 0x21
export const QUESTION = 0x3f
export const EQUALS = 0x3d
export const BRACKET = 0x5d
export const CR = 0x0d
export const LF = 0x0a
export const TAB = 0x09
/** Lead byte of U+F000 to U+FFFF, among them the two noncharacters that XML forbids. */
export const LEAD_EF = 0xef

/** Class bits of every byte. */
export const CLASS: Uint8Array = buildClasses()

function buildClasses(): Uint8Array {
  const table = new Uint8Array(256)
  const mark = (chars: string, bits: number) => {
    for (const char of chars) table[char.charCodeAt(0)]! |= bits
  }
  for (let byte = 0; byte < 0x20; byte++) table[byte] = TEXT_STOP | VALUE_STOP
  for (let byte = 0x80; byte <= 0xff; byte++) table[byte] = HIGH
  table[TAB] = SPACE | VALUE_STOP
  table[LF] = SPACE | VALUE_STOP
  table[CR] = SPACE | VALUE_STOP | TEXT_STOP
  mark(' ', SPACE)
  mark('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_', NAME_START | NAME)
  mark('0123456789-.', NAME)
  mark(':', COLON)
  mark('<&>', TEXT_STOP)
  mark('<&\'"', VALUE_STOP)
  table[LEAD_EF] = HIGH | TEXT_STOP | VALUE_STOP
  return table
}

/** Whether XML 1.0 §2.2 allows the code point in a document (`Char`). */
export function isXmlChar(code: number): boolean {
  if (code < 0x20) return code === TAB || code === LF || code === CR
  return code <= 0xd7ff || (code >= 0xe000 && code <= 0xfffd) || (code >= 0x10000 && code <= 0x10ffff)
}

/** NameStartChar above ASCII (XML 1.0 §2.3), as pairs of first and last code point. */
const START_RANGES = [
  0xc0, 0xd6, 0xd8, 0xf6, 0xf8, 0x2ff, 0x370, 0x37d, 0x37f, 0x1fff, 0x200c, 0x200d, 0x2070, 0x218f, 0x2c00, 0x2fef,
  0x3001, 0xd7ff, 0xf900, 0xfdcf, 0xfdf0, 0xfffd, 0x10000, 0xeffff,
]
/** What NameChar adds to NameStartChar above ASCII. */
const NAME_RANGES = [0xb7, 0xb7, 0x300, 0x36f, 0x203f, 0x2040]

function isIn(ranges: readonly number[], code: number): boolean {
  for (let at = 0; at < ranges.length; at += 2) {
    if (code >= ranges[at]! && code <= ranges[at + 1]!) return true
  }
  return false
}

/** Whether the code point may start a name that has no colon (NCName). */
export function isNameStart(code: number): boolean {
  return code < 0x80 ? (CLASS[code]! & NAME_START) !== 0 : isIn(START_RANGES, code)
}

/** Whether the code point may continue a name that has no colon (NCName). */
export function isNamePart(code: number): boolean {
  if (code < 0x80) return (CLASS[code]! & NAME) !== 0
  return isIn(START_RANGES, code) || isIn(NAME_RANGES, code)
}

/** Whether the text is an NCName: a name without a colon. */
export function isNcName(text: string): boolean {
  let first = true
  for (const char of text) {
    const code = char.codePointAt(0)!
    if (!(first ? isNameStart(code) : isNamePart(code))) return false
    first = false
  }
  return !first
}
