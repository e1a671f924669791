/** Derives keys for new passwords, and says which passwords may be set. */
import { deriveScramVerifier, saslprep } from '@rollcall/stream'
import type { SaslCrypto, ScramHash } from '@rollcall/stream'
import { StanzaError } from '@rollcall/stanza'
import { storedVerifier } from './account-record.ts'
import type { StoredScram, StoredVerifier } from './account-record.ts'
import { SALT_BYTES } from './invented-keys.ts'

/** The prepared form of a password to be set; throws `StanzaError('not-acceptable')`. */
export function acceptablePassword(password: string, unitsMin: number): string {
  const prepared = saslprep(password)
  if (prepared === undefined) throw new StanzaError('not-acceptable', 'the password is empty, too long or not allowed')
  if (prepared.length < unitsMin) throw new StanzaError('not-acceptable', `the password needs ${unitsMin} characters`)
  return prepared
}

/** Keys for a prepared password, a fresh salt for each hash unless one is given; `run` may limit how many at once. */
export async function deriveStoredScram(
  crypto: SaslCrypto,
  hashes: readonly ScramHash[],
  iterations: Readonly<Record<ScramHash, number>>,
  password: string,
  run: <T>(job: () => Promise<T>) => Promise<T>,
  fixedSalt?: Uint8Array,
): Promise<StoredScram> {
  const derive = async (hash: ScramHash): Promise<[ScramHash, StoredVerifier]> => {
    const salt = fixedSalt ?? crypto.randomBytes(SALT_BYTES)
    return [hash, storedVerifier(await run(() => deriveScramVerifier(crypto, hash, password, salt, iterations[hash])))]
  }
  const scram: StoredScram = Object.fromEntries(await Promise.all(hashes.map(derive)))
  return scram
}
