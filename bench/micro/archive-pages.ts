/**
 * How fast pages come out of a large archive: what a query of XEP-0313 costs in storage.
 *
 * `node bench/micro/archive-pages.ts FILE [accounts, 10000 unless told]`; the file is that of `archive-fill.ts`.
 */
import { SqliteStorage } from '../../backends/storage-sqlite/index.ts'

const [path, accounts = '10000'] = process.argv.slice(2)
if (path === undefined) throw new Error('Name the database file')
const ACCOUNTS = Number(accounts)
const PAGES = 3000

const clock = { soon: (callback: () => void) => void setImmediate(callback), monotonic: () => performance.now() }
const storage = new SqliteStorage({ path, clock })
const account = (index: number): string => `account${index % ACCOUNTS}@capulet.example`

async function measure(what: string, one: (index: number) => Promise<number>): Promise<void> {
  const times: number[] = []
  let entries = 0
  const cpu = process.cpuUsage()
  for (let i = 0; i < PAGES; i++) {
    const index = Math.imul(i + 1, 2654435761) >>> 0
    const startMs = performance.now()
    entries += await one(index)
    times.push(performance.now() - startMs)
  }
  const { user, system } = process.cpuUsage(cpu)
  times.sort((a, b) => a - b)
  const quantile = (share: number) => (times[Math.floor(PAGES * share)] as number).toFixed(2)
  const perPage = `${(entries / PAGES).toFixed(1).padStart(5)} entries  ${String(Math.round((user + system) / PAGES)).padStart(5)} µs CPU`
  console.log(`${what.padEnd(44)} ${perPage}  ms: p50 ${quantile(0.5)}  p99 ${quantile(0.99)}  max ${quantile(0.9999)}`)
}

const page = async (index: number, query: object): Promise<{ readonly count: number; readonly first: string; readonly at: number; readonly peer: string }> => {
  const { entries } = await storage.archiveQuery('messages', account(index), { limit: 50, ...query })
  return { count: entries.length, first: entries[0]?.id ?? '', at: entries[0]?.at ?? 0, peer: entries[0]?.with ?? '' }
}

await storage.open()
try {
  await measure('latest page', async (index) => (await page(index, { isBackward: true })).count)
  await measure('latest page again, pages of the file cached', async (index) => (await page(index, { isBackward: true })).count)
  const latest = new Map<string, { readonly first: string; readonly at: number; readonly peer: string }>()
  for (let i = 0; i < PAGES; i++) {
    const index = Math.imul(i + 1, 2654435761) >>> 0
    latest.set(account(index), await page(index, { isBackward: true }))
  }
  const known = (index: number) => latest.get(account(index)) ?? { first: '', at: 0, peer: '' }
  await measure('page before an id', async (index) => (await page(index, { isBackward: true, before: known(index).first })).count)
  await measure('page with a contact', async (index) => (await page(index, { isBackward: true, with: known(index).peer })).count)
  await measure('first page since a time', async (index) => (await page(index, { start: known(index).at - 20_000_000_000 })).count)
  await measure('count of the matching messages', async (index) => { await storage.archiveCount('messages', account(index), {}); return 0 })
} finally {
  await storage.close()
}
