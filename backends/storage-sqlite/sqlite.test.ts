import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open as openFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, test } from 'node:test'
import type { StorageError, WriteOp } from '@rollcall/ports'
import { recordingMetrics } from '@rollcall/testing'
import { SqliteStorage } from './index.ts'
import type { SqliteOptions } from './index.ts'
import { migrations } from './migrations.ts'

const clock = { soon: (callback: () => void) => void setImmediate(callback), monotonic: () => performance.now() }
const juliet = 'juliet@capulet.example'
let folder = ''
let opened: SqliteStorage[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rollcall-sqlite-'))
  opened = []
})
afterEach(async () => {
  await Promise.all(opened.map(storage => storage.close()))
  await rm(folder, { recursive: true, force: true })
})

function make(options: Partial<SqliteOptions> = {}): SqliteStorage {
  const storage = new SqliteStorage({ path: join(folder, 'data.sqlite'), clock, lockWaitMs: 50, ...options })
  opened.push(storage)
  return storage
}
async function open(options: Partial<SqliteOptions> = {}): Promise<SqliteStorage> {
  const storage = make(options)
  await storage.open()
  return storage
}
const set = (key: string, value: string): WriteOp => ({ op: 'map-set', store: 'notes', owner: juliet, key, value })

test('a second opener is told that the file is in use, and can open it after close', async () => {
  const first = await open()
  const second = make()
  await assert.rejects(second.open(), (error: StorageError) => error.code === 'busy' && /in use by another process/.test(error.message))
  await assert.rejects(second.write([set('a', 'b')]), { code: 'closed' })
  await first.write([set('a', 'b')])
  await first.close()
  await second.open()
  assert.equal(await second.mapGet('notes', juliet, 'a'), 'b')
})

test('places that cannot hold a database are named with the remedy', async () => {
  await mkdir(join(folder, 'is-folder'))
  await writeFile(join(folder, 'text.sqlite'), 'Two households, both alike in dignity, in fair Verona. '.repeat(100))
  new DatabaseSync(join(folder, 'other.sqlite')).exec('CREATE TABLE theirs (x)')
  const cases: [string, RegExp][] = [
    [join(folder, 'missing', 'x.sqlite'), /does not exist: create it/],
    [join(folder, 'text.sqlite', 'x.sqlite'), /is not a folder/],
    [join(folder, 'is-folder'), /is not a file/],
    [join(folder, 'text.sqlite'), /is not a SQLite database/],
    [join(folder, 'other.sqlite'), /is a database of another program/],
  ]
  for (const [path, message] of cases) await assert.rejects(make({ path }).open(), { name: 'StorageError', code: 'io', message })
})

test('a file with a newer schema is refused and left as it is', async () => {
  const path = join(folder, 'data.sqlite')
  await (await open()).close()
  const raw = new DatabaseSync(path)
  raw.exec(`PRAGMA user_version = ${migrations.length + 1}`)
  raw.close()
  await assert.rejects(make().open(), /has schema \d+, and this version knows schemas up to \d+: run the newer version/)
  const again = new DatabaseSync(path)
  assert.deepEqual({ ...again.prepare('PRAGMA user_version').get() }, { user_version: migrations.length + 1 })
  again.close()
})

