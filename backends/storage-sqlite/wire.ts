/**
 * What travels between the event loop and the database thread.
 *
 * A batch is one flat array of texts and numbers: call code, then its cells, call after call. Structured clone copies such
 * an array several times faster than objects, and JSON values travel as the text that is stored, so neither side parses
 * what it does not need. The reply to a batch is flat too: per call a status cell and a result cell.
 */
import { jsonText } from '@rollcall/ports'
import type { StorageErrorCode, WriteOp } from '@rollcall/ports'

export type Cell = string | number | null

/** Calls; the cells that follow each are in the comments. */
export const CALL = {
  /** operation count, then the operations */
  write: 0,
  /** store, owner */
  keyvalGet: 1,
  /** store, after or null, limit */
  keyvalOwners: 2,
  /** store, owner, key */
  mapGet: 3,
  /** store, owner */
  mapAll: 4,
  /** store, after or null, limit */
  mapOwners: 5,
  /** store, owner, query as JSON text */
  archiveQuery: 6,
  /** store, owner, query as JSON text */
  archiveCount: 7,
  /** store, owner, key */
  counterGet: 8,
  /** store, owner, key, amount */
  counterAdd: 9,
  /** entry count, then per entry store, owner, id, at, with, value text */
  logAppend: 10,
  /** owner, store count, then per store the code of the call that reads it (`keyvalGet` or `mapAll`) and the store */
  ownerGet: 11,
} as const

/** Write operations; the cells that follow each are in the comments. */
export const OP = {
  /** store, owner, value text */
  keyvalSet: 0,
  /** store, owner */
  keyvalDelete: 1,
  /** store, owner, key, value text */
  mapSet: 2,
  /** store, owner, key */
  mapDelete: 3,
  /** store, owner, id, at, with, value text */
  archiveAppend: 4,
  /** store, owner, ids as JSON text */
  archiveDelete: 5,
  /** store, owner, untilMs or null */
  archiveClear: 6,
  /** store, owner, key, amount */
  counterAdd: 7,
  /** owner */
  ownerDelete: 8,
  /** store, owner, id, at, with, value text, text to search */
  archiveAppendText: 9,
  /** store, owner, id, at, with, value text */
  logAppend: 10,
} as const

/** Status cells of a reply: `failed` is followed by the error as JSON text (`WireError`). */
export const STATUS = { done: 0, failed: 1 } as const

export interface WireError {
  readonly code: StorageErrorCode
  readonly message: string
}

/** What the thread is started with. */
export interface WorkerOptions {
  readonly path: string
  readonly durability: 'full' | 'normal'
  readonly cacheBytes: number
  readonly databaseBytesMax: number | undefined
  readonly lockWaitMs: number
}

/** Everything but batches. */
export type Control = { readonly ask: 'backup'; readonly serial: number; readonly path: string } | { readonly ask: 'close' }
export type Report =
  | { readonly tell: 'open'; readonly error?: WireError }
  | { readonly tell: 'backup'; readonly serial: number; readonly error?: WireError }
  | { readonly tell: 'closed' }

/** Appends one operation to a batch. */
export function encodeOp(cells: Cell[], op: WriteOp): void {
  switch (op.op) {
    case 'keyval-set':
      cells.push(OP.keyvalSet, op.store, op.owner, jsonText(op.value))
      return
    case 'keyval-delete':
      cells.push(OP.keyvalDelete, op.store, op.owner)
      return
    case 'map-set':
      cells.push(OP.mapSet, op.store, op.owner, op.key, jsonText(op.value))
      return
    case 'map-delete':
      cells.push(OP.mapDelete, op.store, op.owner, op.key)
      return
    case 'archive-append':
    case 'log-append':
      cells.push(
        op.entry.text !== undefined ? OP.archiveAppendText : op.op === 'log-append' ? OP.logAppend : OP.archiveAppend,
        op.store, op.owner, op.entry.id, op.entry.at, op.entry.with, jsonText(op.entry.value),
      )
      if (op.entry.text !== undefined) cells.push(op.entry.text)
      return
    case 'archive-delete':
      cells.push(OP.archiveDelete, op.store, op.owner, JSON.stringify(op.ids))
      return
    case 'archive-clear':
      cells.push(OP.archiveClear, op.store, op.owner, op.untilMs ?? null)
      return
    case 'counter-add':
      cells.push(OP.counterAdd, op.store, op.owner, op.key, op.amount)
      return
    case 'owner-delete':
      cells.push(OP.ownerDelete, op.owner)
  }
}
