/** What is known about each archive without reading its entries; kept in memory, bounded, for those lately used. */
import type { Database } from './database.ts'
import type { Journal } from './journal.ts'
import type { Segments } from './segments.ts'
import type { SmallTables } from './small-tables.ts'

export interface Head {
  readonly archive: number
  /** Greatest `at` appended so far; -Infinity in an empty archive. */
  high: number
  lateMax: number
  /** Appended to as a log: it has, or had, entries in the journal or in segments. */
  isLog: boolean
  /** There may be entries in the table of rows. */
  hasRows: boolean
  /** Of a log: the greatest id, '' in an empty one. */
  lastId: string
}

/** About 300 bytes each; when full the memory starts afresh, at the price of a few index reads per archive. */
const HEADS_MAX = 50_000

export class ArchiveHeads {
  readonly #database: Database
  readonly #tables: SmallTables
  readonly #journal: Journal
  readonly #segments: Segments
  readonly #known = new Map<string, Map<string, Head>>()
  #count = 0

  constructor(database: Database, tables: SmallTables, journal: Journal, segments: Segments) {
    this.#database = database
    this.#tables = tables
    this.#journal = journal
    this.#segments = segments
  }

  /** After a rollback: what was remembered may never have happened. */
  forget(): void {
    this.#known.clear()
    this.#count = 0
  }

  /** After deletions. */
  forgetOne(store: string, owner: string): void {
    this.#known.get(store)?.delete(owner)
  }

  find(store: string, owner: string): Head | undefined {
    const known = this.#known.get(store)?.get(owner)
    if (known !== undefined) return known
    const storeId = this.#tables.findStoreId(store)
    if (storeId === undefined) return undefined
    const row = this.#get('SELECT id, late_max, folded FROM archive WHERE owner = ? AND store = ?', owner, storeId)
    if (row === undefined) return undefined
    const [archive, lateMax, folded] = row as [number, number, number]
    return this.#remember(store, owner, this.#read(archive, lateMax, folded > 0))
  }

  make(store: string, owner: string): Head {
    this.#database.prepare('INSERT INTO archive (store, owner) VALUES (?, ?)').run(this.#tables.storeId(store), owner)
    return this.find(store, owner)!
  }

  /** Before the first entry that goes into the journal. */
  makeLog(head: Head): void {
    // Whatever the journal still has under this number, of an archive that is gone, is not of this one.
    this.#database.prepare('UPDATE archive SET folded = ? WHERE id = ?').run(this.#journal.last, head.archive)
    head.isLog = true
    head.lastId = this.#lastRowId(head.archive)
  }

  #read(archive: number, lateMax: number, isLog: boolean): Head {
    const last = this.#get('SELECT high FROM entry WHERE archive = ? ORDER BY high DESC LIMIT 1', archive)
    const head: Head = { archive, lateMax, high: (last?.[0] as number | undefined) ?? -Infinity, isLog, hasRows: last !== undefined, lastId: '' }
    if (!isLog) return head
    const tail = this.#journal.tail(archive)
    head.high = Math.max(head.high, this.#segments.high(archive))
    for (const { at } of tail) head.high = Math.max(head.high, at)
    const ids = [this.#lastRowId(archive), tail.at(-1)?.id ?? this.#segments.lastId(archive)]
    head.lastId = ids[0]! > ids[1]! ? ids[0]! : ids[1]!
    return head
  }

  #lastRowId(archive: number): string {
    return (this.#get('SELECT id FROM entry INDEXED BY entry_id WHERE archive = ? ORDER BY id DESC LIMIT 1', archive)?.[0] as string | undefined) ?? ''
  }

  #remember(store: string, owner: string, head: Head): Head {
    if (this.#count >= HEADS_MAX) this.forget()
    let owners = this.#known.get(store)
    if (owners === undefined) this.#known.set(store, (owners = new Map()))
    owners.set(owner, head)
    this.#count++
    return head
  }

  #get(sql: string, ...values: (string | number)[]): unknown[] | undefined {
    return this.#database.prepare(sql).get(...values) as unknown as unknown[] | undefined
  }
}
