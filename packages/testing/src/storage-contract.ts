/**
 * The contract suite of the storage port: what every backend must do, run by each backend's own test file.
 *
 * Only the port is used, never the inside of a backend, and every test has its own backend, so a failure names the rule
 * that was broken. Archives are compared with a model in `storage-archive-contract.ts`.
 */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { archiveStore, counterStore, keyvalStore, mapStore, openStore } from '@rollcall/ports'
import type { ArchiveEntry, Json, Rows, StorageBackend, WholeStore } from '@rollcall/ports'
import { archiveRules } from './storage-archive-contract.ts'
import type { StorageSubject } from './storage-archive-contract.ts'

/** One backend under test, opened by the suite. */
export interface StorageUnderTest {
  readonly backend: StorageBackend
  /** Called with the backend closed: a backend over the same data, not yet open. */
  reopen(): Promise<StorageBackend>
  /** Called with everything closed: removes the data. */
  dispose(): Promise<void>
}

const juliet = 'juliet@capulet.example'
const romeo = 'romeo@montague.example'

const profile = keyvalStore<Json>('contract_profile')
const roster = mapStore<Json>('contract_roster')
const counts = counterStore('contract_counts')
const archive = archiveStore<Json>('contract_archive')
const letter = (id: string): ArchiveEntry<Json> => ({ id, at: 1, with: romeo, value: id })

/** Runs the rules of the storage port over the backends that `make` makes, one per test. */
export function storageContract(name: string, make: () => Promise<StorageUnderTest>): void {
  describe(`storage contract: ${name}`, () => {
    const subject = { backend: undefined as unknown as StorageBackend, restart: async () => {} }
    let dispose = async (): Promise<void> => {}
    beforeEach(async () => {
      const made = await make()
      subject.backend = made.backend
      await subject.backend.open()
      subject.restart = async () => {
        await subject.backend.close()
        subject.backend = await made.reopen()
        await subject.backend.open()
      }
      dispose = async () => {
        await subject.backend.close()
        await made.dispose()
      }
    })
    afterEach(async () => dispose())
    keyvalRules(subject)
    mapRules(subject)
    ownerRules(subject)
    counterRules(subject)
    archiveRules(subject)
    writeRules(subject)
    lifeRules(subject)
  })
}

function keyvalRules(subject: StorageSubject): void {
  test('a keyval gives back what was set last, per store and owner, and nothing after delete', async () => {
    const store = openStore(subject.backend, profile)
    const other = openStore(subject.backend, keyvalStore<Json>('contract_other'))
    assert.equal(await store.get(juliet), undefined)
    await store.set(juliet, { mood: 'in love' })
    await store.set(juliet, { mood: 'in despair', deep: [1, null, true, { x: 'é\u0000\ud83d\udc94' }] })
    await store.set(romeo, 'text')
    await other.set(juliet, 7)
    assert.deepEqual(await store.get(juliet), { mood: 'in despair', deep: [1, null, true, { x: 'é\u0000\ud83d\udc94' }] })
    assert.equal(await store.get(romeo), 'text')
    assert.equal(await other.get(juliet), 7)
    await store.delete(juliet)
    await store.delete(juliet)
    assert.equal(await store.get(juliet), undefined)
    assert.equal(await other.get(juliet), 7)
  })

  test('every kind of JSON value survives, the empty and the extreme ones too', async () => {
    const store = openStore(subject.backend, profile)
    const values: Json[] = [null, true, false, 0, -1.5, 1e300, '', '\u2028"\\', [], {}, [[]], { __proto__: null, '': 0 }]
    for (const value of values) {
      await store.set(juliet, value)
      assert.deepEqual(await store.get(juliet), JSON.parse(JSON.stringify(value)))
    }
  })

  test('owners come in code-point order, in pages, strictly after the given one', async () => {
    const store = openStore(subject.backend, profile)
    // U+FF5E sorts after U+1F494 in UTF-16 and before it in code points.
    const owners = ['b@x.example', 'a@x.example', '\u{1f494}@x.example', '\uff5e@x.example', 'ab@x.example']
    for (const owner of owners) await store.set(owner, 1)
    const sorted = ['a@x.example', 'ab@x.example', 'b@x.example', '\uff5e@x.example', '\u{1f494}@x.example']
    assert.deepEqual(await store.owners(undefined, 10), sorted)
    assert.deepEqual(await store.owners(undefined, 2), sorted.slice(0, 2))
    assert.deepEqual(await store.owners('ab@x.example', 2), sorted.slice(2, 4))
    assert.deepEqual(await store.owners('aa', 1), ['ab@x.example'])
    assert.deepEqual(await store.owners('\u{1f494}@x.example', 5), [])
    assert.deepEqual(await store.owners(undefined, 0), [])
    await assert.rejects(store.owners(undefined, -1), TypeError)
    await assert.rejects(store.owners(undefined, Infinity), TypeError)
  })
}

