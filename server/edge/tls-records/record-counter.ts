/** Watches one direction of a connection whose TLS another does: how many encrypted records there were, and the last one. */
import { APPLICATION_DATA, ENCRYPTED_BYTES_MAX, HEADER_BYTES } from './record.ts'

export class RecordCounter {
  /** Encrypted records, those of the handshake among them. */
  count = 0
  /** The last of them, with its header. */
  last: Uint8Array | undefined
  #rest: Uint8Array | undefined
  #isBroken = false

  /** Nothing of a record is missing. */
  get isAtBoundary(): boolean {
    return this.#rest === undefined && !this.#isBroken
  }

  push(chunk: Uint8Array): void {
    if (this.#isBroken) return
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (bytes.length - at >= HEADER_BYTES) {
      const length = ((bytes[at + 3] as number) << 8) | (bytes[at + 4] as number)
      if (length > ENCRYPTED_BYTES_MAX) {
        this.#isBroken = true
        return
      }
      const end = at + HEADER_BYTES + length
      if (end > bytes.length) break
      if (bytes[at] === APPLICATION_DATA) {
        this.count++
        this.last = bytes.subarray(at, end)
      }
      at = end
    }
    this.#rest = at < bytes.length ? bytes.subarray(at) : undefined
  }
}
