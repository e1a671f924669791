/** XEP-0490 as wire scripts: with and without the server's assistance. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import carbons from '../carbons/module.ts'
import { answers, refuses } from '../disco/testing/stage.ts'
import { event, loginWanting, NS_PUBSUB, publish, pubsub, startPep } from '../pep/testing/stage.ts'
import displayedSync from './module.ts'

const NODE = 'urn:xmpp:mds:displayed:0'
const JULIET = 'juliet@capulet.example'
const displayed = (id: string) => `<displayed xmlns='${NODE}'><stanza-id xmlns='urn:xmpp:sid:0' id='${id}' by='${JULIET}'/></displayed>`
const marker = "<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>"
const options = { persist_items: 'true', max_items: 'max', send_last_published_item: 'never', access_model: 'whitelist' }
const item = (chat: string, id: string) => `<items node='${NODE}'><item id='${chat}'>${displayed(id)}</item></items>`
const NURSE = 'nurse@capulet.example'

let host: TestHost
let juliet: ScriptedEntity
let chamber: ScriptedEntity
let nurse: ScriptedEntity
beforeEach(async () => {
  host = await startPep({}, [carbons, displayedSync])
  juliet = await host.login('juliet', 'balcony')
  chamber = await loginWanting(host, 'juliet', 'chamber', [NODE])
  nurse = await host.login('nurse', 'hall')
  juliet.clear()
  chamber.clear()
})
afterEach(() => host.stop())

describe('§4.2 to §4.4: by publication', () => {
  test('other clients are told, and new ones fetch all chats', async () => {
    await juliet.request(publish(NODE, `<item id='${NURSE}'>${displayed('a1')}</item>`, options))
    await juliet.request(publish(NODE, `<item id='romeo@montague.example'>${displayed('a2')}</item>`, options))
    await juliet.request(publish(NODE, `<item id='${NURSE}'>${displayed('a3')}</item>`, options))
    await chamber.receives(...[[NURSE, 'a1'], ['romeo@montague.example', 'a2'], [NURSE, 'a3']].map(([chat, id]) =>
      event(JULIET, `${JULIET}/chamber`, item(chat as string, id as string))))
    await answers(chamber, pubsub('get', `<items node='${NODE}'/>`),
      `<iq type='result' id='q1' to='${JULIET}/chamber'><pubsub xmlns='${NS_PUBSUB}'><items node='${NODE}'><item id='romeo@montague.example'>
        ${displayed('a2')}</item><item id='${NURSE}'>${displayed('a3')}</item></items></pubsub></iq>`)
  })
})

describe('§4.5: by assistance', () => {
  test('is offered', async () => {
    const info = await juliet.request(`<iq type='get' id='d1' to='${JULIET}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`)
    const features = info.child('query', 'http://jabber.org/protocol/disco#info')?.elements('feature').map((feature) => feature.attribute('var'))
    assert.ok(features?.includes('urn:xmpp:mds:server-assist:0'))
  })
  test('the server publishes to a private node, and neither the contact nor carbons see it', async () => {
    await chamber.request("<iq type='set' id='c1'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
    juliet.send(`<message to='${NURSE}' type='chat' id='x1'>${marker}${displayed('a1')}</message>`)
    await nurse.receives(`<message from='${JULIET}/balcony' to='${NURSE}' type='chat' id='x1'>${marker}</message>`)
    await chamber.receivesAnyOrder(event(JULIET, `${JULIET}/chamber`, item(NURSE, 'a1')))
    const copies = await chamber.all()
    assert.equal(copies.length, 1)
    assert.ok(copies.every((copy) => !JSON.stringify(copy).includes('mds:displayed')))
    await refuses(nurse, pubsub('get', `<items node='${NODE}'/>`, ` to='${JULIET}'`), 'not-allowed', 'cancel')
  })
  test('nothing is published where the node is not private, or the element says nothing, but it never gets out', async () => {
    juliet.send(`<message to='${NURSE}' id='x1'>${marker}<displayed xmlns='${NODE}'/></message>`)
    await nurse.receives(`<message from='${JULIET}/balcony' to='${NURSE}' id='x1'>${marker}</message>`)
    await refuses(juliet, pubsub('get', `<items node='${NODE}'/>`), 'item-not-found', 'cancel')
    await juliet.request(publish(NODE, `<item id='x'>${displayed('a1')}</item>`))
    juliet.send(`<message to='${NURSE}' id='x2'>${marker}${displayed('a2')}</message>`)
    await nurse.receives(`<message from='${JULIET}/balcony' to='${NURSE}' id='x2'>${marker}</message>`)
    const kept = await juliet.request(pubsub('get', `<items node='${NODE}'/>`))
    assert.deepEqual(kept.child('pubsub', NS_PUBSUB)?.child('items')?.elements().map((found) => found.attribute('id')), ['x'])
  })
  test('a message to a blocked contact is refused and says nothing', async () => {
    await juliet.request(`<iq type='set' id='b1'><block xmlns='urn:xmpp:blocking'><item jid='${NURSE}'/></block></iq>`)
    juliet.send(`<message to='${NURSE}' id='x1'>${marker}${displayed('a1')}</message>`)
    assert.equal((await juliet.next()).attribute('type'), 'error')
    await refuses(juliet, pubsub('get', `<items node='${NODE}'/>`), 'item-not-found', 'cancel')
  })
})
