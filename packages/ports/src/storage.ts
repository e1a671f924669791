/**
 * Durable data as a port. Modules ask for a *kind* of store (keyval, map, archive, counter) and never see SQL.
 *
 * Every datum belongs to one **owner**: the text of a bare JID (account, room) or of a host. Owners are what shards
 * move, so there are no transactions across owners. Values are plain JSON data.
 *
 * Semantics every backend keeps (one contract suite decides):
 * - `write` is atomic per call and resolves only after a durable commit; calls commit in the order in which they were
 *   made. Backends group the writes of many calls into one commit.
 * - A read sees every write made (not merely committed) before it by the same process.
 * - A rejected write changed nothing. After `StorageError('full' | 'io')` the backend stays usable for reads.
 * - Owners, keys, ids and `with` are well-formed Unicode without NUL (a write with any other rejects with `TypeError`);
 *   "text order" is the order of code points.
 * - Deleting what does not exist is not an error. Stores exist from their first use; an unknown one reads as empty.
 * - What waits for the backend is bounded; beyond the bound calls reject at once with `StorageError('busy')`.
 */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

export type Owner = string

/** Declared by a module: `stores: { items: mapStore<RosterRow>('roster') }`. Names are global and snake_case. */
export interface StoreDeclaration<Kind extends StoreKind = StoreKind, Value = unknown> {
  readonly kind: Kind
  readonly storeName: string
  /** Of archives: ids grow in text order, see `logStore`. */
  readonly isLog?: boolean
  readonly value?: Value
}
export type StoreKind = 'keyval' | 'map' | 'archive' | 'counter'

/** One JSON value per owner. */
export const keyvalStore = <V>(storeName: string): StoreDeclaration<'keyval', V> => ({ kind: 'keyval', storeName })
/** Many JSON values per owner, by text key. */
export const mapStore = <V>(storeName: string): StoreDeclaration<'map', V> => ({ kind: 'map', storeName })
/** Per owner a log of entries ordered by append, with a text id, a time and the entity it was exchanged with. */
export const archiveStore = <V>(storeName: string): StoreDeclaration<'archive', V> => ({ kind: 'archive', storeName })
/**
 * An archive made for millions of entries: every id comes after those before it in text order (`conflict` otherwise), which
 * lets backends write it many times cheaper. Appends of one turn may be one write, so that when one of them fails, all do.
 */
export const logStore = <V>(storeName: string): StoreDeclaration<'archive', V> => ({ kind: 'archive', storeName, isLog: true })
/** Integers per owner, by text key, changed by addition. */
export const counterStore = (storeName: string): StoreDeclaration<'counter', number> => ({ kind: 'counter', storeName })

export interface Keyval<V> {
  get(owner: Owner): Promise<V | undefined>
  set(owner: Owner, value: V): Promise<void>
  delete(owner: Owner): Promise<void>
  /** Owners that have a value, in text order, strictly after `after`. */
  owners(after: Owner | undefined, limit: number): Promise<Owner[]>
}
export interface MapStore<V> {
  get(owner: Owner, key: string): Promise<V | undefined>
  /** Everything the owner has, in no particular order. */
  all(owner: Owner): Promise<Map<string, V>>
  set(owner: Owner, key: string, value: V): Promise<void>
  delete(owner: Owner, key: string): Promise<void>
  owners(after: Owner | undefined, limit: number): Promise<Owner[]>
}
export interface ArchiveEntry<V> {
  /** Unique per owner. */
  readonly id: string
  /** ms since the Unix epoch. */
  readonly at: number
  /** Text of the bare JID on the other side; '' when it does not matter. */
  readonly with: string
  readonly value: V
  /** What a search finds the entry by; queries do not give it back. Ignored by backends that do not search. */
  readonly text?: string
}
export interface ArchiveQuery {
  readonly with?: string
  /** Inclusive bounds in ms. */
  readonly start?: number
  readonly end?: number
  /** Exclusive ids. An unknown id, here or in `ids`, makes the query reject with `StorageError('item-not-found')`. */
  readonly after?: string
  readonly before?: string
  readonly ids?: readonly string[]
  /**
   * Entries whose `text` has every word of this one, in any order, case ignored; whether parts of words match is the
   * backend's affair. A query without any word matches nothing. `TypeError` where the backend does not search.
   */
  readonly text?: string
  readonly limit: number
  /** The last `limit` matching entries instead of the first; the page is still in archive order. */
  readonly isBackward?: boolean
}
export interface ArchivePage<V> {
  readonly entries: readonly ArchiveEntry<V>[]
  /** No matching entries beyond this page in its direction. */
  readonly isComplete: boolean
}
export interface Archive<V> {
  /** Whether the backend searches texts. */
  readonly isSearchable: boolean
  /** Rejects with `StorageError('conflict')` when the owner's archive has an entry with this id, or in a log a later one. */
  append(owner: Owner, entry: ArchiveEntry<V>): Promise<void>
  query(owner: Owner, query: ArchiveQuery): Promise<ArchivePage<V>>
  count(owner: Owner, query?: Omit<ArchiveQuery, 'limit'>): Promise<number>
  delete(owner: Owner, ids: readonly string[]): Promise<void>
  /** Everything whose `at` is at or before `untilMs`, or all. Returns nothing: deletion is idempotent. */
  clear(owner: Owner, untilMs?: number): Promise<void>
}
export interface Counters {
  get(owner: Owner, key: string): Promise<number>
  /** Adds and returns the new value; atomic. */
  add(owner: Owner, key: string, amount: number): Promise<number>
}

