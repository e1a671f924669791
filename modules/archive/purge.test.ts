import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJid } from '@rollcall/jid'
import type { Archive } from '@rollcall/ports'
import { FakeClock, recordingLog, recordingMetrics } from '@rollcall/testing'
import type { StoredMessage } from './stored-message.ts'
import { Purge } from './purge.ts'

test('of several members each purges the accounts that it owns', async () => {
  const looked: string[] = []
  const store = { count: (owner: string) => { looked.push(owner); return Promise.resolve(0) } } as unknown as Archive<StoredMessage>
  const accounts = ['romeo@montague.example', 'juliet@montague.example', 'tybalt@montague.example'].map((text) => parseJid(text))
  const purge = new Purge({
    messages: store, waiting: store, accounts: { list: () => Promise.resolve(accounts) }, hosts: ['montague.example'],
    isHere: ({ localpart }) => localpart !== 'juliet',
    clock: new FakeClock(), log: recordingLog(), metrics: recordingMetrics(), limits: { retentionMs: 0, messagesMax: 10, periodMs: 1000 },
  })
  await purge.round()
  assert.deepEqual(looked, ['romeo@montague.example', 'tybalt@montague.example'])
})
