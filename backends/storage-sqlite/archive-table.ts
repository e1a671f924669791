/**
 * The archive: appends at the end of one rowid table, pages through narrow indexes.
 *
 * See `migrations.ts` for `high` and `late_max`, which make the order of append searchable by time. Per archive the id, the
 * last `high` and `late_max` are kept in memory (bounded), so that an append is one insert and no read.
 */
import { StorageError, wordsOf } from '@rollcall/ports'
import type { ArchiveQuery } from '@rollcall/ports'
import type { Database } from './database.ts'
import type { SmallTables } from './small-tables.ts'

interface Head {
  readonly archive: number
  /** Greatest `at` appended so far; -Infinity in an empty archive. */
  high: number
  lateMax: number
}

type Filter = Omit<ArchiveQuery, 'limit'>
interface Position {
  readonly seq: number
  readonly high: number
}
interface Where {
  readonly sql: string
  readonly values: (string | number)[]
}

/** About 200 bytes each; when full the memory starts afresh, at the price of two index reads per archive. */
const HEADS_MAX = 50_000

export class ArchiveTable {
  readonly #database: Database
  readonly #tables: SmallTables
  readonly #heads = new Map<string, Head>()

  constructor(database: Database, tables: SmallTables) {
    this.#database = database
    this.#tables = tables
  }

  /** After a rollback: what was remembered may never have happened. */
  forget(): void {
    this.#heads.clear()
  }

  append(store: string, owner: string, id: string, at: number, peer: string, value: string, text?: string): void {
    const head = this.#find(store, owner) ?? this.#create(store, owner)
    const high = Math.max(head.high, at)
    // First the bound, which may be too wide but never too narrow, then the entry: if the insert fails, nothing is wrong.
    if (high - at > head.lateMax) {
      this.#database.prepare('UPDATE archive SET late_max = ? WHERE id = ?').run(high - at, head.archive)
      head.lateMax = high - at
    }
    const { lastInsertRowid } = this.#database
      .prepare('INSERT INTO entry (archive, id, at, high, peer, value) VALUES (?, ?, ?, ?, ?, ?)')
      .run(head.archive, id, at, high, peer, value)
    if (text !== undefined) {
      this.#database
        .prepare('INSERT INTO entry_text (rowid, place, words) VALUES (?, ?, ?)')
        .run(lastInsertRowid, placeOf(head.archive), text)
    }
    head.high = high
  }

  delete(store: string, owner: string, ids: readonly string[]): void {
    const head = this.#find(store, owner)
    if (!head) return
    for (const id of ids) this.#database.prepare('DELETE FROM entry WHERE archive = ? AND id = ?').run(head.archive, id)
  }

  clear(store: string, owner: string, untilMs: number | null): void {
    const head = this.#find(store, owner)
    if (!head) return
    if (untilMs === null) this.#database.prepare('DELETE FROM entry WHERE archive = ?').run(head.archive)
    else {
      this.#database
        .prepare('DELETE FROM entry WHERE archive = ? AND high <= ? AND at <= ?')
        .run(head.archive, untilMs + head.lateMax, untilMs)
    }
  }

  ownerDelete(owner: string): void {
    const archives = this.#database.prepare('SELECT id FROM archive WHERE owner = ?').all(owner) as unknown as [number][]
    for (const [archive] of archives) this.#database.prepare('DELETE FROM entry WHERE archive = ?').run(archive)
    this.#database.prepare('DELETE FROM archive WHERE owner = ?').run(owner)
    if (archives.length > 0) this.#heads.clear()
  }

  /** A page as JSON text: `[isComplete, [id, at, with, value], …]`. */
  query(store: string, owner: string, query: ArchiveQuery): string {
    const where = this.#where(store, owner, query)
    if (!where) return '[true]'
    const direction = query.isBackward ? 'DESC' : 'ASC'
    const order = query.text === undefined ? `high ${direction}, seq ${direction}` : `entry_text.rowid ${direction}`
    const sql = `SELECT id, at, peer, value ${where.sql} ORDER BY ${order} LIMIT ?`
    // One more than asked for tells whether there are more.
    const rows = this.#database.prepare(sql).all(...where.values, query.limit + 1) as unknown as [string, number, string, string][]
    const isComplete = rows.length <= query.limit
    if (!isComplete) rows.pop()
    if (query.isBackward) rows.reverse()
    let text = isComplete ? '[true' : '[false'
    for (const [id, at, peer, value] of rows) text += `,[${JSON.stringify(id)},${at},${JSON.stringify(peer)},${value}]`
    return `${text}]`
  }

