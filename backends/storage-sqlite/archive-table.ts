/**
 * Archives, whatever shape they have: rows (`archive-rows.ts`), and for logs the journal and segments.
 *
 * The entries of one log may be in three places: rows (written by an earlier version, or while search was on), segments,
 * and the tail in the journal. The tail is behind the segments; rows may be anywhere between, so a page is made of both in
 * the order of their ids, which is the order of append.
 */
import { StorageError } from '@rollcall/ports'
import type { ArchiveQuery } from '@rollcall/ports'
import { ArchiveHeads } from './archive-heads.ts'
import type { Head } from './archive-heads.ts'
import { ArchiveRows } from './archive-rows.ts'
import type { Database } from './database.ts'
import { Journal } from './journal.ts'
import type { Tail } from './journal.ts'
import type { Entry } from './segment-format.ts'
import { matches, Segments, unknownId } from './segments.ts'
import type { Filter } from './segments.ts'
import type { SmallTables } from './small-tables.ts'
import { Trash } from './trash.ts'

/** Characters of the journal beyond which the oldest tails are folded: what memory holds, and what opening the file reads. */
const JOURNAL_MAX = 8_388_608
/** Folded in one transaction, about 5 ms. */
const FOLD_SIZE = 1_048_576
const FOLD_TAILS = 128

export class ArchiveTable {
  readonly journal: Journal
  readonly #database: Database
  readonly #rows: ArchiveRows
  readonly #segments: Segments
  readonly #heads: ArchiveHeads
  readonly #trash: Trash

  constructor(database: Database, tables: SmallTables) {
    this.#database = database
    this.journal = new Journal(database)
    this.#rows = new ArchiveRows(database)
    this.#segments = new Segments(database)
    this.#heads = new ArchiveHeads(database, tables, this.journal, this.#segments)
    this.#trash = new Trash(database)
  }

  /** After a rollback. */
  forget(): void {
    this.#heads.forget()
  }

  append(store: string, owner: string, entry: Entry, text?: string): void {
    const head = this.#heads.find(store, owner) ?? this.#heads.make(store, owner)
    if (head.isLog) checkOrder(head, entry.id)
    this.#raise(head, entry.at)
    this.#rows.append(head, entry, text)
    head.high = Math.max(head.high, entry.at)
    if (head.isLog) head.lastId = entry.id
  }

  logAppend(store: string, owner: string, entry: Entry): void {
    const head = this.#heads.find(store, owner) ?? this.#heads.make(store, owner)
    if (!head.isLog) this.#heads.makeLog(head)
    checkOrder(head, entry.id)
    this.#raise(head, entry.at)
    this.journal.append(head.archive, entry)
    head.high = Math.max(head.high, entry.at)
    head.lastId = entry.id
  }

  delete(store: string, owner: string, ids: readonly string[]): void {
    const head = this.#heads.find(store, owner)
    if (head === undefined) return
    if (head.hasRows) this.#rows.delete(head, ids)
    if (!head.isLog) return
    const gone = new Set(ids)
    if (this.journal.tail(head.archive).some(({ id }) => gone.has(id))) this.#fold(this.journal.take(head.archive)!)
    this.#segments.delete(head.archive, ids)
    this.#heads.forgetOne(store, owner)
  }

  clear(store: string, owner: string, untilMs: number | null): void {
    const head = this.#heads.find(store, owner)
    if (head === undefined) return
    this.#heads.forgetOne(store, owner)
    if (untilMs === null) return this.#discard(head.archive)
    if (head.hasRows) this.#rows.clear(head, untilMs)
    if (!head.isLog) return
    const tail = this.journal.take(head.archive)
    if (tail !== undefined) this.#fold(tail)
    this.#segments.clear(head.archive, untilMs, head.lateMax)
  }

  ownerDelete(owner: string): void {
    const archives = this.#database.prepare('SELECT id FROM archive WHERE owner = ? AND store > 0').all(owner) as unknown as [number][]
    for (const [archive] of archives) this.#discard(archive)
    if (archives.length > 0) this.#heads.forget()
  }

  /** A page as JSON text: `[isComplete, [id, at, with, value], …]`. */
  query(store: string, owner: string, query: ArchiveQuery): string {
    const head = this.#heads.find(store, owner)
    this.#checkIds(head, query)
    const { limit, isBackward = false } = query
    // One more than asked for tells whether there are more.
    const entries = head === undefined ? [] : this.#select(head, query, limit + 1, isBackward)
    const isComplete = entries.length <= limit
    if (!isComplete) entries.pop()
    if (isBackward) entries.reverse()
    let text = isComplete ? '[true' : '[false'
    for (const { id, at, peer, value } of entries) text += `,[${JSON.stringify(id)},${at},${JSON.stringify(peer)},${value}]`
    return `${text}]`
  }

