/**
 * Which way to OpenSSL is taken: its own functions (`aead-native.ts`) where they are there and do what `node:crypto` does, else that
 * (`aead-node.ts`), at four times the cost.
 */
import type { Aead, AeadAlgorithm } from './aead.ts'
import { NONCE_BYTES } from './aead.ts'
import { openNativeAead } from './aead-native.ts'
import { NodeAead } from './aead-node.ts'

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
