/**
 * Records sealed and opened by OpenSSL itself, past `node:crypto`.
 *
 * How it works: `node:crypto` makes a cipher object for every record, 5 µs of the 28 of a message over TLS in each direction.
 * OpenSSL's own context takes a new key and nonce in half a microsecond (EVP_EncryptInit(3)), so one context for each direction and algorithm
 * serves all connections. Key, nonce and record are copied to fixed places, whose addresses OpenSSL is given; it works in place.
 */
import { foreignFunctions } from '../../runtime/foreign.ts'
import type { ForeignFunctions } from '../../runtime/foreign.ts'
import { TAG_BYTES } from './aead.ts'
import type { Aead, AeadAlgorithm } from './aead.ts'

type Pointer = bigint
/** Of OpenSSL: greater than 0 when all is well. */
interface Evp {
  EVP_CIPHER_fetch(library: Pointer, name: string, properties: Pointer): Pointer
  EVP_CIPHER_CTX_new(): Pointer
  EVP_CipherInit_ex(context: Pointer, cipher: Pointer, engine: Pointer, key: Pointer, nonce: Pointer, isEncrypting: number): number
  EVP_CipherUpdate(context: Pointer, out: Pointer, outLength: Pointer, source: Pointer, length: number): number
  EVP_CipherFinal_ex(context: Pointer, out: Pointer, outLength: Pointer): number
  EVP_CIPHER_CTX_ctrl(context: Pointer, command: number, argument: number, place: Pointer): number
}

const NULL = 0n
// EVP_CTRL_AEAD_GET_TAG, EVP_CTRL_AEAD_SET_TAG
const GET_TAG = 0x10
const SET_TAG = 0x11

/** Where things are: the record is in one piece, and its content begins at a multiple of 64. */
const [KEY_AT, NONCE_AT, LENGTH_AT, CONTENT_AT] = [0, 32, 48, 128]
/** More than a record of TLS has (RFC 8446 §5.2), with its tag. */
const CONTENT_BYTES_MAX = 16_384 + 512

/** One direction of one algorithm. */
class Context {
  readonly bytes = Buffer.alloc(CONTENT_AT + CONTENT_BYTES_MAX)
  readonly #evp: Evp
  readonly #context: Pointer
  readonly #isEncrypting: number
  readonly #base: Pointer

  constructor(evp: Evp, foreign: ForeignFunctions, cipher: Pointer, isEncrypting: boolean) {
    this.#evp = evp
    this.#context = evp.EVP_CIPHER_CTX_new()
    this.#isEncrypting = isEncrypting ? 1 : 0
    this.#base = foreign.getRawPointer(this.bytes)
    this.#check(this.#context === NULL ? 0 : evp.EVP_CipherInit_ex(this.#context, cipher, NULL, NULL, NULL, this.#isEncrypting))
  }

  /** Works on the `length` bytes at `CONTENT_AT`, whose header stands in front of them and whose tag stands behind. False: not genuine. */
  run(key: Uint8Array, nonce: Uint8Array, headerBytes: number, length: number): boolean {
    const evp = this.#evp
    const context = this.#context
    const base = this.#base
    this.bytes.set(key, KEY_AT)
    this.bytes.set(nonce, NONCE_AT)
    const outLength = base + BigInt(LENGTH_AT)
    const content = base + BigInt(CONTENT_AT)
    const tag = content + BigInt(length)
    this.#check(evp.EVP_CipherInit_ex(context, NULL, NULL, base + BigInt(KEY_AT), base + BigInt(NONCE_AT), this.#isEncrypting))
    this.#check(evp.EVP_CipherUpdate(context, NULL, outLength, content - BigInt(headerBytes), headerBytes))
    this.#check(evp.EVP_CipherUpdate(context, content, outLength, content, length))
    if (this.#isEncrypting === 0) this.#check(evp.EVP_CIPHER_CTX_ctrl(context, SET_TAG, TAG_BYTES, tag))
    // Neither algorithm has anything left to write here.
    const isGenuine = evp.EVP_CipherFinal_ex(context, tag, outLength) > 0
    if (this.#isEncrypting === 1) {
      this.#check(isGenuine ? 1 : 0)
      this.#check(evp.EVP_CIPHER_CTX_ctrl(context, GET_TAG, TAG_BYTES, tag))
    }
    return isGenuine
  }

  #check(result: number): void {
    if (result <= 0) throw new Error('OpenSSL refuses to encrypt or decrypt')
  }
}

class NativeAead implements Aead {
  readonly #sealing: Context
  readonly #opening: Context

  constructor(sealing: Context, opening: Context) {
    this.#sealing = sealing
    this.#opening = opening
  }

  seal(key: Uint8Array, nonce: Uint8Array, header: Uint8Array, content: string, type: number): Buffer {
    const { bytes } = this.#sealing
    const length = content.length + 1
    checkLength(length)
    const from = CONTENT_AT - header.length
    bytes.set(header, from)
    bytes.write(content, CONTENT_AT, 'latin1')
    bytes[CONTENT_AT + content.length] = type
    this.#sealing.run(key, nonce, header.length, length)
    const sealed = Buffer.allocUnsafe(header.length + length + TAG_BYTES)
    bytes.copy(sealed, 0, from, CONTENT_AT + length + TAG_BYTES)
    return sealed
  }

  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, headerBytes: number): Uint8Array | undefined {
    const { bytes } = this.#opening
    const length = sealed.length - headerBytes - TAG_BYTES
    checkLength(length)
    bytes.set(sealed, CONTENT_AT - headerBytes)
    return this.#opening.run(key, nonce, headerBytes, length) ? bytes.subarray(CONTENT_AT, CONTENT_AT + length) : undefined
  }
}

/** Nothing may be written beyond the buffer. */
function checkLength(length: number): void {
  if (length < 0 || length + TAG_BYTES > CONTENT_BYTES_MAX) throw new RangeError(`${length} bytes are no record`)
}

/** Undefined where OpenSSL's functions cannot be called. */
export function openNativeAead(algorithm: AeadAlgorithm): Aead | undefined {
  const foreign = foreignFunctions()
  if (foreign === undefined) return undefined
  try {
    const evp = findEvp(foreign)
    const cipher = evp.EVP_CIPHER_fetch(NULL, algorithm.toUpperCase(), NULL)
    if (cipher === NULL) return undefined
    return new NativeAead(new Context(evp, foreign, cipher, true), new Context(evp, foreign, cipher, false))
  } catch {
    return undefined
  }
}

function findEvp(foreign: ForeignFunctions): Evp {
  const { functions } = foreign.dlopen(null, {
    EVP_CIPHER_fetch: { arguments: ['pointer', 'string', 'pointer'], return: 'pointer' },
    EVP_CIPHER_CTX_new: { arguments: [], return: 'pointer' },
    EVP_CipherInit_ex: { arguments: ['pointer', 'pointer', 'pointer', 'pointer', 'pointer', 'int32'], return: 'int32' },
    EVP_CipherUpdate: { arguments: ['pointer', 'pointer', 'pointer', 'pointer', 'int32'], return: 'int32' },
    EVP_CipherFinal_ex: { arguments: ['pointer', 'pointer', 'pointer'], return: 'int32' },
    EVP_CIPHER_CTX_ctrl: { arguments: ['pointer', 'int32', 'int32', 'pointer'], return: 'int32' },
  })
  return functions
}
