/** Sealing and opening bytes under a key that is used once per nonce (RFC 5116): what `aead-node.ts` and `aead-native.ts` both do. */

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
