/** Byte and string conversions where there is no `node:buffer` (browsers): the web twin of `bytes-node.ts`. */

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** Arguments of one fromCharCode call: well under every engine's argument limit. */
const SLICE = 4096

/** One character per byte of `bytes[start, end)`. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at += SLICE) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(at + SLICE, end)))
  }
  return text
}

/** Whether the bytes are valid UTF-8 (no surrogates, no overlong forms). */
export function isUtf8(bytes: Uint8Array): boolean {
  try {
    strictDecoder.decode(bytes)
    return true
  } catch {
    return false
  }
}

/** The low byte of each character. */
export function latin1ToBytes(wire: string): Uint8Array {
  const bytes = new Uint8Array(wire.length)
  for (let at = 0; at < wire.length; at++) bytes[at] = wire.charCodeAt(at)
  return bytes
}

/** UTF-8 bytes of text; lone surrogates become U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** UTF-8 bytes of text, one character per byte; lone surrogates become U+FFFD. */
export function encodeUtf8ToLatin1(text: string): string {
  const bytes = encoder.encode(text)
  return latin1(bytes, 0, bytes.length)
}

/** Text of UTF-8 bytes; invalid sequences become U+FFFD. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

/** Text of a string whose characters are UTF-8 bytes; invalid sequences become U+FFFD. */
export function decodeUtf8FromLatin1(wire: string): string {
  return decoder.decode(latin1ToBytes(wire))
}
