/** One owner's archive in memory: an array in order of append. Linear on purpose: it is what the fast ones are compared with. */
import { StorageError, wordsOf } from '@rollcall/ports'
import type { ArchiveEntry, ArchivePage, ArchiveQuery, Json } from '@rollcall/ports'

interface Row {
  readonly id: string
  readonly at: number
  readonly with: string
  readonly text: string
  /** What a search finds it by. */
  readonly words: string
}

export class MemoryArchive {
  #rows: Row[] = []
  #ids = new Set<string>()

  copy(): MemoryArchive {
    const copy = new MemoryArchive()
    copy.#rows = this.#rows.slice()
    copy.#ids = new Set(this.#ids)
    return copy
  }

  /** Throws `StorageError('conflict')` when an entry cannot have this id. */
  check(id: string, isLog: boolean): void {
    if (this.#ids.has(id)) throw new StorageError('conflict', `archive id ${id} exists`)
    // Ids of a log grow, so the last entry has the greatest one.
    const last = this.#rows.at(-1)
    if (isLog && last !== undefined && last.id > id) throw new StorageError('conflict', `archive id ${id} is not after the last one`)
  }

  append(entry: ArchiveEntry<Json>, text: string): void {
    this.#ids.add(entry.id)
    this.#rows.push({ id: entry.id, at: entry.at, with: entry.with, text, words: (entry.text ?? '').normalize('NFC').toLowerCase() })
  }

  delete(ids: readonly string[]): void {
    const gone = new Set(ids)
    this.#keep(row => !gone.has(row.id))
  }

  clear(untilMs: number | undefined): void {
    this.#keep(row => untilMs !== undefined && row.at > untilMs)
  }

  /** Rows that match everything but `limit`, in order of append. */
  select(query: Omit<ArchiveQuery, 'limit'>): Row[] {
    const from = query.after === undefined ? 0 : this.#indexOf(query.after) + 1
    const until = query.before === undefined ? this.#rows.length : this.#indexOf(query.before)
    for (const id of query.ids ?? []) this.#indexOf(id)
    const ids = query.ids && new Set(query.ids)
    const words = query.text === undefined ? undefined : wordsOf(query.text)
    return this.#rows.slice(from, until).filter(
      row =>
        (query.with === undefined || row.with === query.with) &&
        (query.start === undefined || row.at >= query.start) &&
        (query.end === undefined || row.at <= query.end) &&
        (ids === undefined || ids.has(row.id)) &&
        (words === undefined || (words.length > 0 && words.every(word => row.words.includes(word)))),
    )
  }

  page(query: ArchiveQuery): ArchivePage<Json> {
    const rows = this.select(query)
    const isComplete = rows.length <= query.limit
    const page = query.isBackward ? rows.slice(Math.max(0, rows.length - query.limit)) : rows.slice(0, query.limit)
    const entries = page.map(({ id, at, with: peer, text }) => ({ id, at, with: peer, value: JSON.parse(text) as Json }))
    return { entries, isComplete }
  }

  #keep(isKept: (row: Row) => boolean): void {
    this.#rows = this.#rows.filter(isKept)
    this.#ids = new Set(this.#rows.map(row => row.id))
  }

  #indexOf(id: string): number {
    const at = this.#rows.findIndex(row => row.id === id)
    if (at < 0) throw new StorageError('item-not-found', `no archive entry ${id}`)
    return at
  }
}
