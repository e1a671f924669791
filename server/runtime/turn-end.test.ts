import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TurnEnd } from './turn-end.ts'

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

function recorder() {
  const seen: string[] = []
  return { seen, turnEnd: new TurnEnd((callback) => callback()), see: (name: string) => () => void seen.push(name) }
}

test('callbacks run at the end of the turn, in order, and promises go on between them', async () => {
  const { seen, turnEnd, see } = recorder()
  turnEnd.add(() => {
    seen.push('first')
    queueMicrotask(see('promise'))
    turnEnd.add(see('next turn'))
  })
  turnEnd.add(see('second'))
  assert.deepEqual(seen, [])
  await nextTurn()
  assert.deepEqual(seen, ['first', 'promise', 'second'])
  await nextTurn()
  assert.deepEqual(seen, ['first', 'promise', 'second', 'next turn'])
})

test('brought forward they run once, and what they ask for waits for the next end', async () => {
  const { seen, turnEnd, see } = recorder()
  turnEnd.add(() => {
    seen.push('first')
    turnEnd.add(see('next turn'))
    turnEnd.runAll()
  })
  turnEnd.add(see('second'))
  turnEnd.runAll()
  assert.deepEqual(seen, ['first', 'second'])
  await nextTurn()
  assert.deepEqual(seen, ['first', 'second', 'next turn'])
  await nextTurn()
  assert.equal(seen.length, 3)
})

test('after very many it works as before', async () => {
  const { seen, turnEnd, see } = recorder()
  let count = 0
  for (let i = 0; i < 5_000; i++) turnEnd.add(() => void count++)
  turnEnd.runAll()
  turnEnd.add(see('one more'))
  await nextTurn()
  assert.deepEqual([count, seen], [5_000, ['one more']])
})
