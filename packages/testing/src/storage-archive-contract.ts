/** The archive part of the storage contract: pages, filters and order, by example and against a linear model. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { archiveStore, openStore } from '@rollcall/ports'
import type { Archive, ArchiveEntry, ArchiveQuery, StorageBackend } from '@rollcall/ports'

/** What the rules of one test see: the open backend, and a restart that keeps the data. */
export interface StorageSubject {
  backend: StorageBackend
  restart(): Promise<void>
}

const juliet = 'juliet@capulet.example'
const peers = ['romeo@montague.example', 'nurse@capulet.example', '']
const letters = archiveStore<string>('contract_archive')

type Letter = ArchiveEntry<string>
type Filter = Omit<ArchiveQuery, 'limit'>

async function fill(store: Archive<string>, times: readonly number[]): Promise<Letter[]> {
  const entries = times.map((at, index) => ({ id: `id-${index}`, at, with: peers[index % 3]!, value: `letter ${index}` }))
  await Promise.all(entries.map(entry => store.append(juliet, entry)))
  return entries
}

const idsOf = async (store: Archive<string>, query: ArchiveQuery): Promise<string> =>
  (await store.query(juliet, query)).entries.map(entry => entry.id.slice(3)).join(' ')

/** The port's comments, read literally: what a query must select, by looking at every entry. */
function select(entries: readonly Letter[], filter: Filter): Letter[] {
  const indexOf = (id: string): number => entries.findIndex(entry => entry.id === id)
  const from = filter.after === undefined ? 0 : indexOf(filter.after) + 1
  const until = filter.before === undefined ? entries.length : indexOf(filter.before)
  return entries.slice(from, Math.max(from, until)).filter(
    entry =>
      (filter.with ?? entry.with) === entry.with &&
      entry.at >= (filter.start ?? -Infinity) &&
      entry.at <= (filter.end ?? Infinity) &&
      (filter.ids?.includes(entry.id) ?? true),
  )
}

/** Registers the archive rules of the contract. */
export function archiveRules(subject: StorageSubject): void {
  pageRules(subject)
  removalRules(subject)
  searchRules(subject)
  modelRule(subject)
}

