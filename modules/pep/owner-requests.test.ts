/** XEP-0060 §5, §6.1, §6.2 and §8 as wire scripts: nodes, their configuration, subscriptions and affiliations. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { AccountAdmin, defineModule } from '@rollcall/module-api'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import { answers, refuses, subscribe } from '../disco/testing/stage.ts'
import { MOOD, mood, NS_PUBSUB, owner, publish, pubsub, startPep, submitted } from './testing/stage.ts'

const JULIET = 'juliet@capulet.example'
const TO_JULIET = ` to='${JULIET}'`
let admin: AccountAdmin
const keeper = defineModule({
  name: 'keeper', summary: 'Removes accounts.', implements: [], needs: { admin: AccountAdmin }, setup({ ports }) { admin = ports.admin },
})

let host: TestHost
let juliet: ScriptedEntity
let nurse: ScriptedEntity
let tybalt: ScriptedEntity
beforeEach(async () => {
  host = await startPep({ options: { pep: { subscribersMax: 1 } } }, [keeper])
  juliet = await host.login('juliet', 'balcony')
  nurse = await host.login('nurse', 'hall')
  tybalt = await host.login('tybalt', 'alley')
  await subscribe(host, nurse, juliet)
})
afterEach(() => host.stop())

const done = (id: string) => `<iq type='result' id='${id}' to='${JULIET}/balcony'/>`
const node = (options?: Readonly<Record<string, string>>) => juliet.request(publish(MOOD, `<item id='1'>${mood('1')}</item>`, options))

async function refusesWith(entity: ScriptedEntity, request: string, condition: string, type: string, application: string, feature?: string) {
  const found = (await refuses(entity, request, condition, type)).elements().find((element) => element.ns === `${NS_PUBSUB}#errors`)
  assert.deepEqual([found?.name, found?.attribute('feature')], [application, feature])
}

async function configValue(name: string): Promise<readonly string[]> {
  const answer = await juliet.request(owner('get', `<configure node='${MOOD}'/>`))
  const form = answer.child('pubsub', `${NS_PUBSUB}#owner`)?.child('configure')?.child('x', 'jabber:x:data')
  const field = form?.elements('field').find((candidate) => candidate.attribute('var') === `pubsub#${name}`)
  return field?.elements('value').map((value) => value.text()) ?? ['(no field)']
}

describe('XEP-0060 §8.1: making nodes', () => {
  test('with a name, without one, and with a configuration', async () => {
    await juliet.request(pubsub('set', `<create node='${MOOD}'/><configure>${submitted('node_config', { access_model: 'open', title: 'Moods' })}</configure>`))
    assert.deepEqual([await configValue('access_model'), await configValue('title'), await configValue('max_items')], [['open'], ['Moods'], ['1']])
    const instant = await juliet.request(pubsub('set', '<create/>'))
    assert.match(instant.child('pubsub', NS_PUBSUB)?.child('create')?.attribute('node') ?? '', /^[0-9a-f-]{36}$/)
    await refuses(juliet, pubsub('set', `<create node='${MOOD}'/>`), 'conflict', 'cancel')
    await refuses(nurse, pubsub('set', "<create node='urn:hers'/>", TO_JULIET), 'forbidden', 'auth')
    await refuses(juliet, pubsub('set', `<create node='urn:x'/><configure>${submitted('node_config', { access_model: 'authorize' })}</configure>`),
      'not-acceptable', 'modify')
  })
})

describe('XEP-0060 §8.2 and §8.3: configuring nodes', () => {
  test('changes what is named and nothing else', async () => {
    await node()
    const form = submitted('node_config', { max_items: 'max', notify_retract: 'false', unknown: 'x' })
    await answers(juliet, owner('set', `<configure node='${MOOD}'>${form}</configure>`),
      done('o1'))
    assert.deepEqual([await configValue('max_items'), await configValue('notify_retract'), await configValue('access_model')], [['max'], ['0'], ['presence']])
    await answers(juliet, owner('set', `<configure node='${MOOD}'><x xmlns='jabber:x:data' type='cancel'/></configure>`), done('o1'))
    assert.deepEqual(await configValue('max_items'), ['max'])
  })
  test('deletes what a smaller node does not hold', async () => {
    await node({ max_items: '3' })
    await juliet.request(publish(MOOD, `<item id='2'>${mood('2')}</item>`))
    await juliet.request(owner('set', `<configure node='${MOOD}'>${submitted('node_config', { max_items: '1' })}</configure>`))
    const answer = await juliet.request(pubsub('get', `<items node='${MOOD}'/>`))
    assert.deepEqual(answer.child('pubsub', NS_PUBSUB)?.child('items')?.elements().map((item) => item.attribute('id')), ['2'])
  })
  test('has an error for each thing that is wrong', async () => {
    await node()
    const set = (values: Record<string, string>) => owner('set', `<configure node='${MOOD}'>${submitted('node_config', values)}</configure>`)
    const wrong: readonly Record<string, string>[] = [
      { access_model: 'authorize' }, { max_items: '0' }, { persist_items: 'perhaps' }, { node_type: 'collection' },
    ]
    for (const values of wrong) {
      await refuses(juliet, set(values), 'not-acceptable', 'modify')
    }
    await refusesWith(juliet, owner('get', '<configure/>'), 'bad-request', 'modify', 'nodeid-required')
    await refuses(juliet, owner('get', "<configure node='urn:none'/>"), 'item-not-found', 'cancel')
    await refuses(juliet, owner('set', `<configure node='${MOOD}'/>`), 'bad-request', 'modify')
    await refuses(juliet, owner('set', `<configure node='${MOOD}'>${submitted('publish-options', {})}</configure>`), 'bad-request', 'modify')
    await refuses(nurse, owner('get', `<configure node='${MOOD}'/>`, TO_JULIET), 'forbidden', 'auth')
    await refuses(nurse, owner('set', `<configure node='${MOOD}'>${submitted('node_config', {})}</configure>`, TO_JULIET), 'forbidden', 'auth')
    await refuses(juliet, owner('set', ''), 'bad-request', 'modify')
    await refuses(juliet, owner('get', ''), 'bad-request', 'modify')
  })
  test('shows the defaults to the owner', async () => {
    const answer = await juliet.request(owner('get', '<default/>'))
    const form = answer.child('pubsub', `${NS_PUBSUB}#owner`)?.child('default')?.child('x', 'jabber:x:data')
    const values = new Map(form?.elements('field').map((field) => [field.attribute('var'), field.childText('value')]))
    const shown = ['access_model', 'deliver_notifications', 'send_last_published_item'].map((name) => values.get(`pubsub#${name}`))
    assert.deepEqual(shown, ['presence', '1', 'on_sub_and_presence'])
    await refuses(nurse, owner('get', '<default/>', TO_JULIET), 'forbidden', 'auth')
  })
})

describe('XEP-0060 §8.4 and §8.5: deleting and purging', () => {
  test('is the owner\'s, and complete', async () => {
    await node({ access_model: 'open' })
    await refuses(nurse, owner('set', `<purge node='${MOOD}'/>`, TO_JULIET), 'forbidden', 'auth')
    await refuses(nurse, owner('set', `<delete node='${MOOD}'/>`, TO_JULIET), 'forbidden', 'auth')
    await refuses(juliet, owner('set', "<purge node='urn:none'/>"), 'item-not-found', 'cancel')
    await refuses(juliet, owner('set', "<delete node='urn:none'/>"), 'item-not-found', 'cancel')
    await answers(juliet, owner('set', `<purge node='${MOOD}'/>`), done('o1'))
    await answers(juliet, pubsub('get', `<items node='${MOOD}'/>`),
      `<iq type='result' id='q1' to='${JULIET}/balcony'><pubsub xmlns='${NS_PUBSUB}'><items node='${MOOD}'/></pubsub></iq>`)
    await node()
    await answers(juliet, owner('set', `<delete node='${MOOD}'/>`), done('o1'))
    await node({ max_items: '5' })
    assert.deepEqual(await configValue('access_model'), ['presence'])
    const answer = await juliet.request(pubsub('get', `<items node='${MOOD}'/>`))
    assert.equal(answer.child('pubsub', NS_PUBSUB)?.child('items')?.elements().length, 1)
  })
  test('an account that is removed leaves nothing behind', async () => {
    await node({ access_model: 'open' })
    await admin.remove(juliet.jid.bare)
    const items = await host.storage.archiveQuery('pep_items', JULIET, { limit: 9 })
    assert.deepEqual([await host.storage.mapAll('pep_nodes', JULIET), items.entries], [new Map(), []])
  })
})

describe('XEP-0060 §6.1, §6.2, §5.6: subscriptions', () => {
  const join = (jid = 'tybalt@capulet.example', name = MOOD) => pubsub('set', `<subscribe node='${name}' jid='${jid}'/>`, TO_JULIET)
  const leave = (jid = 'tybalt@capulet.example', name = MOOD) => pubsub('set', `<unsubscribe node='${name}' jid='${jid}'/>`, TO_JULIET)
  const state = (content: string) =>
    `<iq type='result' id='q1' from='${JULIET}' to='tybalt@capulet.example/alley'><pubsub xmlns='${NS_PUBSUB}'>${content}</pubsub></iq>`
  const subscription = `<subscription node='${MOOD}' jid='tybalt@capulet.example' subscription='subscribed'/>`

  test('begin, are told, and end', async () => {
    await node({ access_model: 'open', send_last_published_item: 'never' })
    await answers(tybalt, join(), state(subscription))
    await answers(tybalt, join(), state(subscription))
    await answers(tybalt, pubsub('get', '<subscriptions/>', TO_JULIET), state(`<subscriptions>${subscription}</subscriptions>`))
    await answers(tybalt, pubsub('get', `<subscriptions node='${MOOD}'/>`, TO_JULIET), state(`<subscriptions node='${MOOD}'>${subscription}</subscriptions>`))
    await answers(juliet, owner('get', `<subscriptions node='${MOOD}'/>`),
      `<iq type='result' id='o1' to='${JULIET}/balcony'><pubsub xmlns='${NS_PUBSUB}#owner'><subscriptions node='${MOOD}'>
        <subscription jid='tybalt@capulet.example' subscription='subscribed'/></subscriptions></pubsub></iq>`)
    assert.equal((await tybalt.request(leave())).attribute('type'), 'result')
    await answers(tybalt, pubsub('get', '<subscriptions/>', TO_JULIET), state('<subscriptions/>'))
  })
  test('have an error for each thing that is wrong', async () => {
    await node({ access_model: 'open', send_last_published_item: 'never' })
    await refusesWith(tybalt, join('nurse@capulet.example'), 'bad-request', 'modify', 'invalid-jid')
    await refusesWith(tybalt, join('@'), 'bad-request', 'modify', 'invalid-jid')
    await refusesWith(tybalt, join('tybalt@capulet.example', ''), 'bad-request', 'modify', 'nodeid-required')
    await refuses(nurse, pubsub('set', "<subscribe node='urn:none' jid='nurse@capulet.example'/>", TO_JULIET), 'item-not-found', 'cancel')
    await refusesWith(tybalt, leave(), 'unexpected-request', 'cancel', 'not-subscribed')
    await refuses(tybalt, leave('nurse@capulet.example'), 'forbidden', 'auth')
    await tybalt.request(join())
    await refusesWith(nurse, pubsub('set', `<subscribe node='${MOOD}' jid='nurse@capulet.example'/>`, TO_JULIET),
      'policy-violation', 'wait', 'too-many-subscriptions')
    await refusesWith(tybalt, pubsub('get', `<options node='${MOOD}'/>`, TO_JULIET), 'feature-not-implemented', 'cancel', 'unsupported', 'subscription-options')
    await refusesWith(tybalt, pubsub('set', `<options node='${MOOD}'/>`, TO_JULIET), 'feature-not-implemented', 'cancel', 'unsupported', 'subscription-options')
    await refusesWith(tybalt, pubsub('get', '<default/>', TO_JULIET), 'feature-not-implemented', 'cancel', 'unsupported', 'retrieve-default-sub')
    await refuses(nurse, owner('get', `<subscriptions node='${MOOD}'/>`, TO_JULIET), 'forbidden', 'auth')
  })
  test('§8.8: states that are not there stay as they are', async () => {
    await node()
    await answers(juliet, owner('set', `<subscriptions node='${MOOD}'><subscription jid='nurse@capulet.example' subscription='pending'/></subscriptions>`),
      `<iq type='error' id='o1' to='${JULIET}/balcony'><pubsub xmlns='${NS_PUBSUB}#owner'><subscriptions node='${MOOD}'>
        <subscription jid='nurse@capulet.example' subscription='none'/></subscriptions></pubsub>
        <error type='modify'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`)
  })
})

describe('XEP-0060 §8.9 and §5.7: affiliations', () => {
  const set = (content: string) => owner('set', `<affiliations node='${MOOD}'>${content}</affiliations>`)
  test('are changed and told', async () => {
    await node()
    await answers(juliet, set("<affiliation jid='tybalt@capulet.example/alley' affiliation='member'/>"), done('o1'))
    await answers(juliet, owner('get', `<affiliations node='${MOOD}'/>`),
      `<iq type='result' id='o1' to='${JULIET}/balcony'><pubsub xmlns='${NS_PUBSUB}#owner'><affiliations node='${MOOD}'>
        <affiliation jid='${JULIET}' affiliation='owner'/><affiliation jid='tybalt@capulet.example' affiliation='member'/></affiliations></pubsub></iq>`)
    await answers(tybalt, pubsub('get', '<affiliations/>', TO_JULIET),
      `<iq type='result' id='q1' from='${JULIET}' to='tybalt@capulet.example/alley'><pubsub xmlns='${NS_PUBSUB}'><affiliations>
        <affiliation node='${MOOD}' affiliation='member'/></affiliations></pubsub></iq>`)
    await refuses(nurse, owner('get', `<affiliations node='${MOOD}'/>`, TO_JULIET), 'forbidden', 'auth')
    await refuses(nurse, owner('set', `<affiliations node='${MOOD}'/>`, TO_JULIET), 'forbidden', 'auth')
  })
  test('§8.9.2.4: the owner stays the owner, and nobody else becomes one', async () => {
    await node()
    const refused = (jid: string, affiliation: string) =>
      `<iq type='error' id='o1' to='${JULIET}/balcony'><pubsub xmlns='${NS_PUBSUB}#owner'><affiliations node='${MOOD}'>
        <affiliation jid='${jid}' affiliation='${affiliation}'/></affiliations></pubsub>
        <error type='modify'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`
    await answers(juliet, set(`<affiliation jid='${JULIET}' affiliation='none'/>
      <affiliation jid='nurse@capulet.example' affiliation='member'/>`), refused(JULIET, 'owner'))
    await answers(juliet, set("<affiliation jid='nurse@capulet.example' affiliation='owner'/>"), refused('nurse@capulet.example', 'member'))
    await refuses(juliet, set(`<affiliation jid='nurse@capulet.example' affiliation='none'/>
      <affiliation jid='nurse@capulet.example/x' affiliation='member'/>`), 'bad-request', 'modify')
  })
})

describe('XEP-0060 §5 and XEP-0163 §6: discovery', () => {
  const info = (name = '') => `<iq type='get' id='d1'${TO_JULIET}><query xmlns='http://jabber.org/protocol/disco#info'${name}/></iq>`
  const items = (name = '') => `<iq type='get' id='d1'${TO_JULIET}><query xmlns='http://jabber.org/protocol/disco#items'${name}/></iq>`

  test('an account is pubsub/pep and says what it can', async () => {
    const query = (await nurse.request(info())).child('query', 'http://jabber.org/protocol/disco#info')
    assert.ok(query?.elements('identity').some((identity) => identity.attribute('category') === 'pubsub' && identity.attribute('type') === 'pep'))
    const found = new Set(query?.elements('feature').map((feature) => feature.attribute('var')))
    for (const name of ['auto-create', 'auto-subscribe', 'filtered-notifications', 'publish-options', 'access-presence', 'persistent-items']) {
      assert.ok(found.has(`${NS_PUBSUB}#${name}`), name)
    }
  })
  test('shows nodes and items to those who may read them', async () => {
    await node({ title: 'Moods' })
    await juliet.request(publish('urn:example:private', `<item>${mood('x')}</item>`, { access_model: 'whitelist' }))
    const names = async (entity: ScriptedEntity) => (await entity.request(items())).child('query', 'http://jabber.org/protocol/disco#items')
      ?.elements('item').flatMap((item) => item.attribute('node') ?? [])
    assert.deepEqual(await names(nurse), [MOOD])
    assert.deepEqual(await names(juliet), [MOOD, 'urn:example:private'])
    const described = (await nurse.request(info(` node='${MOOD}'`))).child('query', 'http://jabber.org/protocol/disco#info')
    assert.deepEqual([described?.child('identity')?.attribute('type'), described?.child('x', 'jabber:x:data')?.attribute('type')], ['leaf', 'result'])
    await answers(nurse, items(` node='${MOOD}'`),
      `<iq type='result' id='d1' from='${JULIET}' to='nurse@capulet.example/hall'><query xmlns='http://jabber.org/protocol/disco#items' node='${MOOD}'>
        <item jid='${JULIET}' name='1'/></query></iq>`)
    await refusesWith(nurse, info(" node='urn:example:private'"), 'not-allowed', 'cancel', 'closed-node')
    await refuses(nurse, info(" node='urn:none'"), 'item-not-found', 'cancel')
    await refuses(tybalt, items(), 'service-unavailable', 'cancel')
  })
})
