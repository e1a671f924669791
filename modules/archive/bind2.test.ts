/** Clients that bind with Bind 2 (XEP-0386 §3.2): they learn how far the archive reaches, and fetch from it themselves. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import archive from './module.ts'

const NS_MAM = 'urn:xmpp:mam:2'

let host: TestHost
let romeo: ScriptedEntity

async function open(options: Readonly<Record<string, unknown>> = {}): Promise<void> {
  host = await TestHost.start({ accounts: ['juliet'], modules: [roster, presence, archive], options: { archive: options } })
  romeo = await host.component('montague.example')
}
beforeEach(() => open())
afterEach(() => host.stop())

async function say(id: string, hint = ''): Promise<void> {
  romeo.send(`<message from='romeo@montague.example/orchard' to='juliet@capulet.example' type='chat' id='${id}'><body>${id}</body>${hint}</message>`)
  await host.settle()
}

async function messageIds(entity: ScriptedEntity): Promise<string[]> {
  return (await entity.all()).filter((element) => element.name === 'message').map((element) => element.attribute('id') as string)
}

async function archivedIds(client: ScriptedEntity): Promise<(string | undefined)[]> {
  client.send(`<iq type='set' id='q'><query xmlns='${NS_MAM}'/></iq>`)
  const results = (await client.all()).map((element) => element.child('result', NS_MAM)).filter((result) => result !== undefined)
  return results.map((result) => result.attribute('id'))
}

describe('XEP-0386 §3.2: binding and the archive', () => {
  it('tells the first and the last message of the archive', async () => {
    const [, [empty]] = await host.bind2('juliet')
    assert.equal(empty?.name, 'metadata')
    assert.deepEqual(empty?.elements(), [])
    await say('m1')
    await host.advance(60_000)
    await say('m2')
    const [client, [metadata]] = await host.bind2('juliet')
    const ids = await archivedIds(client)
    assert.equal(metadata?.ns, NS_MAM)
    assert.deepEqual(metadata?.elements().map((edge) => [edge.name, edge.attribute('id')]), [['start', ids[0]], ['end', ids.at(-1)]])
    assert.equal(ids.length, 2)
  })

  it('what is in the archive is not sent besides, and waits no more', async () => {
    await say('m1')
    const [client] = await host.bind2('juliet')
    client.send('<presence/>')
    assert.deepEqual(await messageIds(client), [])
    assert.equal((await archivedIds(client)).length, 1)
    client.send("<presence type='unavailable'/>")
    const later = await host.connect('juliet')
    later.send('<presence/>')
    assert.deepEqual(await messageIds(later), [])
  })

  it('what is kept only until it is delivered is sent, in order with what comes after the binding', async () => {
    await say('m1')
    await say('m2', "<no-permanent-store xmlns='urn:xmpp:hints'/>")
    const [client] = await host.bind2('juliet')
    await say('m3')
    client.send('<presence/>')
    assert.deepEqual(await messageIds(client), ['m2', 'm3'])
  })

  it('clients of RFC 6120 are sent what waits, though a client of Bind 2 is there that is not available', async () => {
    await say('m1')
    const [client] = await host.bind2('juliet')
    const older = await host.connect('juliet')
    older.send('<presence/>')
    assert.deepEqual(await messageIds(older), ['m1'])
    client.send('<presence/>')
    assert.deepEqual(await messageIds(client), [])
  })

  it('is sent all the same where the configuration says so', async () => {
    await host.stop()
    await open({ waitingToBind2: true })
    await say('m1')
    const [client] = await host.bind2('juliet')
    client.send('<presence/>')
    assert.deepEqual(await messageIds(client), ['m1'])
  })
})
