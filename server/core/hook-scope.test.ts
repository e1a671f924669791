import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dropped, inbound } from '@rollcall/module-api'
import type { Account } from '@rollcall/module-api'
import { parseJid } from '@rollcall/jid'
import { presence } from '@rollcall/stanza'
import { recordingLog } from '@rollcall/testing'
import { HookChains } from './hook-chains.ts'

const account = { jid: parseJid('juliet@capulet.example') } as Account
const stanza = presence(parseJid('romeo@montague.example/orchard'), account.jid, '')

test('a filter is not asked about kinds of stanzas that it does not look at', () => {
  const hooks = new HookChains(recordingLog())
  hooks.filter(inbound).add('a', 'normal', () => dropped, { kinds: ['message'] })
  const chain = hooks.filter(inbound)
  assert.deepEqual([chain.handles('message'), chain.handles('presence'), chain.concerns(account, stanza)], [true, false, false])
  assert.equal(chain.run({ account, stanza }), stanza)
})

test('whether it concerns an account is asked of each filter; one that throws concerns it: filters fail closed', () => {
  const hooks = new HookChains(recordingLog())
  const chain = hooks.filter(inbound)
  hooks.filter(inbound).add('a', 'normal', () => undefined, { concerns: () => false })
  assert.deepEqual([chain.handles('presence'), chain.concerns(account, stanza)], [true, false])
  hooks.filter(inbound).add('b', 'normal', () => undefined, { concerns: () => { throw new Error('broken') } })
  assert.equal(chain.concerns(account, stanza), true)
})
