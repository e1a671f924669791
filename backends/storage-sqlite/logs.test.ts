/** What logs go through beside the contract: upgrades, folding, a full disk, deletion in pieces. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, test } from 'node:test'
import { logStore, openStore } from '@rollcall/ports'
import type { StorageError, WriteOp } from '@rollcall/ports'
import { Database } from './database.ts'
import { SqliteStorage } from './index.ts'
import type { SqliteOptions } from './index.ts'
import { APPLICATION_ID, migrations } from './migrations.ts'
import { Trash } from './trash.ts'

const clock = { soon: (callback: () => void) => void setImmediate(callback), monotonic: () => performance.now() }
const juliet = 'juliet@capulet.example'
const romeo = 'romeo@montague.example'
const diary = logStore<string>('diary')
const idOf = (index: number): string => String(index).padStart(6, '0')
let folder = ''
let opened: SqliteStorage[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rollcall-logs-'))
  opened = []
})
afterEach(async () => {
  await Promise.all(opened.map(storage => storage.close()))
  await rm(folder, { recursive: true, force: true })
})

const path = (): string => join(folder, 'data.sqlite')
async function open(options: Partial<SqliteOptions> = {}): Promise<SqliteStorage> {
  const storage = new SqliteStorage({ path: path(), clock, lockWaitMs: 2000, ...options })
  opened.push(storage)
  await storage.open()
  return storage
}
function raw<T>(file: string, read: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(file)
  try {
    return read(database)
  } finally {
    database.close()
  }
}
const one = (database: DatabaseSync, sql: string): unknown => Object.values(database.prepare(sql).get()!)[0]
const append = (owner: string, index: number, value: string): WriteOp =>
  ({ op: 'log-append', store: 'diary', owner, entry: { id: idOf(index), at: index, with: index % 2 === 0 ? romeo : '', value } })
async function ids(storage: SqliteStorage, query: object): Promise<number[]> {
  const page = await openStore(storage, diary).query(juliet, { limit: 1000, ...query })
  return page.entries.map(entry => Number(entry.id))
}
const range = (from: number, until: number): number[] => Array.from({ length: until - from }, (_, index) => from + index)

/** A file as the version before logs left it, with entries 0 to 9. */
function oldFile(): void {
  raw(path(), database => {
    for (const step of migrations.slice(0, 2)) database.exec(step)
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = 2`)
    database.exec("INSERT INTO store VALUES (1, 'diary')")
    database.prepare('INSERT INTO archive VALUES (1, 1, ?, 0)').run(juliet)
    const insert = database.prepare('INSERT INTO entry (archive, id, at, high, peer, value) VALUES (1, ?, ?, ?, ?, ?)')
    for (const index of range(0, 10)) insert.run(idOf(index), index, index, index % 2 === 0 ? romeo : '', JSON.stringify(`old ${index}`))
  })
}

test('a file of the version before logs keeps its entries, and what is appended comes after them', async () => {
  oldFile()
  for (const from of [10, 20]) {
    const storage = await open()
    await storage.write(range(from, from + 10).map(index => append(juliet, index, `new ${index}`)))
    await assert.rejects(storage.write([append(juliet, 5, 'late')]), { code: 'conflict' })
    await storage.close()
  }
  const storage = await open()
  assert.deepEqual(await ids(storage, {}), range(0, 30))
  assert.deepEqual(await ids(storage, { after: idOf(4), limit: 12 }), range(5, 17))
  assert.deepEqual(await ids(storage, { before: idOf(25), limit: 18, isBackward: true }), range(7, 25))
  assert.deepEqual(await ids(storage, { after: idOf(12), before: idOf(22) }), range(13, 22))
  assert.deepEqual(await ids(storage, { start: 8, end: 11 }), range(8, 12))
  assert.deepEqual(await ids(storage, { with: romeo, start: 6, end: 14 }), [6, 8, 10, 12, 14])
  assert.deepEqual(await ids(storage, { ids: [idOf(3), idOf(15)] }), [3, 15])
  await assert.rejects(ids(storage, { after: 'none' }), { code: 'item-not-found' })
  const store = openStore(storage, diary)
  assert.equal(await store.count(juliet, { after: idOf(4), with: '' }), 13)
  assert.equal((await store.query(juliet, { limit: 1 })).entries[0]?.value, 'old 0')
  await store.delete(juliet, [idOf(2), idOf(17), 'none'])
  await store.clear(juliet, 12)
  assert.deepEqual(await ids(storage, {}), [...range(13, 17), ...range(18, 30)])
})

test('what the journal cannot hold goes into segments, in order, and the journal stays small', async () => {
  const storage = await open()
  const value = 'x'.repeat(3000)
  // 15 MB, where the journal holds 8.
  for (let index = 0; index < 5000; index += 50) {
    await storage.write(range(index, index + 50).map(at => append([juliet, romeo, `u${at % 7}@x.example`][at % 3]!, at, value)))
  }
  const mine = range(0, 5000).filter(index => index % 3 === 0)
  const store = openStore(storage, diary)
  for (const query of [{ start: 100, end: 4000 }, { start: 3000 }, { end: 50 }, { with: romeo, start: 1000 }, {}]) {
    const { start = 0, end = Infinity } = query as { start?: number; end?: number }
    const expected = mine.filter(index => index >= start && index <= end && (!('with' in query) || index % 2 === 0))
    assert.deepEqual(await ids(storage, { ...query, limit: 5000 }), expected)
    assert.equal(await store.count(juliet, query), expected.length)
    assert.deepEqual(await ids(storage, { ...query, limit: 70, isBackward: true }), expected.slice(-70))
  }
  await storage.backup(join(folder, 'copy.sqlite'))
  const [waiting, segments, peers] = raw(join(folder, 'copy.sqlite'), database => [
    one(database, 'SELECT sum(length(data)) FROM journal'), one(database, 'SELECT count(*) FROM segment'),
    one(database, 'SELECT sum(count) = (SELECT sum(count) FROM segment) FROM segment_peer'),
  ])
  assert.ok(Number(waiting) < 10_000_000, `${String(waiting)} characters in the journal`)
  assert.ok(Number(segments) > 200)
  assert.equal(peers, 1)
  await storage.close()
  assert.equal(raw(path(), database => one(database, 'SELECT sum(length(data)) FROM journal')), 0)
  assert.deepEqual(await ids(await open(), { limit: 5000 }), mine)
})

test('small additions are merged into segments of about a page', async () => {
  for (let round = 0; round < 12; round++) {
    const storage = await open()
    await storage.write(range(10 * round, 10 * round + 10).map(index => append(juliet, index, 'x'.repeat(200))))
    await storage.close()
  }
  assert.ok(Number(raw(path(), database => one(database, 'SELECT count(*) FROM segment'))) <= 5)
  assert.deepEqual(await ids(await open(), {}), range(0, 120))
})

test('on a full disk what was committed stays, what was refused is not there, and there is room again after a deletion', async () => {
  const storage = await open({ databaseBytesMax: 600_000 })
  await storage.write([{ op: 'map-set', store: 'ballast', owner: romeo, key: 'k', value: 'x'.repeat(100_000) }])
  const store = openStore(storage, diary)
  const kept: number[] = []
  let refused = 0
  for (let index = 0; index < 400; index++) {
    try {
      await store.append(juliet, { id: idOf(index), at: index, with: '', value: 'x'.repeat(2000) })
      kept.push(index)
    } catch (error) {
      assert.equal((error as StorageError).code, 'full')
      refused++
    }
  }
  assert.ok(refused > 10 && kept.length > 50)
  assert.deepEqual(await ids(storage, {}), kept)
  await storage.write([{ op: 'owner-delete', owner: romeo }])
  await store.append(juliet, { id: idOf(1000), at: 1000, with: '', value: 'x'.repeat(2000) })
  await storage.close()
  assert.deepEqual(await ids(await open(), {}), [...kept, 1000])
})

test('a deleted account is gone at once, and its entries go in pieces that do not hold up others', async () => {
  oldFile()
  const storage = await open()
  for (let index = 0; index < 3000; index += 1000) {
    const rows = range(index, index + 1000).map((at): WriteOp =>
      ({ op: 'archive-append', store: 'items', owner: juliet, entry: { id: idOf(at), at, with: '', value: at } }))
    await storage.write([...rows, ...range(index, index + 1000).map(at => append(juliet, at + 10, 'x'.repeat(1000)))])
  }
  await storage.close()
  const database = new Database({ path: path(), durability: 'full', cacheBytes: 1_000_000, databaseBytesMax: undefined, lockWaitMs: 1000 })
  const rowsIn = (table: string): number => Number(one(database.connection, `SELECT count(*) FROM ${table}`))
  const left = (): number => ['entry', 'segment', 'segment_peer'].reduce((sum, table) => sum + rowsIn(table), 0)
  const trash = new Trash(database)
  const archives = database.prepare('SELECT id FROM archive WHERE owner = ?').all('juliet@capulet.example') as unknown as [number][]
  for (const [archive] of archives) trash.put(archive, 1)
  const before = left()
  assert.ok(before > 3200)
  trash.deleteSome()
  const deleted = before - left()
  assert.ok(deleted > 0 && deleted <= 1050, `${deleted} rows in one transaction`)
  database.close()
  // What is left goes when the server runs again.
  const again = await open()
  assert.deepEqual(await ids(again, {}), [])
  await again.write([append(juliet, 1, 'new life')])
  for (let tries = 0; tries < 200; tries++) {
    await again.archiveCount('diary', juliet, {})
    await again.backup(join(folder, `copy${tries}.sqlite`))
    const count = 'SELECT (SELECT count(*) FROM archive WHERE store < 0) + (SELECT count(*) FROM entry)'
    const rest = raw(join(folder, `copy${tries}.sqlite`), copy => one(copy, count))
    if (rest === 0) break
    assert.ok(tries < 199, `${String(rest)} rows left`)
  }
  assert.deepEqual(await ids(again, {}), [1])
})
