/**
 * A bounded cache of two generations. New and newly used entries live in the young map; when it is full it
 * becomes the old one and the former old one is dropped whole. What is in use survives by being promoted, a
 * lookup costs one or two hash probes, and there is no list to maintain on the hot path as an LRU would need.
 */

/** Counters since start and the present size of a {@link GenerationCache}. */
export interface CacheStats {
  readonly hits: number
  readonly misses: number
  readonly rotations: number
  readonly size: number
  readonly sizeMax: number
}

/** Maps strings to values, holding at most `sizeMax` entries in both generations together. */
export class GenerationCache<V> {
  #young = new Map<string, V>()
  #old = new Map<string, V>()
  #hits = 0
  #misses = 0
  #rotations = 0
  #sizeMax: number

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax
  }

  get sizeMax(): number {
    return this.#sizeMax
  }

  /** Takes effect at once; 0 turns the cache off. Throws RangeError on anything but a safe integer ≥ 0. */
  set sizeMax(sizeMax: number) {
    if (!Number.isSafeInteger(sizeMax) || sizeMax < 0) throw new RangeError('sizeMax must be an integer ≥ 0')
    this.#sizeMax = sizeMax
    if (this.#young.size + this.#old.size > sizeMax) this.clear()
  }

  get stats(): CacheStats {
    return {
      hits: this.#hits,
      misses: this.#misses,
      rotations: this.#rotations,
      // A promoted entry is in both maps until the next rotation, and occupies both.
      size: this.#young.size + this.#old.size,
      sizeMax: this.#sizeMax,
    }
  }

  get(key: string): V | undefined {
    let value = this.#young.get(key)
    if (value === undefined) {
      value = this.#old.get(key)
      if (value === undefined) {
        this.#misses++
        return undefined
      }
      this.set(key, value)
    }
    this.#hits++
    return value
  }

  set(key: string, value: V): void {
    const youngMax = this.#sizeMax >> 1
    if (youngMax === 0) return
    if (this.#young.size >= youngMax && !this.#young.has(key)) {
      this.#old = this.#young
      this.#young = new Map()
      this.#rotations++
    }
    this.#young.set(key, value)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
  }
}
