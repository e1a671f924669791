/**
 * What storage costs: bulk load of map rows, reading a roster, appending to archives and reading their pages.
 *
 * `node bench/micro/storage.ts [archive entries, 500000 unless told]`; CPU is that of the whole process, both threads.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { WriteOp } from '@rollcall/ports'
import { SqliteStorage } from '../../backends/storage-sqlite/index.ts'

const ACCOUNTS = 10_000
const CONTACTS = 50
const entryCount = Number(process.argv[2] ?? 500_000)

const clock = { soon: (callback: () => void) => void setImmediate(callback), monotonic: () => performance.now() }
const folder = mkdtempSync(join(tmpdir(), 'rollcall-bench-'))
const account = (index: number): string => `account${index % ACCOUNTS}@capulet.example`

async function measure(what: string, count: number, work: () => Promise<void>): Promise<void> {
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  await work()
  const wallMs = performance.now() - startMs
  const { user, system } = process.cpuUsage(cpu)
  const perUnit = (user + system) / count
  const rate = String(Math.round((count / wallMs) * 1000)).padStart(8)
  console.log(`${what.padEnd(52)} ${rate} /s  ${perUnit.toFixed(2).padStart(7)} µs CPU  ${wallMs.toFixed(0).padStart(6)} ms`)
}

/** Runs `total` pieces of work with `width` of them in flight. */
async function inParallel(total: number, width: number, one: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < total) await one(next++)
  }
  await Promise.all(Array.from({ length: width }, lane))
}

function rosterRows(index: number): WriteOp[] {
  return Array.from({ length: CONTACTS }, (_, at) => ({
    op: 'map-set',
    store: 'roster',
    owner: account(index),
    key: account(index * 7 + at * 131),
    value: { name: `Contact ${at}`, subscription: 'both', groups: ['Friends'] },
  }))
}

function entryOp(index: number): WriteOp {
  const value = `<message type='chat' id='m${index}'><body>${'O Romeo, Romeo! wherefore art thou Romeo? '.repeat(7)}</body></message>`
  const entry = { id: `${index.toString(36)}-entry`, at: 1_700_000_000_000 + index, with: account(index * 31), value }
  return { op: 'archive-append', store: 'archive', owner: account(Math.imul(index, 2654435761) >>> 0), entry }
}

const quantile = (sorted: readonly number[], share: number): string => sorted[Math.floor(sorted.length * share)]!.toFixed(2)

async function pages(storage: SqliteStorage, what: string, filter: { with?: string; start?: number; end?: number }): Promise<void> {
  const times: number[] = []
  await measure(`archive page of 50, ${what}`, 2000, async () => {
    for (let at = 0; at < 2000; at++) {
      const startMs = performance.now()
      await storage.archiveQuery('archive', account(at * 37), { limit: 50, isBackward: true, ...filter })
      times.push(performance.now() - startMs)
    }
  })
  times.sort((one, other) => one - other)
  console.log(`  ms: p50 ${quantile(times, 0.5)}  p99 ${quantile(times, 0.99)}  max ${quantile(times, 0.9999)}`)
}

const storage = new SqliteStorage({ path: join(folder, 'data.sqlite'), clock })
try {
  await storage.open()
  const rows = ACCOUNTS * CONTACTS
  await measure('map rows, bulk load, 50 a call, 64 calls in flight', rows, () => inParallel(ACCOUNTS, 64, index => storage.write(rosterRows(index))))
  await measure('mapAll of 50 rows, one at a time', 5000, () => inParallel(5000, 1, index => storage.mapAll('roster', account(index * 17))))
  await measure('mapAll of 50 rows, 100 in flight', 20_000, () => inParallel(20_000, 100, index => storage.mapAll('roster', account(index * 17))))
  await measure('map row set, one call at a time (one fsync each)', 500, () => inParallel(500, 1, index => storage.write(rosterRows(index).slice(0, 1))))
  await measure('map row set, 200 calls in flight', 20_000, () => inParallel(20_000, 200, index => storage.write(rosterRows(index).slice(0, 1))))
  await measure('archive entry of 350 B, 200 calls in flight', entryCount, () => inParallel(entryCount, 200, index => storage.write([entryOp(index)])))
  await pages(storage, 'latest', {})
  await pages(storage, 'in a time range', { start: 1_700_000_000_000 + entryCount * 0.4, end: 1_700_000_000_000 + entryCount * 0.5 })
  await pages(storage, 'with a contact', { with: account(31) })
} finally {
  await storage.close()
  rmSync(folder, { recursive: true, force: true })
}
