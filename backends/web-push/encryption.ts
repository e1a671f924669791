/**
 * Encryption of a message for one browser (RFC 8291) in one record of the content coding `aes128gcm` (RFC 8188).
 *
 * Key agreement, derivation and cipher are those of Node's OpenSSL; here is only the order of the bytes.
 */
import { createCipheriv, createECDH, hkdfSync } from 'node:crypto'
import type { ECDH } from 'node:crypto'

const CURVE = 'prime256v1'
/** RFC 8188 §2.1: one record is all there is. */
const RECORD_BYTES = 4096
/** RFC 8188 §2: what ends the text of the last record; zeros may follow. */
const LAST_RECORD = 2
/** Texts are padded to a multiple of this, so that their length tells little. */
const PADDING_BYTES = 256

export interface Recipient {
  readonly p256dh: Uint8Array
  readonly auth: Uint8Array
}

/** A key pair for one message. */
export function oneTimeKeys(): ECDH {
  const keys = createECDH(CURVE)
  keys.generateKeys()
  return keys
}

export interface EncryptionOptions {
  readonly keys: ECDH
  /** 16 random bytes. */
  readonly salt: Uint8Array
  /** False for the exact length, as in the example of the specification. */
  readonly isPadded?: boolean
}

/** The body of the request. Throws when the recipient's key is no point of the curve. */
export function encrypt(text: Uint8Array, { p256dh, auth }: Recipient, { keys, salt, isPadded = true }: EncryptionOptions): Buffer {
  const ours = keys.getPublicKey()
  // RFC 8291 §3.3
  const keyInfo = Buffer.concat([Buffer.from('WebPush: info\0'), p256dh, ours])
  const secret = derive(keys.computeSecret(p256dh), auth, keyInfo, 32)
  const key = derive(secret, salt, Buffer.from('Content-Encoding: aes128gcm\0'), 16)
  const nonce = derive(secret, salt, Buffer.from('Content-Encoding: nonce\0'), 12)
  const used = text.length + 1
  const padding = Buffer.alloc(isPadded ? Math.ceil(used / PADDING_BYTES) * PADDING_BYTES - used : 0)
  const cipher = createCipheriv('aes-128-gcm', key, nonce)
  const encrypted = [cipher.update(text), cipher.update(Buffer.of(LAST_RECORD)), cipher.update(padding), cipher.final(), cipher.getAuthTag()]
  const size = Buffer.alloc(4)
  size.writeUInt32BE(RECORD_BYTES)
  return Buffer.concat([salt, size, Buffer.of(ours.length), ours, ...encrypted])
}

function derive(secret: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, length))
}
