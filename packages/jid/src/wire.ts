/**
 * Between text and wire strings. A wire string is what the scanner cuts out of the received bytes: one latin1
 * character per byte of UTF-8, XML escapes untouched. ASCII without escapes is the same string in both worlds.
 */

const NEEDS_ENCODING = /[^\x20-\x7e]|[&<>'"]/
const NAMED = new Map([['amp', '&'], ['lt', '<'], ['gt', '>'], ['apos', '\''], ['quot', '"']])
const ESCAPES = new Map(Array.from(NAMED, ([name, char]) => [char, `&${name};`]))

/** Bytes of `text` in UTF-8; lone surrogates count as three. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x80) continue
    bytes += code < 0x800 ? 1 : 2
    // A pair of surrogates is two units and four bytes: two more than its units, not four.
    if (code >= 0xd800 && code < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) i++
  }
  return bytes
}

function utf8AsLatin1(char: string): string {
  const code = char.codePointAt(0) ?? 0
  const tail = (shift: number) => String.fromCharCode(0x80 | (code >> shift & 0x3f))
  if (code < 0x800) return String.fromCharCode(0xc0 | code >> 6) + tail(0)
  if (code < 0x10000) return String.fromCharCode(0xe0 | code >> 12) + tail(6) + tail(0)
  return String.fromCharCode(0xf0 | code >> 18) + tail(12) + tail(6) + tail(0)
}

/** Encodes prepared text as an attribute-safe wire string; returns the very same string when nothing changes. */
export function encodeWire(text: string): string {
  if (!NEEDS_ENCODING.test(text)) return text
  return text.replace(/[&<>'"]/g, char => ESCAPES.get(char) ?? char).replace(/\P{ASCII}/gu, utf8AsLatin1)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Decodes latin1-carried UTF-8; undefined when it is not UTF-8. */
function decodeUtf8(wire: string): string | undefined {
  const bytes = new Uint8Array(wire.length)
  for (let i = 0; i < wire.length; i++) {
    const code = wire.charCodeAt(i)
    if (code > 0xff) return undefined
    bytes[i] = code
  }
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

function unescapeReference(body: string): string | undefined {
  const named = NAMED.get(body)
  if (named !== undefined) return named
  const digits = /^#(?:x0*([0-9a-fA-F]{1,6})|0*([0-9]{1,7}))$/.exec(body)
  if (digits === null) return undefined
  const code = digits[1] === undefined ? Number(digits[2]) : Number.parseInt(digits[1], 16)
  return code <= 0x10ffff ? String.fromCodePoint(code) : undefined
}

/** Decodes a raw attribute value to text (XML 1.0 §3.3.3, §4.6); undefined when it is not UTF-8 or not XML. */
export function decodeWire(wire: string): string | undefined {
  let text: string | undefined = wire
  if (/\P{ASCII}/u.test(wire)) text = decodeUtf8(wire)
  if (text === undefined || !/[&<\t\n\r]/.test(text)) return text
  let isValid = !text.includes('<')
  const decoded = text.replace(/\r\n|[\t\n\r]/g, ' ').replace(/&(?:([^;&]{1,30});)?/g, (_, body: string | undefined) => {
    const char = body === undefined ? undefined : unescapeReference(body)
    isValid &&= char !== undefined
    return char ?? ''
  })
  return isValid ? decoded : undefined
}