function pageRules(subject: StorageSubject): void {
  test('pages follow the order of append, forwards and backwards, whole entries', async () => {
    const store = openStore(subject.backend, letters)
    const entries = await fill(store, [10, 20, 30, 40, 50, 60])
    assert.deepEqual(await store.query(juliet, { limit: 10 }), { entries, isComplete: true })
    assert.deepEqual(await store.query(juliet, { limit: 6 }), { entries, isComplete: true })
    assert.deepEqual(await store.query(juliet, { limit: 2 }), { entries: entries.slice(0, 2), isComplete: false })
    assert.deepEqual(await store.query(juliet, { limit: 2, isBackward: true }), { entries: entries.slice(4), isComplete: false })
    assert.equal(await idsOf(store, { limit: 2, after: 'id-1' }), '2 3')
    assert.equal(await idsOf(store, { limit: 2, before: 'id-4', isBackward: true }), '2 3')
    assert.equal(await idsOf(store, { limit: 9, after: 'id-1', before: 'id-4' }), '2 3')
    assert.equal(await idsOf(store, { limit: 9, after: 'id-4', before: 'id-1' }), '')
    assert.deepEqual(await store.query(juliet, { limit: 2, after: 'id-5' }), { entries: [], isComplete: true })
    assert.deepEqual(await store.query(juliet, { limit: 0 }), { entries: [], isComplete: false })
    assert.deepEqual(await store.query('nobody@x.example', { limit: 5 }), { entries: [], isComplete: true })
    await assert.rejects(store.query(juliet, { limit: -1 }), TypeError)
  })

  test('filters by contact, time and ids combine; bounds are inclusive', async () => {
    const store = openStore(subject.backend, letters)
    await fill(store, [10, 20, 30, 40, 50, 60])
    assert.equal(await idsOf(store, { limit: 9, with: peers[0]! }), '0 3')
    assert.equal(await idsOf(store, { limit: 9, with: '' }), '2 5')
    assert.equal(await idsOf(store, { limit: 9, with: 'tybalt@capulet.example' }), '')
    assert.equal(await idsOf(store, { limit: 9, start: 20, end: 50 }), '1 2 3 4')
    assert.equal(await idsOf(store, { limit: 9, start: 21, end: 49 }), '2 3')
    assert.equal(await idsOf(store, { limit: 1, with: peers[1]!, end: 50, isBackward: true }), '4')
    assert.equal(await idsOf(store, { limit: 9, ids: ['id-4', 'id-1', 'id-1'] }), '1 4')
    assert.equal(await idsOf(store, { limit: 9, ids: ['id-4', 'id-1'], start: 30 }), '4')
    assert.equal(await idsOf(store, { limit: 9, ids: [] }), '')
    assert.equal(await store.count(juliet), 6)
    assert.equal(await store.count(juliet, { with: peers[0]!, start: 11 }), 1)
    assert.equal(await store.count(juliet, { after: 'id-1', before: 'id-4' }), 2)
    assert.equal(await store.count('nobody@x.example', {}), 0)
  })

  test('the order is that of append even when times run backwards', async () => {
    const store = openStore(subject.backend, letters)
    await fill(store, [50, 10, 40, 20, 60, 30])
    assert.equal(await idsOf(store, { limit: 9 }), '0 1 2 3 4 5')
    assert.equal(await idsOf(store, { limit: 9, start: 20, end: 40 }), '2 3 5')
    assert.equal(await idsOf(store, { limit: 2, end: 40 }), '1 2')
    assert.equal(await idsOf(store, { limit: 2, end: 40, isBackward: true }), '3 5')
  })

  test('an unknown id rejects with item-not-found', async () => {
    const store = openStore(subject.backend, letters)
    await fill(store, [10, 20])
    for (const filter of [{ after: 'none' }, { before: 'none' }, { ids: ['id-0', 'none'] }]) {
      await assert.rejects(store.query(juliet, { limit: 5, ...filter }), { name: 'StorageError', code: 'item-not-found' })
      await assert.rejects(store.count(juliet, filter), { name: 'StorageError', code: 'item-not-found' })
    }
    await assert.rejects(store.query('nobody@x.example', { limit: 5, after: 'id-0' }), { code: 'item-not-found' })
  })

  test('ids are unique per owner', async () => {
    const store = openStore(subject.backend, letters)
    const entry = { id: 'same', at: 1, with: '', value: 'first' }
    await store.append(juliet, entry)
    await assert.rejects(store.append(juliet, { ...entry, value: 'second' }), { name: 'StorageError', code: 'conflict' })
    await store.append('romeo@montague.example', entry)
    assert.equal((await store.query(juliet, { limit: 5 })).entries[0]?.value, 'first')
    await store.delete(juliet, ['same'])
    await store.append(juliet, { ...entry, value: 'third' })
    assert.equal((await store.query(juliet, { limit: 5 })).entries[0]?.value, 'third')
  })
}

function removalRules(subject: StorageSubject): void {
  test('delete and clear remove what they name and keep the order of the rest', async () => {
    const store = openStore(subject.backend, letters)
    await fill(store, [10, 20, 30, 40, 50, 60])
    await store.delete(juliet, ['id-5', 'id-1', 'none'])
    await store.append(juliet, { id: 'id-9', at: 70, with: '', value: 'new' })
    assert.equal(await idsOf(store, { limit: 9 }), '0 2 3 4 9')
    await store.clear(juliet, 40)
    assert.equal(await idsOf(store, { limit: 9 }), '4 9')
    await store.clear(juliet)
    await store.clear(juliet)
    assert.equal(await idsOf(store, { limit: 9 }), '')
    await store.append(juliet, { id: 'id-1', at: 5, with: '', value: 'again' })
    assert.equal(await idsOf(store, { limit: 9, end: 5 }), '1')
  })
}

