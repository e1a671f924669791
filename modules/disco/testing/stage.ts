/** What wire scripts of many modules begin with: contacts that may see presence, and how they compare answers. */
import assert from 'node:assert/strict'
import { fromWire, parseText, serialize } from '@rollcall/xml'
import type { XmlElement } from '@rollcall/xml'
import { matches } from '../../../server/testing/scripted-entity.ts'
import type { ScriptedEntity } from '../../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../../server/testing/test-host.ts'

/** Lets `watcher` see the presence of `contact` (RFC 6121 §3.1), and forgets what both received on the way. */
export async function subscribe(host: TestHost, watcher: ScriptedEntity, contact: ScriptedEntity): Promise<void> {
  watcher.send(`<presence type='subscribe' to='${contact.jid.bare.toString()}'/>`)
  await host.settle()
  contact.send(`<presence type='subscribed' to='${watcher.jid.bare.toString()}'/>`)
  await host.settle()
  watcher.clear()
  contact.clear()
}

/** Sends a request and compares the whole answer with a pattern (see `scripted-entity.ts`). */
export async function answers(entity: ScriptedEntity, request: string, expected: string): Promise<void> {
  const actual = await entity.request(request)
  if (!matches(actual, parseText(expected.trim(), 'jabber:client'))) {
    assert.fail(`Answered\n  ${fromWire(serialize(actual, 'jabber:client'))}\ninstead of\n  ${expected.trim()}`)
  }
}

/** Sends a request that must be refused; returns the `<error/>`. */
export async function refuses(entity: ScriptedEntity, request: string, condition: string, type: string): Promise<XmlElement> {
  const answer = await entity.request(request)
  const error = answer.child('error')
  assert.equal(answer.attribute('type'), 'error', `Not refused: ${fromWire(serialize(answer, 'jabber:client'))}`)
  assert.ok(error !== undefined)
  assert.deepEqual([error.elements()[0]?.name, error.attribute('type')], [condition, type])
  return error
}
