import assert from 'node:assert/strict'
import { test } from 'node:test'
import { storageContract } from '@rollcall/testing'
import { MemoryStorage } from './index.ts'

storageContract('memory', async () => {
  const backend = new MemoryStorage()
  return { backend, reopen: async () => backend, dispose: async () => {} }
})

test('in-memory storage says that it has no backup', async () => {
  const backend = new MemoryStorage()
  await backend.open()
  await assert.rejects(backend.backup('/nowhere'), { name: 'StorageError', code: 'io' })
})
