/** The words a newcomer sees first. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from './config/index.ts'
import { modules } from './main.ts'
import { welcomeText } from './welcome.ts'

const listeners = [
  { kind: 'client', address: '127.0.0.1', port: 5222 },
  { kind: 'http', address: '::', port: 5280 },
] as const

describe('the welcome', () => {
  it('names the chat page, the demo accounts and how to turn the demo off while nothing is configured', () => {
    const text = welcomeText(loadConfig({ file: undefined, env: {}, modules }), listeners)
    for (const part of ['http://localhost:5280/', '127.0.0.1:5222', 'romeo@localhost (password romeo)', 'juliet@localhost', 'demo: off']) {
      assert.ok(text.includes(part), `${part} is missing in:\n${text}`)
    }
  })
  it('says nothing of a demo that is off', () => {
    const text = welcomeText(loadConfig({ file: undefined, env: { ROLLCALL_DEMO: 'off' }, modules }), listeners)
    assert.ok(!text.includes('romeo'))
  })
})
