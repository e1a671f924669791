/** What clients see of a core that is overloaded. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import archive from '../../modules/archive/module.ts'
import disco from '../../modules/disco/module.ts'
import ping from '../../modules/ping/module.ts'
import presence from '../../modules/presence/module.ts'
import registration from '../../modules/registration/module.ts'
import roster from '../../modules/roster/module.ts'
import type { ScriptedEntity } from './scripted-entity.ts'
import { TEST_HOST, TestHost } from './test-host.ts'

const JULIET = `juliet@${TEST_HOST}`
const NURSE = `nurse@${TEST_HOST}`

let host: TestHost
let juliet: ScriptedEntity
let nurse: ScriptedEntity

beforeEach(async () => {
  host = await TestHost.start({
    accounts: ['juliet', 'nurse'], modules: [archive, disco, ping, presence, registration, roster], options: { registration: { isOpen: true } },
  })
  juliet = await host.login('juliet')
  nurse = await host.login('nurse')
})
afterEach(() => host.stop())

const history = "<iq type='set' id='q1'><query xmlns='urn:xmpp:mam:2'/></iq>"

test('in brown-out costly requests are told to wait (RFC 6120 §8.3.3.18), others are answered', async () => {
  host.load.level = 'brown-out'
  for (const request of [history, `<iq type='get' id='q1' to='${TEST_HOST}'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>`]) {
    const answer = await juliet.request(request)
    const error = answer.child('error')
    assert.equal(answer.attribute('type'), 'error')
    assert.equal(error?.attribute('type'), 'wait')
    assert.ok(error?.child('resource-constraint', 'urn:ietf:params:xml:ns:xmpp-stanzas'))
  }
  assert.equal(host.metrics.value('rollcall_costly_requests_refused_total'), 2)
  const pong = await juliet.request(`<iq type='get' id='p1' to='${TEST_HOST}'><ping xmlns='urn:xmpp:ping'/></iq>`)
  assert.equal(pong.attribute('type'), 'result')
  host.load.level = 'normal'
  assert.equal((await juliet.request(history.replace('q1', 'q2'))).attribute('type'), 'result')
})

test('nobody registers meanwhile', async () => {
  host.load.level = 'brown-out'
  const answer = await host.beforeAuth("<iq type='get' id='r1'><query xmlns='jabber:iq:register'/></iq>")
  assert.equal(answer.child('error')?.attribute('type'), 'wait')
  host.load.level = 'normal'
  assert.equal((await host.beforeAuth("<iq type='get' id='r2'><query xmlns='jabber:iq:register'/></iq>")).attribute('type'), 'result')
})

test('messages of those who are there pass at every level', async () => {
  for (const level of ['brown-out', 'refuse'] as const) {
    host.load.level = level
    juliet.send(`<message to='${NURSE}' id='${level}' type='chat'><body>Go ask his name</body></message>`)
    assert.equal((await nurse.next()).attribute('id'), level)
  }
})

test('presence waits for the longest window, and only its last state is sent', async () => {
  for (const [one, other, as] of [[juliet, NURSE, nurse], [nurse, JULIET, juliet]] as const) {
    one.send(`<presence to='${other}' type='subscribe'/>`)
    await host.settle()
    as.send(`<presence to='${one === juliet ? JULIET : NURSE}' type='subscribed'/>`)
    await host.settle()
  }
  await host.advance(10_000)
  nurse.clear()
  host.load.level = 'brown-out'
  for (const show of ['away', 'dnd', 'xa']) {
    juliet.send(`<presence><show>${show}</show></presence>`)
    await host.advance(100)
  }
  await nurse.receivesNothing()
  await host.advance(2_000)
  assert.equal((await nurse.next()).childText('show'), 'xa')
  await nurse.receivesNothing()
})
