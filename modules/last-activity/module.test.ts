/** XEP-0012 as wire scripts. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { defineModule } from '@rollcall/module-api'
import { jidOf } from '@rollcall/jid'
import { FAKE_CLOCK_START_MS } from '@rollcall/testing'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import { answers, refuses, subscribe } from '../disco/testing/stage.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import lastActivity from './module.ts'
import { LastActivity } from './port.ts'

const modules = [roster, presence, lastActivity]
const JULIET = 'juliet@capulet.example'
const ask = (to: string) => `<iq type='get' id='l1' to='${to}'><query xmlns='jabber:iq:last'/></iq>`
const toNurse = (from: string, query: string) => `<iq type='result' id='l1' from='${from}' to='nurse@capulet.example/hall'>${query}</iq>`

let host: TestHost
let nurse: ScriptedEntity
let juliet: ScriptedEntity

beforeEach(async () => {
  host = await TestHost.start({ accounts: ['juliet', 'nurse'], modules })
  nurse = await host.login('nurse', 'hall')
  juliet = await host.login('juliet', 'balcony')
})
afterEach(() => host.stop())

describe('XEP-0012 §3: an account', () => {
  beforeEach(() => subscribe(host, nurse, juliet))

  test('that is offline: seconds since its last session ended, with its last status', async () => {
    juliet.send("<presence type='unavailable'><status>To the friar&apos;s cell</status></presence>")
    await host.advance(5_000)
    await host.disconnect(juliet)
    await host.advance(903_700)
    await answers(nurse, ask(JULIET), toNurse(JULIET, "<query xmlns='jabber:iq:last' seconds='903'>To the friar's cell</query>"))
  })
  test('that was lost without a word has no status', async () => {
    await host.disconnect(juliet, 'lost')
    await host.advance(60_000)
    await answers(nurse, ask(JULIET), toNurse(JULIET, "<query xmlns='jabber:iq:last' seconds='60'/>"))
  })
  test('that came back after a farewell and was lost has no old status', async () => {
    juliet.send("<presence type='unavailable'><status>Farewell</status></presence>")
    juliet.send('<presence/>')
    await host.disconnect(juliet, 'lost')
    await answers(nurse, ask(JULIET), toNurse(JULIET, "<query xmlns='jabber:iq:last' seconds='0'/>"))
  })
  test('with a connected resource: 0, available or not, and nothing of earlier times', async () => {
    await host.disconnect(juliet)
    await host.advance(60_000)
    const chamber = await host.connect('juliet', 'chamber')
    await host.advance(60_000)
    await answers(nurse, ask(JULIET), toNurse(JULIET, "<query xmlns='jabber:iq:last' seconds='0'/>"))
    await answers(chamber, "<iq type='get' id='l1'><query xmlns='jabber:iq:last'/></iq>",
      "<iq type='result' id='l1' to='juliet@capulet.example/chamber'><query xmlns='jabber:iq:last' seconds='0'/></iq>")
  })
  test('counts from the end of its last resource', async () => {
    const chamber = await host.login('juliet', 'chamber')
    await host.disconnect(juliet)
    await host.advance(60_000)
    await host.disconnect(chamber)
    await host.advance(7_000)
    await answers(nurse, ask(JULIET), toNurse(JULIET, "<query xmlns='jabber:iq:last' seconds='7'/>"))
  })
  test('is remembered over a restart, which itself ends all sessions', async () => {
    const { storage } = host
    await host.stop()
    host = await TestHost.start({ accounts: ['juliet', 'nurse'], modules, storage })
    nurse = await host.login('nurse', 'hall')
    await host.advance(30_000)
    await answers(nurse, ask(JULIET), toNurse(JULIET, "<query xmlns='jabber:iq:last' seconds='30'/>"))
  })
  test('a wall clock that was set back makes no negative time', async () => {
    await host.disconnect(juliet)
    host.clock.jumpWall(-3_600_000)
    await answers(nurse, ask(JULIET), toNurse(JULIET, "<query xmlns='jabber:iq:last' seconds='0'/>"))
  })
})

describe('XEP-0012 §3, §4 and §8: who may not see the presence', () => {
  test('gets forbidden from an account, online or not', async () => {
    await refuses(nurse, ask(JULIET), 'forbidden', 'auth')
    await host.disconnect(juliet)
    await refuses(nurse, ask(JULIET), 'forbidden', 'auth')
  })
  test('gets one answer from every full JID, connected or not, and no client sees the question', async () => {
    await refuses(nurse, ask(`${JULIET}/balcony`), 'service-unavailable', 'cancel')
    await refuses(nurse, ask(`${JULIET}/elsewhere`), 'service-unavailable', 'cancel')
    await juliet.receivesNothing()
    await host.disconnect(juliet)
    await refuses(nurse, ask(`${JULIET}/balcony`), 'service-unavailable', 'cancel')
    await refuses(nurse, ask('tybalt@capulet.example/street'), 'service-unavailable', 'cancel')
  })
})

describe('XEP-0012 §4: a resource', () => {
  test('answers itself to those who may see its presence', async () => {
    await subscribe(host, nurse, juliet)
    nurse.send(ask(`${JULIET}/balcony`))
    await juliet.receives(`<iq type='get' id='l1' from='nurse@capulet.example/hall' to='${JULIET}/balcony'><query xmlns='jabber:iq:last'/></iq>`)
    juliet.send("<iq type='result' id='l1' to='nurse@capulet.example/hall'><query xmlns='jabber:iq:last' seconds='123'/></iq>")
    await nurse.receives(toNurse(`${JULIET}/balcony`, "<query xmlns='jabber:iq:last' seconds='123'/>"))
  })
  test('is asked by the other resources of its account', async () => {
    const chamber = await host.login('juliet', 'chamber')
    juliet.clear()
    chamber.send(ask(`${JULIET}/balcony`))
    assert.equal((await juliet.next()).attribute('from'), `${JULIET}/chamber`)
  })
  test('that is not there: the answer of RFC 6121 §8.5.3.2.3', async () => {
    await subscribe(host, nurse, juliet)
    await refuses(nurse, ask(`${JULIET}/elsewhere`), 'service-unavailable', 'cancel')
  })
})

describe('XEP-0012 §5: a host', () => {
  test('tells for how long it has been up', async () => {
    await host.advance(123_456_789)
    await answers(nurse, ask('capulet.example'), toNurse('capulet.example', "<query xmlns='jabber:iq:last' seconds='123456'/>"))
  })
})

describe('an account that was never connected', () => {
  test('counts from its creation, and is not found when that is not known', async () => {
    await host.stop()
    let port: LastActivity | undefined
    const reader = defineModule({
      name: 'reader', summary: 'Reads.', implements: [], needs: { last: LastActivity }, setup({ ports }) { port = ports.last },
    })
    host = await TestHost.start({ accounts: ['nurse', 'old'], modules: [...modules, reader] })
    await host.core.admin.create(jidOf('susan', 'capulet.example'), 'susan')
    await host.settle()
    assert.deepEqual(await port?.lastSeen(jidOf('susan', 'capulet.example')), { at: FAKE_CLOCK_START_MS })
    nurse = await host.login('nurse', 'hall')
    const old = await host.login('old', 'bench')
    await subscribe(host, nurse, old)
    const { storage } = host
    await host.disconnect(old)
    await storage.write([{ op: 'keyval-delete', store: 'last_activity', owner: 'old@capulet.example' }])
    await refuses(nurse, ask('old@capulet.example'), 'item-not-found', 'cancel')
  })
})
