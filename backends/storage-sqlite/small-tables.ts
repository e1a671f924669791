/** The clustered tables: keyval, map and counter, and the interning of store names they share with the archive. */
import type { Database } from './database.ts'
import type { Cell } from './wire.ts'

/** First column of the first row, undefined when there is none. */
function first(row: unknown): unknown {
  return Array.isArray(row) ? (row as unknown[])[0] : undefined
}

export class SmallTables {
  readonly #database: Database
  /** Undefined for a store that is known to have none. Names come from module declarations, so there are as many as modules declare. */
  readonly #storeIds = new Map<string, number | undefined>()

  constructor(database: Database) {
    this.#database = database
  }

  /** After a rollback: ids handed out in the transaction may be gone. */
  forget(): void {
    this.#storeIds.clear()
  }

  /** The id of a store, made when new. */
  storeId(name: string): number {
    const known = this.findStoreId(name)
    if (known !== undefined) return known
    this.#database.prepare('INSERT INTO store (name) VALUES (?)').run(name)
    this.#storeIds.delete(name)
    return this.findStoreId(name)!
  }

  /** The id of a store, undefined while nothing was written to it. */
  findStoreId(name: string): number | undefined {
    const cached = this.#storeIds.get(name)
    if (cached !== undefined || this.#storeIds.has(name)) return cached
    const id = first(this.#database.prepare('SELECT id FROM store WHERE name = ?').get(name)) as number | undefined
    this.#storeIds.set(name, id)
    return id
  }

  keyvalSet(store: string, owner: string, value: string): void {
    this.#database
      .prepare('INSERT INTO keyval VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value')
      .run(this.storeId(store), owner, value)
  }

  keyvalDelete(store: string, owner: string): void {
    this.#database.prepare('DELETE FROM keyval WHERE store = ? AND owner = ?').run(this.storeId(store), owner)
  }

  keyvalGet(store: string, owner: string): Cell {
    return this.#value('SELECT value FROM keyval WHERE store = ? AND owner = ?', store, owner)
  }

  mapSet(store: string, owner: string, key: string, value: string): void {
    this.#database
      .prepare('INSERT INTO map VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value')
      .run(this.storeId(store), owner, key, value)
  }

  mapDelete(store: string, owner: string, key: string): void {
    this.#database
      .prepare('DELETE FROM map WHERE store = ? AND owner = ? AND key = ?')
      .run(this.storeId(store), owner, key)
  }

  mapGet(store: string, owner: string, key: string): Cell {
    return this.#value('SELECT value FROM map WHERE store = ? AND owner = ? AND key = ?', store, owner, key)
  }

  /** `key,value,key,value` as the inside of a JSON array: one text made in C instead of two JavaScript texts a row. */
  mapAll(store: string, owner: string): Cell {
    return this.#value(
      "SELECT group_concat(json_quote(key) || ',' || value) FROM map WHERE store = ? AND owner = ?",
      store,
      owner,
    )
  }

  counterGet(store: string, owner: string, key: string): Cell {
    return this.#value('SELECT value FROM counter WHERE store = ? AND owner = ? AND key = ?', store, owner, key)
  }

  counterAdd(store: string, owner: string, key: string, amount: number): number {
    // The binding passes every number as a float, which is exact up to 2^53; the sum must be made of integers.
    const row = this.#database
      .prepare(
        'INSERT INTO counter VALUES (?, ?, ?, CAST(? AS INTEGER)) ON CONFLICT DO UPDATE SET value = value + excluded.value RETURNING value',
      )
      .get(this.storeId(store), owner, key, amount)
    return first(row) as number
  }

  /** Owners as a JSON array. */
  keyvalOwners(store: string, after: string | null, limit: number): Cell {
    return this.#owners('SELECT owner FROM keyval WHERE store = ? AND owner > ? ORDER BY owner LIMIT ?', store, after, limit)
  }

  mapOwners(store: string, after: string | null, limit: number): Cell {
    // From owner to owner by index seeks: DISTINCT would read every row.
    const sql = `WITH RECURSIVE walk (owner) AS (
      SELECT (SELECT min(owner) FROM map WHERE store = ?1 AND owner > ?2)
      UNION ALL
      SELECT (SELECT min(owner) FROM map WHERE store = ?1 AND owner > walk.owner) FROM walk WHERE walk.owner IS NOT NULL
    ) SELECT owner FROM walk WHERE owner IS NOT NULL LIMIT ?3`
    return this.#owners(sql, store, after, limit)
  }

  ownerDelete(owner: string): void {
    const stores = this.#database.prepare('SELECT id FROM store').all() as unknown as [number][]
    for (const [store] of stores) {
      for (const table of ['keyval', 'map', 'counter']) {
        this.#database.prepare(`DELETE FROM ${table} WHERE store = ? AND owner = ?`).run(store, owner)
      }
    }
  }

  #value(sql: string, store: string, ...rest: string[]): Cell {
    const id = this.findStoreId(store)
    if (id === undefined) return null
    return (first(this.#database.prepare(sql).get(id, ...rest)) ?? null) as Cell
  }

  #owners(sql: string, store: string, after: string | null, limit: number): Cell {
    const id = this.findStoreId(store)
    if (id === undefined) return '[]'
    // Every text sorts after a number, so 0 is "before the first".
    const rows = this.#database.prepare(sql).all(id, after ?? 0, limit) as unknown as [string][]
    return JSON.stringify(rows.map(row => row[0]))
  }
}
