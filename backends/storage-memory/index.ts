/**
 * Storage that forgets: the reference implementation of the storage port, for tests, the simulator and try-outs.
 *
 * Plain maps by store and owner. Values pass through JSON text, as they do in every durable backend, so that a caller
 * which changes an object after storing it, or which stores something that JSON cannot hold, is found out here too.
 * A write is first checked as a whole and then applied, which is what makes it atomic without a journal.
 */
import { StorageError, checkLimit, checkWriteOps, jsonText } from '@rollcall/ports'
import type { ArchiveEntry, ArchivePage, ArchiveQuery, Json, Owner, Rows, StorageBackend, WholeStore, WriteOp } from '@rollcall/ports'
import { MemoryArchive } from './memory-archive.ts'

type ByOwner<T> = Map<string, Map<Owner, T>>

function compareCodePoints(one: string, other: string): number {
  // UTF-16 order differs from code-point order only between surrogates and U+E000..U+FFFF; UTF-8 order never does.
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}

function slot<T>(stores: ByOwner<T>, store: string, owner: Owner, make: () => T): T {
  let owners = stores.get(store)
  if (!owners) stores.set(store, (owners = new Map()))
  let value = owners.get(owner)
  if (value === undefined) owners.set(owner, (value = make()))
  return value
}

const parse = (text: string): Json => JSON.parse(text) as Json

/** A backend whose data lives as long as the object; `close` then `open` keeps it, as a restart of a real one would. */
export class MemoryStorage implements StorageBackend {
  readonly isSearchable = true
  #isOpen = false
  readonly #keyvals: ByOwner<string> = new Map()
  readonly #maps: ByOwner<Map<string, string>> = new Map()
  readonly #archives: ByOwner<MemoryArchive> = new Map()
  readonly #counters: ByOwner<Map<string, number>> = new Map()

  async open(): Promise<void> {
    this.#isOpen = true
  }

  async close(): Promise<void> {
    this.#isOpen = false
  }

  async write(ops: readonly WriteOp[]): Promise<void> {
    this.#writeNow(ops)
  }

  #writeNow(ops: readonly WriteOp[]): void {
    this.#checkOpen()
    checkWriteOps(ops)
    const texts = ops.map(valueText)
    this.#checkConflicts(ops)
    ops.forEach((op, at) => this.#apply(op, texts[at]!))
  }

  logAppend(store: string, owner: Owner, entry: ArchiveEntry<Json>): Promise<void> {
    return this.write([{ op: 'log-append', store, owner, entry }])
  }

  async keyvalGet(store: string, owner: Owner): Promise<Json | undefined> {
    this.#checkOpen()
    const text = this.#keyvals.get(store)?.get(owner)
    return text === undefined ? undefined : parse(text)
  }

