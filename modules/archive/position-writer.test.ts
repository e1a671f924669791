/** When delivery positions are written. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jidOf } from '@rollcall/jid'
import { openStore } from '@rollcall/ports'
import { FakeClock, recordingLog } from '@rollcall/testing'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import { AccountLog } from './account-log.ts'
import type { LogStores } from './account-log.ts'
import { BEGINNING, DeliveryPosition } from './delivery-position.ts'
import { PositionWriter } from './position-writer.ts'
import { Preferences } from './preferences.ts'

/** Counts writes, and commits them when the test says so. */
class SlowStorage extends MemoryStorage {
  writes = 0
  #gate: PromiseWithResolvers<void> | undefined = undefined

  override async write(ops: Parameters<MemoryStorage['write']>[0]): Promise<void> {
    this.writes++
    await this.#gate?.promise
    return super.write(ops)
  }

  shut(): void {
    this.#gate = Promise.withResolvers()
  }

  release(): void {
    this.#gate?.resolve()
    this.#gate = undefined
  }
}

async function scene() {
  const storage = new SlowStorage()
  await storage.open()
  const clock = new FakeClock()
  const stores = { positions: openStore(storage, { kind: 'keyval', storeName: 'positions' }) } as unknown as LogStores
  const writer = new PositionWriter(stores, clock, recordingLog())
  const preferences = new Preferences({ default: 'always', always: [], never: [] })
  const logs = Array.from({ length: 5000 }, (_, i) => new AccountLog(
    jidOf(`juliet${i}`, 'capulet.example'), new DeliveryPosition(BEGINNING, BEGINNING), preferences, '', false,
  ))
  const pass = async (ms: number) => {
    clock.advance(ms)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { storage, writer, logs, pass, note: (count: number) => logs.slice(0, count).forEach((log) => writer.note(log)) }
}

describe('delivery positions', () => {
  it('of few accounts are written soon, each once however often it moves', async () => {
    const { storage, note, pass } = await scene()
    for (let i = 0; i < 10; i++) note(3)
    await pass(99)
    assert.equal(storage.writes, 0)
    await pass(1)
    assert.equal(storage.writes, 3)
    await pass(10_000)
    assert.equal(storage.writes, 3)
  })

  it('of many accounts are written at most two hundred a second, none later than two seconds', async () => {
    const { storage, note, pass } = await scene()
    note(100)
    await pass(100)
    assert.equal(storage.writes, 100)
    note(5000)
    await pass(499)
    assert.equal(storage.writes, 100)
    await pass(1)
    assert.equal(storage.writes, 5100)
    note(1)
    await pass(1999)
    assert.equal(storage.writes, 5100)
    await pass(1)
    assert.equal(storage.writes, 5101)
    note(1)
    await pass(100)
    assert.equal(storage.writes, 5102)
  })

  it('wait for a disk that has not written the last ones, except when everything has to be written', async () => {
    const { storage, writer, note, pass } = await scene()
    storage.shut()
    note(2)
    await pass(100)
    note(2)
    await pass(10_000)
    assert.equal(storage.writes, 2)
    storage.release()
    await pass(0)
    await pass(100)
    assert.equal(storage.writes, 4)
    note(1)
    await writer.flush()
    assert.equal(storage.writes, 5)
  })
})
