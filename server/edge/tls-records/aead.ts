/**
 * Sealing and opening bytes under a key that is used once per nonce (RFC 5116), by the OpenSSL inside of Node.
 *
 * Two ways to it: `NativeAead` calls OpenSSL itself (`native-aead.ts`), `NodeAead` goes through `node:crypto`, which makes an object for
 * every record and costs four times as much. The first is taken where it is there and does what the second does.
 */
import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'
import type { CipherGCMTypes, KeyObject } from 'node:crypto'
import { openNativeAead } from './native-aead.ts'

/** Those of TLS 1.3 that we use; their names in OpenSSL, but for case. */
export type AeadAlgorithm = 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305'

export const TAG_BYTES = 16
/** Of all three. */
export const NONCE_BYTES = 12

export interface Aead {
  /**
   * A new buffer: `header`, which is authenticated; `content`, a wire string, and one byte `type` behind it, both encrypted; the tag. What is
   * given is copied.
   */
  seal(key: Uint8Array, nonce: Uint8Array, header: Uint8Array, content: string, type: number): Buffer
  /** What is between `headerBytes` of header and the tag, decrypted, good until the next call; undefined where it is not genuine. */
  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, headerBytes: number): Uint8Array | undefined
}

const TAG = { authTagLength: TAG_BYTES }

/** By `node:crypto`. */
export class NodeAead implements Aead {
  readonly #algorithm: CipherGCMTypes
  /** A key that is only bytes is made an object of for every record, which costs as much again. */
  readonly #objects = new WeakMap<Uint8Array, KeyObject>()

  constructor(algorithm: AeadAlgorithm) {
    this.#algorithm = algorithm as CipherGCMTypes
  }

  seal(key: Uint8Array, nonce: Uint8Array, header: Uint8Array, content: string, type: number): Buffer {
    const sealed = Buffer.allocUnsafe(header.length + content.length + 1 + TAG_BYTES)
    sealed.set(header)
    const cipher = createCipheriv(this.#algorithm, this.#objectOf(key), nonce, TAG)
    cipher.setAAD(header)
    sealed.set(cipher.update(content + String.fromCharCode(type), 'latin1'), header.length)
    cipher.final()
    sealed.set(cipher.getAuthTag(), sealed.length - TAG_BYTES)
    return sealed
  }

  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, headerBytes: number): Uint8Array | undefined {
    const tagAt = sealed.length - TAG_BYTES
    const decipher = createDecipheriv(this.#algorithm, this.#objectOf(key), nonce, TAG)
    decipher.setAAD(sealed.subarray(0, headerBytes))
    decipher.setAuthTag(sealed.subarray(tagAt))
    const content = decipher.update(sealed.subarray(headerBytes, tagAt))
    try {
      decipher.final()
    } catch {
      return undefined
    }
    return content
  }

  #objectOf(key: Uint8Array): KeyObject {
    let object = this.#objects.get(key)
    if (object === undefined) {
      object = createSecretKey(key)
      this.#objects.set(key, object)
    }
    return object
  }
}

const aeads = new Map<AeadAlgorithm, Aead>()

/** The better way there is. */
export function aeadOf(algorithm: AeadAlgorithm): Aead {
  let aead = aeads.get(algorithm)
  if (aead === undefined) {
    const node = new NodeAead(algorithm)
    const native = openNativeAead(algorithm)
    aead = native !== undefined && agree(native, node, algorithm) ? native : node
    aeads.set(algorithm, aead)
  }
  return aead
}

/** What one seals the other opens, and neither opens what was changed. */
function agree(one: Aead, other: Aead, algorithm: AeadAlgorithm): boolean {
  const key = new Uint8Array(algorithm === 'aes-128-gcm' ? 16 : 32).fill(7)
  const nonce = new Uint8Array(NONCE_BYTES).fill(9)
  const header = Uint8Array.of(1, 2, 3, 4, 5)
  const [a, b] = [one.seal(key, nonce, header, 'Wherefore', 1), other.seal(key, nonce, header, 'Wherefore', 1)]
  if (!a.equals(b)) return false
  const opened = one.open(key, nonce, b, header.length)
  if (opened === undefined || Buffer.from(opened).toString('latin1') !== 'Wherefore\u0001') return false
  b[header.length] = (b[header.length] as number) ^ 1
  return one.open(key, nonce, b, header.length) === undefined
}
