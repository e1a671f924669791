import assert from 'node:assert/strict'
import { test } from 'node:test'
import { weighOutput } from './output-bound.ts'

const readers = (...queuedBytes: readonly number[]) => queuedBytes.map((bytes) => ({ queuedBytes: bytes }))

test('nobody is cut off while all together wait for less than the bound', () => {
  assert.deepEqual(weighOutput(readers(0, 40, 60), 100), { queuedBytes: 100, cut: [] })
})

test('beyond it the largest go first, and no more than needed', () => {
  assert.deepEqual(weighOutput(readers(10, 500, 0, 300, 20), 100), { queuedBytes: 30, cut: readers(500, 300) })
})
