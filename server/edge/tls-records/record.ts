/** One record of TLS 1.3, sealed and opened (RFC 8446 §5.1 to §5.4). Both throw nothing but what they say. */
import { TAG_BYTES } from './aead.ts'
import { aeadOf } from './aead-best.ts'
import type { TrafficKey } from './key-schedule.ts'

// RFC 8446 §5.1: ContentType.
export const ALERT = 21
export const HANDSHAKE = 22
export const APPLICATION_DATA = 23

// RFC 8446 §6: AlertDescription.
export const CLOSE_NOTIFY = 0
export const UNEXPECTED_MESSAGE = 10
export const BAD_RECORD_MAC = 20
export const RECORD_OVERFLOW = 22
export const ILLEGAL_PARAMETER = 47
export const DECODE_ERROR = 50
export const USER_CANCELED = 90

export const HEADER_BYTES = 5
/** RFC 8446 §5.1: of the content of a record. */
export const CONTENT_BYTES_MAX = 2 ** 14
/** RFC 8446 §5.2: of an encrypted record without its header. */
export const ENCRYPTED_BYTES_MAX = CONTENT_BYTES_MAX + 256

/** The header of the record that is just being sealed. */
const header = Uint8Array.of(APPLICATION_DATA, 3, 3, 0, 0)

/** The peer broke the protocol; `alert` says so to it (RFC 8446 §6.2). */
export class TlsFault extends Error {
  readonly alert: number

  constructor(alert: number) {
    super(`TLS alert ${alert}`)
    this.name = 'TlsFault'
    this.alert = alert
  }
}

/** What a record carries. */
export interface Opened {
  readonly type: number
  readonly content: Uint8Array
}

/** The length that a header announces; throws `TlsFault` where no record of ours can begin like that. */
export function recordLength(bytes: Uint8Array, at: number): number {
  // RFC 8446 §5: after the handshake no record is in clear. The version is ignored (§5.2).
  if (bytes[at] !== APPLICATION_DATA) throw new TlsFault(UNEXPECTED_MESSAGE)
  const length = ((bytes[at + 3] as number) << 8) | (bytes[at + 4] as number)
  if (length > ENCRYPTED_BYTES_MAX) throw new TlsFault(RECORD_OVERFLOW)
  return length
}

/** A record of `content`, a wire string of at most `CONTENT_BYTES_MAX`, without padding. */
export function sealRecord(key: TrafficKey, type: number, content: string): Buffer {
  const length = content.length + 1 + TAG_BYTES
  header[3] = length >> 8
  header[4] = length & 0xff
  // The type stands behind the content (§5.2: TLSInnerPlaintext).
  return aeadOf(key.suite.algorithm).seal(key.key, key.nextNonce(), header, content, type)
}

/** Opens a record whose length has been checked, good until the next is opened; throws `TlsFault`, and then nothing of it was used. */
export function openRecord(key: TrafficKey, record: Uint8Array): Opened {
  const inner = decrypt(key, record)
  if (inner.length > CONTENT_BYTES_MAX + 1) throw new TlsFault(RECORD_OVERFLOW)
  // RFC 8446 §5.4: the last octet that is not zero is the type; there must be one.
  let end = inner.length - 1
  while (end >= 0 && inner[end] === 0) end--
  if (end < 0) throw new TlsFault(UNEXPECTED_MESSAGE)
  return { type: inner[end] as number, content: inner.subarray(0, end) }
}

function decrypt(key: TrafficKey, record: Uint8Array): Uint8Array {
  if (record.length < HEADER_BYTES + TAG_BYTES) throw new TlsFault(BAD_RECORD_MAC)
  const inner = aeadOf(key.suite.algorithm).open(key.key, key.nextNonce(), record, HEADER_BYTES)
  if (inner === undefined) throw new TlsFault(BAD_RECORD_MAC)
  return inner
}
