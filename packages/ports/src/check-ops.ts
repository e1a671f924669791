/**
 * What every storage backend refuses before it touches anything.
 *
 * One place, so that a value which one backend would mangle (a NUL cuts a text short in C, a lone surrogate turns into
 * U+FFFD in UTF-8 and may collide with another key) is refused by all of them alike. Such an argument is a defect of the
 * caller, hence `TypeError` and not `StorageError`.
 */
import type { ArchiveEntry, Json, Owner, WriteOp } from './storage.ts'

function checkText(text: string, what: string): void {
  if (!text.isWellFormed() || text.includes('\0')) {
    throw new TypeError(`storage ${what} is not well-formed text without NUL: ${JSON.stringify(text)}`)
  }
}

function checkInteger(value: number, what: string): void {
  if (!Number.isSafeInteger(value)) throw new TypeError(`storage ${what} is not a safe integer: ${value}`)
}

function checkEntry({ id, with: peer, text, at }: ArchiveEntry<Json>): void {
  checkText(id, 'archive id')
  checkText(peer, 'archive with')
  if (text !== undefined) checkText(text, 'archive text')
  checkInteger(at, 'archive time')
}

/** As `checkWriteOps`, for one append. */
export function checkAppend(owner: Owner, entry: ArchiveEntry<Json>): void {
  checkText(owner, 'owner')
  checkEntry(entry)
}

/** Throws `TypeError` when an operation could not be stored faithfully by every backend. */
export function checkWriteOps(ops: readonly WriteOp[]): void {
  for (const op of ops) {
    checkText(op.owner, 'owner')
    switch (op.op) {
      case 'map-set':
      case 'map-delete':
        checkText(op.key, 'key')
        break
      case 'counter-add':
        checkText(op.key, 'key')
        checkInteger(op.amount, 'counter amount')
        break
      case 'archive-append':
      case 'log-append':
        checkEntry(op.entry)
        break
      default:
    }
  }
}

/** Words of a text, as searches take them: letters and digits in a row, without case. */
export function wordsOf(text: string): string[] {
  return text.normalize('NFC').toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? []
}

/** Throws `TypeError` unless `limit` is a non-negative integer: an unbounded read is never what a caller means. */
export function checkLimit(limit: number): void {
  if (!Number.isSafeInteger(limit) || limit < 0) throw new TypeError(`storage limit is not a count: ${limit}`)
}

/**
 * A value that is JSON text already, from a process that checked it: backends store values as text, so one that came as
 * text need not be parsed in between. Passed as `Json` and good for writes alone.
 */
export class JsonText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toJSON(): unknown {
    return JSON.parse(this.text)
  }
}

/** JSON text of a value; throws `TypeError` for what JSON cannot hold (undefined, functions, cycles). */
export function jsonText(value: Json): string {
  // Not a `Json` by its type; see there.
  if ((value as unknown) instanceof JsonText) return (value as unknown as JsonText).text
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) throw new TypeError('storage value is not JSON data')
  return text
}