  async keyvalOwners(store: string, after: Owner | undefined, limit: number): Promise<Owner[]> {
    this.#checkOpen()
    return ownersAfter(this.#keyvals.get(store), after, limit)
  }

  async mapGet(store: string, owner: Owner, key: string): Promise<Json | undefined> {
    this.#checkOpen()
    const text = this.#maps.get(store)?.get(owner)?.get(key)
    return text === undefined ? undefined : parse(text)
  }

  async mapAll(store: string, owner: Owner): Promise<Map<string, Json>> {
    this.#checkOpen()
    const rows = this.#maps.get(store)?.get(owner)
    return new Map(Array.from(rows ?? [], ([key, text]) => [key, parse(text)]))
  }

  async mapOwners(store: string, after: Owner | undefined, limit: number): Promise<Owner[]> {
    this.#checkOpen()
    return ownersAfter(this.#maps.get(store), after, limit)
  }

  ownerGet(owner: Owner, stores: readonly WholeStore[]): Promise<(Json | undefined | Rows<Json>)[]> {
    return Promise.all(stores.map(({ kind, storeName }) => (kind === 'map' ? this.mapAll(storeName, owner) : this.keyvalGet(storeName, owner))))
  }

  async archiveQuery(store: string, owner: Owner, query: ArchiveQuery): Promise<ArchivePage<Json>> {
    this.#checkOpen()
    checkLimit(query.limit)
    return (this.#archives.get(store)?.get(owner) ?? new MemoryArchive()).page(query)
  }

  async archiveCount(store: string, owner: Owner, query: Omit<ArchiveQuery, 'limit'>): Promise<number> {
    this.#checkOpen()
    return (this.#archives.get(store)?.get(owner) ?? new MemoryArchive()).select(query).length
  }

  async counterGet(store: string, owner: Owner, key: string): Promise<number> {
    this.#checkOpen()
    return this.#counters.get(store)?.get(owner)?.get(key) ?? 0
  }

  async counterAdd(store: string, owner: Owner, key: string, amount: number): Promise<number> {
    this.#writeNow([{ op: 'counter-add', store, owner, key, amount }])
    return this.#counters.get(store)!.get(owner)!.get(key)!
  }

  /** There is no medium to copy to: always rejects with `StorageError('io')`. */
  async backup(path: string): Promise<void> {
    throw new StorageError('io', `in-memory storage has no backup (asked for ${path}); configure a durable backend`)
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new StorageError('closed', 'storage is not open')
  }

  /** Only an append can fail, so the ids that earlier operations of the call add or remove are followed in a shadow. */
  #checkConflicts(ops: readonly WriteOp[]): void {
    if (!ops.some(isAppend)) return
    const shadows: ByOwner<MemoryArchive> = new Map()
    for (const op of ops) {
      if (op.op === 'owner-delete') {
        for (const store of this.#archives.keys()) slot(shadows, store, op.owner, () => new MemoryArchive())
        for (const owners of shadows.values()) if (owners.has(op.owner)) owners.set(op.owner, new MemoryArchive())
        continue
      }
      if (!isAppend(op) && op.op !== 'archive-delete' && op.op !== 'archive-clear') continue
      const real = this.#archives.get(op.store)?.get(op.owner)
      if (ops.length === 1 && isAppend(op)) return real?.check(op.entry.id, op.op === 'log-append')
      const shadow = slot(shadows, op.store, op.owner, () => real?.copy() ?? new MemoryArchive())
      if (isAppend(op)) {
        shadow.check(op.entry.id, op.op === 'log-append')
        shadow.append(op.entry, 'null')
      } else if (op.op === 'archive-delete') shadow.delete(op.ids)
      else if (op.op === 'archive-clear') shadow.clear(op.untilMs)
    }
  }

  #apply(op: WriteOp, text: string): void {
    switch (op.op) {
      case 'keyval-set':
        slot(this.#keyvals, op.store, op.owner, () => '')
        this.#keyvals.get(op.store)!.set(op.owner, text)
        return
      case 'keyval-delete':
        this.#keyvals.get(op.store)?.delete(op.owner)
        return
      case 'map-set':
        slot(this.#maps, op.store, op.owner, () => new Map<string, string>()).set(op.key, text)
        return
      case 'map-delete': {
        const rows = this.#maps.get(op.store)?.get(op.owner)
        rows?.delete(op.key)
        if (rows?.size === 0) this.#maps.get(op.store)!.delete(op.owner)
        return
      }
      case 'archive-append':
      case 'log-append':
        slot(this.#archives, op.store, op.owner, () => new MemoryArchive()).append(op.entry, text)
        return
      case 'archive-delete':
        this.#archives.get(op.store)?.get(op.owner)?.delete(op.ids)
        return
      case 'archive-clear':
        this.#archives.get(op.store)?.get(op.owner)?.clear(op.untilMs)
        return
      case 'counter-add': {
        const counts = slot(this.#counters, op.store, op.owner, () => new Map<string, number>())
        counts.set(op.key, (counts.get(op.key) ?? 0) + op.amount)
        return
      }
      case 'owner-delete':
        for (const stores of [this.#keyvals, this.#maps, this.#archives, this.#counters]) {
          for (const owners of stores.values()) owners.delete(op.owner)
        }
    }
  }
}

function ownersAfter(owners: Map<Owner, unknown> | undefined, after: Owner | undefined, limit: number): Owner[] {
  checkLimit(limit)
  const sorted = Array.from(owners?.keys() ?? []).toSorted(compareCodePoints)
  const start = after === undefined ? 0 : sorted.findIndex(owner => compareCodePoints(owner, after) > 0)
  return start < 0 ? [] : sorted.slice(start, start + limit)
}

function valueText(op: WriteOp): string {
  if (op.op === 'keyval-set' || op.op === 'map-set') return jsonText(op.value)
  return isAppend(op) ? jsonText(op.entry.value) : ''
}

function isAppend(op: WriteOp): op is Extract<WriteOp, { op: 'archive-append' | 'log-append' }> {
  return op.op === 'archive-append' || op.op === 'log-append'
}
