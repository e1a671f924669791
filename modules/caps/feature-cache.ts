/**
 * Features by hash and by client, bounded: the entry that was not asked for the longest makes room.
 *
 * Only verified hashes are shared between clients; what could not be verified holds for the client that said it, and only
 * while it shows the same capabilities. Otherwise one client could tell features of others (XEP-0115 §9.3).
 */
import type { FeatureSet } from './port.ts'

interface ClientEntry {
  readonly key: string
  readonly features: FeatureSet
}

class BoundedMap<V> {
  readonly #entries = new Map<string, V>()
  readonly #sizeMax: number

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key)
    if (value !== undefined) this.set(key, value)
    return value
  }

  set(key: string, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size <= this.#sizeMax) return
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest)
      return
    }
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }
}

export class FeatureCache {
  readonly #byHash: BoundedMap<FeatureSet>
  readonly #byClient: BoundedMap<ClientEntry>

  constructor(hashesMax: number, clientsMax: number) {
    this.#byHash = new BoundedMap(hashesMax)
    this.#byClient = new BoundedMap(clientsMax)
  }

  get hashCount(): number {
    return this.#byHash.size
  }

  find(client: string, key: string): FeatureSet | undefined {
    const own = this.#byClient.get(client)
    return this.#byHash.get(key) ?? (own?.key === key ? own.features : undefined)
  }

  addVerified(key: string, features: FeatureSet): void {
    this.#byHash.set(key, features)
  }

  addUnverified(client: string, key: string, features: FeatureSet): void {
    this.#byClient.set(client, { key, features })
  }

  forget(client: string): void {
    this.#byClient.delete(client)
  }
}
