/**
 * Base64 (RFC 4648 §4) as XMPP wants it: RFC 6120 §13.9.1 has receivers refuse what lax decoders let through - white
 * space, characters outside the alphabet, missing or inner padding, stray bits - because each can hide data. Written
 * out here, since neither `atob` nor Node's `Buffer` refuses all of these.
 */
import { latin1 } from '@rollcall/xml'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const NOT_BASE64 = 255

const valueOfCode = (() => {
  const values = new Uint8Array(128).fill(NOT_BASE64)
  for (let value = 0; value < ALPHABET.length; value++) values[ALPHABET.charCodeAt(value)] = value
  return values
})()

const codeOfValue = Uint8Array.from(ALPHABET, (digit) => digit.charCodeAt(0))
const PADDING = '='.charCodeAt(0)
/** Where short texts are written, which nearly all are: one string is made of them, and nothing else. */
const scratch = new Uint8Array(1024)

/** Base64 with padding and without line breaks. */
export function encodeBase64(bytes: Uint8Array): string {
  const length = Math.ceil(bytes.length / 3) * 4
  const codes = length <= scratch.length ? scratch : new Uint8Array(length)
  let to = 0
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at
    const group = (bytes[at]! << 16) | ((left > 1 ? bytes[at + 1]! : 0) << 8) | (left > 2 ? bytes[at + 2]! : 0)
    codes[to++] = codeOfValue[group >> 18]!
    codes[to++] = codeOfValue[(group >> 12) & 63]!
    codes[to++] = left > 1 ? codeOfValue[(group >> 6) & 63]! : PADDING
    codes[to++] = left > 2 ? codeOfValue[group & 63]! : PADDING
  }
  return latin1(codes, 0, length)
}

/** The bytes, or undefined unless `text` is exactly what `encodeBase64` writes for them. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const digits = text.length - padding
  const bytes = new Uint8Array((digits * 3) >> 2)
  let bits = 0
  let bitCount = 0
  let at = 0
  for (let i = 0; i < digits; i++) {
    const code = text.charCodeAt(i)
    const value = code < 128 ? (valueOfCode[code] ?? NOT_BASE64) : NOT_BASE64
    if (value === NOT_BASE64) return undefined
    bits = ((bits << 6) | value) & 0xffff
    bitCount += 6
    if (bitCount >= 8) {
      bitCount -= 8
      bytes[at++] = bits >> bitCount
    }
  }
  const strayBits = bits & ((1 << bitCount) - 1)
  return strayBits === 0 ? bytes : undefined
}