function mapRules(subject: StorageSubject): void {
  test('a map keeps values by owner and key', async () => {
    const store = openStore(subject.backend, roster)
    assert.deepEqual(await store.all(juliet), new Map())
    await store.set(juliet, romeo, { name: 'Romeo' })
    await store.set(juliet, 'nurse@capulet.example', { name: 'Nurse' })
    await store.set(juliet, romeo, { name: 'My Romeo' })
    await store.set(romeo, juliet, { name: 'Juliet' })
    assert.deepEqual(await store.get(juliet, romeo), { name: 'My Romeo' })
    assert.equal(await store.get(juliet, 'tybalt@capulet.example'), undefined)
    const all = await store.all(juliet)
    const sorted = [...all].toSorted(([one], [other]) => (one < other ? -1 : 1))
    assert.deepEqual(sorted, [['nurse@capulet.example', { name: 'Nurse' }], [romeo, { name: 'My Romeo' }]])
    await store.delete(juliet, romeo)
    await store.delete(juliet, romeo)
    assert.deepEqual([...(await store.all(juliet)).keys()], ['nurse@capulet.example'])
    assert.deepEqual([...(await store.all(romeo)).keys()], [juliet])
  })

  test('map keys may be any well-formed text', async () => {
    const store = openStore(subject.backend, roster)
    const keys = ['', '__proto__', 'constructor', '0', '10', '2', '"quoted\\"', 'new\nline', "o'neil", 'é', '\u{1f494}']
    for (const key of keys) await store.set(juliet, key, key)
    const all = await store.all(juliet)
    assert.equal(all.size, keys.length)
    for (const key of keys) {
      assert.equal(all.get(key), key)
      assert.equal(await store.get(juliet, key), key)
    }
  })

  test('an owner is listed while it has a key', async () => {
    const store = openStore(subject.backend, roster)
    await store.set(romeo, 'a', 1)
    await store.set(juliet, 'a', 1)
    await store.set(juliet, 'b', 1)
    assert.deepEqual(await store.owners(undefined, 10), [juliet, romeo])
    assert.deepEqual(await store.owners(juliet, 10), [romeo])
    await store.delete(juliet, 'a')
    assert.deepEqual(await store.owners(undefined, 1), [juliet])
    await store.delete(juliet, 'b')
    assert.deepEqual(await store.owners(undefined, 10), [romeo])
  })
}

function ownerRules(subject: StorageSubject): void {
  test('what an owner has in several stores is read at once, in the order of the stores, with all writes made before', async () => {
    const { backend } = subject
    const other = keyvalStore<Json>('contract_other')
    const profiles = openStore(backend, profile)
    const contacts = openStore(backend, roster)
    const read = async (...stores: WholeStore[]) => {
      const values = await backend.ownerGet(juliet, stores)
      return values.map((value, at) => (stores[at]?.kind === 'map' ? sortedRows(value as Rows<Json>) : value))
    }
    assert.deepEqual(await read(roster, profile), [[], undefined])
    await Promise.all([profiles.set(romeo, 'of another'), contacts.set(romeo, juliet, 'of another')])
    assert.deepEqual(await read(profile, roster), [undefined, []])
    const value = { name: 'Nurse "x"', deep: [null, 'é\u0000\ud83d\udc94'] }
    const written = [profiles.set(juliet, null), contacts.set(juliet, 'a', value), contacts.set(juliet, '"b"\u20ac', [])]
    const [none, all, ofProfile, again] = await read(other, roster, profile, roster)
    await Promise.all(written)
    assert.deepEqual([none, ofProfile], [undefined, null])
    assert.deepEqual(all, [['"b"\u20ac', []], ['a', value]])
    assert.deepEqual(again, all)
    assert.deepEqual(await read(), [])
  })
}

