import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { StorageError, WireReader, openStore, archiveStore } from '@rollcall/ports'
import type { ArchiveEntry, Json, StorageBackend, WriteOp } from '@rollcall/ports'
import { recordingLog, recordingMetrics, storageContract } from '@rollcall/testing'
import fc from 'fast-check'
import { realClock, until } from '../bus-socket/testing/fixtures.ts'
import { MemoryStorage } from '../storage-memory/index.ts'
import { SqliteStorage } from '../storage-sqlite/index.ts'
import { RemoteStorage, serveStorage } from './index.ts'
import type { RemoteStorageOptions, StorageServer } from './index.ts'
import { appendText, storageCodec } from './messages.ts'

const makeDirectory = async (): Promise<string> => mkdtemp(join(tmpdir(), 'rollcall-remote-'))
const ports = { clock: realClock, log: recordingLog(), bootId: '1' }

for (const [name, makeBackend] of [
  ['memory', () => new MemoryStorage()],
  ['sqlite', (folder: string) => new SqliteStorage({ path: join(folder, 'data.sqlite'), clock: realClock })],
] as const) {
  storageContract(`remote, over ${name}`, async () => {
    const directory = await makeDirectory()
    const data = await makeDirectory()
    const backend: StorageBackend = makeBackend(data)
    await backend.open()
    const server = await serveStorage({ backend, directory, ...ports })
    const make = (): RemoteStorage => new RemoteStorage({ memberId: 'w1', directory, ...ports })
    return {
      backend: make(),
      reopen: async () => make(),
      async dispose() {
        await server.close()
        await backend.close()
        for (const folder of [directory, data]) await rm(folder, { recursive: true, force: true })
      },
    }
  })
}

const juliet = 'juliet@capulet.example'
const letters = archiveStore<string>('letters')
const letter = (id: string, at = 1): ArchiveEntry<string> => ({ id, at, with: '', value: `letter ${id}` })

