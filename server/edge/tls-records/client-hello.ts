/**
 * What a ClientHello (RFC 8446 §4.1.2) says about the records that will follow, judged before TLS sees it: connections that our
 * record layer cannot take over go to OpenSSL by the direct way, which costs less per read and write.
 */
import { HEADER_BYTES, HANDSHAKE, CONTENT_BYTES_MAX } from './record.ts'

/** `more`: not all there. `able`: TLS 1.3 with records of full size. `other`: anything else, garbage too. */
export type HelloVerdict = 'more' | 'able' | 'other'

const CLIENT_HELLO = 1
const TLS_13 = 0x0304
// RFC 8446 §4.2: ExtensionType.
const MAX_FRAGMENT_LENGTH = 1
const RECORD_SIZE_LIMIT = 28
const SUPPORTED_VERSIONS = 43

/** Judges the first bytes of a connection; the whole message is expected in one record. */
export function judgeHello(bytes: Uint8Array): HelloVerdict {
  if (bytes.length > 0 && bytes[0] !== HANDSHAKE) return 'other'
  if (bytes.length < HEADER_BYTES) return 'more'
  const length = uint16(bytes, 3)
  if (length > CONTENT_BYTES_MAX) return 'other'
  if (bytes.length < HEADER_BYTES + length) return 'more'
  const extensions = extensionsOf(bytes.subarray(HEADER_BYTES, HEADER_BYTES + length))
  return extensions !== undefined && isAble(extensions) ? 'able' : 'other'
}

/** The extensions, one behind the other; undefined if it is no ClientHello, or has none. */
function extensionsOf(message: Uint8Array): Uint8Array | undefined {
  if (message[0] !== CLIENT_HELLO || uint16(message, 2) !== message.length - 4 || message[1] !== 0) return undefined
  // Type and length, legacy_version, random; then three vectors whose lengths have 1, 2 and 1 bytes.
  let at = 4 + 2 + 32
  at += 1 + (message[at] ?? 0)
  at += 2 + uint16(message, at)
  at += 1 + (message[at] ?? 0)
  const end = at + 2 + uint16(message, at)
  return end === message.length ? message.subarray(at + 2) : undefined
}

function isAble(extensions: Uint8Array): boolean {
  let isTls13 = false
  for (let at = 0; at < extensions.length;) {
    const body = extensions.subarray(at + 4, at + 4 + uint16(extensions, at + 2))
    switch (uint16(extensions, at)) {
      case MAX_FRAGMENT_LENGTH:
        return false
      case RECORD_SIZE_LIMIT:
        if (uint16(body, 0) <= CONTENT_BYTES_MAX) return false
        break
      case SUPPORTED_VERSIONS:
        isTls13 = hasTls13(body)
        break
      default:
    }
    at += 4 + body.length
  }
  return isTls13
}

function hasTls13(versions: Uint8Array): boolean {
  for (let at = 1; at + 1 < versions.length; at += 2) if (uint16(versions, at) === TLS_13) return true
  return false
}

/** 0 beyond the end: no length of a sound message points there. */
function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}
