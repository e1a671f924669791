/** Kills a writing process: this file is both the test and, with `WRITER_PATH` in its environment, the writer. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SqliteStorage } from './index.ts'

const WRITER_PATH = 'ROLLCALL_CRASH_TEST_PATH'
const WRITES_MAX = 1_000_000
const BURST = 50
const romeo = 'romeo@montague.example'
const juliet = 'juliet@capulet.example'
const clock = { soon: (callback: () => void) => void setImmediate(callback), monotonic: () => performance.now() }

/** A pipe that nobody reads just now refuses. */
async function print(text: string): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    try {
      return void writeSync(1, text)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      await sleep(5)
    }
  }
}

/** Writes calls of three operations as fast as it can and prints each number once it is acknowledged. */
async function writeUntilKilled(path: string): Promise<void> {
  const storage = new SqliteStorage({ path, clock })
  await storage.open()
  const writeOne = async (id: string): Promise<void> => {
    await storage.write([
      { op: 'map-set', store: 'left', owner: juliet, key: id, value: 'x'.repeat(300) },
      { op: 'archive-append', store: 'right', owner: juliet, entry: { id, at: 1, with: '', value: id } },
      { op: 'log-append', store: 'log', owner: romeo, entry: { id, at: 1, with: '', value: 'x'.repeat(4000) } },
    ])
    await print(`${id}\n`)
  }
  for (let serial = 0; serial < WRITES_MAX; serial += BURST) {
    await Promise.all(Array.from({ length: BURST }, (_, offset) => writeOne(String(serial + offset).padStart(7, '0'))))
  }
}

/** Starts a process that writes until it is killed after `killAfterCount` acknowledgements; returns what it acknowledged. */
async function writeAndKill(path: string, killAfterCount: number): Promise<string[]> {
  const env = { ...process.env, [WRITER_PATH]: path }
  const child = spawn(process.execPath, [import.meta.filename], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    if (output.split('\n').length > killAfterCount) child.kill('SIGKILL')
  })
  const ended = await new Promise<string | null>(resolve => child.on('close', (_code, signal) => resolve(signal)))
  assert.equal(ended, 'SIGKILL')
  return output.split('\n').slice(0, -1)
}

async function killAndCheck(folder: string): Promise<void> {
  const path = join(folder, 'data.sqlite')
  for (const killAfterCount of [10, 333, 4000]) {
    const acknowledged = await writeAndKill(path, killAfterCount)
    assert.ok(acknowledged.length >= killAfterCount)
    const storage = new SqliteStorage({ path, clock })
    await storage.open()
    const left = await storage.mapAll('left', juliet)
    const right = await storage.archiveQuery('right', juliet, { limit: 1_000_000 })
    for (const id of acknowledged) assert.ok(left.has(id), `acknowledged write ${id} is lost`)
    assert.deepEqual(new Set(right.entries.map(entry => entry.id)), new Set(left.keys()))
    const log = await storage.archiveQuery('log', romeo, { limit: 1_000_000 })
    assert.deepEqual(log.entries.map(entry => entry.id), [...left.keys()].sort())
    await storage.write([{ op: 'owner-delete', owner: juliet }, { op: 'owner-delete', owner: romeo }])
    await storage.close()
  }
}

const writerPath = process.env[WRITER_PATH]
if (writerPath !== undefined) {
  await writeUntilKilled(writerPath)
} else {
  test('a process killed while writing loses no acknowledged write and leaves no partial call', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rollcall-crash-'))
    try {
      await killAndCheck(folder)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
}