  count(store: string, owner: string, filter: Filter): number {
    const where = this.#where(store, owner, filter)
    if (!where) return 0
    const row = this.#database.prepare(`SELECT count(*) ${where.sql}`).get(...where.values) as unknown as [number]
    return row[0]
  }

  #where(store: string, owner: string, filter: Filter): Where | undefined {
    const head = this.#find(store, owner)
    const find = (id: string): Position => this.#position(head, id)
    const after = filter.after === undefined ? undefined : find(filter.after)
    const before = filter.before === undefined ? undefined : find(filter.before)
    const among = filter.ids?.map(id => find(id).seq)
    if (!head) return undefined
    const words = filter.text === undefined ? undefined : wordsOf(filter.text)
    if (words?.length === 0) return undefined
    const where = words === undefined ? this.#inOrder(head, filter) : searched(head, words)
    let { sql } = where
    const add = (condition: string, value: string | number | undefined): void => {
      if (value === undefined) return
      sql += ` AND ${condition}`
      where.values.push(value)
    }
    add('peer = ?', filter.with)
    const low = Math.max(after?.high ?? -Infinity, filter.start ?? -Infinity)
    const high = Math.min(before?.high ?? Infinity, filter.end === undefined ? Infinity : filter.end + head.lateMax)
    add('high >= ?', low > -Infinity ? low : undefined)
    add('high <= ?', high < Infinity ? high : undefined)
    // A search goes by the rowid of the words, which is the entry's `seq`.
    const seq = words === undefined ? 'seq' : 'entry_text.rowid'
    add(`${seq} > ?`, after?.seq)
    add(`${seq} < ?`, before?.seq)
    add('at >= ?', filter.start)
    add('at <= ?', filter.end)
    add('seq IN (SELECT value FROM json_each(?))', among && JSON.stringify(among))
    return { sql, values: where.values }
  }

  #inOrder(head: Head, filter: Filter): Where {
    const index = filter.with === undefined ? 'entry_order' : 'entry_peer'
    return { sql: `FROM entry ${filter.ids ? 'NOT INDEXED' : `INDEXED BY ${index}`} WHERE archive = ?`, values: [head.archive] }
  }

  #position(head: Head | undefined, id: string): Position {
    const row = head && this.#database.prepare('SELECT seq, high FROM entry WHERE archive = ? AND id = ?').get(head.archive, id)
    if (!row) throw new StorageError('item-not-found', `no archive entry ${id}`)
    const [seq, high] = row as unknown as [number, number]
    return { seq, high }
  }

  #create(store: string, owner: string): Head {
    this.#database.prepare('INSERT INTO archive (store, owner) VALUES (?, ?)').run(this.#tables.storeId(store), owner)
    return this.#find(store, owner)!
  }

  #find(store: string, owner: string): Head | undefined {
    const key = `${store}\0${owner}`
    const known = this.#heads.get(key)
    if (known) return known
    const storeId = this.#tables.findStoreId(store)
    if (storeId === undefined) return undefined
    const row = this.#database.prepare('SELECT id, late_max FROM archive WHERE owner = ? AND store = ?').get(owner, storeId)
    if (!row) return undefined
    const [archive, lateMax] = row as unknown as [number, number]
    const last = this.#database.prepare('SELECT high FROM entry WHERE archive = ? ORDER BY high DESC LIMIT 1').get(archive)
    const head: Head = { archive, high: last ? (last as unknown as [number])[0] : -Infinity, lateMax }
    if (this.#heads.size >= HEADS_MAX) this.#heads.clear()
    this.#heads.set(key, head)
    return head
  }
}

/** The word that stands for an archive in the index of words. */
const placeOf = (archive: number): string => `archive${archive}`

/** Entries with all these words: the list of the archive meets the lists of the words. */
function searched(head: Head, words: readonly string[]): Where {
  const terms = [`place : "${placeOf(head.archive)}"`, ...words.map(word => `words : "${word}"`)]
  return {
    sql: 'FROM entry_text CROSS JOIN entry ON entry.seq = entry_text.rowid WHERE entry_text MATCH ? AND archive = ?',
    values: [terms.join(' AND '), head.archive],
  }
}