function searchRules(subject: StorageSubject): void {
  const texts = [
    'Wherefore art thou Romeo?', 'Romeo, doff thy name', 'Ich bin\u2019s: Örtlichkeit', 'no text at all',
    'ROMEO \u0416\u0443\u043b\u044c\u0435\u0442\u0442\u0430', '"words : place" AND',
  ]
  const write = async (store: Archive<string>): Promise<void> => {
    await Promise.all(texts.map((text, index) =>
      store.append(juliet, { id: `id-${index}`, at: index * 10, with: peers[index % 3]!, value: text, ...(index === 3 ? {} : { text }) })))
    await store.append('romeo@montague.example', { id: 'id-9', at: 5, with: '', value: '', text: texts[0]! })
  }

  test('a backend that searches finds entries by their words; one that does not says so', async () => {
    const store = openStore(subject.backend, letters)
    assert.equal(store.isSearchable, subject.backend.isSearchable === true)
    if (!store.isSearchable) return assert.rejects(store.query(juliet, { text: 'romeo', limit: 9 }), TypeError)
    await write(store)
    assert.equal(await idsOf(store, { text: 'romeo', limit: 9 }), '0 1 4')
    assert.equal(await idsOf(store, { text: 'Romeo THOU', limit: 9 }), '0')
    assert.equal(await idsOf(store, { text: 'name, romeo!', limit: 9 }), '1')
    assert.equal(await idsOf(store, { text: 'text', limit: 9 }), '')
    assert.equal(await idsOf(store, { text: 'örtlichkeit', limit: 9 }), '2')
    assert.equal(await idsOf(store, { text: '\u0436\u0443\u043b\u044c\u0435\u0442\u0442\u0430', limit: 9 }), '4')
    assert.equal(await idsOf(store, { text: 'place AND', limit: 9 }), '5')
    assert.equal(await idsOf(store, { text: '"?!"', limit: 9 }), '')
    assert.equal(await idsOf(store, { text: '', limit: 9 }), '')
    assert.deepEqual((await store.query(juliet, { text: 'doff', limit: 9 })).entries, [{ id: 'id-1', at: 10, with: peers[1], value: texts[1] }])
  })

  test('a search combines with every other filter, pages in order of append, and forgets what is deleted', async () => {
    const store = openStore(subject.backend, letters)
    if (!store.isSearchable) return
    await write(store)
    assert.equal(await idsOf(store, { text: 'romeo', limit: 1 }), '0')
    assert.equal(await idsOf(store, { text: 'romeo', limit: 1, isBackward: true }), '4')
    assert.equal(await idsOf(store, { text: 'romeo', limit: 9, after: 'id-0' }), '1 4')
    assert.equal(await idsOf(store, { text: 'romeo', limit: 9, before: 'id-4', isBackward: true }), '0 1')
    assert.equal(await idsOf(store, { text: 'romeo', limit: 9, with: peers[1]! }), '1 4')
    assert.equal(await idsOf(store, { text: 'romeo', limit: 9, start: 10, end: 10 }), '1')
    assert.equal(await idsOf(store, { text: 'romeo', limit: 9, ids: ['id-4', 'id-5'] }), '4')
    assert.equal(await store.count(juliet, { text: 'romeo' }), 3)
    await store.delete(juliet, ['id-1'])
    await store.clear(juliet, 5)
    assert.equal(await idsOf(store, { text: 'romeo', limit: 9 }), '4')
    await subject.restart()
    const again = openStore(subject.backend, letters)
    assert.equal(await idsOf(again, { text: 'romeo', limit: 9 }), '4')
    await subject.backend.write([{ op: 'owner-delete', owner: juliet }])
    await again.append(juliet, { id: 'id-7', at: 1, with: '', value: '', text: 'juliet' })
    assert.equal(await idsOf(again, { text: 'romeo', limit: 9 }), '')
    assert.equal(await idsOf(again, { text: 'juliet', limit: 9 }), '7')
  })

  test('an entry with a text that conflicts leaves nothing behind', async () => {
    const store = openStore(subject.backend, letters)
    if (!store.isSearchable) return
    await store.append(juliet, { id: 'id-0', at: 1, with: '', value: '', text: 'romeo' })
    await assert.rejects(store.append(juliet, { id: 'id-0', at: 1, with: '', value: '', text: 'tybalt' }), { code: 'conflict' })
    assert.equal(await idsOf(store, { text: 'tybalt', limit: 9 }), '')
  })
}

function modelRule(subject: StorageSubject): void {
  const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined })
  test('any archive and any query give what a look at every entry gives', async () => {
    const store = openStore(subject.backend, letters)
    const id = fc.nat(11).map(index => `id-${index}`)
    const query = fc.record({
      with: optional(fc.constantFrom(...peers)),
      start: optional(fc.nat(30)),
      end: optional(fc.nat(30)),
      after: optional(id),
      before: optional(id),
      ids: optional(fc.array(id, { maxLength: 4 })),
      limit: fc.integer({ min: 1, max: 6 }),
      isBackward: fc.boolean(),
    })
    const times = fc.array(fc.nat(30), { minLength: 12, maxLength: 12 })
    const property = fc.asyncProperty(times, fc.array(query, { maxLength: 12 }), async (at, queries) => {
      await store.clear(juliet)
      const entries = await fill(store, at)
      for (const one of queries) {
        const matching = select(entries, one)
        const page = one.isBackward ? matching.slice(-one.limit) : matching.slice(0, one.limit)
        const expected = { entries: page, isComplete: matching.length <= one.limit }
        const [found, count] = await Promise.all([store.query(juliet, one), store.count(juliet, one)])
        assert.deepEqual(found, expected)
        assert.equal(count, matching.length)
      }
    })
    await fc.assert(property, { numRuns: 60 })
  })
}
