/**
 * From a password to what is stored of it (RFC 5802 §3), and the check of one against it.
 *
 * XEP-0480 hands over the salted password instead of the password, hence the two entrances.
 */
import { SCRAM_HASH_BYTES } from './sasl.ts'
import type { SaslCrypto, ScramHash, ScramVerifier } from './sasl.ts'

/** The fewest iterations SCRAM allows (RFC 5802 §5.1, RFC 7677 §4). */
export const SCRAM_ITERATIONS_MIN = 4096
/** More than this would let one stored record hold a thread for minutes. */
export const SCRAM_ITERATIONS_MAX = 10_000_000

const utf8 = new TextEncoder()
const CLIENT_KEY = utf8.encode('Client Key')
const SERVER_KEY = utf8.encode('Server Key')

/** Derives the keys of one hash from a prepared password; milliseconds of work off the event loop. */
export async function deriveScramVerifier(
  crypto: SaslCrypto, hash: ScramHash, password: string, salt: Uint8Array, iterations: number,
): Promise<ScramVerifier> {
  const saltedPassword = await crypto.pbkdf2(hash, password, salt, iterations)
  return verifierFromSaltedPassword(crypto, hash, saltedPassword, salt, iterations)
}

/** The same from a salted password, which is what a client sends in the upgrade task of XEP-0480 §3. */
export function verifierFromSaltedPassword(
  crypto: SaslCrypto, hash: ScramHash, saltedPassword: Uint8Array, salt: Uint8Array, iterations: number,
): ScramVerifier {
  const storedKey = crypto.hash(hash, crypto.hmac(hash, saltedPassword, CLIENT_KEY))
  return { salt, iterations, storedKey, serverKey: crypto.hmac(hash, saltedPassword, SERVER_KEY) }
}

/** Whether a prepared password is the one behind `verifier`; milliseconds of work off the event loop. */
export async function matchesScramVerifier(
  crypto: SaslCrypto, hash: ScramHash, password: string, verifier: ScramVerifier,
): Promise<boolean> {
  const derived = await deriveScramVerifier(crypto, hash, password, verifier.salt, verifier.iterations)
  return crypto.timingSafeEqual(derived.storedKey, verifier.storedKey)
}

/**
 * Checks a client's proof (RFC 5802 §3); answers the server's signature for it, undefined when the proof is wrong. The
 * proof must have the length of the stored key.
 */
export function checkProof(
  crypto: SaslCrypto, hash: ScramHash, verifier: ScramVerifier, authMessage: Uint8Array, proof: Uint8Array,
): Uint8Array | undefined {
  const signature = crypto.hmac(hash, verifier.storedKey, authMessage)
  const clientKey = proof.map((byte, at) => byte ^ (signature[at] ?? 0))
  if (!crypto.timingSafeEqual(crypto.hash(hash, clientKey), verifier.storedKey)) return undefined
  return crypto.hmac(hash, verifier.serverKey, authMessage)
}

/** Whether a record read or received could be one of ours: sizes and iterations within bounds. */
export function isPlausibleVerifier(hash: ScramHash, verifier: ScramVerifier): boolean {
  const bytes = SCRAM_HASH_BYTES[hash]
  return verifier.salt.length > 0 && verifier.storedKey.length === bytes && verifier.serverKey.length === bytes
    && Number.isSafeInteger(verifier.iterations)
    && verifier.iterations >= SCRAM_ITERATIONS_MIN && verifier.iterations <= SCRAM_ITERATIONS_MAX
}
