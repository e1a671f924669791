import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildStanza } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { SentAgain } from './sent-again.ts'

function message(stamp: string): Stanza {
  const stanza = buildStanza('message', { id: stamp })
  stanza.stamp = stamp
  return stanza
}

/** Lets everything go on that can. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

test('stanzas are begun one after the other, each when of the one before it is decided', async () => {
  const begun: string[] = []
  const decisions = new Map<string, () => void>()
  const again = new SentAgain({ nowMs: () => 0, decided: (stamp) => new Promise((resolve) => decisions.set(stamp, resolve)) }, 10)
  const safe = Promise.withResolvers<void>()
  let isSafe = false
  void again.take(message('one'), 1, () => {
    begun.push('one')
    return safe.promise
  }).then(() => (isSafe = true))
  void again.take(message('two'), 2, () => void begun.push('two'))
  await settle()
  assert.deepEqual(begun, ['one'])
  decisions.get('one')?.()
  await settle()
  // It is not waited for until it is safe.
  assert.deepEqual(begun, ['one', 'two'])
  assert.equal(isSafe, false)
  safe.resolve()
  await settle()
  assert.equal(isSafe, true)
})

test('messages that the dead member may have handled are marked; what is new waits behind them', async () => {
  let nowMs = 0
  const again = new SentAgain({ nowMs: () => nowMs, decided: () => Promise.resolve() }, 0xffff_ffff)
  const [old, recent, late] = [message('old'), message('recent'), message('late')]
  assert.equal(again.isOver(0xffff_ffff), false)
  await again.take(old, 0xffff_ffff, () => {})
  // Numbers begin anew after the highest.
  const line = again.take(recent, 0, () => {})
  assert.equal(again.isOver(1), false, 'something is in line')
  await line
  await again.idle()
  assert.equal(again.isOver(1), true)
  assert.deepEqual([old.isAgain, recent.isAgain], [true, false])
  nowMs = 60_001
  assert.equal(again.isOver(0xffff_ffff), true)
  await again.take(late, 0xffff_ffff, () => {})
  assert.equal(late.isAgain, false)
})
