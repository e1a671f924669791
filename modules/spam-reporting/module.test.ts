/** XEP-0377 as wire scripts: reports with a block, what becomes of them, and who may read them. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { XmlElement } from '@rollcall/xml'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import { TestHost } from '../../server/testing/test-host.ts'
import blocking from '../blocking/module.ts'
import commands from '../commands/module.ts'
import disco from '../disco/module.ts'
import { answers, refuses } from '../disco/testing/stage.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import spamReporting from './module.ts'

const NS = 'urn:xmpp:reporting:1'
const COMMANDS = 'http://jabber.org/protocol/commands'
const DONE = "<iq type='result' id='b1' to='juliet@capulet.example/balcony'/>"
const report = (content = '', reason = " reason='urn:xmpp:reporting:spam'") => `<report xmlns='${NS}'${reason}>${content}</report>`
const block = (jid: string, content: string) => `<iq type='set' id='b1'><block xmlns='urn:xmpp:blocking'><item jid='${jid}'>${content}</item></block></iq>`
const ID = "<stanza-id xmlns='urn:xmpp:sid:0' id='a1' by='juliet@capulet.example'/>"

let host: TestHost
let juliet: ScriptedEntity
let nurse: ScriptedEntity
beforeEach(async () => {
  host = await TestHost.start({
    accounts: ['juliet', 'nurse'], admins: ['nurse@capulet.example'],
    modules: [roster, presence, disco, commands, blocking, spamReporting],
    options: { 'spam-reporting': { perHour: 2, reportsMax: 3, keepDays: 1, textMax: 20, notify: ['nurse@capulet.example'], thirdParties: ['watch.example'] } },
  })
  juliet = await host.connect('juliet', 'balcony')
  nurse = await host.login('nurse', 'hall')
})
afterEach(() => host.stop())

async function listed(fields = ''): Promise<string[][]> {
  const start = await nurse.request(`<iq type='set' id='c1' to='capulet.example'><command xmlns='${COMMANDS}' node='urn:rollcall:reports#list'/></iq>`)
  const session = start.child('command', COMMANDS)?.attribute('sessionid')
  const end = await nurse.request(`<iq type='set' id='c2'
    to='capulet.example'><command xmlns='${COMMANDS}' node='urn:rollcall:reports#list' sessionid='${session}'>
    <x xmlns='jabber:x:data' type='submit'>${fields}</x></command></iq>`)
  const rows = end.child('command', COMMANDS)?.child('x', 'jabber:x:data')?.elements('item') ?? []
  return rows.map((row: XmlElement) => row.elements('field').slice(1).map((field) => field.childText('value') ?? ''))
}

describe('XEP-0377', () => {
  test('§3: hosts and accounts say that they take reports', async () => {
    for (const to of ['capulet.example', 'juliet@capulet.example']) {
      const answer = await juliet.request(`<iq type='get' id='d1' to='${to}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`)
      assert.ok(answer.elements()[0]?.elements('feature').some((feature) => feature.attribute('var') === NS))
    }
  })
  test('§6: a report comes with a block, is kept, and tells the operators', async () => {
    await answers(juliet, block('romeo@montague.example', report(`${ID}<text xml:lang='en'>Again</text>`)), DONE)
    await nurse.receives(`<message from='capulet.example' to='nurse@capulet.example' id='{any}'>
      <body>romeo@montague.example was reported by juliet@capulet.example: urn:xmpp:reporting:spam\nAgain</body>
      ${report(`${ID}<text xml:lang='en'>Again</text>`)}</message>`)
    assert.deepEqual(await listed(), [['juliet@capulet.example', 'romeo@montague.example', 'urn:xmpp:reporting:spam', 'Again', 'a1']])
    await answers(juliet, "<iq type='get' id='b2'><blocklist xmlns='urn:xmpp:blocking'/></iq>",
      `<iq type='result' id='b2' to='juliet@capulet.example/balcony'>
        <blocklist xmlns='urn:xmpp:blocking'><item jid='romeo@montague.example'/></blocklist></iq>`)
    assert.equal(host.log.of('abuse-report').length, 1)
  })
  test('§6: without a report, or with one that is none, an address is blocked all the same', async () => {
    await answers(juliet, block('romeo@montague.example', ''), DONE)
    await answers(juliet, block('paris@verona.example', report('', '')), DONE)
    assert.deepEqual(await listed(), [])
    await nurse.receivesNothing()
  })
  test('a report of a block that is refused is none', async () => {
    await refuses(juliet, block('@', report()), 'jid-malformed', 'modify')
    assert.deepEqual(await listed(), [])
  })
  test('§5: goes to others only if the reporter allows it, and does not name the reporter', async () => {
    const watch = await host.component('watch.example')
    await juliet.request(block('romeo@montague.example', report(ID)))
    await watch.receivesNothing()
    await juliet.request(block('paris@verona.example', report(`${ID}<third-party/>`)))
    await watch.receives(`<message from='capulet.example' to='watch.example' id='{any}'>
      <body>paris@verona.example was reported: urn:xmpp:reporting:spam</body>${report('<third-party/>')}</message>`)
  })
  test('is limited per account and hour, in text, in number and in age', async () => {
    for (const name of ['a', 'b', 'c']) await answers(juliet, block(`${name}@verona.example`, report(`<text>${'x'.repeat(50)}</text>`)), DONE)
    assert.deepEqual((await listed()).map((row) => [row[1], row[3]?.length]), [['b@verona.example', 20], ['a@verona.example', 20]])
    await host.advance(3_600_000)
    for (const name of ['d', 'e']) await juliet.request(block(`${name}@verona.example`, report()))
    assert.deepEqual((await listed()).map((row) => row[1]), ['e@verona.example', 'd@verona.example', 'b@verona.example'])
    await host.advance(86_400_000)
    await juliet.request(block('f@verona.example', report()))
    assert.deepEqual((await listed()).map((row) => row[1]), ['f@verona.example'])
  })
  test('is read about one address, cleared, and closed to everybody but administrators', async () => {
    await juliet.request(block('romeo@montague.example/orchard', report()))
    await juliet.request(block('paris@verona.example', report('', " reason='urn:example:other'")))
    assert.deepEqual((await listed("<field var='about'><value>romeo@montague.example</value></field>")).map((row) => row[1]),
      ['romeo@montague.example/orchard'])
    await refuses(juliet, `<iq type='set' id='c1'
      to='capulet.example'><command xmlns='${COMMANDS}' node='urn:rollcall:reports#list'/></iq>`, 'forbidden', 'auth')
    const clear = async (sure: string) => {
      const start = await nurse.request(`<iq type='set' id='c1' to='capulet.example'><command xmlns='${COMMANDS}' node='urn:rollcall:reports#clear'/></iq>`)
      await nurse.request(`<iq type='set' id='c2' to='capulet.example'><command xmlns='${COMMANDS}' node='urn:rollcall:reports#clear'
        sessionid='${start.child('command', COMMANDS)?.attribute('sessionid')}'><x xmlns='jabber:x:data' type='submit'>
        <field var='sure'><value>${sure}</value></field></x></command></iq>`)
    }
    await clear('0')
    assert.equal((await listed()).length, 2)
    await clear('1')
    assert.equal((await listed()).length, 0)
  })
})
