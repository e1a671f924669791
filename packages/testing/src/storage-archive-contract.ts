/** The archive part of the storage contract: pages, filters and order, by example and against a linear model. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { archiveStore, logStore, openStore } from '@rollcall/ports'
import type { Archive, ArchiveEntry, ArchiveQuery, StorageBackend, StoreDeclaration, WriteOp } from '@rollcall/ports'

/** What the rules of one test see: the open backend, and a restart that keeps the data. */
export interface StorageSubject {
  backend: StorageBackend
  restart(): Promise<void>
}

const juliet = 'juliet@capulet.example'
const peers = ['romeo@montague.example', 'nurse@capulet.example', '']
const letters = archiveStore<string>('contract_archive')
const diary = logStore<string>('contract_log')

type Letter = ArchiveEntry<string>
type Declaration = StoreDeclaration<'archive', string>
type Filter = Omit<ArchiveQuery, 'limit'>

/** Ids in text order, as logs want them. */
const idOf = (index: number): string => `id-${String(index).padStart(2, '0')}`

/** `hasTexts`: some can be found by words, which backends may keep elsewhere. */
async function fill(store: Archive<string>, times: readonly number[], first = 0, hasTexts = false): Promise<Letter[]> {
  const entries = times.map((at, index) => ({ id: idOf(first + index), at, with: peers[index % 3]!, value: `letter ${index}` }))
  await Promise.all(entries.map((entry, index) => store.append(juliet, hasTexts && index % 4 < 2 ? { ...entry, text: 'words' } : entry)))
  return entries
}

const idsOf = async (store: Archive<string>, query: ArchiveQuery): Promise<string> =>
  (await store.query(juliet, query)).entries.map(entry => Number(entry.id.slice(3))).join(' ')

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
  for (const declaration of [letters, diary]) {
    describe(declaration.isLog === true ? 'a log' : 'an archive', () => {
      pageRules(subject, declaration)
      removalRules(subject, declaration)
      searchRules(subject, declaration)
      modelRule(subject, declaration)
    })
  }
  logRules(subject)
}

