/** XEP-0060 as wire scripts, over the nodes of an account: every request with its errors. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import { answers, refuses, subscribe } from '../disco/testing/stage.ts'
import { MOOD, mood, NS_PUBSUB, owner, publish, pubsub, startPep, submitted } from './testing/stage.ts'

const JULIET = 'juliet@capulet.example'
const TO_JULIET = ` to='${JULIET}'`
const options = { pep: { nodesMax: 3, itemsMax: 4, itemBytesMax: 1_024, accountBytesMax: 2_500, answerBytesMax: 1_024, subscribersMax: 1 } }

let host: TestHost
let juliet: ScriptedEntity
let nurse: ScriptedEntity
let tybalt: ScriptedEntity
beforeEach(async () => {
  host = await startPep({ options })
  juliet = await host.login('juliet', 'balcony')
  nurse = await host.login('nurse', 'hall')
  tybalt = await host.login('tybalt', 'alley')
  await subscribe(host, nurse, juliet)
})
afterEach(() => host.stop())

const item = (id: string, text = id) => `<item id='${id}'>${mood(text)}</item>`
const itemsResult = (to: ScriptedEntity, content: string, set = '', from = '') =>
  `<iq type='result' id='q1'${from} to='${to.jid.toString()}'><pubsub xmlns='${NS_PUBSUB}'><items node='${MOOD}'>${content}</items>${set}</pubsub></iq>`
const get = (content = '', attributes = '', to = '') => pubsub('get', `<items node='${MOOD}'${attributes}>${content}</items>`, to)

/** Refused with this application condition. */
async function refusesWith(entity: ScriptedEntity, request: string, condition: string, type: string, application: string, feature?: string) {
  const found = (await refuses(entity, request, condition, type)).elements().find((element) => element.ns === `${NS_PUBSUB}#errors`)
  assert.deepEqual([found?.name, found?.attribute('feature')], [application, feature])
}

