/**
 * The real primitives behind `SaslCrypto`.
 *
 * HMAC is written as its two hashes (RFC 2104), because a one-shot `hash` of a few hundred bytes costs less than 1 µs while
 * building and tearing down an `Hmac` object costs 12 µs; a login needs several. Short random values come from a pool,
 * since a call costs 10 µs however few bytes it asks for. PBKDF2 runs on libuv's threads.
 */
import { hash as hashOnce, pbkdf2, randomBytes as systemRandomBytes, randomFillSync, timingSafeEqual } from 'node:crypto'
import { SCRAM_HASH_BYTES } from '@rollcall/stream'
import type { SaslCrypto, ScramHash } from '@rollcall/stream'

const nodeNames: Readonly<Record<ScramHash, string>> = { 'SHA-1': 'sha1', 'SHA-256': 'sha256', 'SHA-512': 'sha512' }
/** Block of the compression function in bytes. */
const blockBytes: Readonly<Record<ScramHash, number>> = { 'SHA-1': 64, 'SHA-256': 64, 'SHA-512': 128 }
const INNER_PAD = 0x36
const OUTER_PAD = 0x5c

/** By way of a string: a buffer of Node's has memory outside of the heap, and making it costs more than the hash. */
function digest(hash: ScramHash, data: Uint8Array): Uint8Array {
  const text = hashOnce(nodeNames[hash], data, 'binary')
  const bytes = new Uint8Array(text.length)
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at)
  return bytes
}

/** What is hashed lies here if it is short: `hashOnce` is done with it when it returns. */
const scratch = new Uint8Array(4096)

/** `pad XOR key`, then `data`; valid until the next call. */
function padded(pad: number, key: Uint8Array, data: Uint8Array, blockLength: number): Uint8Array {
  const length = blockLength + data.length
  const bytes = length <= scratch.length ? scratch.subarray(0, length) : new Uint8Array(length)
  bytes.fill(pad, 0, blockLength)
  for (let at = 0; at < key.length; at++) bytes[at] = pad ^ key[at]!
  bytes.set(data, blockLength)
  return bytes
}

function hmac(hash: ScramHash, key: Uint8Array, data: Uint8Array): Uint8Array {
  const blockLength = blockBytes[hash]
  const blockKey = key.length > blockLength ? digest(hash, key) : key
  const inner = digest(hash, padded(INNER_PAD, blockKey, data, blockLength))
  return digest(hash, padded(OUTER_PAD, blockKey, inner, blockLength))
}

const POOL_BYTES = 8192
/** Longer values are rare and come from the system one by one. */
const POOLED_BYTES_MAX = 64
const pool = new Uint8Array(POOL_BYTES)
let poolAt = POOL_BYTES

function randomBytes(count: number): Uint8Array {
  if (count > POOLED_BYTES_MAX) return systemRandomBytes(count)
  if (poolAt + count > POOL_BYTES) {
    randomFillSync(pool)
    poolAt = 0
  }
  const bytes = pool.slice(poolAt, poolAt + count)
  // What was given away stays with the caller alone.
  pool.fill(0, poolAt, poolAt + count)
  poolAt += count
  return bytes
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