  count(store: string, owner: string, filter: Filter): number {
    const head = this.#heads.find(store, owner)
    this.#checkIds(head, filter)
    if (head === undefined) return 0
    const inRows = head.hasRows ? this.#rows.count(head, filter) : 0
    if (!head.isLog || filter.text !== undefined) return inRows
    if (filter.ids !== undefined) return inRows + this.#byIds(head, filter).length
    const tail = this.journal.tail(head.archive).filter(entry => matches(entry, filter)).length
    return inRows + this.#segments.count(head.archive, filter, head.lateMax) + tail
  }

  /** Whether there is work for `tidy`. */
  get isUntidy(): boolean {
    return (this.journal.size > JOURNAL_MAX && this.journal.oldest() !== undefined) || !this.#trash.isEmpty
  }

  /** A bounded piece of work that nobody waits for, in the transaction under way: folds old tails, deletes what is discarded. */
  tidy(): void {
    let folded = 0
    for (let tails = 0; this.journal.size > JOURNAL_MAX && folded < FOLD_SIZE && tails < FOLD_TAILS; tails++) {
      folded += this.#foldOldest()
      this.journal.trim()
    }
    this.#trash.deleteSome()
  }

  /** Folds everything. */
  settle(): void {
    while (this.journal.oldest() !== undefined) this.#foldOldest()
    this.journal.empty()
  }

  #foldOldest(): number {
    const oldest = this.journal.oldest()
    if (oldest === undefined) return 0
    this.journal.take(oldest.archive)
    this.#fold(oldest)
    return oldest.size
  }

  #fold(tail: Tail): void {
    this.#segments.add(tail.archive, tail.entries, tail.size)
    this.#database.prepare('UPDATE archive SET folded = ? WHERE id = ?').run(this.journal.last, tail.archive)
  }

  #discard(archive: number): void {
    this.journal.take(archive)
    this.#trash.put(archive, this.journal.last)
  }

  #select(head: Head, filter: Filter, limit: number, isBackward: boolean): Entry[] {
    const rows = head.hasRows ? this.#rows.select(head, filter, limit, isBackward) : []
    if (!head.isLog || filter.text !== undefined) return rows
    const logged = filter.ids === undefined ? this.#logged(head, filter, limit, isBackward) : this.#byIds(head, filter)
    if (isBackward && filter.ids !== undefined) logged.reverse()
    if (rows.length === 0) return logged.slice(0, limit)
    const order = isBackward ? -1 : 1
    return [...rows, ...logged].sort((one, other) => (one.id < other.id ? -order : order)).slice(0, limit)
  }

  #logged({ archive, lateMax }: Head, filter: Filter, limit: number, isBackward: boolean): Entry[] {
    const tail = this.journal.tail(archive).filter(entry => matches(entry, filter))
    const found: Entry[] = isBackward ? tail.slice(-limit).reverse() : []
    if (found.length < limit) {
      const segments = isBackward ? this.#segments.selectBackward(archive, filter, lateMax) : this.#segments.select(archive, filter, lateMax)
      for (const entry of segments) if (found.push(entry) >= limit) break
    }
    if (!isBackward && found.length < limit) found.push(...tail.slice(0, limit - found.length))
    return found
  }

  /** Entries of the log with the ids of the filter, in order. */
  #byIds(head: Head, { ids = [], ...filter }: Filter): Entry[] {
    const found = [...new Set(ids)].sort().map(id => this.#find(head, id))
    return found.filter((entry): entry is Entry => entry !== undefined && matches(entry, filter))
  }

  #find({ archive }: Head, id: string): Entry | undefined {
    return this.journal.tail(archive).find(entry => entry.id === id) ?? this.#segments.find(archive, id)
  }

  /** Of others than logs the rows check themselves. */
  #checkIds(head: Head | undefined, { after, before, ids = [] }: Filter): void {
    if (head !== undefined && !head.isLog) {
      if (head.hasRows) return
    }
    for (const id of [after, before, ...ids]) {
      if (id === undefined) continue
      if (head === undefined || !head.isLog || !(this.#rows.has(head, id) || this.#find(head, id) !== undefined)) throw unknownId(id)
    }
  }

  /** First the bound, which may be too wide but never too narrow, then the entry: if the insert fails, nothing is wrong. */
  #raise(head: Head, at: number): void {
    if (head.high - at <= head.lateMax) return
    this.#database.prepare('UPDATE archive SET late_max = ? WHERE id = ?').run(head.high - at, head.archive)
    head.lateMax = head.high - at
  }
}

function checkOrder(head: Head, id: string): void {
  if (id <= head.lastId) throw new StorageError('conflict', `archive id ${id} is not after ${head.lastId}`)
}