describe('remote storage', () => {
  let directory: string
  let backend: MemoryStorage
  let server: StorageServer
  const clients: RemoteStorage[] = []
  const client = async (memberId = 'w1', more: Partial<RemoteStorageOptions> = {}): Promise<RemoteStorage> => {
    const remote = new RemoteStorage({ memberId, directory, ...ports, ...more })
    clients.push(remote)
    await remote.open()
    return remote
  }

  beforeEach(async () => {
    directory = await makeDirectory()
    backend = new MemoryStorage()
    await backend.open()
    server = await serveStorage({ backend, directory, ...ports })
  })
  afterEach(async () => {
    await Promise.all(clients.splice(0).map(async remote => remote.close()))
    await server.close()
    await rm(directory, { recursive: true, force: true })
  })

  test('processes share one storage', async () => {
    const [one, other] = [await client('w1'), await client('w2')]
    await one.write([{ op: 'keyval-set', store: 's', owner: juliet, value: 'from w1' }])
    assert.equal(await other.keyvalGet('s', juliet), 'from w1')
    const sums = await Promise.all([one, other, one].map(async remote => remote.counterAdd('c', juliet, 'k', 1)))
    assert.deepEqual(new Set(sums), new Set([1, 2, 3]))
    assert.equal(one.isSearchable, true)
  })

  test('appends to logs of one turn are one write with one promise, in order with everything else', async () => {
    const writes: (readonly WriteOp[])[] = []
    const write = backend.write.bind(backend)
    backend.write = async (ops) => {
      writes.push(ops)
      await write(ops)
    }
    const remote = await client()
    const first = remote.logAppend('log', juliet, letter('a', 1_800_000_000_000))
    assert.equal(remote.logAppend('log', juliet, letter('b', 1_799_999_999_990)), first)
    const count = remote.archiveCount('log', juliet, {})
    const third = remote.logAppend('log', juliet, { ...letter('c', -5), text: 'wherefore' })
    assert.notEqual(third, first)
    await Promise.all([first, third])
    assert.equal(await count, 2)
    assert.deepEqual(writes.map(ops => ops.length), [2, 1])
    const page = await remote.archiveQuery('log', juliet, { limit: 9 })
    assert.deepEqual(page.entries.map(({ id, at }) => [id, at]), [['a', 1_800_000_000_000], ['b', 1_799_999_999_990], ['c', -5]])
    assert.equal(await remote.archiveCount('log', juliet, { text: 'wherefore' }), 1)
  })

  test('an append that no backend could keep is refused alone, and one that conflicts takes its turn with it', async () => {
    const remote = await client()
    const good = remote.logAppend('log', juliet, letter('a'))
    await assert.rejects(remote.logAppend('log', 'a\0b', letter('b')), TypeError)
    await assert.rejects(remote.logAppend('log', juliet, { ...letter('b'), value: undefined as unknown as Json }), TypeError)
    await good
    const group = [remote.logAppend('log', juliet, letter('b')), remote.logAppend('log', juliet, letter('b'))]
    for (const append of group) await assert.rejects(append, { name: 'StorageError', code: 'conflict' })
    assert.equal(await remote.archiveCount('log', juliet, {}), 1)
  })

  test('errors come over as they are', async () => {
    const remote = await client()
    await assert.rejects(remote.backup('/nowhere'), { name: 'StorageError', code: 'io', message: /in memory|backup/i })
    await assert.rejects(openStore(remote, letters).query(juliet, { limit: 5, after: 'none' }), { name: 'StorageError', code: 'item-not-found' })
    const failing = async (error: unknown): Promise<unknown> => {
      backend.keyvalGet = async () => {
        throw error
      }
      return remote.keyvalGet('s', juliet).then(() => undefined, (thrown: unknown) => thrown)
    }
    for (const code of ['full', 'io', 'closed', 'busy'] as const) {
      const thrown = await failing(new StorageError(code, `it is ${code}`))
      assert.ok(thrown instanceof StorageError)
      assert.deepEqual([thrown.code, thrown.message], [code, `it is ${code}`])
    }
    assert.ok((await failing(new TypeError('bad'))) instanceof TypeError)
    assert.match(String(await failing(new RangeError('a defect'))), /a defect/)
    assert.match(String(await failing('no error')), /no error/)
  })

  test('a backup is written where this process means it', async () => {
    const paths: string[] = []
    backend.backup = async path => void paths.push(path)
    const remote = await client()
    const path = join(directory, 'copy.sqlite')
    await remote.backup(relative('.', path))
    assert.deepEqual(paths, [path])
  })

  test('when the serving process is gone what waits rejects with io, and calls go through again when it is back', async () => {
    const seen: boolean[] = []
    const remote = await client('w1', { onServer: isThere => void seen.push(isThere) })
    backend.keyvalGet = async () => new Promise(() => {})
    const waiting = remote.keyvalGet('s', juliet)
    const lost = assert.rejects(waiting, { name: 'StorageError', code: 'io', message: /does not answer/ })
    await remote.mapAll('s', juliet)
    await server.close()
    await lost
    await until(() => seen.length === 2)
    await assert.rejects(remote.mapAll('s', juliet), { name: 'StorageError', code: 'io' })
    await assert.rejects(remote.logAppend('log', juliet, letter('a')), { name: 'StorageError', code: 'io' })
    server = await serveStorage({ backend, directory, ...ports, bootId: '2' })
    await until(() => seen.length === 3)
    assert.deepEqual(seen, [true, false, true])
    await remote.logAppend('log', juliet, letter('a'))
    assert.equal(await remote.archiveCount('log', juliet, {}), 1)
  })

  test('what waits is bounded, in number and in time', async () => {
    const metrics = recordingMetrics()
    const remote = await client('w1', { queueOpsMax: 2, callTimeoutMs: 50, metrics })
    backend.keyvalGet = async () => new Promise(() => {})
    const late = assert.rejects(remote.keyvalGet('s', juliet), { name: 'StorageError', code: 'io', message: /within 50 ms/ })
    const append = remote.logAppend('log', juliet, letter('a'))
    assert.equal(metrics.value('rollcall_storage_remote_queue_operations'), 2)
    await assert.rejects(remote.write([]), { name: 'StorageError', code: 'busy' })
    await assert.rejects(remote.logAppend('log', juliet, letter('b')), { name: 'StorageError', code: 'busy' })
    await Promise.all([late, append])
    assert.equal(metrics.value('rollcall_storage_remote_queue_operations'), 0)
    await remote.write([])
  })

  test('opening without a serving process says so, and an open storage is not opened twice', async () => {
    const remote = await client()
    await assert.rejects(remote.open(), { code: 'conflict' })
    await server.close()
    const late = new RemoteStorage({ memberId: 'w2', directory, ...ports, openTimeoutMs: 30 })
    await assert.rejects(late.open(), { name: 'StorageError', code: 'io', message: /no process serves storage/ })
    await assert.rejects(late.write([]), { name: 'StorageError', code: 'closed' })
    server = await serveStorage({ backend, directory, ...ports })
    await late.open()
    await late.close()
    await late.close()
  })
})

test('appends come out as they went in', () => {
  const text = fc.string({ unit: 'grapheme' })
  const entry = fc.record({
    id: text, at: fc.maxSafeInteger(), with: text, value: fc.jsonValue() as fc.Arbitrary<Json>, text: fc.option(text, { nil: undefined }),
  })
  fc.assert(fc.property(fc.array(fc.record({ store: text, owner: text, entry }), { maxLength: 5 }), (appends) => {
    let previousAt = 0
    let wire = ''
    for (const { store, owner, entry: one } of appends) {
      wire += appendText(store, owner, one, JSON.stringify(one.value), previousAt)
      previousAt = one.at
    }
    const body = storageCodec.encoder().message({ kind: 'log', text: wire, ops: [] })
    assert.match(body, /^[\x00-\xff]*$/)
    const message = storageCodec.decoder().message(new WireReader().load(body, 0, body.length))
    assert.ok(message?.kind === 'log')
    const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
    assert.deepEqual(plain(message.ops), plain(appends.map(({ store, owner, entry: one }) => ({ op: 'log-append', store, owner, entry: one }))))
  }))
})

test('calls of a later version are no message', () => {
  const read = (body: string): unknown => storageCodec.decoder().message(new WireReader().load(body, 0, body.length))
  assert.equal(read('C["vacuum"]'), undefined)
  assert.equal(read('~'), undefined)
})
