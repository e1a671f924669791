/** Rows of a map store as they come out of a database: key, value, key, value. */
import type { Json, Rows } from './storage.ts'

export class FlatRows implements Rows<Json> {
  readonly #flat: readonly Json[]

  constructor(flat: readonly Json[]) {
    this.#flat = flat
  }

  forEach(act: (value: Json, key: string) => void): void {
    const flat = this.#flat
    for (let at = 0; at < flat.length; at += 2) act(flat[at + 1] as Json, flat[at] as string)
  }
}
