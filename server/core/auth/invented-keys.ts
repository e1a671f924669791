/**
 * Keys for accounts that do not exist.
 *
 * Whoever asks twice has to get the same salt, after a restart too, or the difference tells that the account is
 * invented; so the salt derives from the name and the host's secret. The keys are random bytes to everybody but us: no
 * password leads to them.
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
  async of(account: Jid, hash: ScramHash): Promise<ScramVerifier> {
    const derive = (what: string): Promise<Uint8Array> =>
      this.#secrets.derive(account.domainpart, what, hash, account.toString())
    const [salt, storedKey] = await Promise.all([derive('salt'), derive('stored key')])
    const bytes = SCRAM_HASH_BYTES[hash]
    return {
      salt: salt.slice(0, SALT_BYTES),
      iterations: this.#config.iterations[hash],
      storedKey: storedKey.slice(0, bytes),
      // Only used after a proof was found right, which none is.
      serverKey: new Uint8Array(bytes),
    }
  }
}
