/** XEP-0198 §3, §4, §6 as wire scripts: enabling, acknowledgements both ways, counts that are wrong. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { TestHost } from '../testing/test-host.ts'
import type { TestHostOptions } from '../testing/test-host.ts'
import type { ScriptedEntity } from '../testing/scripted-entity.ts'
import { tinyPresence, TinyStore, Witness } from './testing/tiny-modules.ts'

const NS = "xmlns='urn:xmpp:sm:3'"
const ERRORS = "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"
const UNEXPECTED = `<failed ${NS}><unexpected-request ${ERRORS}/></failed>`
const JULIET = 'juliet@capulet.example/balcony'

let host: TestHost
let store: TinyStore
let witness: Witness
let romeo: ScriptedEntity
let juliet: ScriptedEntity

async function start(streamManagement: TestHostOptions['streamManagement'] = {}): Promise<void> {
  store = new TinyStore()
  witness = new Witness()
  host = await TestHost.start({
    accounts: ['romeo', 'juliet', 'nurse'], modules: [tinyPresence, store.module, witness.module], streamManagement,
  })
  romeo = await host.login('romeo', 'orchard')
  juliet = await host.login('juliet', 'balcony')
}
async function restart(streamManagement: TestHostOptions['streamManagement']): Promise<void> {
  await host.stop()
  await start(streamManagement)
}
beforeEach(() => start())
afterEach(() => host.stop())

const message = (id: string, to = JULIET) => `<message to='${to}' type='chat' id='${id}'><body>${id}</body></message>`
const toNurse = (id: string) => message(id, 'nurse@capulet.example')

async function enable(entity = juliet, attributes = ''): Promise<void> {
  entity.send(`<enable ${NS}${attributes}/>`)
  assert.equal((await entity.next()).name, 'enabled')
}

describe('XEP-0198 §3: enabling', () => {
  test('without resumption there is nothing to agree on', async () => {
    juliet.send(`<enable ${NS}/>`)
    await juliet.receives(`<enabled ${NS}/>`)
  })

  test('with resumption the stream gets a name and a time', async () => {
    juliet.send(`<enable ${NS} resume='true'/>`)
    await juliet.receives(`<enabled ${NS} id='{any}' resume='true' max='600'/>`)
  })

  test('a shorter time is granted, a longer one is not', async () => {
    romeo.send(`<enable ${NS} resume='1' max='60'/>`)
    await romeo.receives(`<enabled ${NS} id='{any}' resume='true' max='60'/>`)
    juliet.send(`<enable ${NS} resume='1' max='86400'/>`)
    await juliet.receives(`<enabled ${NS} id='{any}' resume='true' max='600'/>`)
  })

  test('names differ', async () => {
    const names = new Set<string | undefined>()
    for (const entity of [romeo, juliet]) {
      entity.send(`<enable ${NS} resume='true'/>`)
      names.add((await entity.next()).attribute('id'))
    }
    assert.equal(names.size, 2)
  })

  test('the place to come back to is named where one is configured', async () => {
    await restart({ location: 'edge1.capulet.example:5222' })
    juliet.send(`<enable ${NS} resume='true'/>`)
    await juliet.receives(`<enabled ${NS} id='{any}' resume='true' max='600' location='edge1.capulet.example:5222'/>`)
  })

  test('resumption can be turned off', async () => {
    await restart({ resumeMaxSeconds: 0 })
    juliet.send(`<enable ${NS} resume='true'/>`)
    await juliet.receives(`<enabled ${NS}/>`)
  })

  test('a second time is refused and ends the stream', async () => {
    await enable()
    juliet.send(`<enable ${NS}/>`)
    await juliet.receives(UNEXPECTED)
    assert.equal(juliet.closed, 'policy-violation')
    assert.deepEqual(witness.take(), ['unbound balcony lost'])
  })

  test('a wish that makes no sense is refused, and may be corrected', async () => {
    juliet.send(`<enable ${NS} resume='maybe'/>`)
    await juliet.receives(`<failed ${NS}><bad-request ${ERRORS}/></failed>`)
    await enable()
  })

  test('requests and counts before it, and resuming after binding, are unexpected', async () => {
    for (const element of ['r', "a h='0'", "resume previd='x' h='0'"]) {
      juliet.send(`<${element.replace(' ', ` ${NS} `).replace(/^r$/, `r ${NS}`)}/>`)
      await juliet.receives(UNEXPECTED)
    }
    assert.equal(juliet.closed, undefined)
  })

  test('an element of another kind ends the stream', async () => {
    juliet.send("<swoon xmlns='urn:example:verona'/>")
    await host.settle()
    assert.equal(juliet.closed, 'unsupported-stanza-type')
  })
})

describe('XEP-0198 §4: what the server handled', () => {
  test('only stanzas after enable are counted, and only stanzas', async () => {
    romeo.send('<presence/>')
    await enable(romeo)
    romeo.send(`<r ${NS}/>`)
    await romeo.receives(`<a ${NS} h='0'/>`)
    romeo.send(message('one'))
    romeo.send(`<r ${NS}/>`)
    romeo.send('<presence/>')
    romeo.send(`<iq type='get' id='v' to='capulet.example'><query xmlns='jabber:iq:version'/></iq>`)
    romeo.send(`<r ${NS}/>`)
    const answers = (await romeo.all()).filter(({ name }) => name === 'a').map((answer) => answer.attribute('h'))
    assert.deepEqual(answers, ['1', '3'])
  })

  test('what the edge answered by itself counts too, and its answer is a stanza of the stream', async () => {
    await enable(romeo)
    await host.answeredByEdge(romeo, "<iq type='result' id='s'/>")
    romeo.send(`<r ${NS}/>`)
    await romeo.receives("<iq type='result' id='s'/>", `<a ${NS} h='1'/>`)
    romeo.send(`<a ${NS} h='1'/>`)
    await host.settle()
    assert.equal(romeo.closed, undefined)
  })

  test('a message is not acknowledged before it is committed', async () => {
    await enable(romeo)
    store.isQuick = false
    romeo.send(toNurse('stored'))
    romeo.send(`<r ${NS}/>`)
    await romeo.receivesNothing()
    store.commit()
    await romeo.receives(`<a ${NS} h='1'/>`)
  })

  test('each request is answered when what it asks about is safe, commits in any order', async () => {
    await enable(romeo)
    store.isQuick = false
    for (const id of ['a', 'b', 'c']) romeo.send(toNurse(id))
    romeo.send(`<r ${NS}/>`)
    romeo.send('<presence/>')
    romeo.send(`<r ${NS}/>`)
    await host.settle()
    store.commit(2)
    await romeo.receivesNothing()
    store.commit()
    await romeo.receivesNothing()
    store.commit()
    // One count answers both: it covers the later request as well.
    await romeo.receives(`<a ${NS} h='4'/>`)
    await romeo.receivesNothing()
  })

  test('a request is not kept waiting by what came after it', async () => {
    await enable(romeo)
    store.isQuick = false
    romeo.send(toNurse('a'))
    romeo.send(`<r ${NS}/>`)
    romeo.send(toNurse('b'))
    await host.settle()
    store.commit()
    await romeo.receives(`<a ${NS} h='1'/>`)
    store.commit()
    await romeo.receivesNothing()
  })

  test('a failed commit is told as an error, and the count goes on', async () => {
    await enable(romeo)
    store.isQuick = false
    romeo.send(toNurse('lost'))
    romeo.send(`<r ${NS}/>`)
    await host.settle()
    store.fail()
    const [error, answer] = await romeo.all()
    assert.equal(error?.attribute('type'), 'error')
    assert.equal(answer?.attribute('h'), '1')
  })

  test('with durability async it is acknowledged at once', async () => {
    await restart({ durability: 'async' })
    await enable(romeo)
    store.isQuick = false
    romeo.send(toNurse('stored'))
    romeo.send(`<r ${NS}/>`)
    await romeo.receives(`<a ${NS} h='1'/>`)
  })
})

describe('XEP-0198 §4: what the client handled', () => {
  test('many stanzas of one turn are asked about once, and again only for what came after the answer', async () => {
    await enable()
    for (let i = 0; i < 20; i++) romeo.send(message(`m${i}`))
    await host.settle()
    assert.equal(juliet.ackRequests, 1)
    romeo.send(message('later'))
    await host.settle()
    assert.equal(juliet.ackRequests, 1)
    juliet.send(`<a ${NS} h='20'/>`)
    await host.settle()
    assert.equal(juliet.ackRequests, 2)
    juliet.send(`<a ${NS} h='21'/>`)
    await host.settle()
    assert.equal(juliet.ackRequests, 2)
    assert.equal(host.metrics.value('rollcall_unacked_stanzas'), 0)
    assert.equal(host.metrics.value('rollcall_unacked_bytes'), 0)
  })

  test('a client that answers without having handled anything is not asked for ever', async () => {
    await enable()
    romeo.send(message('one'))
    for (let i = 0; i < 5; i++) {
      await host.settle()
      juliet.send(`<a ${NS} h='0'/>`)
    }
    await host.settle()
    assert.equal(juliet.ackRequests, 1)
    assert.equal(host.metrics.value('rollcall_unacked_stanzas'), 1)
  })

  test('acknowledged messages are told to observers, in order, once', async () => {
    await enable()
    for (const id of ['one', 'two', 'three']) romeo.send(message(id))
    await host.settle()
    assert.deepEqual(witness.take(), [])
    juliet.send(`<a ${NS} h='2'/>`)
    juliet.send(`<a ${NS} h='2'/>`)
    juliet.send(`<a ${NS} h='1'/>`)
    juliet.send(`<a ${NS} h='3'/>`)
    await host.settle()
    assert.deepEqual(witness.take(), ['acked one balcony', 'acked two balcony', 'acked three balcony'])
    assert.equal(juliet.closed, undefined)
  })

  test('without stream management a message that is written counts', async () => {
    romeo.send(message('one'))
    await host.settle()
    assert.deepEqual(witness.take(), ['acked one balcony'])
  })

  test('the time to the answer is measured', async () => {
    await enable()
    romeo.send(message('one'))
    await host.advance(250)
    juliet.send(`<a ${NS} h='1'/>`)
    await host.settle()
    assert.deepEqual(host.metrics.observations('rollcall_ack_seconds'), [0.25])
  })
})

describe('XEP-0198 §6: counts that are wrong', () => {
  test('more than was sent ends stream and session, and says what is wrong', async () => {
    await enable(juliet, " resume='true'")
    for (let i = 0; i < 8; i++) romeo.send(message(`m${i}`))
    await host.settle()
    juliet.send(`<a ${NS} h='10'/>`)
    await host.settle()
    assert.equal(juliet.closed, 'undefined-condition')
    assert.equal(juliet.closeDetail, `<handled-count-too-high ${NS} h='10' send-count='8'/>`)
    assert.deepEqual(witness.take(), ['unbound balcony lost'])
    assert.equal(store.stored.length, 8)
  })

  test('a count that is missing or no number ends the stream', async () => {
    for (const h of ['', " h='-1'", " h='4294967296'", " h='all'"]) {
      const nurse = await host.login('nurse')
      await enable(nurse)
      nurse.send(`<a ${NS}${h}/>`)
      await host.settle()
      assert.equal(nurse.closed, 'bad-format', h)
    }
  })
})

describe('XEP-0198: bounds', () => {
  test('too many unacknowledged stanzas end the session, and its messages go on', async () => {
    await restart({ unackedStanzasMax: 5 })
    await enable()
    for (let i = 0; i < 7; i++) romeo.send(message(`m${i}`))
    await host.settle()
    assert.equal(juliet.closed, 'policy-violation')
    assert.deepEqual(store.stored.map((wire) => /id='(m\d)'/.exec(wire)?.[1]), ['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6'])
    assert.deepEqual(witness.take(), ['unbound balcony lost'])
    assert.equal(host.metrics.value('rollcall_unacked_overflows_total'), 1)
    assert.equal(host.metrics.value('rollcall_unacked_stanzas'), 0)
  })

  test('so do too many bytes', async () => {
    await restart({ unackedBytesMax: 1000 })
    await enable()
    romeo.send(`<message to='${JULIET}' type='chat' id='long'><body>${'O'.repeat(1000)}</body></message>`)
    await host.settle()
    assert.equal(juliet.closed, 'policy-violation')
    assert.equal(store.stored.length, 1)
  })

  test('a client that does not acknowledge is lost after the longest time when nothing is known of it', async () => {
    await enable(juliet, " resume='true'")
    romeo.send(message('one'))
    await host.advance(89_000)
    assert.equal(juliet.closed, undefined)
    await host.advance(2_000)
    assert.equal(juliet.closed, 'connection-timeout')
    assert.deepEqual(witness.take(), ['detached balcony'])
    assert.equal(host.metrics.value('rollcall_ack_timeouts_total'), 1)
  })

  test('one that used to be quick is lost sooner', async () => {
    await enable(juliet, " resume='true'")
    romeo.send(message('one'))
    await host.advance(100)
    juliet.send(`<a ${NS} h='1'/>`)
    // That it said something before it was asked does not count.
    juliet.send('<presence/>')
    await host.settle()
    romeo.send(message('two'))
    await host.advance(19_000)
    assert.equal(juliet.closed, undefined)
    await host.advance(3_000)
    assert.equal(juliet.closed, 'connection-timeout')
  })

  test('one that sends is there', async () => {
    await enable()
    romeo.send(message('one'))
    for (let i = 0; i < 10; i++) {
      await host.advance(15_000)
      juliet.send('<presence/>')
    }
    await host.settle()
    assert.equal(juliet.closed, undefined)
    await host.advance(120_000)
    assert.equal(juliet.closed, 'connection-timeout')
  })
})

test('headlines, requests and broadcasts that nobody acknowledged are not delivered to others', async () => {
  await enable()
  romeo.send(`<message to='${JULIET}' type='headline' id='news'/>`)
  romeo.send(`<iq to='${JULIET}' type='get' id='q'><query xmlns='urn:example:q'/></iq>`)
  romeo.send(`<iq to='${JULIET}' type='result' id='r'/>`)
  await host.settle()
  await host.disconnect(juliet, 'lost')
  await romeo.receives(`<iq from='${JULIET}' to='${romeo.jid.toString()}' type='error' id='q'>
    <error type='cancel'><service-unavailable ${ERRORS}/></error></iq>`)
  assert.deepEqual(store.stored, [])
})
