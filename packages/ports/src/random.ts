/** Randomness as a port, so that simulations replay from a seed. Real implementations are cryptographically strong. */
import { definePort } from './token.ts'

export interface Random {
  bytes(count: number): Uint8Array
  /** A URL-safe identifier with at least 96 bits of randomness: stanza ids, resources, stream ids. */
  id(): string
  /** RFC 9562 version 4. */
  uuid(): string
  /** Uniform in [0, 1): jitter only, never secrets. */
  fraction(): number
}
export const Random = definePort<Random>('random')
