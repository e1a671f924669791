/**
 * Where the entries of logs end up: rows of up to 16 KiB, each a run of one archive's entries.
 *
 * A page of history is one or two rows. New rows are merged with those before them while these are not much larger, as in
 * a log-structured tree: an archive that grows by a few entries at a time is rewritten about three times in all.
 * `segment_peer` leads from a contact to the rows that have messages of it.
 */
import { StorageError } from '@rollcall/ports'
import type { ArchiveQuery } from '@rollcall/ports'
import type { Database } from './database.ts'
import { decode, encodeData, encodeHead, sizeOf } from './segment-format.ts'
import type { Entry } from './segment-format.ts'

export type Filter = Omit<ArchiveQuery, 'limit'>

/** Characters of a segment: about fifty messages, which is a page of history. */
const SIZE_MAX = 16_384
/** A row is merged with the one before it unless that is so many times larger. */
const MERGE_RATIO = 4
/** Rows read at a time. */
const ROWS_AT_A_TIME = 4

/** Segments from `low` to `high` by `seq`, both inclusive. */
interface Range {
  low: number
  high: number
}

interface Row {
  readonly seq: number
  readonly entries: Entry[]
}

export class Segments {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** Greatest id, '' when there is none. */
  lastId(archive: number): string {
    const row = this.#get('SELECT last_id FROM segment INDEXED BY segment_id WHERE archive = ? ORDER BY last_id DESC LIMIT 1', archive)
    return (row?.[0] as string | undefined) ?? ''
  }

  /** Greatest `high`, -Infinity when there is none. */
  high(archive: number): number {
    const row = this.#get('SELECT high FROM segment INDEXED BY segment_high WHERE archive = ? ORDER BY high DESC LIMIT 1', archive)
    return (row?.[0] as number | undefined) ?? -Infinity
  }

  /** Writes a tail behind what is there. */
  add(archive: number, tail: readonly Entry[], tailSize: number): void {
    const pieces: (readonly Entry[])[] = [tail]
    let size = tailSize
    for (;;) {
      const row = this.#get('SELECT seq, size FROM segment INDEXED BY segment_order WHERE archive = ? ORDER BY seq DESC LIMIT 1', archive)
      if (row === undefined) break
      const [seq, before] = row as [number, number]
      if (before + size > SIZE_MAX || before >= MERGE_RATIO * size) break
      const merged = this.#read(seq)
      this.#remove(archive, seq, merged)
      pieces.unshift(merged)
      size += before
    }
    const entries = pieces.flat()
    let high = this.high(archive)
    for (let start = 0; start < entries.length;) {
      let end = start
      for (let left = SIZE_MAX; end < entries.length && (end === start || left >= sizeOf(entries[end]!)); end++) left -= sizeOf(entries[end]!)
      high = this.#insert(archive, undefined, high, entries.slice(start, end))
      start = end
    }
  }

  /** The entry, undefined when there is none. */
  find(archive: number, id: string): Entry | undefined {
    const seq = this.#seqOf(archive, id)
    return seq === undefined ? undefined : this.#read(seq).find(entry => entry.id === id)
  }

