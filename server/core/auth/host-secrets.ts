/** One secret per host, made on first use and kept in storage: what invented salts, ids of clients and tokens derive from. */
import { keyvalStore, openStore } from '@rollcall/ports'
import type { StorageBackend } from '@rollcall/ports'
import { decodeBase64, encodeBase64 } from '@rollcall/stream'
import type { SaslCrypto } from '@rollcall/stream'
import { StanzaError } from '@rollcall/stanza'

const SECRET_BYTES = 32

/** Owner: the host. */
export const secretStore = keyvalStore<{ readonly secret: string }>('auth_secret')

const utf8 = new TextEncoder()

export class HostSecrets {
  readonly #storage: StorageBackend
  readonly #crypto: SaslCrypto
  readonly #hosts: ReadonlySet<string>
  /** At most one per host; promises of those that are being read. */
  readonly #secrets = new Map<string, Uint8Array | Promise<Uint8Array>>()

  constructor(storage: StorageBackend, crypto: SaslCrypto, hosts: ReadonlySet<string>) {
    this.#storage = storage
    this.#crypto = crypto
    this.#hosts = hosts
  }

  /**
   * 64 bytes that belong to `parts` and tell nothing about them; `item-not-found` when the host is not served. The first
   * part names the purpose, and no part may have a NUL.
   */
  derive(host: string, ...parts: readonly string[]): Uint8Array | Promise<Uint8Array> {
    const text = utf8.encode(parts.join('\0'))
    const secret = this.#secretOf(host)
    if (secret instanceof Promise) return secret.then((read) => this.#crypto.hmac('SHA-512', read, text))
    return this.#crypto.hmac('SHA-512', secret, text)
  }

  #secretOf(host: string): Uint8Array | Promise<Uint8Array> {
    const known = this.#secrets.get(host)
    if (known !== undefined) return known
    if (!this.#hosts.has(host)) return Promise.reject(new StanzaError('item-not-found', `${host} is not served`))
    const loading = this.#load(host)
    this.#secrets.set(host, loading)
    loading.then((secret) => this.#secrets.set(host, secret), () => this.#secrets.delete(host))
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
