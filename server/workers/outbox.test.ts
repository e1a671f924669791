import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseJid } from '@rollcall/jid'
import { presence } from '@rollcall/stanza'
import { Confirmations, Outbox } from './outbox.ts'
import type { Letter } from './outbox.ts'

const stanza = presence(parseJid('romeo@montague.example/orchard'), parseJid('juliet@capulet.example'), '')

test('whatever order work ends in and whenever it is told: each letter is confirmed once its own work is over, and only then', async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.tuple(fc.boolean(), fc.nat(20), fc.boolean()), { maxLength: 60 }), async (steps) => {
    const outbox = new Outbox()
    let changes = 0
    const confirmations = new Confirmations(() => changes++)
    const done = new Set<number>()
    const open = new Map<number, () => void>()
    const over = new Set<number>()
    const tell = () => {
      const { seq, also } = confirmations.take()
      outbox.confirm(seq, also)
      assert.deepEqual([...done].sort((a, b) => a - b), [...over].sort((a, b) => a - b))
    }
    for (const [hasWork, pick, mayTell] of steps) {
      const letter: Letter = { kind: 'route', stanza, isAgain: false, safe: { done: () => void done.add(seq) } }
      const seq = outbox.push(letter)
      if (hasWork) {
        const { promise, resolve } = Promise.withResolvers<void>()
        open.set(seq, resolve)
        confirmations.add(promise)
      } else {
        over.add(seq)
        confirmations.add()
      }
      const ended = [...open.keys()][pick]
      if (ended !== undefined) {
        open.get(ended)?.()
        open.delete(ended)
        over.add(ended)
        await new Promise((resolve) => setImmediate(resolve))
      }
      if (mayTell) tell()
    }
    tell()
    assert.equal(outbox.size, open.size)
    assert.equal(outbox.letters().length, open.size)
  }), { numRuns: 100 })
})

test('letters between two confirmations share a promise, which settles when the last of them is safe', async () => {
  const outbox = new Outbox()
  const settled: number[] = []
  const post = () => {
    const safe = outbox.safety()
    const seq = outbox.push({ kind: 'route', stanza, isAgain: false, safe })
    void safe.promise.then(() => settled.push(seq))
    return safe
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const [first, second] = [post(), post()]
  assert.equal(first, second)
  outbox.confirm(1, [])
  await turn()
  assert.deepEqual(settled, [])
  assert.notEqual(post(), second)
  outbox.confirm(1, [3, 3])
  await turn()
  assert.deepEqual(settled, [3])
  outbox.confirm(3, [])
  await turn()
  assert.deepEqual(settled, [3, 1, 2])
  post().done()
  outbox.close()
  await turn()
  assert.deepEqual(settled, [3, 1, 2, 4])
})

test('numbers that were never given confirm nothing', () => {
  const outbox = new Outbox()
  outbox.push({ kind: 'route', stanza, isAgain: false, safe: outbox.safety() })
  outbox.confirm(0, [2, 5])
  assert.equal(outbox.size, 1)
  outbox.confirm(7, [])
  assert.equal(outbox.size, 0)
})
