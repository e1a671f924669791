/**
 * Keys for accounts that do not exist.
 *
 * Whoever asks twice has to get the same salt, after a restart too, or the difference tells that the account is
 * invented; so the salt is an HMAC of the name under a secret which is kept in storage, one per host. The keys are
 * random bytes to everybody but us: no password leads to them.
 */
import type { Jid } from '@rollcall/jid'
import { keyvalStore, openStore } from '@rollcall/ports'
import type { StorageBackend } from '@rollcall/ports'
import { decodeBase64, encodeBase64, SCRAM_HASH_BYTES } from '@rollcall/stream'
import type { SaslCrypto, ScramHash, ScramVerifier } from '@rollcall/stream'
import { StanzaError } from '@rollcall/stanza'
import type { AuthConfig } from './config.ts'

/** Salt of every key we make, in bytes. */
export const SALT_BYTES = 16
const SECRET_BYTES = 32

/** Owner: the host. */
export const secretStore = keyvalStore<{ readonly secret: string }>('auth_secret')

const utf8 = new TextEncoder()

export class InventedKeys {
  readonly #storage: StorageBackend
  readonly #crypto: SaslCrypto
  readonly #config: AuthConfig
  /** At most one per host. */
  readonly #secrets = new Map<string, Promise<Uint8Array>>()

  constructor(storage: StorageBackend, crypto: SaslCrypto, config: AuthConfig) {
    this.#storage = storage
    this.#crypto = crypto
    this.#config = config
  }

  /** The keys an unknown account would have; `item-not-found` when its host is not served. */
  async of(account: Jid, hash: ScramHash): Promise<ScramVerifier> {
    const secret = await this.#secretOf(account.domainpart)
    const derive = (what: string): Uint8Array =>
      this.#crypto.hmac('SHA-512', secret, utf8.encode([what, hash, account.toString()].join('\0')))
    const bytes = SCRAM_HASH_BYTES[hash]
    return {
      salt: derive('salt').slice(0, SALT_BYTES),
      iterations: this.#config.iterations[hash],
      storedKey: derive('stored key').slice(0, bytes),
      // Only used after a proof was found right, which none is.
      serverKey: new Uint8Array(bytes),
    }
  }

  #secretOf(host: string): Promise<Uint8Array> {
    const known = this.#secrets.get(host)
    if (known !== undefined) return known
    if (!this.#config.hosts.has(host)) return Promise.reject(new StanzaError('item-not-found', `${host} is not served`))
    const loading = this.#load(host).catch((error: unknown) => {
      this.#secrets.delete(host)
      throw error
    })
    this.#secrets.set(host, loading)
    return loading
  }

  async #load(host: string): Promise<Uint8Array> {
    const store = openStore(this.#storage, secretStore)
    const stored = decodeBase64((await store.get(host))?.secret ?? '')
    if (stored !== undefined && stored.length === SECRET_BYTES) return stored
    const secret = this.#crypto.randomBytes(SECRET_BYTES)
    await store.set(host, { secret: encodeBase64(secret) })
    return secret
  }
}
