/**
 * What is stored of an account: when it was made and, per hash, SCRAM keys. Never a password.
 *
 * The record's existence is the account's existence: everything else an account has hangs on the same owner.
 */
import { keyvalStore } from '@rollcall/ports'
import { decodeBase64, encodeBase64, isPlausibleVerifier, SCRAM_HASHES } from '@rollcall/stream'
import type { ScramHash, ScramVerifier } from '@rollcall/stream'

/** Bytes as base64. */
export interface StoredVerifier {
  readonly salt: string
  readonly iterations: number
  readonly storedKey: string
  readonly serverKey: string
}

export type StoredScram = Readonly<Partial<Record<ScramHash, StoredVerifier>>>

export interface AccountRecord {
  /** ms since the Unix epoch. */
  readonly createdAt: number
  readonly scram: StoredScram
  /** Kept, but nobody may log in. */
  readonly isDisabled?: boolean
  /** Grows with every change of the password; absent before the first. */
  readonly passwordVersion?: number
}

/** One record per bare JID. */
export const accountStore = keyvalStore<AccountRecord>('account')

/** A verifier ready for the store. */
export function storedVerifier(verifier: ScramVerifier): StoredVerifier {
  return {
    salt: encodeBase64(verifier.salt),
    iterations: verifier.iterations,
    storedKey: encodeBase64(verifier.storedKey),
    serverKey: encodeBase64(verifier.serverKey),
  }
}

/** The keys of one hash; undefined when there are none or they are damaged, which nobody can log in with either. */
export function verifierOf(record: AccountRecord | undefined, hash: ScramHash): ScramVerifier | undefined {
  const stored = record?.scram[hash]
  if (stored === undefined) return undefined
  const salt = decodeBase64(stored.salt)
  const storedKey = decodeBase64(stored.storedKey)
  const serverKey = decodeBase64(stored.serverKey)
  if (!salt || !storedKey || !serverKey) return undefined
  const verifier = { salt, iterations: stored.iterations, storedKey, serverKey }
  return isPlausibleVerifier(hash, verifier) ? verifier : undefined
}

/** Whether every verifier of a record from outside is sound and there is at least one. */
export function isSoundRecord(record: AccountRecord): boolean {
  const hashes = SCRAM_HASHES.filter(hash => record.scram[hash] !== undefined)
  return hashes.length > 0 && hashes.every(hash => verifierOf(record, hash) !== undefined)
}
