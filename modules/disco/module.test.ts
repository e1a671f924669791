/** XEP-0030 and XEP-0128, as wire scripts. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { defineModule } from '@rollcall/module-api'
import { jidOf } from '@rollcall/jid'
import { StanzaError } from '@rollcall/stanza'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import ping from '../ping/module.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import disco from './module.ts'
import { Disco } from './port.ts'
import { answers, refuses, subscribe } from './testing/stage.ts'

const INFO = 'http://jabber.org/protocol/disco#info'
const ITEMS = 'http://jabber.org/protocol/disco#items'
const HEAD = "id='d1' from='{from}' to='{any}' type='result'"
const base = [roster, presence, ping, disco]

/** A module that tells about itself in every way there is. */
const teller = defineModule({
  name: 'teller',
  summary: 'Registers one of everything.',
  implements: [],
  features: { host: ['urn:example:b', 'urn:example:a'] },
  needs: { disco: Disco },
  setup({ ports: { disco: port } }) {
    port.addIdentity('host', { category: 'pubsub', type: 'service', name: 'Pages' })
    port.addIdentity('account', { category: 'pubsub', type: 'pep' })
    port.addForm('host', (entity) => ({
      type: 'result', fields: [{ var: 'FORM_TYPE', type: 'hidden', values: ['urn:example:form'] }, { var: 'host', values: [entity.toString()] }],
    }))
    port.addForm('host', () => undefined)
    port.addItems('host', ({ to }) => [{ jid: to, node: 'plays', name: 'Plays' }])
    port.addNode('host', (node, { to }) => (node !== 'plays' ? undefined : {
      info: () => ({ identities: [{ category: 'hierarchy', type: 'branch' }], features: [{ var: INFO }], forms: [] }),
      items: () => [{ jid: to, node: 'plays/tragedy' }],
    }))
    port.addNode('account', (node) => {
      if (node !== 'diary') return undefined
      throw new StanzaError('forbidden')
    })
  },
})

let host: TestHost
let juliet: ScriptedEntity

const get = (to: string, ns: string, node?: string) =>
  `<iq type='get' id='d1'${to === '' ? '' : ` to='${to}'`}><query xmlns='${ns}'${node === undefined ? '' : ` node='${node}'`}/></iq>`

async function start(modules = base, hosts = ['capulet.example']): Promise<void> {
  host = await TestHost.start({ accounts: ['juliet', 'nurse'], modules, hosts })
  juliet = await host.login('juliet', 'balcony')
}

beforeEach(() => start())
afterEach(() => host.stop())

describe('XEP-0030 §3 and §4: a host', () => {
  test('tells its identity and the features of all modules, each once and in order', async () => {
    await answers(juliet, get('capulet.example', INFO), `<iq ${HEAD.replace('{from}', 'capulet.example')}><query xmlns='${INFO}'>
      <identity category='server' type='im' name='Rollcall'/>
      <feature var='${INFO}'/><feature var='${ITEMS}'/><feature var='jabber:x:data'/><feature var='urn:xmpp:ping'/></query></iq>`)
  })
  test('without components has an empty list of items', async () => {
    await answers(juliet, get('capulet.example', ITEMS), `<iq ${HEAD.replace('{from}', 'capulet.example')}><query xmlns='${ITEMS}'/></iq>`)
  })
  test('lists its components, also to strangers', async () => {
    await host.component('rooms.capulet.example')
    const stranger = await host.component('games.capulet.example')
    await answers(stranger, get('capulet.example', ITEMS).replace('<iq', "<iq from='games.capulet.example'"),
      `<iq ${HEAD.replace('{from}', 'capulet.example')}><query xmlns='${ITEMS}'>
      <item jid='games.capulet.example'/><item jid='rooms.capulet.example'/></query></iq>`)
  })
  test('does not list the components of another host, but those that belong to none', async () => {
    await host.stop()
    await start(base, ['capulet.example', 'montague.example'])
    await host.component('rooms.montague.example')
    await host.component('gateway.example')
    await answers(juliet, get('capulet.example', ITEMS), `<iq ${HEAD.replace('{from}', 'capulet.example')}><query xmlns='${ITEMS}'>
      <item jid='gateway.example'/></query></iq>`)
    await answers(juliet, get('montague.example', ITEMS), `<iq ${HEAD.replace('{from}', 'montague.example')}><query xmlns='${ITEMS}'>
      <item jid='gateway.example'/><item jid='rooms.montague.example'/></query></iq>`)
  })
  test('§7: does not know nodes that nobody registered', async () => {
    await refuses(juliet, get('capulet.example', INFO, 'secrets'), 'item-not-found', 'cancel')
    await refuses(juliet, get('capulet.example', ITEMS, 'secrets'), 'item-not-found', 'cancel')
  })
})