  /** Entries that match, in order. */
  *select(archive: number, filter: Filter, lateMax: number): Generator<Entry> {
    for (const row of this.#rows(archive, filter, lateMax, false)) yield * row.entries.filter(entry => matches(entry, filter))
  }

  /** Entries that match, from the last to the first. */
  *selectBackward(archive: number, filter: Filter, lateMax: number): Generator<Entry> {
    for (const row of this.#rows(archive, filter, lateMax, true)) yield * row.entries.filter(entry => matches(entry, filter)).reverse()
  }

  /** How many entries match. Rows that match as a whole are not looked into. */
  count(archive: number, filter: Filter, lateMax: number): number {
    const range = this.#range(archive, filter, lateMax)
    const [counts, values] = filter.with === undefined
      ? ['count', [archive]]
      : ['(SELECT count FROM segment_peer AS p WHERE p.archive = segment.archive AND p.peer = ? AND p.seq = segment.seq)', [filter.with, archive]]
    const rows = this.#database
      .prepare(`SELECT seq, low, high, ${counts} FROM segment INDEXED BY segment_order WHERE archive = ? AND seq >= ? AND seq <= ?`)
      .iterate(...values as [], range.low, range.high) as unknown as Iterable<[number, number, number, number | null]>
    let sum = 0
    for (const [seq, low, high, count] of rows) {
      const isWhole = low >= (filter.start ?? -Infinity) && high <= (filter.end ?? Infinity)
        && !(filter.after !== undefined && seq === range.low) && !(filter.before !== undefined && seq === range.high)
      if (count === null) continue
      sum += isWhole ? count : this.#head(seq).filter(entry => matches(entry, filter)).length
    }
    return sum
  }

  delete(archive: number, ids: readonly string[]): void {
    const bySeq = new Map<number, Set<string>>()
    for (const id of ids) {
      const seq = this.#seqOf(archive, id)
      if (seq === undefined) continue
      const gone = bySeq.get(seq)
      if (gone === undefined) bySeq.set(seq, new Set([id]))
      else gone.add(id)
    }
    for (const [seq, gone] of bySeq) this.#keep(archive, seq, entry => !gone.has(entry.id))
  }

  /** Deletes what is at or before a time. */
  clear(archive: number, untilMs: number, lateMax: number): void {
    const { low, high } = this.#range(archive, { end: untilMs }, lateMax)
    const seqs = this.#database
      .prepare('SELECT seq FROM segment INDEXED BY segment_order WHERE archive = ? AND seq >= ? AND seq <= ?').all(archive, low, high)
    for (const [seq] of seqs as unknown as [number][]) this.#keep(archive, seq, entry => entry.at > untilMs)
  }

  *#rows(archive: number, filter: Filter, lateMax: number, isBackward: boolean): Generator<Row> {
    const range = this.#range(archive, filter, lateMax)
    const from = filter.with === undefined
      ? 'segment INDEXED BY segment_order WHERE archive = ?' : 'segment_peer WHERE archive = ? AND peer = ?'
    const values = filter.with === undefined ? [archive] : [archive, filter.with]
    const sql = `SELECT seq FROM ${from} AND seq >= ? AND seq <= ? ORDER BY seq ${isBackward ? 'DESC' : 'ASC'} LIMIT ${ROWS_AT_A_TIME}`
    for (;;) {
      const rows = this.#database.prepare(sql).all(...values, range.low, range.high) as unknown as [number][]
      for (const [seq] of rows) yield { seq, entries: this.#read(seq) }
      const last = rows.at(-1)?.[0]
      if (last === undefined || rows.length < ROWS_AT_A_TIME) return
      if (isBackward) range.high = last - 1
      else range.low = last + 1
    }
  }

  /** See `migrations.ts` for what `high` and `lateMax` are: no entry at or before T is behind the first row beyond T + lateMax. */
  #range(archive: number, filter: Filter, lateMax: number): Range {
    const range = { low: 0, high: Number.MAX_SAFE_INTEGER }
    if (filter.after !== undefined) range.low = this.#seqOf(archive, filter.after) ?? Infinity
    if (filter.before !== undefined) range.high = this.#seqOf(archive, filter.before) ?? range.high
    const at = (comparison: string, ms: number): number | undefined => {
      const sql = `SELECT seq FROM segment INDEXED BY segment_high WHERE archive = ? AND high ${comparison} ? ORDER BY high, seq LIMIT 1`
      return this.#get(sql, archive, ms)?.[0] as number | undefined
    }
    if (filter.start !== undefined) range.low = Math.max(range.low, at('>=', filter.start) ?? Infinity)
    if (filter.end !== undefined) range.high = Math.min(range.high, at('>', filter.end + lateMax) ?? range.high)
    return range.low === Infinity ? { low: 1, high: 0 } : range
  }

  /** The row that has the id if any has: the first one whose last id is not before it. */
  #seqOf(archive: number, id: string): number | undefined {
    const sql = 'SELECT seq FROM segment INDEXED BY segment_id WHERE archive = ? AND last_id >= ? ORDER BY last_id LIMIT 1'
    return this.#get(sql, archive, id)?.[0] as number | undefined
  }

  #read(seq: number): Entry[] {
    const [head, data] = this.#get('SELECT head, data FROM segment WHERE seq = ?', seq) as [string, string]
    return decode(head, data)
  }

  #head(seq: number): Entry[] {
    return decode(this.#get('SELECT head FROM segment WHERE seq = ?', seq)![0] as string)
  }

  #keep(archive: number, seq: number, isKept: (entry: Entry) => boolean): void {
    const before = this.#read(seq)
    const after = before.filter(isKept)
    if (after.length === before.length) return
    const [high] = this.#get('SELECT high FROM segment WHERE seq = ?', seq) as [number]
    this.#remove(archive, seq, before)
    // The row keeps its place, and its `high`, which may be too great but never too small.
    if (after.length > 0) this.#insert(archive, seq, high, after)
  }

  #remove(archive: number, seq: number, entries: readonly Entry[]): void {
    this.#database.prepare('DELETE FROM segment WHERE seq = ?').run(seq)
    const forget = this.#database.prepare('DELETE FROM segment_peer WHERE archive = ? AND peer = ? AND seq = ?')
    for (const peer of new Set(entries.map(entry => entry.peer))) forget.run(archive, peer, seq)
  }

  /** Returns the new `high`. */
  #insert(archive: number, seq: number | undefined, highBefore: number, entries: readonly Entry[]): number {
    let high = highBefore
    let low = Infinity
    let size = 0
    const peers = new Map<string, number>()
    for (const entry of entries) {
      high = Math.max(high, entry.at)
      low = Math.min(low, entry.at)
      size += sizeOf(entry)
      peers.set(entry.peer, (peers.get(entry.peer) ?? 0) + 1)
    }
    const { lastInsertRowid } = this.#database
      .prepare('INSERT INTO segment (seq, archive, last_id, high, low, count, size, head, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
      .run(seq ?? null, archive, entries.at(-1)!.id, high, low, entries.length, size, encodeHead(entries), encodeData(entries))
    const lead = this.#database.prepare('INSERT INTO segment_peer (archive, peer, seq, count) VALUES (?, ?, ?, ?)')
    for (const [peer, count] of peers) lead.run(archive, peer, lastInsertRowid, count)
    return high
  }

  #get(sql: string, ...values: (string | number)[]): unknown[] | undefined {
    return this.#database.prepare(sql).get(...values) as unknown as unknown[] | undefined
  }
}

/** Whether a filter without words takes the entry. Ids of logs are compared as texts. */
export function matches({ id, at, peer }: Entry, filter: Filter): boolean {
  return (filter.with === undefined || peer === filter.with)
    && (filter.start === undefined || at >= filter.start) && (filter.end === undefined || at <= filter.end)
    && (filter.after === undefined || id > filter.after) && (filter.before === undefined || id < filter.before)
    && (filter.ids === undefined || filter.ids.includes(id))
}

export const unknownId = (id: string): StorageError => new StorageError('item-not-found', `no archive entry ${id}`)
