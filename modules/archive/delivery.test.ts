/** What counts as delivered: positions of the log at the edges of sessions, as wire scripts. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { StorageBackend } from '@rollcall/ports'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import archive from './module.ts'

const NS_SM = 'urn:xmpp:sm:3'
const BALCONY = 'juliet@capulet.example/balcony'

let host: TestHost
let romeo: ScriptedEntity

async function open(storage: StorageBackend = new MemoryStorage()): Promise<void> {
  host = await TestHost.start({ accounts: ['romeo', 'juliet'], modules: [roster, presence, archive], storage })
  romeo = await host.login('romeo')
}
beforeEach(() => open())
afterEach(() => host.stop())

/** Sends a message, and waits until the server has said that it is safe. */
async function say(id: string, to = BALCONY): Promise<void> {
  romeo.send(`<message to='${to}' type='chat' id='${id}'><body>${id}</body></message>`)
  await host.settle()
}

async function idsOf(entity: ScriptedEntity): Promise<string[]> {
  return (await entity.all()).filter(({ name }) => name === 'message').map((element) => element.attribute('id') as string)
}

async function login(): Promise<ScriptedEntity> {
  const entity = await host.connect('juliet', 'balcony')
  entity.send('<presence/>')
  return entity
}

describe('a message to the full address of a resource', () => {
  it('waits for the next login when the connection is lost between binding and stream management', async () => {
    const lost = await host.connect('juliet', 'balcony')
    await say('m1')
    // Nothing is noted as delivered, however long it takes until anybody notices.
    await host.advance(5000)
    await host.disconnect(lost, 'lost')
    assert.deepEqual(await idsOf(await login()), ['m1'])
  })

  it('waits for it when the server is killed in that moment', async () => {
    const { storage } = host
    await host.connect('juliet', 'balcony')
    await say('m1')
    await host.advance(5000)
    // A killed server does not end its sessions: the next one has the same storage, and nothing else.
    await open(storage)
    assert.deepEqual(await idsOf(await login()), ['m1'])
  })

  it('comes once to a client that goes on to turn stream management on', async () => {
    const juliet = await host.connect('juliet', 'balcony')
    await say('m1')
    juliet.send(`<enable xmlns='${NS_SM}' resume='true'/>`)
    juliet.send('<presence/>')
    assert.deepEqual(await idsOf(juliet), ['m1'])
    juliet.send(`<a xmlns='${NS_SM}' h='1'/>`)
    await host.settle()
    await host.disconnect(juliet, 'closed')
    assert.deepEqual(await idsOf(await login()), [])
  })
})
