/**
 * Stamps of the messages of one client, as its stream counts them (ADR 0019): whoever knows the stream's name and the number of a
 * message knows its stamp, the edge that reads it as well as the core. So a message that the client sends again to another member
 * has the stamp that it had with the first, and is found in the logs by it (`server/core/repeats.ts`).
 *
 * A stamp is part of the id of a log entry, which nobody else may guess: it is cut from a digest of the name, which only the
 * client knows. One digest is enough for ten stamps.
 */
/** SHA-512. */
export type Digest = (bytes: Uint8Array) => Uint8Array

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
/** Characters of a stamp: 48 bits. */
const STAMP_UNITS = 8
/** 60 of the 64 bytes of a digest. */
const STAMPS_PER_DIGEST = 10

export class Stamps {
  readonly #digestOf: Digest
  readonly #token: string
  #digest = -1
  #text = ''

  /** `token` names the stream. */
  constructor(digestOf: Digest, token: string) {
    this.#digestOf = digestOf
    this.#token = token
  }

  /** The stamp of the client's stanza of that number, counted as stream management does. */
  of(serial: number): string {
    const digest = Math.floor(serial / STAMPS_PER_DIGEST)
    if (digest !== this.#digest) {
      this.#digest = digest
      this.#text = textOf(this.#digestOf(bytesOf(`${this.#token} ${digest}`)))
    }
    const start = (serial % STAMPS_PER_DIGEST) * STAMP_UNITS
    return this.#text.slice(start, start + STAMP_UNITS)
  }
}

/** Tokens are ASCII. */
function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

/** Base64url of as many bytes as stamps are cut from. */
function textOf(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < STAMPS_PER_DIGEST * 6; i += 3) {
    const bits = ((bytes[i] as number) << 16) | ((bytes[i + 1] as number) << 8) | (bytes[i + 2] as number)
    text += (DIGITS[bits >> 18] as string) + (DIGITS[(bits >> 12) & 63] as string) + (DIGITS[(bits >> 6) & 63] as string) + (DIGITS[bits & 63] as string)
  }
  return text
}
