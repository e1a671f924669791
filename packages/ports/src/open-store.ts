/**
 * From a store declaration to the typed store a module uses.
 *
 * Thin on purpose: one closure per method and no state, so that every rule about durability and order lives in the
 * backend and in its contract suite. The casts below are the one place where a declared value type meets stored JSON;
 * they are sound because only the declaring module writes under its store name.
 */
import type {
  Archive,
  ArchiveEntry,
  ArchivePage,
  Counters,
  Json,
  Keyval,
  MapStore,
  StorageBackend,
  StoreDeclaration,
  StoreKind,
  StoreOf,
} from './storage.ts'

function openKeyval(backend: StorageBackend, store: string): Keyval<unknown> {
  return {
    get: owner => backend.keyvalGet(store, owner),
    set: (owner, value) => backend.write([{ op: 'keyval-set', store, owner, value: value as Json }]),
    delete: owner => backend.write([{ op: 'keyval-delete', store, owner }]),
    owners: (after, limit) => backend.keyvalOwners(store, after, limit),
  }
}

function openMap(backend: StorageBackend, store: string): MapStore<unknown> {
  return {
    get: (owner, key) => backend.mapGet(store, owner, key),
    all: owner => backend.mapAll(store, owner),
    set: (owner, key, value) => backend.write([{ op: 'map-set', store, owner, key, value: value as Json }]),
    delete: (owner, key) => backend.write([{ op: 'map-delete', store, owner, key }]),
    owners: (after, limit) => backend.mapOwners(store, after, limit),
  }
}

function openArchive(backend: StorageBackend, store: string, isLog: boolean): Archive<unknown> {
  return {
    isSearchable: backend.isSearchable === true,
    append: isLog
      ? (owner, entry) => backend.logAppend(store, owner, entry as ArchiveEntry<Json>)
      : (owner, entry) => backend.write([{ op: 'archive-append', store, owner, entry: entry as ArchiveEntry<Json> }]),
    query: (owner, query): Promise<ArchivePage<unknown>> => backend.archiveQuery(store, owner, query),
    count: (owner, query) => backend.archiveCount(store, owner, query ?? {}),
    delete: (owner, ids) => backend.write([{ op: 'archive-delete', store, owner, ids }]),
    clear: (owner, untilMs) => backend.write([{ op: 'archive-clear', store, owner, untilMs }]),
  }
}

function openCounters(backend: StorageBackend, store: string): Counters {
  return {
    get: (owner, key) => backend.counterGet(store, owner, key),
    add: (owner, key, amount) => backend.counterAdd(store, owner, key, amount),
  }
}

const openers: Record<StoreKind, (backend: StorageBackend, store: string, isLog: boolean) => unknown> = {
  keyval: openKeyval,
  map: openMap,
  archive: openArchive,
  counter: openCounters,
}

/** The typed store a declaration describes, over `backend`; cheap, and may be called more than once per declaration. */
export function openStore<D extends StoreDeclaration>(backend: StorageBackend, declaration: D): StoreOf<D> {
  return openers[declaration.kind](backend, declaration.storeName, declaration.isLog === true) as StoreOf<D>
}
