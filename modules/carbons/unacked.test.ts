/** Copies and stream management (XEP-0280, XEP-0198): nobody sees a message twice, and none is lost between two clients. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { AnyModule } from '@rollcall/module-api'
import { parseJid } from '@rollcall/jid'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import archive from '../archive/module.ts'
import { openScene } from '../roster/testing/verona.ts'
import carbons from './module.ts'

const JULIET = 'juliet@capulet.example'

let host: TestHost
let romeo: ScriptedEntity
let balcony: ScriptedEntity
let chamber: ScriptedEntity

/** What of an element is looked at: `m` for a message with that id, `copy m` for a copy of it. */
function summaryOf(element: Awaited<ReturnType<ScriptedEntity['next']>>): string {
  const inner = element.child('received', 'urn:xmpp:carbons:2')?.child('forwarded', 'urn:xmpp:forward:0')?.elements()[0]
  return inner === undefined ? element.attribute('id') ?? '' : `copy ${inner.attribute('id') ?? ''}`
}
async function messagesOf(entity: ScriptedEntity): Promise<string[]> {
  return (await entity.all()).filter(({ name }) => name === 'message').map(summaryOf)
}
async function manage(entity: ScriptedEntity): Promise<void> {
  entity.send("<enable xmlns='urn:xmpp:sm:3'/>")
  await host.settle()
  entity.clear()
}
/** Acknowledges everything up to a count; the count has to begin after `manage`. */
async function acknowledge(entity: ScriptedEntity, h: number): Promise<void> {
  entity.send(`<a xmlns='urn:xmpp:sm:3' h='${h}'/>`)
  await host.settle()
}
async function send(id: string, to: string): Promise<void> {
  romeo.send(`<message from='romeo@montague.example/orchard' to='${to}' type='chat' id='${id}'><body>O</body></message>`)
  await host.settle()
}
/** What a client that comes now finds. */
async function waiting(): Promise<string[]> {
  const hall = await host.connect('juliet', 'hall')
  hall.send('<presence/>')
  return messagesOf(hall)
}
async function move(): Promise<void> {
  await host.core.settled(parseJid(JULIET))
  const snapshot = host.core.handOver(parseJid(JULIET))
  assert.ok(snapshot)
  await host.core.takeOver(JSON.parse(JSON.stringify(snapshot)) as typeof snapshot)
}

for (const [title, modules] of [['with the archive', [archive]], ['without', []]] as const satisfies readonly [string, readonly AnyModule[]][]) {
  describe(title, () => {
    beforeEach(async () => {
      host = await openScene({ modules: [carbons, ...modules] })
      romeo = await host.component('montague.example')
      balcony = await host.login('juliet', 'balcony')
      await manage(balcony)
      chamber = await host.login('juliet', 'chamber')
      balcony.clear()
      await acknowledge(balcony, 1)
      await chamber.request("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
    })
    afterEach(() => host.stop())

    it('whoever has a copy does not get the message when its session ends', async () => {
      await send('m', `${JULIET}/balcony`)
      assert.deepEqual(await messagesOf(balcony), ['m'])
      assert.deepEqual(await messagesOf(chamber), ['copy m'])
      await host.disconnect(balcony, 'lost')
      assert.deepEqual(await messagesOf(chamber), [])
      assert.deepEqual(await messagesOf(romeo), [])
      assert.deepEqual(await waiting(), [])
    })

    it('nor while it has not acknowledged the copy; then the message is with the account', async () => {
      await manage(chamber)
      await send('m', `${JULIET}/balcony`)
      chamber.clear()
      await host.disconnect(balcony, 'lost')
      assert.deepEqual(await messagesOf(chamber), [])
      await acknowledge(chamber, 2)
      await host.disconnect(chamber)
      assert.deepEqual(await waiting(), [])
      assert.deepEqual(await messagesOf(romeo), [])
    })

    it('whoever got the message itself does not get it again', async () => {
      await manage(chamber)
      await send('m', JULIET)
      assert.deepEqual([await messagesOf(balcony), await messagesOf(chamber)], [['m'], ['m']])
      await host.disconnect(balcony, 'lost')
      assert.deepEqual(await messagesOf(chamber), [])
      await acknowledge(chamber, 2)
      await host.disconnect(chamber)
      assert.deepEqual(await waiting(), [])
    })

    it('a message goes to one that has neither it nor a copy', async () => {
      await chamber.request("<iq type='set' id='c'><disable xmlns='urn:xmpp:carbons:2'/></iq>")
      await send('m', `${JULIET}/balcony`)
      assert.deepEqual(await messagesOf(chamber), [])
      await host.disconnect(balcony, 'lost')
      assert.deepEqual(await messagesOf(chamber), ['m'])
    })

    it('when the account moves meanwhile, all that stays so', async () => {
      await manage(chamber)
      await send('one', `${JULIET}/balcony`)
      await send('both', JULIET)
      for (const entity of [balcony, chamber]) entity.clear()
      await move()
      await host.disconnect(balcony, 'lost')
      assert.deepEqual(await messagesOf(chamber), [])
      const hall = await host.login('juliet', 'hall', '<presence><priority>-1</priority></presence>')
      await host.disconnect(chamber, 'lost')
      hall.clear()
      hall.send('<presence/>')
      const again = await messagesOf(hall)
      assert.deepEqual(again, modules.length === 0 ? [] : ['one', 'both'])
    })
  })
}

describe('with the archive', () => {
  beforeEach(async () => {
    host = await openScene({ modules: [carbons, archive] })
    romeo = await host.component('montague.example')
    balcony = await host.login('juliet', 'balcony')
    chamber = await host.login('juliet', 'chamber')
    await chamber.request("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
    for (const entity of [balcony, chamber]) await manage(entity)
  })
  afterEach(() => host.stop())

  for (const [title, order] of [['the one with the message first', [0, 1]], ['the one with the copy first', [1, 0]]] as const) {
    it(`a message that neither acknowledged waits when both have ended, ${title}`, async () => {
      await send('m', `${JULIET}/balcony`)
      for (const entity of [balcony, chamber]) entity.clear()
      for (const index of order) await host.disconnect([balcony, chamber][index] as ScriptedEntity, 'lost')
      assert.deepEqual(await waiting(), ['m'])
      assert.deepEqual(await waiting(), [])
    })
  }
})
