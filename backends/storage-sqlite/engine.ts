/**
 * Executes batches: every call of a batch in order, all of them in one transaction, one commit.
 *
 * A write of several operations has a savepoint, so that its failure undoes it and nothing else. When SQLite gives up the
 * whole transaction (it does when the disk is full) every call is executed again in a transaction of its own, so that a
 * call which fits is not lost to one which does not; after an I/O error nothing is tried again and every write is rejected.
 */
import type { ArchiveQuery } from '@rollcall/ports'
import { ArchiveTable } from './archive-table.ts'
import { toStorageError } from './database.ts'
import type { Database } from './database.ts'
import type { Entry } from './segment-format.ts'
import { SmallTables } from './small-tables.ts'
import { CALL, OP, STATUS } from './wire.ts'
import type { Cell } from './wire.ts'

/** Reads a batch's cells one after the other. */
class Reader {
  readonly #cells: readonly Cell[]
  at: number

  constructor(cells: readonly Cell[], at = 0) {
    this.#cells = cells
    this.at = at
  }

  get isAtEnd(): boolean {
    return this.at >= this.#cells.length
  }

  text(): string {
    return this.#cells[this.at++] as string
  }

  number(): number {
    return this.#cells[this.at++] as number
  }

  optionalText(): string | null {
    return this.#cells[this.at++] as string | null
  }

  optionalNumber(): number | null {
    return this.#cells[this.at++] as number | null
  }

  /** The next cell, a code, without moving on. */
  peek(): number {
    return this.#cells[this.at] as number
  }

  skip(count: number): void {
    this.at += count
  }
}

/** Cells after the code, by call (writes are walked) and by operation. */
const CALL_CELLS = [0, 2, 3, 3, 2, 3, 3, 3, 3, 4] as const
const OP_CELLS = [3, 2, 4, 3, 6, 3, 3, 4, 1, 7, 6] as const
const LOG_APPEND_CELLS = 6

/** Operations of one changing statement, which is atomic by itself: alone in a call they need no savepoint. */
const ONE_STATEMENT: ReadonlySet<number> = new Set([OP.keyvalSet, OP.keyvalDelete, OP.mapSet, OP.mapDelete, OP.archiveAppend, OP.logAppend, OP.counterAdd])

const isWrite = (code: number): boolean => code === CALL.write || code === CALL.counterAdd || code === CALL.logAppend

/** The transaction is gone, with everything the batch had done. */
class TransactionLost extends Error {}

export class Engine {
  readonly #database: Database
  readonly #tables: SmallTables
  readonly #archive: ArchiveTable

  constructor(database: Database) {
    this.#database = database
    this.#tables = new SmallTables(database)
    this.#archive = new ArchiveTable(database, this.#tables)
  }

  /** Whether there is work for `tidy`. */
  get isUntidy(): boolean {
    return this.#archive.isUntidy
  }

  /**
   * Does a bounded piece of the work that nobody waits for. It is not waited for on the disk either: a power cut may undo
   * it as a whole, and then it is done again. Throws what SQLite throws, with nothing changed.
   */
  tidy(): void {
    this.#inBackground(() => this.#archive.tidy())
  }

  /** Before closing: leaves nothing in the journal. Throws as `tidy` does. */
  settle(): void {
    this.#inBackground(() => this.#archive.settle())
  }