function sortedRows(rows: Rows<Json>): [string, Json][] {
  const all: [string, Json][] = []
  rows.forEach((value, key) => void all.push([key, value]))
  return all.sort(([one], [another]) => (one < another ? -1 : 1))
}

function counterRules(subject: StorageSubject): void {
  test('counters start at zero and add up, per key, however many calls are in flight', async () => {
    const store = openStore(subject.backend, counts)
    assert.equal(await store.get(juliet, 'unread'), 0)
    const results = await Promise.all(Array.from({ length: 20 }, () => store.add(juliet, 'unread', 2)))
    assert.deepEqual(results, Array.from({ length: 20 }, (_, at) => 2 * (at + 1)))
    assert.equal(await store.add(juliet, 'unread', -41), -1)
    assert.equal(await store.get(juliet, 'unread'), -1)
    assert.equal(await store.get(juliet, 'sent'), 0)
    assert.equal(await store.get(romeo, 'unread'), 0)
    assert.equal(await store.add(juliet, 'big', Number.MAX_SAFE_INTEGER - 1), Number.MAX_SAFE_INTEGER - 1)
    assert.equal(await store.get(juliet, 'big'), Number.MAX_SAFE_INTEGER - 1)
    await assert.rejects(store.add(juliet, 'unread', 0.5), TypeError)
  })
}

