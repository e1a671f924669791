/**
 * One shared string per element, attribute and namespace name, looked up straight from bytes.
 *
 * A direct-mapped cache: the hash picks one slot, a different name there is replaced. So a name seen before costs no
 * allocation and compares by pointer, and a hostile peer can thrash the cache but never grow it. Interned strings do not
 * pin the stanza they came from, which a substring would.
 */
import { decodeUtf8FromLatin1, latin1 } from '#bytes'

const SLOTS = 2048
/** Longer names are not kept: the cache holds at most SLOTS × this many bytes. */
const NAME_BYTES_MAX = 96
/** Bytes of the end of a name that are hashed; XMPP names differ at the end. */
const HASHED_BYTES = 20

const cache: string[] = new Array<string>(SLOTS).fill('')

/** The text of `bytes[start, end)`: the same string object for the same name, as long as it is in use. */
export function intern(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start
  if (length === 0) return ''
  let hash = length
  for (let at = length > HASHED_BYTES ? end - HASHED_BYTES : start; at < end; at++) {
    hash = (Math.imul(hash, 31) + bytes[at]!) | 0
  }
  const slot = (hash ^ (hash >>> 11)) & (SLOTS - 1)
  const known = cache[slot]!
  if (known.length === length && isSame(known, bytes, start)) return known
  const wire = latin1(bytes, start, end)
  if (hasHighByte(wire)) return decodeUtf8FromLatin1(wire)
  if (length <= NAME_BYTES_MAX) cache[slot] = wire
  return wire
}

function isSame(known: string, bytes: Uint8Array, start: number): boolean {
  for (let at = 0; at < known.length; at++) {
    if (known.charCodeAt(at) !== bytes[start + at]) return false
  }
  return true
}

/** Whether a wire string holds anything but ASCII, and so must be transcoded to become text. */
export function hasHighByte(wire: string): boolean {
  for (let at = 0; at < wire.length; at++) {
    if (wire.charCodeAt(at) > 0x7f) return true
  }
  return false
}
