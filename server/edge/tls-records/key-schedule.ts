/**
 * Keys of TLS 1.3 records from traffic secrets (RFC 8446 §7.1 to §7.3), and their use: one nonce for each record.
 *
 * The handshake, and with it everything before the traffic secrets, is OpenSSL's.
 */
import { createHmac } from 'node:crypto'
import { NONCE_BYTES } from './aead.ts'
import type { AeadAlgorithm } from './aead.ts'

/** RFC 8446 §B.4: what of a cipher suite records depend on. */
export interface CipherSuite {
  /** As in RFC 8446 §B.4. */
  readonly name: string
  readonly algorithm: AeadAlgorithm
  readonly keyBytes: number
  readonly hash: 'sha256' | 'sha384'
}

/** By the name in RFC 8446 §B.4. Those of 8-byte tags (CCM_8) are not for us. */
export const cipherSuites: ReadonlyMap<string, CipherSuite> = new Map(([
  { name: 'TLS_AES_128_GCM_SHA256', algorithm: 'aes-128-gcm', keyBytes: 16, hash: 'sha256' },
  { name: 'TLS_AES_256_GCM_SHA384', algorithm: 'aes-256-gcm', keyBytes: 32, hash: 'sha384' },
  { name: 'TLS_CHACHA20_POLY1305_SHA256', algorithm: 'chacha20-poly1305', keyBytes: 32, hash: 'sha256' },
] as const).map((suite) => [suite.name, suite]))

export const HASH_BYTES = { sha256: 32, sha384: 48 } as const

/** A nonce carries 48 bits here, of the 64 that it may; keys are updated long before. */
const SEQUENCE_MAX = 2 ** 48 - 1

const NOTHING = new Uint8Array(0)

/** Shared by all connections: a nonce lives from one line to the next. */
const nonce = Buffer.alloc(NONCE_BYTES)

/** HKDF-Expand-Label with an empty context (RFC 8446 §7.1); throws `RangeError` beyond one block of the hash, which records never need. */
export function hkdfExpandLabel(hash: CipherSuite['hash'], secret: Uint8Array, label: string, length: number): Uint8Array {
  if (length > HASH_BYTES[hash]) throw new RangeError(`${length} bytes are more than one block`)
  const full = `tls13 ${label}`
  const info = Buffer.from([length >> 8, length & 0xff, full.length, ...Buffer.from(full, 'latin1'), 0])
  // RFC 5869 §2.3: T(1) = HMAC(PRK, info | 0x01).
  const block = createHmac(hash, secret).update(info).update(Uint8Array.of(1)).digest()
  // A small array of its own: a Buffer would keep an allocation outside of the heap for as long as the connection lives.
  return new Uint8Array(block.subarray(0, length))
}

/** Enough to go on with a direction elsewhere. */
export interface TrafficState {
  /** Of the present generation of keys; they follow from it, but to work them out costs 40 µs. */
  readonly secret: Uint8Array
  readonly key: Uint8Array
  readonly iv: Uint8Array
  readonly sequence: number
}

/** The key of one direction, with the number of the next record. */
export class TrafficKey {
  readonly suite: CipherSuite
  /** Of the next record (RFC 8446 §5.3). */
  sequence: number
  key: Uint8Array
  #iv: Uint8Array
  #secret: Uint8Array

  /** Keeps `secret`, and overwrites it when the key is updated. `known`: what follows from it, where that is known. */
  constructor(suite: CipherSuite, secret: Uint8Array, sequence = 0, known?: { readonly key: Uint8Array; readonly iv: Uint8Array }) {
    this.suite = suite
    this.sequence = sequence
    this.#secret = secret
    this.key = known === undefined ? keyOf(suite, secret) : known.key
    this.#iv = known === undefined ? ivOf(suite, secret) : known.iv
  }

  /** Goes on where `giveAway` stopped; copies what it needs. */
  static from(suite: CipherSuite, { iv, key, secret, sequence }: TrafficState): TrafficKey {
    return new TrafficKey(suite, new Uint8Array(secret), sequence, { key: new Uint8Array(key), iv: new Uint8Array(iv) })
  }

  /** The nonce of the next record, which then has been used (RFC 8446 §5.3); valid until the next call for any connection. */
  nextNonce(): Uint8Array {
    if (this.sequence > SEQUENCE_MAX) throw new RangeError('sequence number')
    nonce.fill(0, 0, 6)
    nonce.writeUIntBE(this.sequence++, 6, 6)
    for (let i = 0; i < NONCE_BYTES; i++) nonce[i] = (nonce[i] as number) ^ (this.#iv[i] as number)
    return nonce
  }

  /** What somebody else needs to go on; from here on this one throws `RangeError` when it is used. */
  giveAway(): TrafficState {
    const state = { secret: this.#secret, key: this.key, iv: this.#iv, sequence: this.sequence }
    this.#secret = NOTHING
    this.key = NOTHING
    this.#iv = NOTHING
    this.sequence = Infinity
    return state
  }

  /** The next generation (RFC 8446 §7.2). */
  update(): void {
    const secret = hkdfExpandLabel(this.suite.hash, this.#secret, 'traffic upd', HASH_BYTES[this.suite.hash])
    this.#secret.fill(0)
    this.#secret = secret
    this.key = keyOf(this.suite, secret)
    this.#iv = ivOf(this.suite, secret)
    this.sequence = 0
  }
}

// RFC 8446 §7.3
function keyOf({ hash, keyBytes }: CipherSuite, secret: Uint8Array): Uint8Array {
  return hkdfExpandLabel(hash, secret, 'key', keyBytes)
}

function ivOf({ hash }: CipherSuite, secret: Uint8Array): Uint8Array {
  return hkdfExpandLabel(hash, secret, 'iv', NONCE_BYTES)
}