function writeRules(subject: StorageSubject): void {
  test('a call whose operation fails changes nothing, and calls around it in the same turn succeed', async () => {
    const { backend } = subject
    const letters = openStore(backend, archive)
    await letters.append(juliet, letter('one'))
    const before = backend.write([{ op: 'keyval-set', store: 'contract_profile', owner: juliet, value: 'before' }])
    const failing = backend.write([
      { op: 'keyval-set', store: 'contract_profile', owner: juliet, value: 'never' },
      { op: 'map-set', store: 'contract_roster', owner: juliet, key: 'never', value: 1 },
      { op: 'archive-append', store: 'contract_archive', owner: romeo, entry: letter('never') },
      { op: 'archive-append', store: 'contract_archive', owner: juliet, entry: letter('one') },
      { op: 'counter-add', store: 'contract_counts', owner: juliet, key: 'never', amount: 1 },
    ])
    const after = backend.write([{ op: 'map-set', store: 'contract_roster', owner: juliet, key: 'after', value: 1 }])
    const appended = letters.append(romeo, letter('never'))
    await assert.rejects(failing, { name: 'StorageError', code: 'conflict' })
    await Promise.all([before, after, appended])
    assert.equal(await backend.keyvalGet('contract_profile', juliet), 'before')
    assert.deepEqual([...(await backend.mapAll('contract_roster', juliet)).keys()], ['after'])
    assert.equal(await letters.count(romeo), 1)
    assert.equal(await backend.counterGet('contract_counts', juliet, 'never'), 0)
  })

  test('a read sees every write made before it, though not yet awaited', async () => {
    const store = openStore(subject.backend, profile)
    const pending: Promise<unknown>[] = []
    for (let round = 0; round < 50; round++) {
      pending.push(store.set(juliet, round))
      pending.push(store.get(juliet).then(value => assert.equal(value, round)))
    }
    await Promise.all(pending)
  })

  test('a value is taken as it was at the call', async () => {
    const value = { list: [1] }
    const done = subject.backend.write([{ op: 'keyval-set', store: 'contract_profile', owner: juliet, value }])
    value.list.push(2)
    await done
    assert.deepEqual(await subject.backend.keyvalGet('contract_profile', juliet), { list: [1] })
  })

  test('what no backend could keep faithfully is refused with TypeError and changes nothing', async () => {
    const { backend } = subject
    const store = 'contract_roster'
    await assert.rejects(backend.write([{ op: 'map-set', store, owner: 'a\0b', key: 'k', value: 1 }]), TypeError)
    await assert.rejects(backend.write([{ op: 'map-set', store, owner: juliet, key: '\ud800', value: 1 }]), TypeError)
    const noJson = undefined as unknown as Json
    await assert.rejects(
      backend.write([
        { op: 'map-set', store, owner: juliet, key: 'k', value: 1 },
        { op: 'map-set', store, owner: juliet, key: 'l', value: noJson },
      ]),
      TypeError,
    )
    assert.equal((await backend.mapAll(store, juliet)).size, 0)
  })

  test('deleting an owner removes everything it has, in every store, and nothing of others', async () => {
    const { backend } = subject
    for (const owner of [juliet, romeo]) {
      await backend.write([
        { op: 'keyval-set', store: 'contract_profile', owner, value: 1 },
        { op: 'map-set', store: 'contract_roster', owner, key: 'k', value: 1 },
        { op: 'counter-add', store: 'contract_counts', owner, key: 'k', amount: 1 },
        { op: 'archive-append', store: 'contract_archive', owner, entry: letter('one') },
      ])
    }
    await backend.write([
      { op: 'owner-delete', owner: juliet },
      { op: 'keyval-set', store: 'contract_other', owner: juliet, value: 'new' },
      { op: 'archive-append', store: 'contract_archive', owner: juliet, entry: letter('one') },
    ])
    const has = async (owner: string): Promise<number[]> => [
      (await backend.keyvalGet('contract_profile', owner)) === undefined ? 0 : 1,
      (await backend.mapAll('contract_roster', owner)).size,
      await backend.counterGet('contract_counts', owner, 'k'),
    ]
    assert.deepEqual(await has(juliet), [0, 0, 0])
    assert.deepEqual(await has(romeo), [1, 1, 1])
    assert.equal(await backend.archiveCount('contract_archive', juliet, {}), 1)
    assert.equal(await backend.keyvalGet('contract_other', juliet), 'new')
  })

  test('a write of no operations succeeds', async () => {
    await subject.backend.write([])
  })
}

function lifeRules(subject: StorageSubject): void {
  test('everything survives a restart', async () => {
    await openStore(subject.backend, profile).set(juliet, 'p')
    await openStore(subject.backend, roster).set(juliet, 'k', 'r')
    await openStore(subject.backend, counts).add(juliet, 'k', 3)
    await openStore(subject.backend, archive).append(juliet, letter('one'))
    await subject.restart()
    assert.equal(await openStore(subject.backend, profile).get(juliet), 'p')
    assert.equal(await openStore(subject.backend, roster).get(juliet, 'k'), 'r')
    assert.equal(await openStore(subject.backend, counts).add(juliet, 'k', 1), 4)
    await openStore(subject.backend, archive).append(juliet, letter('two'))
    const page = await openStore(subject.backend, archive).query(juliet, { limit: 5 })
    assert.deepEqual(page.entries.map(entry => entry.id), ['one', 'two'])
  })

  test('calls made before close are done, calls after it reject with closed', async () => {
    const { backend } = subject
    const done = backend.write([{ op: 'keyval-set', store: 'contract_profile', owner: juliet, value: 'last' }])
    const closing = backend.close()
    await assert.rejects(backend.write([]), { name: 'StorageError', code: 'closed' })
    await assert.rejects(backend.keyvalGet('contract_profile', juliet), { name: 'StorageError', code: 'closed' })
    await Promise.all([done, closing])
    await subject.restart()
    assert.equal(await subject.backend.keyvalGet('contract_profile', juliet), 'last')
  })
}
