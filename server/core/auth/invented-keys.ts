/**
 * Keys for accounts that do not exist.
 *
 * Whoever asks twice has to get the same salt, after a restart too, or the difference tells that the account is
 * invented; so the salt derives from the name and the host's secret. The keys are never seen, and a proof for an
 * account that is not there fails whatever they are: so they are just as long and as stable as real ones.
 */
import type { Jid } from '@rollcall/jid'
import { SCRAM_HASH_BYTES } from '@rollcall/stream'
import type { ScramHash, ScramVerifier } from '@rollcall/stream'
import type { AuthConfig } from './config.ts'
import type { HostSecrets } from './host-secrets.ts'

/** Salt of every key we make, in bytes. */
export const SALT_BYTES = 16

export class InventedKeys {
  readonly #secrets: HostSecrets
  readonly #config: AuthConfig

  constructor(secrets: HostSecrets, config: AuthConfig) {
    this.#secrets = secrets
    this.#config = config
  }

  /** The keys an unknown account would have; `item-not-found` when its host is not served. */
  of(account: Jid, hash: ScramHash): ScramVerifier | Promise<ScramVerifier> {
    const derived = this.#secrets.derive(account.domainpart, 'salt', hash, account.toString())
    return derived instanceof Promise ? derived.then((bytes) => this.#keysOf(bytes, hash)) : this.#keysOf(derived, hash)
  }

  #keysOf(derived: Uint8Array, hash: ScramHash): ScramVerifier {
    const bytes = SCRAM_HASH_BYTES[hash]
    return {
      salt: derived.slice(0, SALT_BYTES),
      iterations: this.#config.iterations[hash],
      storedKey: derived.slice(0, bytes),
      // Only used after a proof was found right, which none is.
      serverKey: new Uint8Array(bytes),
    }
  }
}
