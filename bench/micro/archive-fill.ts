/**
 * Makes a large archive for `archive-pages.ts`: 1,000 messages with ten contacts for each of 10,000 accounts, interleaved.
 *
 * `node bench/micro/archive-fill.ts FILE [messages, 10000000 unless told]`; 10 million take 6 GB and a quarter of an hour.
 */
import type { WriteOp } from '@rollcall/ports'
import { SqliteStorage } from '../../backends/storage-sqlite/index.ts'

const [path, messages = '10000000'] = process.argv.slice(2)
if (path === undefined) throw new Error('Name the database file')
const COUNT = Number(messages)
const ACCOUNTS = 10_000
const CONTACTS = 10
const OPS_PER_CALL = 64
const BODY = 'O Romeo, Romeo! wherefore art thou Romeo? Deny thy father and refuse thy name; '

const clock = { soon: (callback: () => void) => void setImmediate(callback), monotonic: () => performance.now() }
const storage = new SqliteStorage({ path, clock, durability: 'normal', cacheBytes: 1_500_000_000 })
let next = 0

function appendOp(index: number): WriteOp {
  const owner = (Math.imul(index, 2654435761) >>> 0) % ACCOUNTS
  const peer = (owner * 31 + ((Math.imul(index, 40503) >>> 8) % CONTACTS)) % ACCOUNTS
  const [own, other] = [`account${owner}@capulet.example`, `account${peer}@capulet.example`]
  const text = `<message from='${other}/orchard' to='${own}' type='chat' id='m${index}'><body>${BODY.repeat(1 + (index % 4))}</body></message>`
  const id = index.toString(36).padStart(8, '0') + Math.random().toString(36).slice(2, 10).padEnd(8, '0')
  const entry = { id, at: 1_700_000_000_000 + index * 3000, with: other, value: [index & 1, index, index * 300, text] }
  return { op: 'log-append', store: 'messages', owner: own, entry }
}

async function lane(): Promise<void> {
  while (next < COUNT) {
    const ops: WriteOp[] = []
    while (ops.length < OPS_PER_CALL && next < COUNT) ops.push(appendOp(next++))
    await storage.write(ops)
  }
}

await storage.open()
await Promise.all(Array.from({ length: 64 }, lane))
await storage.close()