export type StoreOf<D> =
  D extends StoreDeclaration<'keyval', infer V> ? Keyval<V>
  : D extends StoreDeclaration<'map', infer V> ? MapStore<V>
  : D extends StoreDeclaration<'archive', infer V> ? Archive<V>
  : D extends StoreDeclaration<'counter', number> ? Counters
  : never

/** One change. A list of them given to one `write` call is atomic. */
export type WriteOp =
  | { readonly op: 'keyval-set'; readonly store: string; readonly owner: Owner; readonly value: Json }
  | { readonly op: 'keyval-delete'; readonly store: string; readonly owner: Owner }
  | { readonly op: 'map-set'; readonly store: string; readonly owner: Owner; readonly key: string; readonly value: Json }
  | { readonly op: 'map-delete'; readonly store: string; readonly owner: Owner; readonly key: string }
  | { readonly op: 'archive-append'; readonly store: string; readonly owner: Owner; readonly entry: ArchiveEntry<Json> }
  /** As `archive-append`, in a store declared as a log. */
  | { readonly op: 'log-append'; readonly store: string; readonly owner: Owner; readonly entry: ArchiveEntry<Json> }
  | { readonly op: 'archive-delete'; readonly store: string; readonly owner: Owner; readonly ids: readonly string[] }
  | { readonly op: 'archive-clear'; readonly store: string; readonly owner: Owner; readonly untilMs?: number }
  | { readonly op: 'counter-add'; readonly store: string; readonly owner: Owner; readonly key: string; readonly amount: number }
  /** Everything the owner has, in every store. */
  | { readonly op: 'owner-delete'; readonly owner: Owner }

/**
 * Why a storage call was rejected. `full`: no space left. `io`: the medium failed. `closed`: not open. `busy`: too much
 * waits already, try later. `item-not-found`: a query names an unknown archive id. `conflict`: an archive id exists, or is
 * out of order in a log.
 */
export type StorageErrorCode = 'full' | 'io' | 'closed' | 'busy' | 'item-not-found' | 'conflict'

export class StorageError extends Error {
  readonly code: StorageErrorCode
  constructor(code: StorageErrorCode, message: string) {
    super(message)
    this.name = 'StorageError'
    this.code = code
  }
}

/** A store of which everything that an owner has can be read at once. */
export type WholeStore = StoreDeclaration<'keyval' | 'map'>
/** What a map holds, to be gone through once: a `Map` is one, and making it is as dear as reading its rows. */
export interface Rows<V> {
  forEach(act: (value: V, key: string) => void): void
}
/** What is read of such a store: the value, undefined when there is none; or the rows of the map, none when there is none. */
export type Stored<D> =
  D extends StoreDeclaration<'keyval', infer V> ? V | undefined
  : D extends StoreDeclaration<'map', infer V> ? Rows<V>
  : never

/** What a backend implements; modules get the typed stores above, made from it by `openStore`. */
export interface StorageBackend {
  /** Archives can be searched by text. */
  readonly isSearchable?: boolean
  open(): Promise<void>
  close(): Promise<void>
  write(ops: readonly WriteOp[]): Promise<void>
  /** One `log-append`. Appends of the same turn, with nothing else between them, may get the same promise. */
  logAppend(store: string, owner: Owner, entry: ArchiveEntry<Json>): Promise<void>
  keyvalGet(store: string, owner: Owner): Promise<Json | undefined>
  keyvalOwners(store: string, after: Owner | undefined, limit: number): Promise<Owner[]>
  mapGet(store: string, owner: Owner, key: string): Promise<Json | undefined>
  mapAll(store: string, owner: Owner): Promise<Map<string, Json>>
  mapOwners(store: string, after: Owner | undefined, limit: number): Promise<Owner[]>
  /** What one owner has in several stores, in the order of the stores, as of one moment: one read instead of one for each. */
  ownerGet(owner: Owner, stores: readonly WholeStore[]): Promise<(Json | undefined | Rows<Json>)[]>
  archiveQuery(store: string, owner: Owner, query: ArchiveQuery): Promise<ArchivePage<Json>>
  archiveCount(store: string, owner: Owner, query: Omit<ArchiveQuery, 'limit'>): Promise<number>
  counterGet(store: string, owner: Owner, key: string): Promise<number>
  /** Adds in its own commit and returns the new value. */
  counterAdd(store: string, owner: Owner, key: string, amount: number): Promise<number>
  /** A consistent copy of everything to a new file at `path`, while the server runs; `StorageError('conflict')` when it exists. */
  backup(path: string): Promise<void>
}
