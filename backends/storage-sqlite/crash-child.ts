/** Run by the crash test: writes calls of two operations as fast as it can and prints each number once it is acknowledged. */
import { writeSync } from 'node:fs'
import { SqliteStorage } from './index.ts'

const clock = { soon: (callback: () => void) => void setImmediate(callback), monotonic: () => performance.now() }
const storage = new SqliteStorage({ path: process.argv[2]!, clock })
await storage.open()
const BURST = 50
for (let serial = 0; serial < 1_000_000; serial += BURST) {
  const burst = Array.from({ length: BURST }, async (_, offset) => {
    const id = String(serial + offset)
    await storage.write([
      { op: 'map-set', store: 'left', owner: 'juliet@capulet.example', key: id, value: 'x'.repeat(300) },
      { op: 'archive-append', store: 'right', owner: 'juliet@capulet.example', entry: { id, at: serial, with: '', value: id } },
    ])
    writeSync(1, `${id}\n`)
  })
  await Promise.all(burst)
}
