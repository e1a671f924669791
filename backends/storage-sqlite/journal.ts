/**
 * The journal of logs: a commit writes everything that was appended as one row, whatever number of owners it concerns.
 *
 * Entries stay in memory too, one tail per archive, until `LogFolder` writes a whole tail at once into the archive's segments.
 * So an append costs a share of one sequential write and no statement, and the trees are touched once for many entries.
 *
 * Entries have numbers that grow for ever. `archive.folded` says up to which number an archive's entries are in its segments
 * or deleted; when the file is opened, those beyond it make up the tails again. A row goes when no tail needs it; the last
 * one stays, so that numbers never start anew.
 *
 * A transaction that is rolled back takes back what it appended; if it also took tails, memory is made anew from the file.
 */
import type { Database } from './database.ts'
import { sizeOf } from './segment-format.ts'
import type { Entry } from './segment-format.ts'

export interface Tail {
  readonly archive: number
  /** Number of the first entry. */
  readonly first: number
  readonly entries: Entry[]
  size: number
}

/** Cells of one entry in the head of a journal row: archive, id, at, peer, length. */
const CELLS = 5

export class Journal {
  readonly #database: Database
  /** By archive; the one with the oldest entry first. */
  #tails = new Map<number, Tail>()
  /** Of the transaction under way: archives and entries, in order of append. */
  #stagedArchives: number[] = []
  #staged: Entry[] = []
  #stagedSize = 0
  /** The rows in the file: the number of the first entry, and characters. */
  #rows: { readonly first: number; readonly size: number }[] = []
  #size = 0
  #next = 0
  /** The transaction changed more than a rollback can take back. */
  #isTouched = false

  constructor(database: Database) {
    this.#database = database
    this.#load()
  }

  /** Characters of the rows in the file, and so a bound on those of all tails. */
  get size(): number {
    return this.#size
  }

  /** Number of the last entry. */
  get last(): number {
    return this.#next - 1
  }

  get isTouched(): boolean {
    return this.#isTouched
  }

  tail(archive: number): readonly Entry[] {
    return this.#tails.get(archive)?.entries ?? []
  }

  /** The tail with the oldest entry. */
  oldest(): Tail | undefined {
    for (const tail of this.#tails.values()) return tail
    return undefined
  }

  append(archive: number, entry: Entry): void {
    const size = sizeOf(entry)
    const tail = this.#tails.get(archive)
    if (tail === undefined) this.#tails.set(archive, { archive, first: this.#next, entries: [entry], size })
    else {
      tail.entries.push(entry)
      tail.size += size
    }
    this.#stagedArchives.push(archive)
    this.#staged.push(entry)
    this.#stagedSize += size
    this.#next++
  }

  /** Removes a tail, which is being written elsewhere or deleted in this transaction. */
  take(archive: number): Tail | undefined {
    const tail = this.#tails.get(archive)
    if (tail === undefined) return undefined
    this.#tails.delete(archive)
    this.#isTouched = true
    return tail
  }

  /** For `undoTo`. */
  mark(): number {
    return this.#staged.length
  }

  /** Takes back what was appended since. Only while `isTouched` is false. */
  undoTo(mark: number): void {
    while (this.#staged.length > mark) {
      const archive = this.#stagedArchives.pop()!
      const size = sizeOf(this.#staged.pop()!)
      const tail = this.#tails.get(archive)!
      tail.entries.pop()
      tail.size -= size
      this.#stagedSize -= size
      this.#next--
      if (tail.entries.length === 0) this.#tails.delete(archive)
    }
  }

  /** Before the commit: writes what the transaction appended. */
  write(): void {
    if (this.#staged.length === 0) return
    const cells: (string | number)[] = []
    let data = ''
    for (const [index, { id, at, peer, value }] of this.#staged.entries()) {
      cells.push(this.#stagedArchives[index]!, id, at, peer, value.length)
      data += value
    }
    this.#insert(this.#next - this.#staged.length, JSON.stringify(cells), data)
  }

  /** After the commit. */
  committed(): void {
    if (this.#staged.length > 0) {
      this.#rows.push({ first: this.#next - this.#staged.length, size: this.#stagedSize })
      this.#size += this.#stagedSize
    }
    this.#unstage()
    this.#isTouched = false
  }

  /** After a rollback. */
  rolledBack(): void {
    if (this.#isTouched) this.#load()
    else this.undoTo(0)
  }

  /** Deletes rows that no tail needs, in the transaction under way. */
  trim(): void {
    const needed = this.oldest()?.first ?? this.#next
    let gone = 0
    while (gone + 1 < this.#rows.length && this.#rows[gone + 1]!.first <= needed) gone++
    if (gone === 0) return
    this.#isTouched = true
    this.#database.prepare('DELETE FROM journal WHERE first < ?').run(this.#rows[gone]!.first)
    for (const { size } of this.#rows.splice(0, gone)) this.#size -= size
  }

  /** With no tails left: leaves one empty row, so that the file of a stopped server has everything where it belongs. */
  empty(): void {
    if (this.#tails.size > 0 || this.last === this.#rows[0]!.first) return
    this.#isTouched = true
    this.#database.prepare('DELETE FROM journal').run()
    // It takes a number too, so that the next row has another.
    this.#insert(this.#next, '[]', '')
    this.#rows = [{ first: this.#next++, size: 0 }]
    this.#size = 0
  }

  #insert(first: number, head: string, data: string): void {
    this.#database.prepare('INSERT INTO journal (first, head, data) VALUES (?, ?, ?)').run(first, head, data)
  }

  #load(): void {
    this.#tails = new Map()
    this.#unstage()
    this.#rows = []
    this.#size = 0
    this.#isTouched = false
    const folded = new Map<number, number>()
    const rows = this.#database.prepare('SELECT first, head, data FROM journal ORDER BY first').iterate()
    for (const row of rows as unknown as Iterable<[number, string, string]>) this.#replay(row, folded)
    this.#unstage()
  }

  #unstage(): void {
    this.#stagedArchives = []
    this.#staged = []
    this.#stagedSize = 0
  }

  #replay([first, head, data]: [number, string, string], folded: Map<number, number>): void {
    this.#rows.push({ first, size: head.length + data.length })
    this.#size += head.length + data.length
    // A row without entries has a number of its own.
    this.#next = head === '[]' ? first + 1 : first
    const cells = JSON.parse(head) as (string | number)[]
    let start = 0
    for (let cell = 0; cell < cells.length; cell += CELLS) {
      const [archive, id, at, peer, length] = cells.slice(cell, cell + CELLS) as [number, string, number, string, number]
      const value = data.slice(start, (start += length))
      if (this.#next > this.#foldedOf(archive, folded)) this.append(archive, { id, at, peer, value })
      else this.#next++
    }
  }

  /** Infinity for an archive that is no more. */
  #foldedOf(archive: number, known: Map<number, number>): number {
    let folded = known.get(archive)
    if (folded === undefined) {
      const row = this.#database.prepare('SELECT folded FROM archive WHERE id = ?').get(archive) as unknown as [number] | undefined
      known.set(archive, (folded = row?.[0] ?? Infinity))
    }
    return folded
  }
}
