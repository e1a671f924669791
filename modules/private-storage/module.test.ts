/** XEP-0049 as wire scripts. */
import { afterEach, beforeEach, describe, test } from 'node:test'
import assert from 'node:assert/strict'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import { answers, refuses } from '../disco/testing/stage.ts'
import privateStorage from './module.ts'

const PREFS = "<prefs xmlns='poetry:prefs'><nick>Hamlet</nick></prefs>"
const query = (content: string) => `<query xmlns='jabber:iq:private'>${content}</query>`
const set = (content: string, to = '', id = 's1') => `<iq type='set' id='${id}'${to}>${query(content)}</iq>`
const get = (content: string, to = '') => `<iq type='get' id='g1'${to}>${query(content)}</iq>`
const STORED = "<iq type='result' id='s1' to='hamlet@elsinore.example/hall'/>"
const result = (content: string) => `<iq type='result' id='g1' to='hamlet@elsinore.example/hall'>${query(content)}</iq>`

let host: TestHost
let hamlet: ScriptedEntity

beforeEach(async () => {
  host = await TestHost.start({
    hosts: ['elsinore.example'], accounts: ['hamlet', 'ophelia'], modules: [privateStorage],
    options: { 'private-storage': { bytesMax: 1_200, elementsMax: 3 } },
  })
  hamlet = await host.connect('hamlet', 'hall')
})
afterEach(() => host.stop())

describe('XEP-0049 §2.3', () => {
  test('what was stored is given back, to every resource', async () => {
    await answers(hamlet, set(PREFS), STORED)
    await answers(hamlet, get("<prefs xmlns='poetry:prefs'/>"), result(PREFS))
    const chamber = await host.connect('hamlet', 'chamber')
    await answers(chamber, get("<prefs xmlns='poetry:prefs'/>"), `<iq type='result' id='g1' to='hamlet@elsinore.example/chamber'>${query(PREFS)}</iq>`)
  })
  test('what was not stored comes back empty', async () => {
    await answers(hamlet, get("<prefs xmlns='poetry:prefs'><nick>Yorick</nick></prefs>"), result("<prefs xmlns='poetry:prefs'/>"))
  })
  test('elements of different names and namespaces do not touch each other', async () => {
    await answers(hamlet, set(`${PREFS}<storage xmlns='storage:bookmarks'><conference jid='ghosts@rooms.elsinore.example'/></storage>`), STORED)
    await answers(hamlet, set("<prefs xmlns='poetry:prefs'><nick>Yorick</nick></prefs>"), STORED)
    await answers(hamlet, get("<storage xmlns='storage:bookmarks'/>"),
      result("<storage xmlns='storage:bookmarks'><conference jid='ghosts@rooms.elsinore.example'/></storage>"))
    await answers(hamlet, get("<prefs xmlns='poetry:prefs'/>"), result("<prefs xmlns='poetry:prefs'><nick>Yorick</nick></prefs>"))
    await answers(hamlet, get("<other xmlns='poetry:prefs'/>"), result("<other xmlns='poetry:prefs'/>"))
  })
  test('a get is about one namespace, of which it may name several elements', async () => {
    await answers(hamlet, set(`${PREFS}<verse xmlns='poetry:prefs'>iambic</verse>`), STORED)
    await answers(hamlet, get("<verse xmlns='poetry:prefs'/><prefs xmlns='poetry:prefs'/>"), result(`<verse xmlns='poetry:prefs'>iambic</verse>${PREFS}`))
    await refuses(hamlet, get("<prefs xmlns='poetry:prefs'/><storage xmlns='storage:bookmarks'/>"), 'bad-request', 'modify')
  })
  test('§3: a request without an element is not acceptable', async () => {
    await refuses(hamlet, set(''), 'not-acceptable', 'modify')
    await refuses(hamlet, get(''), 'not-acceptable', 'modify')
  })
  test('an element without a namespace of its own, or in a reserved one, is not acceptable', async () => {
    for (const element of ['<prefs/>', "<prefs xmlns='jabber:client'/>", "<prefs xmlns=''/>", "<vCard xmlns='vcard-temp'/>", "<x xmlns='jabber:x:data'/>",
      "<query xmlns='http://jabber.org/protocol/disco#info'/>"]) {
      await refuses(hamlet, set(element), 'not-acceptable', 'modify')
      await refuses(hamlet, get(element), 'not-acceptable', 'modify')
    }
  })
  test('§3: the data of somebody else is forbidden, whether there is an account or not', async () => {
    await hamlet.request(set(PREFS))
    const ophelia = await host.connect('ophelia', 'brook')
    for (const to of [" to='hamlet@elsinore.example'", " to='yorick@elsinore.example'"]) {
      await refuses(ophelia, get("<prefs xmlns='poetry:prefs'/>", to), 'forbidden', 'auth')
      await refuses(ophelia, set("<prefs xmlns='poetry:prefs'/>", to), 'forbidden', 'auth')
    }
    await answers(hamlet, get("<prefs xmlns='poetry:prefs'/>"), result(PREFS))
  })
})

describe('limits', () => {
  const element = (n: number, bytes: number) => `<e${n} xmlns='poetry:prefs'>${'o'.repeat(bytes)}</e${n}>`
  test('an account keeps so many elements, and may still change those it has', async () => {
    await answers(hamlet, set(element(1, 1) + element(2, 1) + element(3, 1)), STORED)
    await refuses(hamlet, set(element(4, 1)), 'policy-violation', 'modify')
    await answers(hamlet, set(element(3, 2)), STORED)
  })
  test('an account keeps so many bytes, also when many requests come at once', async () => {
    for (let i = 1; i <= 3; i++) hamlet.send(set(element(i, 500), '', `s${i}`))
    const all = await hamlet.all()
    assert.deepEqual(all.map((iq) => iq.attribute('type')), ['result', 'result', 'error'])
    assert.equal(all[2]?.child('error')?.elements()[0]?.name, 'policy-violation')
    await answers(hamlet, get("<e3 xmlns='poetry:prefs'/>"), result("<e3 xmlns='poetry:prefs'/>"))
  })
  test('so many changes wait at once, and further ones are refused', async () => {
    for (let i = 1; i <= 120; i++) hamlet.send(set(element(1, 1), '', `s${i}`))
    const all = await hamlet.all()
    assert.equal(all.length, 120)
    const refused = all.filter((iq) => iq.attribute('type') === 'error')
    assert.ok(refused.length > 0 && refused.length <= 20)
    assert.ok(refused.every((iq) => iq.child('error')?.elements()[0]?.name === 'resource-constraint'))
    await answers(hamlet, set(element(1, 1)), STORED)
  })
})
