/** Records sealed and opened by `node:crypto`: an object for each of them. */
import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'
import type { CipherGCMTypes, KeyObject } from 'node:crypto'
import { TAG_BYTES } from './aead.ts'
import type { Aead, AeadAlgorithm } from './aead.ts'

const TAG = { authTagLength: TAG_BYTES }

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
