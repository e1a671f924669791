/**
 * Archives as rows of one rowid table: those whose ids come in any order, and whatever can be searched by its words.
 *
 * See `migrations.ts` for `high` and `late_max`, which make the order of append searchable by time.
 */
import { wordsOf } from '@rollcall/ports'
import type { Database } from './database.ts'
import type { Head } from './archive-heads.ts'
import type { Entry } from './segment-format.ts'
import { unknownId } from './segments.ts'
import type { Filter } from './segments.ts'

interface Position {
  readonly seq: number
  readonly high: number
}
interface Where {
  readonly sql: string
  readonly values: (string | number)[]
}

export class ArchiveRows {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  append(head: Head, { id, at, peer, value }: Entry, text?: string): void {
    const { lastInsertRowid } = this.#database
      .prepare('INSERT INTO entry (archive, id, at, high, peer, value) VALUES (?, ?, ?, ?, ?, ?)')
      .run(head.archive, id, at, Math.max(head.high, at), peer, value)
    head.hasRows = true
    if (text === undefined) return
    this.#database.prepare('INSERT INTO entry_text (rowid, place, words) VALUES (?, ?, ?)').run(lastInsertRowid, placeOf(head.archive), text)
  }

  delete({ archive }: Head, ids: readonly string[]): void {
    for (const id of ids) this.#database.prepare('DELETE FROM entry WHERE archive = ? AND id = ?').run(archive, id)
  }

  clear({ archive, lateMax }: Head, untilMs: number): void {
    this.#database.prepare('DELETE FROM entry WHERE archive = ? AND high <= ? AND at <= ?').run(archive, untilMs + lateMax, untilMs)
  }

  has({ archive }: Head, id: string): boolean {
    return this.#database.prepare('SELECT 1 FROM entry WHERE archive = ? AND id = ?').get(archive, id) !== undefined
  }

  /** The first `limit` entries that match, or from the last one on. */
  select(head: Head, filter: Filter, limit: number, isBackward: boolean): Entry[] {
    const where = this.#where(head, filter)
    if (where === undefined) return []
    const direction = isBackward ? 'DESC' : 'ASC'
    const order = filter.text === undefined ? `high ${direction}, seq ${direction}` : `entry_text.rowid ${direction}`
    const rows = this.#database
      .prepare(`SELECT id, at, peer, value ${where.sql} ORDER BY ${order} LIMIT ?`)
      .all(...where.values, limit) as unknown as [string, number, string, string][]
    return rows.map(([id, at, peer, value]) => ({ id, at, peer, value }))
  }

  count(head: Head, filter: Filter): number {
    const where = this.#where(head, filter)
    if (where === undefined) return 0
    return (this.#database.prepare(`SELECT count(*) ${where.sql}`).get(...where.values) as unknown as [number])[0]
  }

  #where(head: Head, filter: Filter): Where | undefined {
    const after = filter.after === undefined ? undefined : this.#position(head, filter.after, '<=')
    const before = filter.before === undefined ? undefined : this.#position(head, filter.before, '>=')
    const among = filter.ids?.map(id => this.#position(head, id, '=')?.seq ?? 0)
    const words = filter.text === undefined ? undefined : wordsOf(filter.text)
    if (words?.length === 0) return undefined
    const where = words === undefined ? inOrder(head, filter) : searched(head, words)
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

  /**
   * Where an id stands. Of a log, whose other entries are elsewhere, the row that is nearest in that direction, undefined
   * when there is none; of others exactly this id or `StorageError('item-not-found')`.
   */
  #position({ archive, isLog }: Head, id: string, nearest: '<=' | '>=' | '='): Position | undefined {
    const comparison = isLog ? nearest : '='
    const row = this.#database
      .prepare(`SELECT seq, high FROM entry INDEXED BY entry_id WHERE archive = ? AND id ${comparison} ?
        ORDER BY id ${comparison === '<=' ? 'DESC' : 'ASC'} LIMIT 1`)
      .get(archive, id) as unknown as [number, number] | undefined
    if (row !== undefined) return { seq: row[0], high: row[1] }
    if (isLog) return undefined
    throw unknownId(id)
  }
}

function inOrder(head: Head, filter: Filter): Where {
  const index = filter.with === undefined ? 'entry_order' : 'entry_peer'
  return { sql: `FROM entry ${filter.ids ? 'NOT INDEXED' : `INDEXED BY ${index}`} WHERE archive = ?`, values: [head.archive] }
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