  #inBackground(work: () => void): void {
    this.#database.relaxed(() => {
      try {
        this.#database.prepare('BEGIN IMMEDIATE').run()
        work()
        this.#commit()
      } catch (error) {
        this.#rollback()
        throw error
      }
    })
  }

  /** Executes a batch; the reply has a status and a result per call, and is made after the commit. Never throws. */
  run(cells: readonly Cell[]): Cell[] {
    const starts = callStarts(cells)
    const hasWrites = starts.some(start => isWrite(cells[start] as number))
    const reply: Cell[] = []
    try {
      this.#database.prepare(hasWrites ? 'BEGIN IMMEDIATE' : 'BEGIN').run()
      for (const start of starts) this.#one(cells, start, reply)
      this.#commit()
      return reply
    } catch (error) {
      this.#rollback()
      return this.#apart(cells, starts, error)
    }
  }

  /** After the transaction of a batch was lost. */
  #apart(cells: readonly Cell[], starts: readonly number[], error: unknown): Cell[] {
    const cause = toStorageError(error instanceof TransactionLost ? error.cause : error)
    const reply: Cell[] = []
    for (const start of starts) {
      if (isWrite(cells[start] as number) && cause.code === 'io') {
        fail(reply, cause)
        continue
      }
      const length = reply.length
      try {
        this.#database.prepare('BEGIN').run()
        this.#one(cells, start, reply)
        this.#commit()
      } catch (again) {
        this.#rollback()
        reply.length = length
        fail(reply, again instanceof TransactionLost ? again.cause : again)
      }
    }
    return reply
  }

  #commit(): void {
    const { journal } = this.#archive
    journal.write()
    this.#database.prepare('COMMIT').run()
    journal.committed()
  }

  #rollback(): void {
    this.#forget()
    if (this.#database.isInTransaction) this.#database.prepare('ROLLBACK').run()
    this.#archive.journal.rolledBack()
  }

  #forget(): void {
    this.#tables.forget()
    this.#archive.forget()
  }

  #one(cells: readonly Cell[], start: number, reply: Cell[]): void {
    const reader = new Reader(cells, start)
    const code = reader.number()
    try {
      const result = code === CALL.logAppend ? this.#logAppend(reader)
        : code === CALL.write ? this.#write(reader)
        : code === CALL.ownerGet ? this.#ownerGet(reader)
        : this.#call(code, reader)
      reply.push(STATUS.done, result)
    } catch (error) {
      if (error instanceof TransactionLost) throw error
      if (!this.#database.isInTransaction) throw new TransactionLost('transaction lost', { cause: error })
      fail(reply, error)
    }
  }

  #write(reader: Reader): Cell {
    const count = reader.number()
    if (count === 1 && ONE_STATEMENT.has(reader.peek())) {
      this.#op(reader)
      return null
    }
    this.#whole(() => {
      for (let at = 0; at < count; at++) this.#op(reader)
    })
    return null
  }

  #logAppend(reader: Reader): Cell {
    const count = reader.number()
    const append = (): void => {
      for (let at = 0; at < count; at++) this.#archive.logAppend(reader.text(), reader.text(), readEntry(reader))
    }
    if (count === 1) append()
    else this.#whole(append)
    return null
  }

  /** An array per store as JSON text: the value of a keyval; `key,value,key,value` of a map; nothing where there is nothing. */
  #ownerGet(reader: Reader): Cell {
    const owner = reader.text()
    const parts: string[] = []
    for (let left = reader.number(); left > 0; left--) {
      const isMap = reader.number() === CALL.mapAll
      const value = isMap ? this.#tables.mapAll(reader.text(), owner) : this.#tables.keyvalGet(reader.text(), owner)
      parts.push(`[${value ?? ''}]`)
    }
    return `[${parts.join()}]`
  }

  /** All of it or nothing. */
  #whole(work: () => void): void {
    const { journal } = this.#archive
    const mark = journal.mark()
    this.#database.prepare('SAVEPOINT call').run()
    try {
      work()
    } catch (error) {
      this.#forget()
      if (!this.#database.isInTransaction) throw error
      this.#database.prepare('ROLLBACK TO call').run()
      // What cannot be taken back alone is taken back with the whole batch, whose other calls are then executed again.
      if (journal.isTouched) throw new TransactionLost('transaction given up', { cause: error })
      journal.undoTo(mark)
      throw error
    } finally {
      if (this.#database.isInTransaction) this.#database.prepare('RELEASE call').run()
    }
  }

  #call(code: number, reader: Reader): Cell {
    const store = reader.text()
    switch (code) {
      case CALL.keyvalGet:
        return this.#tables.keyvalGet(store, reader.text())
      case CALL.keyvalOwners:
        return this.#tables.keyvalOwners(store, reader.optionalText(), reader.number())
      case CALL.mapGet:
        return this.#tables.mapGet(store, reader.text(), reader.text())
      case CALL.mapAll:
        return this.#tables.mapAll(store, reader.text())
      case CALL.mapOwners:
        return this.#tables.mapOwners(store, reader.optionalText(), reader.number())
      case CALL.archiveQuery:
        return this.#archive.query(store, reader.text(), JSON.parse(reader.text()) as ArchiveQuery)
      case CALL.archiveCount:
        return this.#archive.count(store, reader.text(), JSON.parse(reader.text()) as ArchiveQuery)
      case CALL.counterGet:
        return this.#tables.counterGet(store, reader.text(), reader.text())
      case CALL.counterAdd:
        return this.#tables.counterAdd(store, reader.text(), reader.text(), reader.number())
      default:
        throw new Error(`unknown call ${code}`)
    }
  }

  #op(reader: Reader): void {
    const code = reader.number()
    const store = reader.text()
    switch (code) {
      case OP.keyvalSet:
        return this.#tables.keyvalSet(store, reader.text(), reader.text())
      case OP.keyvalDelete:
        return this.#tables.keyvalDelete(store, reader.text())
      case OP.mapSet:
        return this.#tables.mapSet(store, reader.text(), reader.text(), reader.text())
      case OP.mapDelete:
        return this.#tables.mapDelete(store, reader.text(), reader.text())
      case OP.archiveAppend:
        return this.#archive.append(store, reader.text(), readEntry(reader))
      case OP.archiveAppendText:
        return this.#archive.append(store, reader.text(), readEntry(reader), reader.text())
      case OP.logAppend:
        return this.#archive.logAppend(store, reader.text(), readEntry(reader))
      case OP.archiveDelete:
        return this.#archive.delete(store, reader.text(), JSON.parse(reader.text()) as string[])
      case OP.archiveClear:
        return this.#archive.clear(store, reader.text(), reader.optionalNumber())
      case OP.counterAdd:
        return void this.#tables.counterAdd(store, reader.text(), reader.text(), reader.number())
      case OP.ownerDelete:
        // Its only cell is the owner.
        this.#tables.ownerDelete(store)
        return this.#archive.ownerDelete(store)
      default:
        throw new Error(`unknown operation ${code}`)
    }
  }
}

/** Arguments are evaluated in order: the cells are read as they come. */
function readEntry(reader: Reader): Entry {
  return { id: reader.text(), at: reader.number(), peer: reader.text(), value: reader.text() }
}

function fail(reply: Cell[], error: unknown): void {
  const { code, message } = toStorageError(error)
  reply.push(STATUS.failed, JSON.stringify({ code, message }))
}

function callStarts(cells: readonly Cell[]): number[] {
  const starts: number[] = []
  const reader = new Reader(cells)
  while (!reader.isAtEnd) {
    starts.push(reader.at)
    const code = reader.number()
    if (code === CALL.write) {
      for (let left = reader.number(); left > 0; left--) reader.skip(OP_CELLS[reader.number()]!)
    } else if (code === CALL.logAppend) reader.skip(reader.number() * LOG_APPEND_CELLS)
    else if (code === CALL.ownerGet) {
      reader.skip(1)
      reader.skip(reader.number() * 2)
    }
    else reader.skip(CALL_CELLS[code]!)
  }
  return starts
}
