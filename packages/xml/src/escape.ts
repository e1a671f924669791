/**
 * Between text (UTF-16) and wire strings (one character per UTF-8 byte, XML-escaped).
 *
 * Nearly all text on the wire is ASCII without markup, so each function first asks one regular expression whether there
 * is anything to do and returns its argument if not.
 */
import { decodeUtf8FromLatin1, encodeUtf8ToLatin1 } from '#bytes'
import { XmlError } from './errors.ts'
import { hasHighByte } from './intern.ts'
import { replaceReferences } from './references.ts'

const PLAIN_TEXT = /^[\t\n\x20-\x25\x27-\x3b\x3d\x3f-\x7f]*$/
const PLAIN_VALUE = /^[ !#-%(-;=?-\x7f]*$/
const ASCII = /^[\x00-\x7f]*$/
const ILLEGAL = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/

/** Text → wire string for element content. Throws XmlError (`not-well-formed`) on characters that XML 1.0 §2.2 forbids. */
export function escapeText(text: string): string {
  if (PLAIN_TEXT.test(text)) return text
  return escapeWith(text, /[&<>\r]/g)
}

/** Text → wire string for a value between quotes of either kind. Throws XmlError like `escapeText`. */
export function escapeAttribute(text: string): string {
  if (PLAIN_VALUE.test(text)) return text
  return escapeWith(text, /[&<>'"\t\n\r]/g)
}

function escapeWith(text: string, specials: RegExp): string {
  if (ILLEGAL.test(text) || !text.isWellFormed()) {
    throw new XmlError('not-well-formed', 'text holds a character that XML cannot carry')
  }
  return toWire(text.replace(specials, escapeOne))
}

function escapeOne(char: string): string {
  switch (char) {
    case '&':
      return '&amp;'
    case '<':
      return '&lt;'
    case '>':
      return '&gt;'
    case "'":
      return '&apos;'
    case '"':
      return '&quot;'
    default:
      return `&#${char.charCodeAt(0)};`
  }
}

/** Text → its UTF-8 bytes as a wire string, nothing escaped; lone surrogates become U+FFFD. */
export function toWire(text: string): string {
  return ASCII.test(text) ? text : encodeUtf8ToLatin1(text)
}

/** Wire string → text, nothing unescaped; invalid UTF-8 becomes U+FFFD. */
export function fromWire(wire: string): string {
  return hasHighByte(wire) ? decodeUtf8FromLatin1(wire) : wire
}

/** Escaped wire string → text: references replaced, line ends and white space left as they are. */
export function unescapeWire(wire: string): string {
  const text = fromWire(wire)
  return text.includes('&') ? replaceReferences(text) : text
}

/** Escaped wire string of element content → text, with line ends normalised first (XML 1.0 §2.11). */
export function decodeContent(wire: string): string {
  return unescapeWire(wire.includes('\r') ? wire.replace(/\r\n?/g, '\n') : wire)
}

/** Escaped wire string of an attribute value → text, with white space normalised first (XML 1.0 §3.3.3). */
export function decodeValue(wire: string): string {
  return unescapeWire(wire.replace(/\r\n|[\t\n\r]/g, ' '))
}
