import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandledCount } from './handled-count.ts'

test('what was not safe when the count was rolled back counts no more, whatever becomes of it', async () => {
  const acknowledged: number[] = []
  const count = new HandledCount((h) => void acknowledged.push(h))
  const work = Promise.withResolvers<void>()
  count.add(undefined)
  count.add(work.promise)
  count.add(undefined)
  count.owe()
  assert.deepEqual([count.handled, count.safe], [3, 1])
  count.rollBack()
  assert.deepEqual([count.handled, count.safe, count.isOwing], [1, 1, false])
  count.add(undefined)
  work.resolve()
  await work.promise
  count.owe()
  assert.deepEqual([count.handled, count.safe], [2, 2])
  assert.deepEqual(acknowledged, [2])
})