function pageRules(subject: StorageSubject, declaration: Declaration): void {
  test('pages follow the order of append, forwards and backwards, whole entries', async () => {
    const store = openStore(subject.backend, declaration)
    const entries = await fill(store, [10, 20, 30, 40, 50, 60])
    assert.deepEqual(await store.query(juliet, { limit: 10 }), { entries, isComplete: true })
    assert.deepEqual(await store.query(juliet, { limit: 6 }), { entries, isComplete: true })
    assert.deepEqual(await store.query(juliet, { limit: 2 }), { entries: entries.slice(0, 2), isComplete: false })
    assert.deepEqual(await store.query(juliet, { limit: 2, isBackward: true }), { entries: entries.slice(4), isComplete: false })
    assert.equal(await idsOf(store, { limit: 2, after: 'id-01' }), '2 3')
    assert.equal(await idsOf(store, { limit: 2, before: 'id-04', isBackward: true }), '2 3')
    assert.equal(await idsOf(store, { limit: 9, after: 'id-01', before: 'id-04' }), '2 3')
    assert.equal(await idsOf(store, { limit: 9, after: 'id-04', before: 'id-01' }), '')
    assert.deepEqual(await store.query(juliet, { limit: 2, after: 'id-05' }), { entries: [], isComplete: true })
    assert.deepEqual(await store.query(juliet, { limit: 0 }), { entries: [], isComplete: false })
    assert.deepEqual(await store.query('nobody@x.example', { limit: 5 }), { entries: [], isComplete: true })
    await assert.rejects(store.query(juliet, { limit: -1 }), TypeError)
  })

  test('filters by contact, time and ids combine; bounds are inclusive', async () => {
    const store = openStore(subject.backend, declaration)
    await fill(store, [10, 20, 30, 40, 50, 60])
    assert.equal(await idsOf(store, { limit: 9, with: peers[0]! }), '0 3')
    assert.equal(await idsOf(store, { limit: 9, with: '' }), '2 5')
    assert.equal(await idsOf(store, { limit: 9, with: 'tybalt@capulet.example' }), '')
    assert.equal(await idsOf(store, { limit: 9, start: 20, end: 50 }), '1 2 3 4')
    assert.equal(await idsOf(store, { limit: 9, start: 21, end: 49 }), '2 3')
    assert.equal(await idsOf(store, { limit: 1, with: peers[1]!, end: 50, isBackward: true }), '4')
    assert.equal(await idsOf(store, { limit: 9, ids: ['id-04', 'id-01', 'id-01'] }), '1 4')
    assert.equal(await idsOf(store, { limit: 9, ids: ['id-04', 'id-01'], start: 30 }), '4')
    assert.equal(await idsOf(store, { limit: 9, ids: [] }), '')
    assert.equal(await store.count(juliet), 6)
    assert.equal(await store.count(juliet, { with: peers[0]!, start: 11 }), 1)
    assert.equal(await store.count(juliet, { after: 'id-01', before: 'id-04' }), 2)
    assert.equal(await store.count('nobody@x.example', {}), 0)
  })

  test('the order is that of append even when times run backwards', async () => {
    const store = openStore(subject.backend, declaration)
    await fill(store, [50, 10, 40, 20, 60, 30])
    assert.equal(await idsOf(store, { limit: 9 }), '0 1 2 3 4 5')
    assert.equal(await idsOf(store, { limit: 9, start: 20, end: 40 }), '2 3 5')
    assert.equal(await idsOf(store, { limit: 2, end: 40 }), '1 2')
    assert.equal(await idsOf(store, { limit: 2, end: 40, isBackward: true }), '3 5')
  })

  test('an unknown id rejects with item-not-found', async () => {
    const store = openStore(subject.backend, declaration)
    await fill(store, [10, 20])
    for (const filter of [{ after: 'none' }, { before: 'none' }, { ids: ['id-00', 'none'] }]) {
      await assert.rejects(store.query(juliet, { limit: 5, ...filter }), { name: 'StorageError', code: 'item-not-found' })
      await assert.rejects(store.count(juliet, filter), { name: 'StorageError', code: 'item-not-found' })
    }
    await assert.rejects(store.query('nobody@x.example', { limit: 5, after: 'id-00' }), { code: 'item-not-found' })
  })

  test('ids are unique per owner', async () => {
    const store = openStore(subject.backend, declaration)
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

function removalRules(subject: StorageSubject, declaration: Declaration): void {
  test('delete and clear remove what they name and keep the order of the rest', async () => {
    const store = openStore(subject.backend, declaration)
    await fill(store, [10, 20, 30, 40, 50, 60])
    await store.delete(juliet, ['id-05', 'id-01', 'none'])
    await store.append(juliet, { id: 'id-09', at: 70, with: '', value: 'new' })
    assert.equal(await idsOf(store, { limit: 9 }), '0 2 3 4 9')
    await store.clear(juliet, 40)
    assert.equal(await idsOf(store, { limit: 9 }), '4 9')
    await store.clear(juliet)
    await store.clear(juliet)
    assert.equal(await idsOf(store, { limit: 9 }), '')
    await store.append(juliet, { id: 'id-01', at: 5, with: '', value: 'again' })
    assert.equal(await idsOf(store, { limit: 9, end: 5 }), '1')
  })
}

function searchRules(subject: StorageSubject, declaration: Declaration): void {
  const texts = [
    'Wherefore art thou Romeo?', 'Romeo, doff thy name', 'Ich bin\u2019s: Örtlichkeit', 'no text at all',
    'ROMEO \u0416\u0443\u043b\u044c\u0435\u0442\u0442\u0430', '"words : place" AND',
  ]
  const write = async (store: Archive<string>): Promise<void> => {
    await Promise.all(texts.map((text, index) =>
      store.append(juliet, { id: idOf(index), at: index * 10, with: peers[index % 3]!, value: text, ...(index === 3 ? {} : { text }) })))
    await store.append('romeo@montague.example', { id: 'id-09', at: 5, with: '', value: '', text: texts[0]! })
  }

  test('a backend that searches finds entries by their words; one that does not says so', async () => {
    const store = openStore(subject.backend, declaration)
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
    assert.deepEqual((await store.query(juliet, { text: 'doff', limit: 9 })).entries, [{ id: 'id-01', at: 10, with: peers[1], value: texts[1] }])
  })

  test('a search combines with every other filter, pages in order of append, and forgets what is deleted', async () => {
    const store = openStore(subject.backend, declaration)
    if (!store.isSearchable) return
    await write(store)
    assert.equal(await idsOf(store, { text: 'romeo', limit: 1 }), '0')
    assert.equal(await idsOf(store, { text: 'romeo', limit: 1, isBackward: true }), '4')
    assert.equal(await idsOf(store, { text: 'romeo', limit: 9, after: 'id-00' }), '1 4')
    assert.equal(await idsOf(store, { text: 'romeo', limit: 9, before: 'id-04', isBackward: true }), '0 1')
    assert.equal(await idsOf(store, { text: 'romeo', limit: 9, with: peers[1]! }), '1 4')
    assert.equal(await idsOf(store, { text: 'romeo', limit: 9, start: 10, end: 10 }), '1')
    assert.equal(await idsOf(store, { text: 'romeo', limit: 9, ids: ['id-04', 'id-05'] }), '4')
    assert.equal(await store.count(juliet, { text: 'romeo' }), 3)
    await store.delete(juliet, ['id-01'])
    await store.clear(juliet, 5)
    assert.equal(await idsOf(store, { text: 'romeo', limit: 9 }), '4')
    await subject.restart()
    const again = openStore(subject.backend, declaration)
    assert.equal(await idsOf(again, { text: 'romeo', limit: 9 }), '4')
    await subject.backend.write([{ op: 'owner-delete', owner: juliet }])
    await again.append(juliet, { id: 'id-07', at: 1, with: '', value: '', text: 'juliet' })
    assert.equal(await idsOf(again, { text: 'romeo', limit: 9 }), '')
    assert.equal(await idsOf(again, { text: 'juliet', limit: 9 }), '7')
  })

  test('an entry with a text that conflicts leaves nothing behind', async () => {
    const store = openStore(subject.backend, declaration)
    if (!store.isSearchable) return
    await store.append(juliet, { id: 'id-00', at: 1, with: '', value: '', text: 'romeo' })
    await assert.rejects(store.append(juliet, { id: 'id-00', at: 1, with: '', value: '', text: 'tybalt' }), { code: 'conflict' })
    assert.equal(await idsOf(store, { text: 'tybalt', limit: 9 }), '')
  })
}

function modelRule(subject: StorageSubject, declaration: Declaration): void {
  const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined })
  test('any archive and any query give what a look at every entry gives', async () => {
    let store = openStore(subject.backend, declaration)
    const id = fc.nat(11).map(idOf)
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
    const removals = fc.array(fc.nat(40), { maxLength: 3 })
    const times = fc.array(fc.nat(30), { minLength: 12, maxLength: 12 })
    const queries = fc.array(query, { maxLength: 12 })
    const property = fc.asyncProperty(times, queries, fc.boolean(), removals, fc.boolean(), async (at, asked, isRestarted, removed, isText) => {
      await store.clear(juliet)
      const entries = await fill(store, at.slice(0, 7), 0, isText && store.isSearchable)
      if (isRestarted) {
        // What a backend writes in two steps is found after either.
        await subject.restart()
        store = openStore(subject.backend, declaration)
      }
      entries.push(...await fill(store, at.slice(7), 7, isText && store.isSearchable))
      const gone = entries.filter((_, index) => removed.includes(index))
      await store.delete(juliet, gone.map(entry => entry.id))
      const left = entries.filter(entry => !gone.includes(entry))
      for (const one of asked) {
        const named = [one.after, one.before, ...one.ids ?? []]
        if (named.some(id => gone.some(entry => entry.id === id))) {
          await assert.rejects(store.query(juliet, one), { code: 'item-not-found' })
          continue
        }
        const matching = select(left, one)
        const page = one.isBackward ? matching.slice(-one.limit) : matching.slice(0, one.limit)
        const expected = { entries: page, isComplete: matching.length <= one.limit }
        const [found, count] = await Promise.all([store.query(juliet, one), store.count(juliet, one)])
        assert.deepEqual(found, expected)
        assert.equal(count, matching.length)
      }
    })
    await fc.assert(property, { numRuns: 20 })
  })
}

function logRules(subject: StorageSubject): void {
  test('an id of a log that is not after the others is a conflict, also after a restart', async () => {
    await fill(openStore(subject.backend, diary), [10, 20, 30])
    for (let round = 0; round < 2; round++) {
      const store = openStore(subject.backend, diary)
      for (const id of ['id-02', 'id-015', '']) {
        await assert.rejects(store.append(juliet, { id, at: 40, with: '', value: 'late' }), { name: 'StorageError', code: 'conflict' })
      }
      await subject.restart()
    }
    const store = openStore(subject.backend, diary)
    await store.append(juliet, { id: 'id-021', at: 5, with: '', value: 'next' })
    assert.equal((await store.query(juliet, { limit: 9 })).entries.at(-1)?.value, 'next')
  })

  test('appends of one turn to logs of several owners, with reads and removals between, are done in order', async () => {
    const store = openStore(subject.backend, diary)
    const owners = [juliet, 'romeo@montague.example', 'nurse@capulet.example']
    const counts: Promise<number>[] = []
    const done: Promise<void>[] = []
    for (let index = 0; index < 30; index++) {
      const owner = owners[index % 3]!
      done.push(store.append(owner, { id: idOf(index), at: index, with: '', value: 'x'.repeat(index) }))
      if (index % 7 === 0) counts.push(store.count(owner))
      if (index === 20) done.push(store.clear(juliet))
    }
    await Promise.all(done)
    assert.deepEqual(await Promise.all(counts), [1, 3, 5, 1, 10])
    assert.equal(await idsOf(store, { limit: 99 }), '21 24 27')
  })

  test('a call of several operations on logs that fails changes none of them', async () => {
    const store = openStore(subject.backend, diary)
    const entries = await fill(store, [10, 20, 30, 40])
    const append = (id: string): WriteOp => ({ op: 'log-append', store: 'contract_log', owner: juliet, entry: { id, at: 50, with: '', value: 'x' } })
    const good = store.append(juliet, { id: 'id-05', at: 50, with: '', value: 'five' })
    const failing = subject.backend.write([
      append('id-06'), { op: 'archive-delete', store: 'contract_log', owner: juliet, ids: ['id-01', 'id-06'] },
      { op: 'archive-clear', store: 'contract_log', owner: juliet, untilMs: 35 }, append('id-07'), append('id-07'),
    ])
    const simple = subject.backend.write([append('id-08'), append('id-08')])
    await assert.rejects(failing, { code: 'conflict' })
    await assert.rejects(simple, { code: 'conflict' })
    await good
    for (let round = 0; round < 2; round++) {
      const page = await openStore(subject.backend, diary).query(juliet, { limit: 9 })
      assert.deepEqual(page.entries.map(entry => entry.id), [...entries.map(entry => entry.id), 'id-05'])
      await subject.restart()
    }
  })

  test('a log of a deleted owner is gone for good, and the owner may begin anew with any id', async () => {
    const store = openStore(subject.backend, diary)
    await fill(store, [10, 20, 30])
    await subject.backend.write([{ op: 'owner-delete', owner: juliet }])
    await store.append(juliet, { id: 'id-01', at: 1, with: '', value: 'new' })
    await subject.restart()
    assert.equal(await idsOf(openStore(subject.backend, diary), { limit: 9 }), '1')
  })
}
