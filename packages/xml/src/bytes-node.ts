/**
 * Byte and string conversions on Node (and Bun): all of them native. Chosen by the `#bytes` import condition; the web
 * twin is `bytes-web.ts`, and one test runs the same cases over both.
 */
import { Buffer, isUtf8 as nodeIsUtf8 } from 'node:buffer'

const slicer = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string
}

/** One character per byte of `bytes[start, end)`. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return slicer.latin1Slice.call(bytes, start, end)
}

/** Whether the bytes are valid UTF-8 (no surrogates, no overlong forms). */
export function isUtf8(bytes: Uint8Array): boolean {
  return nodeIsUtf8(bytes)
}

/** The low byte of each character. */
export function latin1ToBytes(wire: string): Uint8Array {
  return Buffer.from(wire, 'latin1')
}

/** UTF-8 bytes of text; lone surrogates become U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8')
}

/** UTF-8 bytes of text, one character per byte; lone surrogates become U+FFFD. */
export function encodeUtf8ToLatin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** Text of UTF-8 bytes; invalid sequences become U+FFFD. */
export function decodeUtf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

/** Text of a string whose characters are UTF-8 bytes; invalid sequences become U+FFFD. */
export function decodeUtf8FromLatin1(wire: string): string {
  return Buffer.from(wire, 'latin1').toString('utf8')
}