test('a full database rejects what does not fit, keeps what is there, readable, and accepts what fits', async () => {
  const storage = await open({ databaseBytesMax: 200_000 })
  await storage.write([set('kept', 'x')])
  const big = 'x'.repeat(500_000)
  const results = await Promise.allSettled([
    storage.write([set('small', 'y')]),
    storage.write([set('first half', 'z'), set('big', big)]),
    storage.mapGet('notes', juliet, 'kept'),
    storage.counterAdd('counts', juliet, 'c', 1),
  ])
  assert.deepEqual(results.map(result => result.status), ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
  assert.equal(results[1].status === 'rejected' && (results[1].reason as StorageError).code, 'full')
  assert.deepEqual([...(await storage.mapAll('notes', juliet)).keys()], ['kept', 'small'])
  assert.equal(await storage.counterGet('counts', juliet, 'c'), 1)
  await storage.write([set('later', 'fits')])
})

test('calls beyond the queue limit are refused at once, and accepted again when it has drained', async () => {
  const metrics = recordingMetrics()
  const storage = await open({ queueOpsMax: 10, metrics })
  const results = await Promise.allSettled(Array.from({ length: 15 }, (_, at) => storage.write([set(`k${at}`, 'v')])))
  const refused = results.filter(result => result.status === 'rejected')
  assert.equal(refused.length, 5)
  for (const { reason } of refused) assert.equal((reason as StorageError).code, 'busy')
  assert.equal(metrics.value('rollcall_storage_refused_total'), 5)
  assert.equal(metrics.value('rollcall_storage_queue_operations'), 0)
  await storage.write([set('after', 'v')])
  assert.equal((await storage.mapAll('notes', juliet)).size, 11)
})

test('calls of one turn share one commit', async () => {
  const metrics = recordingMetrics()
  const storage = await open({ metrics })
  await Promise.all(Array.from({ length: 100 }, (_, at) => storage.write([set(`k${at}`, 'v')])))
  assert.deepEqual(metrics.observations('rollcall_storage_batch_operations'), [100])
})

test('a backup made while writes go on is whole, and never overwrites', async () => {
  const storage = await open()
  await storage.write(Array.from({ length: 5000 }, (_, at) => set(`k${at}`, 'v'.repeat(500))))
  const path = join(folder, 'copy.sqlite')
  const progress = { isDone: false }
  const backup = storage.backup(path).then(() => (progress.isDone = true))
  const count: WriteOp = { op: 'counter-add', store: 'c', owner: juliet, key: 'k', amount: 1 }
  for (let at = 0; at < 5000 && !progress.isDone; at++) await storage.write([set(`during${at}`, 'v'), count])
  await backup
  await assert.rejects(storage.backup(path), { name: 'StorageError', code: 'conflict' })
  await assert.rejects(storage.backup(join(folder, 'missing', 'x')), { name: 'StorageError', code: 'io' })
  assert.equal(existsSync(`${path}.partial`), false)
  const copy = await open({ path })
  const keys = [...(await copy.mapAll('notes', juliet)).keys()]
  const during = keys.filter(key => key.startsWith('during')).length
  assert.equal(keys.length - during, 5000)
  assert.equal(await copy.counterGet('c', juliet, 'k'), during)
})

test('pages of an archive are read from an index in order, whatever the filters', async () => {
  const storage = await open()
  await storage.write([{ op: 'archive-append', store: 'a', owner: juliet, entry: { id: '1', at: 1, with: '', value: 1 } }])
  await storage.close()
  const raw = new DatabaseSync(join(folder, 'data.sqlite'))
  for (const [index, peer] of [['entry_order', ''], ['entry_peer', 'AND peer = ?']] as const) {
    const where = `archive = 1 ${peer} AND high >= 1 AND high <= 9 AND seq > 1`
    const sql = `EXPLAIN QUERY PLAN SELECT id FROM entry INDEXED BY ${index} WHERE ${where} ORDER BY high, seq LIMIT 9`
    const plan = JSON.stringify(raw.prepare(sql).all(...(peer ? ['x'] : [])))
    assert.match(plan, new RegExp(`SEARCH entry USING INDEX ${index}`))
    assert.doesNotMatch(plan, /TEMP B-TREE/)
  }
  raw.close()
})

test('a damaged file rejects what it cannot read with io and still serves the rest', async () => {
  const storage = await open()
  await storage.write([{ op: 'keyval-set', store: 'k', owner: juliet, value: 'intact' }])
  for (let at = 0; at < 20; at++) await storage.write(Array.from({ length: 50 }, (_, key) => set(`${at}-${key}`, 'v'.repeat(400))))
  await storage.close()
  const file = await openFile(join(folder, 'data.sqlite'), 'r+')
  const { size } = await file.stat()
  // The later half holds nothing but the map's leaves.
  await file.write(Buffer.alloc(size / 2, 0xee), 0, size / 2, size / 2)
  await file.close()
  const again = await open()
  const [all, kept] = await Promise.allSettled([again.mapAll('notes', juliet), again.keyvalGet('k', juliet)])
  assert.equal(all.status === 'rejected' && (all.reason as StorageError).code, 'io')
  assert.equal(kept.status === 'fulfilled' && kept.value, 'intact')
  await again.write([{ op: 'keyval-set', store: 'k', owner: juliet, value: 'new' }])
  assert.equal(await again.keyvalGet('k', juliet), 'new')
})

test('open twice is refused, a failed open can be tried again, and close is idempotent', async () => {
  const path = join(folder, 'later', 'data.sqlite')
  const storage = make({ path })
  await storage.close()
  await assert.rejects(storage.open(), { code: 'io' })
  await mkdir(join(folder, 'later'))
  await storage.open()
  await assert.rejects(storage.open(), { code: 'conflict' })
  await storage.write([set('a', 'b')])
  await storage.close()
  await storage.close()
  await storage.open()
  assert.equal(await storage.mapGet('notes', juliet, 'a'), 'b')
})