describe('XEP-0030 §3.1 and §8: an account', () => {
  const owner = (to: string) => `<iq id='d1' ${to} to='juliet@capulet.example/balcony' type='result'><query xmlns='${INFO}'>
      <identity category='account' type='registered'/><feature var='${INFO}'/><feature var='${ITEMS}'/><feature var='urn:xmpp:ping'/></query></iq>`
  test('tells its owner what it is, addressed or not', async () => {
    await answers(juliet, get('juliet@capulet.example', INFO), owner("from='juliet@capulet.example'"))
    await answers(juliet, get('', INFO), owner("from='{none}'"))
  })
  test('lists its available resources', async () => {
    await host.login('juliet', 'chamber')
    await host.connect('juliet', 'unavailable')
    await answers(juliet, get('juliet@capulet.example', ITEMS), `<iq ${HEAD.replace('{from}', 'juliet@capulet.example')}><query xmlns='${ITEMS}'>
      <item jid='juliet@capulet.example/balcony'/><item jid='juliet@capulet.example/chamber'/></query></iq>`)
  })
  test('is refused to strangers with the very answer for an account that does not exist', async () => {
    const romeo = await host.component('montague.example')
    for (const ns of [INFO, ITEMS]) {
      for (const node of [undefined, 'http://jabber.org/protocol/commands', 'secrets']) {
        const ask = (to: string) => romeo.request(get(to, ns, node).replace('<iq', "<iq from='romeo@montague.example/orchard'"))
        const existing = await ask('juliet@capulet.example')
        const missing = await ask('tybalt@capulet.example')
        assert.equal(existing.child('error')?.elements()[0]?.name, 'service-unavailable')
        assert.ok(existing.setAttribute('from', undefined).equals(missing.setAttribute('from', undefined)))
      }
    }
  })
  test('is told to a contact who may see the presence, and to no other', async () => {
    const nurse = await host.login('nurse', 'hall')
    await refuses(nurse, get('juliet@capulet.example', INFO), 'service-unavailable', 'cancel')
    await subscribe(host, nurse, juliet)
    await answers(nurse, get('juliet@capulet.example', INFO), `<iq id='d1' from='juliet@capulet.example' to='{any}' type='result'><query xmlns='${INFO}'>
      <identity category='account' type='registered'/><feature var='${INFO}'/><feature var='${ITEMS}'/><feature var='urn:xmpp:ping'/></query></iq>`)
    // The subscription is one-way: the nurse sees Juliet.
    await refuses(juliet, get('nurse@capulet.example', INFO), 'service-unavailable', 'cancel')
  })
  test('does not know nodes that nobody registered', async () => {
    await refuses(juliet, get('', INFO, 'secrets'), 'item-not-found', 'cancel')
  })
})

describe('the Disco port', () => {
  beforeEach(async () => {
    await host.stop()
    await start([...base, teller])
  })
  test('XEP-0128: adds identities, features and forms to the information of a host', async () => {
    await answers(juliet, get('capulet.example', INFO), `<iq ${HEAD.replace('{from}', 'capulet.example')}><query xmlns='${INFO}'>
      <identity category='server' type='im' name='Rollcall'/><identity category='pubsub' type='service' name='Pages'/>
      <feature var='${INFO}'/><feature var='${ITEMS}'/><feature var='jabber:x:data'/>
      <feature var='urn:example:a'/><feature var='urn:example:b'/><feature var='urn:xmpp:ping'/>
      <x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>urn:example:form</value></field>
        <field var='host'><value>capulet.example</value></field></x></query></iq>`)
  })
  test('XEP-0030 §3.2 and §4.2: nodes have information and items of their own and are mirrored', async () => {
    await answers(juliet, get('capulet.example', INFO, 'plays'), `<iq ${HEAD.replace('{from}', 'capulet.example')}><query xmlns='${INFO}' node='plays'>
      <identity category='hierarchy' type='branch'/><feature var='${INFO}'/></query></iq>`)
    await answers(juliet, get('capulet.example', ITEMS, 'plays'), `<iq ${HEAD.replace('{from}', 'capulet.example')}><query xmlns='${ITEMS}' node='plays'>
      <item jid='capulet.example' node='plays/tragedy'/></query></iq>`)
    await answers(juliet, get('capulet.example', ITEMS), `<iq ${HEAD.replace('{from}', 'capulet.example')}><query xmlns='${ITEMS}'>
      <item jid='capulet.example' node='plays' name='Plays'/></query></iq>`)
  })
  test('a node may refuse by itself', async () => {
    await refuses(juliet, get('', INFO, 'diary'), 'forbidden', 'auth')
  })
  test('an account has the identities that modules give it', async () => {
    const answer = await juliet.request(get('', INFO))
    assert.deepEqual(answer.child('query', INFO)?.elements('identity').map((identity) => identity.attribute('type')), ['registered', 'pep'])
  })
  test('says to modules what a host says to everybody', async () => {
    let said: string | undefined
    const reader = defineModule({
      name: 'zz-reader', summary: 'Reads.', implements: [], needs: { disco: Disco },
      setup({ ports: { disco: port } }) { said = port.hostInfo(jidOf('', 'capulet.example')).identities.map(({ type }) => type).join() },
    })
    await host.stop()
    await start([...base, teller, reader])
    assert.equal(said, 'im,service')
  })
})
