import assert from 'node:assert/strict'
import { test } from 'node:test'
import { archiveStore, checkLimit, checkWriteOps, counterStore, jsonText, keyvalStore, logStore, mapStore, openStore } from './index.ts'
import type { Archive, Counters, Json, Keyval, MapStore, StorageBackend, StoreOf, WriteOp } from './index.ts'

const juliet = 'juliet@capulet.example'

/** A backend that answers every call with its name and arguments. */
function echo(): { backend: StorageBackend; calls: unknown[][] } {
  const calls: unknown[][] = []
  const backend = new Proxy({} as StorageBackend, {
    get: (_target, name) => async (...args: unknown[]) => void calls.push([name, ...args]),
  })
  return { backend, calls }
}

test('a typed store turns each method into one backend call with its store name', async () => {
  const { backend, calls } = echo()
  const profile = openStore(backend, keyvalStore<string>('profile'))
  const roster = openStore(backend, mapStore<{ name: string }>('roster'))
  const letters = openStore(backend, archiveStore<string>('letters'))
  const counts = openStore(backend, counterStore('counts'))
  const entry = { id: '1', at: 2, with: '', value: 'v' }
  await profile.set(juliet, 'p')
  await roster.set(juliet, 'k', { name: 'Romeo' })
  await roster.owners('a', 3)
  await letters.append(juliet, entry)
  await openStore(backend, logStore<string>('diary')).append(juliet, entry)
  await letters.clear(juliet, 9)
  await letters.count(juliet)
  await counts.add(juliet, 'k', 4)
  assert.deepEqual(calls, [
    ['write', [{ op: 'keyval-set', store: 'profile', owner: juliet, value: 'p' }]],
    ['write', [{ op: 'map-set', store: 'roster', owner: juliet, key: 'k', value: { name: 'Romeo' } }]],
    ['mapOwners', 'roster', 'a', 3],
    ['write', [{ op: 'archive-append', store: 'letters', owner: juliet, entry }]],
    ['logAppend', 'diary', juliet, entry],
    ['write', [{ op: 'archive-clear', store: 'letters', owner: juliet, untilMs: 9 }]],
    ['archiveCount', 'letters', juliet, {}],
    ['counterAdd', 'counts', juliet, 'k', 4],
  ])
})

test('a declaration decides the type of its store', () => {
  // Checked by the compiler: an assignment of another kind or value type is an error there.
  const kinds = (backend: StorageBackend): unknown[] => {
    const keyval: Keyval<string> = openStore(backend, keyvalStore<string>('a'))
    const map: MapStore<number> = openStore(backend, mapStore<number>('b'))
    const archive: Archive<Json> = openStore(backend, archiveStore<Json>('c'))
    const counters: Counters = openStore(backend, counterStore('d'))
    // @ts-expect-error a map of numbers is no map of texts
    const wrong: MapStore<string> = openStore(backend, mapStore<number>('b'))
    const none: StoreOf<string>[] = []
    return [keyval, map, archive, counters, wrong, none]
  }
  assert.equal(kinds(echo().backend).length, 6)
})

test('operations that some backend would mangle are refused', () => {
  const entry = { id: '1', at: 1, with: '', value: null }
  const refused: WriteOp[] = [
    { op: 'keyval-delete', store: 's', owner: 'a\0' },
    { op: 'owner-delete', owner: '\udc00' },
    { op: 'map-delete', store: 's', owner: juliet, key: '\0' },
    { op: 'counter-add', store: 's', owner: juliet, key: 'k', amount: 2 ** 53 },
    { op: 'archive-append', store: 's', owner: juliet, entry: { ...entry, id: '\0' } },
    { op: 'archive-append', store: 's', owner: juliet, entry: { ...entry, with: '\ud800' } },
    { op: 'archive-append', store: 's', owner: juliet, entry: { ...entry, at: 1.5 } },
    { op: 'log-append', store: 's', owner: juliet, entry: { ...entry, text: '\0' } },
  ]
  for (const op of refused) assert.throws(() => checkWriteOps([op]), TypeError)
  checkWriteOps([{ op: 'archive-append', store: 's', owner: 'j\u00fcl\u{1f494}', entry }])
  assert.throws(() => checkLimit(1.5), TypeError)
  assert.throws(() => jsonText(undefined as unknown as Json), TypeError)
  assert.equal(jsonText({ a: [1] }), '{"a":[1]}')
})
