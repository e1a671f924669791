/** Message digests as a port, because pure code has no digest of its own. Deterministic: the same everywhere. */
import { definePort } from './token.ts'

/** Names as XMPP writes them (XEP-0300 §4). */
export type HashName = 'sha-1' | 'sha-256' | 'sha-512' | 'sha3-256' | 'sha3-512'

export const hashNames: readonly HashName[] = ['sha-1', 'sha-256', 'sha-512', 'sha3-256', 'sha3-512']

/** Synchronous: for short inputs such as capabilities, not for files. */
export interface Hasher {
  hash(name: HashName, data: Uint8Array): Uint8Array
}
export const Hasher = definePort<Hasher>('hasher')
