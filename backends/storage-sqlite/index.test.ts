import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storageContract } from '@rollcall/testing'
import { SqliteStorage } from './index.ts'

const clock = { soon: (callback: () => void) => void setImmediate(callback), monotonic: () => performance.now() }

for (const durability of ['full', 'normal'] as const) {
  storageContract(`sqlite, durability ${durability}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rollcall-sqlite-'))
    const make = (): SqliteStorage => new SqliteStorage({ path: join(folder, 'data.sqlite'), clock, durability })
    return {
      backend: make(),
      reopen: async () => make(),
      dispose: async () => rm(folder, { recursive: true, force: true }),
    }
  })
}
