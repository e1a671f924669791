/**
 * The real primitives behind `SaslCrypto`.
 *
 * HMAC is written as its two hashes (RFC 2104), because a one-shot `hash` of a few hundred bytes costs 1.2 µs while
 * building and tearing down an `Hmac` object costs 12 µs; a login needs several. PBKDF2 runs on libuv's threads.
 */
import { hash as hashOnce, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { SCRAM_HASH_BYTES } from '@rollcall/stream'
import type { SaslCrypto, ScramHash } from '@rollcall/stream'

const nodeNames: Readonly<Record<ScramHash, string>> = { 'SHA-1': 'sha1', 'SHA-256': 'sha256', 'SHA-512': 'sha512' }
/** Block of the compression function in bytes. */
const blockBytes: Readonly<Record<ScramHash, number>> = { 'SHA-1': 64, 'SHA-256': 64, 'SHA-512': 128 }
const INNER_PAD = 0x36
const OUTER_PAD = 0x5c

function digest(hash: ScramHash, data: Uint8Array): Uint8Array {
  return hashOnce(nodeNames[hash], data, 'buffer')
}

/** `pad XOR key`, then `data`. */
function padded(pad: number, key: Uint8Array, data: Uint8Array, blockLength: number): Uint8Array {
  const bytes = new Uint8Array(blockLength + data.length).fill(pad, 0, blockLength)
  for (const [at, byte] of key.entries()) bytes[at] = pad ^ byte
  bytes.set(data, blockLength)
  return bytes
}

function hmac(hash: ScramHash, key: Uint8Array, data: Uint8Array): Uint8Array {
  const blockLength = blockBytes[hash]
  const blockKey = key.length > blockLength ? digest(hash, key) : key
  const inner = digest(hash, padded(INNER_PAD, blockKey, data, blockLength))
  return digest(hash, padded(OUTER_PAD, blockKey, inner, blockLength))
}

/** Node's crypto as the primitives of SASL. */
export const nodeCrypto: SaslCrypto = {
  hash: digest,
  hmac,
  randomBytes,
  timingSafeEqual: (one, other) => one.length === other.length && timingSafeEqual(one, other),
  pbkdf2: (hash, password, salt, iterations) =>
    new Promise((resolve, reject) => {
      pbkdf2(password, salt, iterations, SCRAM_HASH_BYTES[hash], nodeNames[hash], (error, key) => {
        if (error) reject(error)
        else resolve(key)
      })
    }),
}