describe('XEP-0060 §7.1: publishing', () => {
  test('makes the node, answers with the id, and keeps one item unless told otherwise', async () => {
    const done = (id: string) =>
      `<iq type='result' id='p1' to='${JULIET}/balcony'><pubsub xmlns='${NS_PUBSUB}'><publish node='${MOOD}'><item id='${id}'/></publish></pubsub></iq>`
    await answers(juliet, publish(MOOD, `<item>${mood('one')}</item>`), done('current'))
    await answers(juliet, publish(MOOD, item('a', 'two')), done('a'))
    await answers(juliet, get(), itemsResult(juliet, item('a', 'two')))
  })
  test('finds an id where a node has several, and republishes under the same', async () => {
    const answer = await juliet.request(publish(MOOD, `<item>${mood('one')}</item>`, { max_items: '3' }))
    const id = answer.child('pubsub', NS_PUBSUB)?.child('publish')?.child('item')?.attribute('id')
    assert.match(id ?? '', /^[0-9a-f-]{36}$/)
    await juliet.request(publish(MOOD, item('b')))
    await juliet.request(publish(MOOD, item(id ?? '', 'changed')))
    await answers(juliet, get(), itemsResult(juliet, item('b') + item(id ?? '', 'changed')))
  })
  test('survives a restart with order and configuration', async () => {
    for (const id of ['1', '2', '3', '1']) await juliet.request(publish(MOOD, item(id), { max_items: 'max', access_model: 'whitelist' }))
    const { storage } = host
    await host.stop()
    host = await startPep({ storage, options })
    juliet = await host.connect('juliet', 'balcony')
    await answers(juliet, get(), itemsResult(juliet, item('2') + item('3') + item('1')))
    await refusesWith(await host.connect('nurse', 'hall'), get('', '', TO_JULIET), 'not-allowed', 'cancel', 'closed-node')
  })
  test('§7.1.5: is refused when a precondition is not met or not known, and nothing happens', async () => {
    await juliet.request(publish(MOOD, item('1'), { access_model: 'open', max_items: 'max' }))
    await refusesWith(juliet, publish(MOOD, item('2'), { access_model: 'presence' }), 'conflict', 'cancel', 'precondition-not-met')
    await refusesWith(juliet, publish(MOOD, item('2'), { max_items: '3' }), 'conflict', 'cancel', 'precondition-not-met')
    await refusesWith(juliet, publish(MOOD, item('2'), { colour: 'red' }), 'conflict', 'cancel', 'precondition-not-met')
    await refusesWith(juliet, publish('urn:new', item('2'), { access_model: 'authorize' }), 'conflict', 'cancel', 'precondition-not-met')
    await refuses(juliet, `<iq type='set' id='p1'><pubsub xmlns='${NS_PUBSUB}'><publish node='${MOOD}'>${item('2')}</publish><publish-options/></pubsub></iq>`,
      'bad-request', 'modify')
    // Above the limit of the service, a number is as good as `max`.
    assert.equal((await juliet.request(publish(MOOD, item('2'), { access_model: 'open', max_items: '100' }))).attribute('type'), 'result')
    await answers(juliet, get(), itemsResult(juliet, item('1') + item('2')))
    await refuses(juliet, pubsub('get', "<items node='urn:new'/>"), 'item-not-found', 'cancel')
  })
  test('§7.1.3: has an error for everything that is wrong with an item', async () => {
    await refusesWith(juliet, publish('', item('1')), 'bad-request', 'modify', 'nodeid-required')
    await refusesWith(juliet, publish(MOOD, ''), 'bad-request', 'modify', 'item-required')
    await refusesWith(juliet, publish(MOOD, "<item id='1'/>"), 'bad-request', 'modify', 'payload-required')
    await refusesWith(juliet, publish(MOOD, `<item>${mood('a')}${mood('b')}</item>`), 'bad-request', 'modify', 'invalid-payload')
    await refusesWith(juliet, publish(MOOD, item('1'), { type: 'urn:example:tune' }), 'bad-request', 'modify', 'invalid-payload')
    await refusesWith(juliet, publish(MOOD, item('1', 'x'.repeat(1_100))), 'not-acceptable', 'modify', 'payload-too-big')
    await refusesWith(juliet, publish(MOOD, item('1'), { max_payload_size: '10' }), 'not-acceptable', 'modify', 'payload-too-big')
    await refuses(juliet, publish(MOOD, item('1') + item('2')), 'bad-request', 'modify')
    await refuses(juliet, publish(MOOD, item('y'.repeat(1_024))), 'not-acceptable', 'modify')
    await refuses(juliet, pubsub('set', ''), 'bad-request', 'modify')
    await refuses(juliet, pubsub('get', "<items node='x'/>"), 'item-not-found', 'cancel')
  })
  test('§4.3: of mere hints takes items or not, as they are kept or not', async () => {
    const hint = { persist_items: '0', deliver_payloads: '0' }
    await refusesWith(juliet, publish(MOOD, item('1'), hint), 'bad-request', 'modify', 'item-forbidden')
    await answers(juliet, publish(MOOD, '', hint),
      `<iq type='result' id='p1' to='${JULIET}/balcony'><pubsub xmlns='${NS_PUBSUB}'><publish node='${MOOD}'/></pubsub></iq>`)
    await refusesWith(juliet, get(), 'feature-not-implemented', 'cancel', 'unsupported', 'persistent-items')
    await refusesWith(juliet, pubsub('set', `<retract node='${MOOD}'>${item('1')}</retract>`),
      'feature-not-implemented', 'cancel', 'unsupported', 'persistent-items')
    await refusesWith(juliet, owner('set', `<purge node='${MOOD}'/>`), 'feature-not-implemented', 'cancel', 'unsupported', 'persistent-items')
    await juliet.request(publish('urn:2', "<item id='1'/>", { deliver_payloads: '0' }))
    await answers(juliet, pubsub('get', "<items node='urn:2'/>"), itemsResult(juliet, "<item id='1'/>").replace(MOOD, 'urn:2'))
    await juliet.request(publish('urn:3', item('last'), { persist_items: '0' }))
    await answers(juliet, pubsub('get', "<items node='urn:3'/>"), itemsResult(juliet, item('last')).replace(MOOD, 'urn:3'))
  })
  test('is limited in nodes, items, and bytes of the account', async () => {
    await juliet.request(publish(MOOD, item('1', 'x'.repeat(800)), { max_items: 'max', publish_node_full: 'reject' }))
    await juliet.request(publish(MOOD, item('2', 'x'.repeat(800))))
    await refuses(juliet, publish(MOOD, item('3', 'x'.repeat(800))), 'resource-constraint', 'wait')
    assert.equal((await juliet.request(publish(MOOD, item('1', 'y'.repeat(800))))).attribute('type'), 'result')
    await juliet.request(publish(MOOD, item('3')))
    await juliet.request(publish(MOOD, item('4')))
    await refusesWith(juliet, publish(MOOD, item('5')), 'conflict', 'cancel', 'node-full')
    await juliet.request(publish('urn:2', item('1')))
    await juliet.request(publish('urn:3', item('1')))
    await refusesWith(juliet, publish('urn:4', item('1')), 'conflict', 'cancel', 'max-nodes-exceeded')
    await juliet.request(owner('set', `<purge node='${MOOD}'/>`))
    assert.equal((await juliet.request(publish(MOOD, item('5', 'x'.repeat(800))))).attribute('type'), 'result')
  })
  test('expires items where the node says so', async () => {
    await juliet.request(publish(MOOD, item('1'), { max_items: '4', item_expire: '60' }))
    await host.advance(61_000)
    await answers(juliet, get(), itemsResult(juliet, ''))
    await juliet.request(publish(MOOD, item('2')))
    await answers(juliet, get(), itemsResult(juliet, item('2')))
  })
  test('by others needs an affiliation or an open node, and says who it was', async () => {
    await juliet.request(publish(MOOD, item('1'), { max_items: '4' }))
    await refuses(nurse, publish(MOOD, item('2'), undefined, TO_JULIET), 'forbidden', 'auth')
    await refuses(nurse, publish('urn:none', item('2'), undefined, TO_JULIET), 'item-not-found', 'cancel')
    await juliet.request(owner('set', `<affiliations node='${MOOD}'><affiliation jid='nurse@capulet.example' affiliation='publisher'/></affiliations>`))
    await nurse.request(publish(MOOD, item('2'), undefined, TO_JULIET))
    await answers(juliet, get(), itemsResult(juliet, `${item('1')}<item id='2' publisher='nurse@capulet.example'>${mood('2')}</item>`))
    await refuses(nurse, pubsub('set', `<retract node='${MOOD}'><item id='1'/></retract>`, TO_JULIET), 'forbidden', 'auth')
    assert.equal((await nurse.request(pubsub('set', `<retract node='${MOOD}'><item id='2'/></retract>`, TO_JULIET))).attribute('type'), 'result')
  })
})

describe('XEP-0060 §7.2: deleting items', () => {
  test('deletes one, with an error for each thing that is missing', async () => {
    await juliet.request(publish(MOOD, item('1'), { max_items: '4' }))
    await juliet.request(publish(MOOD, item('2')))
    const retract = (node: string, content: string) => pubsub('set', `<retract${node}>${content}</retract>`)
    await refusesWith(juliet, retract('', "<item id='1'/>"), 'bad-request', 'modify', 'nodeid-required')
    await refusesWith(juliet, retract(` node='${MOOD}'`, ''), 'bad-request', 'modify', 'item-required')
    await refusesWith(juliet, retract(` node='${MOOD}'`, '<item/>'), 'bad-request', 'modify', 'item-required')
    await refuses(juliet, retract(` node='${MOOD}'`, "<item id='9'/>"), 'item-not-found', 'cancel')
    await refuses(juliet, retract(" node='urn:none'", "<item id='1'/>"), 'item-not-found', 'cancel')
    await refuses(nurse, pubsub('set', `<retract node='${MOOD}'><item id='1'/></retract>`, TO_JULIET), 'forbidden', 'auth')
    await answers(juliet, retract(` node='${MOOD}' notify='true'`, "<item id='2'/>"), `<iq type='result' id='q1' to='${JULIET}/balcony'/>`)
    await answers(juliet, get(), itemsResult(juliet, item('1')))
  })
})

describe('XEP-0060 §6.5: reading', () => {
  test('by id, the newest, and in pages (XEP-0059)', async () => {
    for (const id of ['1', '2', '3', '4']) await juliet.request(publish(MOOD, item(id), { max_items: '4' }))
    const rsm = (content: string) => pubsub('get', `<items node='${MOOD}'/><set xmlns='http://jabber.org/protocol/rsm'>${content}</set>`)
    const page = (first: string, index: number, last: string) =>
      `<set xmlns='http://jabber.org/protocol/rsm'><first index='${index}'>${first}</first><last>${last}</last><count>4</count></set>`
    await answers(juliet, get("<item id='3'/><item id='1'/><item id='9'/>"), itemsResult(juliet, item('1') + item('3')))
    await answers(juliet, get('', " max_items='2'"), itemsResult(juliet, item('3') + item('4')))
    await answers(juliet, rsm('<max>2</max>'), itemsResult(juliet, item('1') + item('2'), page('1', 0, '2')))
    await answers(juliet, rsm('<max>2</max><after>2</after>'), itemsResult(juliet, item('3') + item('4'), page('3', 2, '4')))
    await answers(juliet, rsm('<max>1</max><before/>'), itemsResult(juliet, item('4'), page('4', 3, '4')))
    await answers(juliet, rsm('<max>1</max><before>3</before>'), itemsResult(juliet, item('2'), page('2', 1, '2')))
    await answers(juliet, rsm('<max>0</max>'), itemsResult(juliet, '', "<set xmlns='http://jabber.org/protocol/rsm'><count>4</count></set>"))
    await refuses(juliet, rsm('<max>1</max><after>9</after>'), 'item-not-found', 'cancel')
    await refuses(juliet, rsm('<max>1</max><index>2</index>'), 'feature-not-implemented', 'cancel')
  })
  test('§6.5.4: leaves out what does not fit, and says so', async () => {
    for (const id of ['1', '2', '3']) await juliet.request(publish(MOOD, item(id, id.repeat(600)), { max_items: '4' }))
    const set = "<set xmlns='http://jabber.org/protocol/rsm'><first index='0'>1</first><last>1</last><count>3</count></set>"
    await answers(juliet, get(), itemsResult(juliet, item('1', '1'.repeat(600)), set))
  })
  test('is for those whom the node lets in, each refusal with its reason', async () => {
    const from = ` from='${JULIET}'`
    await juliet.request(publish(MOOD, item('1')))
    await answers(nurse, get('', '', TO_JULIET), itemsResult(nurse, item('1'), '', from))
    await refusesWith(tybalt, get('', '', TO_JULIET), 'not-authorized', 'auth', 'presence-subscription-required')
    const configure = (values: Record<string, string>) =>
      juliet.request(owner('set', `<configure node='${MOOD}'>${submitted('node_config', values)}</configure>`))
    await configure({ access_model: 'roster', roster_groups_allowed: 'Kin' })
    await refusesWith(nurse, get('', '', TO_JULIET), 'not-authorized', 'auth', 'not-in-roster-group')
    await configure({ access_model: 'whitelist' })
    await refusesWith(nurse, get('', '', TO_JULIET), 'not-allowed', 'cancel', 'closed-node')
    await juliet.request(owner('set', `<affiliations node='${MOOD}'><affiliation jid='tybalt@capulet.example' affiliation='member'/></affiliations>`))
    await answers(tybalt, get('', '', TO_JULIET), itemsResult(tybalt, item('1'), '', from))
    await configure({ access_model: 'open' })
    await answers(nurse, get('', '', TO_JULIET), itemsResult(nurse, item('1'), '', from))
    await juliet.request(owner('set', `<affiliations node='${MOOD}'><affiliation jid='tybalt@capulet.example' affiliation='none'/>
      <affiliation jid='nurse@capulet.example' affiliation='outcast'/></affiliations>`))
    await refuses(nurse, get('', '', TO_JULIET), 'forbidden', 'auth')
  })
  test('tells strangers of a node that is not there what they are told of an account that is not there', async () => {
    for (const to of [TO_JULIET, " to='nobody@capulet.example'"]) {
      await refuses(tybalt, get('', '', to), 'service-unavailable', 'cancel')
      await refuses(tybalt, publish(MOOD, item('1'), undefined, to), 'service-unavailable', 'cancel')
      await refuses(tybalt, pubsub('set', '<create/>', to), 'service-unavailable', 'cancel')
      await refuses(tybalt, pubsub('get', '<affiliations/>', to), 'service-unavailable', 'cancel')
      await refuses(tybalt, pubsub('get', '<subscriptions/>', to), 'service-unavailable', 'cancel')
      await refuses(tybalt, owner('get', `<configure node='${MOOD}'/>`, to), 'service-unavailable', 'cancel')
    }
  })
})
