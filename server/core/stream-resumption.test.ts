/** XEP-0198 §5 and what follows from it, as wire scripts: lost connections, replay, sessions that end after all. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { defineModule, messageUnacked } from '@rollcall/module-api'
import type { AnyModule } from '@rollcall/module-api'
import { parseJid } from '@rollcall/jid'
import { TestHost } from '../testing/test-host.ts'
import type { TestHostOptions } from '../testing/test-host.ts'
import type { ScriptedEntity } from '../testing/scripted-entity.ts'
import { tinyPresence, TinyStore, Witness } from './testing/tiny-modules.ts'

const NS = "xmlns='urn:xmpp:sm:3'"
const ERRORS = "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"
const JULIET = 'juliet@capulet.example/balcony'
const BARE = 'juliet@capulet.example'
const NOT_FOUND = `<failed ${NS}><item-not-found ${ERRORS}/></failed>`

let host: TestHost
let store: TinyStore
let witness: Witness
let romeo: ScriptedEntity
let juliet: ScriptedEntity
/** Of juliet's stream. */
let previousId: string

async function start(options: Partial<TestHostOptions> = {}, extra: readonly AnyModule[] = []): Promise<void> {
  store = new TinyStore()
  witness = new Witness()
  host = await TestHost.start({
    accounts: ['romeo', 'juliet', 'nurse'], modules: [tinyPresence, store.module, witness.module, ...extra], ...options,
  })
  romeo = await host.login('romeo', 'orchard')
  juliet = await host.login('juliet', 'balcony')
  previousId = await enable(juliet)
}
async function restart(options: Partial<TestHostOptions>, extra: readonly AnyModule[] = []): Promise<void> {
  await host.stop()
  await start(options, extra)
}
beforeEach(() => start())
afterEach(() => host.stop())

async function enable(entity: ScriptedEntity, max = ''): Promise<string> {
  entity.send(`<enable ${NS} resume='true'${max}/>`)
  return (await entity.next()).attribute('id') ?? ''
}
const message = (id: string, to = JULIET, type = 'chat') => `<message to='${to}' type='${type}' id='${id}'><body>${id}</body></message>`
const got = (id: string, to = JULIET) => `<message from='${romeo.jid.toString()}' to='${to}' type='chat' id='${id}'><body>${id}</body></message>`
const late = (id: string, to = JULIET) => got(id, to).replace('</message>',
  "<delay xmlns='urn:xmpp:delay' from='capulet.example' stamp='{any}'>Not acknowledged</delay></message>")
const resumed = (h: number) => `<resumed ${NS} previd='${previousId}' h='${h}'/>`
const say = async (...ids: string[]) => {
  for (const id of ids) romeo.send(message(id))
  await host.settle()
}

describe('XEP-0198 §5: coming back', () => {
  test('what was sent and not acknowledged comes again, then what came meanwhile, then what is new', async () => {
    await say('one', 'two', 'three')
    await juliet.receives(got('one'), got('two'), got('three'))
    juliet.send('<presence><show>away</show></presence>')
    await host.disconnect(juliet, 'lost')
    await say('four')
    juliet = await host.resume('juliet', { previousId, handled: 1 })
    await say('five')
    await juliet.receives(resumed(1), got('two'), got('three'), got('four'), got('five'))
    await juliet.receivesNothing()
    assert.equal(juliet.jid.toString(), JULIET)
    assert.deepEqual(witness.take(), ['detached balcony', 'acked one balcony', 'resumed balcony'])
    assert.equal(host.metrics.value('rollcall_replayed_stanzas_total'), 3)
    assert.equal(host.metrics.value('rollcall_resumptions_total', { result: 'resumed' }), 1)
  })

  test('counts go on where they were, in both directions, and the client is asked', async () => {
    await say('one')
    juliet.send(message('a', romeo.jid.toString()))
    await host.disconnect(juliet, 'lost')
    juliet = await host.resume('juliet', { previousId, handled: 0 })
    await juliet.receives(resumed(1), got('one'))
    assert.equal(juliet.ackRequests, 1)
    juliet.send(message('b', romeo.jid.toString()))
    juliet.send(`<r ${NS}/>`)
    await juliet.receives(`<a ${NS} h='2'/>`)
    juliet.send(`<a ${NS} h='2'/>`)
    await host.settle()
    assert.equal(juliet.closed, 'undefined-condition')
  })

  test('on another edge, several times', async () => {
    for (const [i, edge] of (['edge-2', 'edge', 'edge-2'] as const).entries()) {
      await say(`m${i}`)
      await host.disconnect(juliet, 'lost')
      juliet = await host.resume('juliet', { previousId, handled: i, edge })
      await juliet.receives(resumed(0), got(`m${i}`))
      await say(`live${i}`)
      await juliet.receives(got(`live${i}`))
      juliet.send(`<a ${NS} h='${2 * i + 2}'/>`)
      await host.settle()
      if (i < 2) {
        await host.disconnect(juliet, 'lost')
        juliet = await host.resume('juliet', { previousId, handled: 2 * i + 2, edge })
        await juliet.receives(resumed(0))
        juliet.send(`<a ${NS} h='${2 * i + 2}'/>`)
      }
      if (i === 0) break
    }
    assert.equal(juliet.closed, undefined)
  })

  test('while the old connection still seems to be there: that one is closed with a conflict', async () => {
    await say('one')
    const old = juliet
    juliet = await host.resume('juliet', { previousId, handled: 0, edge: 'edge-2' })
    assert.equal(old.closed, 'conflict')
    await juliet.receives(resumed(0), got('one'))
    // What the old one still says, and its end, mean nothing any more.
    old.send(message('ghost', romeo.jid.toString()))
    await host.disconnect(old, 'closed')
    await romeo.receivesNothing()
    await say('two')
    await juliet.receives(got('two'))
  })

  test('a stanza that is handled but not committed is waited for, so that the client does not send it twice', async () => {
    store.isQuick = false
    juliet.send(message('kept', 'nurse@capulet.example'))
    await host.disconnect(juliet, 'lost')
    const coming = host.resume('juliet', { previousId, handled: 0 })
    await host.settle()
    assert.deepEqual(witness.take(), ['detached balcony'])
    store.commit()
    juliet = await coming
    await juliet.receives(resumed(1))
  })

  test('of two attempts at once the newer wins', async () => {
    store.isQuick = false
    juliet.send(message('kept', 'nurse@capulet.example'))
    await host.disconnect(juliet, 'lost')
    const attempts = [host.resume('juliet', { previousId, handled: 0 }), host.resume('juliet', { previousId, handled: 0 })]
    await host.settle()
    store.commit()
    const [first, second] = await Promise.all(attempts)
    await first?.receives(NOT_FOUND)
    await second?.receives(resumed(1))
  })

  test('what a module keeps back for the session stays kept back', async () => {
    const session = host.core.accounts.warm(parseJid(BARE))?.sessions.get('balcony')
    const hold = session?.hold()
    await say('live')
    await host.disconnect(juliet, 'lost')
    juliet = await host.resume('juliet', { previousId, handled: 0 })
    await juliet.receives(resumed(0))
    hold?.release()
    await juliet.receives(got('live'))
  })

  test('counters wrap at 2^32', async () => {
    const snapshot = host.core.handOver(parseJid(BARE))
    assert.ok(snapshot)
    const sessions = snapshot.sessions.map((session) =>
      session.stream === undefined ? session : { ...session, stream: { ...session.stream, handled: 2 ** 32 - 1, acked: 2 ** 32 - 2 } })
    await host.core.takeOver({ ...snapshot, sessions })
    await say('one', 'two', 'three')
    juliet.send(`<a ${NS} h='4294967295'/>`)
    juliet.send('<presence/>')
    juliet.send(`<r ${NS}/>`)
    await juliet.receives(got('one'), got('two'), got('three'), `<a ${NS} h='0'/>`)
    await host.disconnect(juliet, 'lost')
    juliet = await host.resume('juliet', { previousId, handled: 0 })
    await juliet.receives(resumed(0), got('three'))
    juliet.send(`<a ${NS} h='1'/>`)
    await host.settle()
    assert.equal(juliet.closed, undefined)
    juliet.send(`<a ${NS} h='2'/>`)
    await host.settle()
    assert.equal(juliet.closed, 'undefined-condition')
  })
})

describe('XEP-0198 §5: what cannot be resumed', () => {
  test('a name that nobody has, or that another account has', async () => {
    for (const [localpart, id] of [['juliet', 'x'], ['juliet', ''], ['romeo', previousId], ['nurse', previousId], ['nobody', 'x']] as const) {
      await (await host.resume(localpart, { previousId: id, handled: 0 })).receives(NOT_FOUND)
    }
    await say('one')
    await juliet.receives(got('one'))
    assert.equal(host.metrics.value('rollcall_resumptions_total', { result: 'unknown' }), 5)
  })

  test('a session without resumption', async () => {
    romeo.send(`<enable ${NS}/>`)
    await romeo.receives(`<enabled ${NS}/>`)
    await host.disconnect(romeo, 'lost')
    assert.deepEqual(witness.take(), ['unbound orchard lost'])
  })

  test('one that has waited too long: how much was handled is said, to its account only', async () => {
    juliet.send('<presence/>')
    await host.disconnect(juliet, 'lost')
    await host.advance(599_000)
    assert.deepEqual(witness.take(), ['detached balcony'])
    assert.equal(host.metrics.value('rollcall_sessions_detached'), 1)
    await host.advance(2_000)
    assert.deepEqual(witness.take(), ['unbound balcony lost'])
    assert.equal(host.metrics.value('rollcall_sessions_detached'), 0)
    await (await host.resume('juliet', { previousId, handled: 0 })).receives(`<failed ${NS} h='1'><item-not-found ${ERRORS}/></failed>`)
    await (await host.resume('romeo', { previousId, handled: 0 })).receives(NOT_FOUND)
  })

  test('each waits as long as it was told', async () => {
    const nurse = await host.login('nurse')
    await enable(nurse, " max='30'")
    await host.disconnect(juliet, 'lost')
    await host.disconnect(nurse, 'lost')
    await host.advance(31_000)
    assert.deepEqual(witness.take(), ['detached balcony', 'detached orchard', 'unbound orchard lost'])
  })

  test('only so many ended ones are remembered', async () => {
    await restart({ streamManagement: { endedSessionsKept: 1 } })
    const nurse = await host.login('nurse')
    const other = await enable(nurse)
    await host.disconnect(juliet)
    await host.disconnect(nurse)
    await (await host.resume('juliet', { previousId, handled: 0 })).receives(NOT_FOUND)
    await (await host.resume('nurse', { previousId: other, handled: 0 })).receives(`<failed ${NS} h='0'><item-not-found ${ERRORS}/></failed>`)
  })

  test('a count above what was sent ends the new stream and leaves the session alone', async () => {
    await say('one')
    const hostile = await host.resume('juliet', { previousId, handled: 3 })
    assert.equal(hostile.closed, 'undefined-condition')
    assert.equal(hostile.closeDetail, `<handled-count-too-high ${NS} h='3' send-count='1'/>`)
    assert.equal(juliet.closed, undefined)
    assert.equal(host.metrics.value('rollcall_resumptions_total', { result: 'refused' }), 1)
  })

  test('a count below what was acknowledged: the stanzas between are gone', async () => {
    await say('one', 'two')
    juliet.send(`<a ${NS} h='2'/>`)
    await host.disconnect(juliet, 'lost')
    await (await host.resume('juliet', { previousId, handled: 1 })).receives(`<failed ${NS} h='0'><item-not-found ${ERRORS}/></failed>`)
    await (await host.resume('juliet', { previousId, handled: 2 })).receives(resumed(0))
  })
})

describe('sessions that wait for their client', () => {
  test('end at once when the client closes its stream (§7)', async () => {
    await host.disconnect(juliet, 'closed')
    assert.deepEqual(witness.take(), ['unbound balcony closed'])
  })

  test('make room for a new one of the same resource', async () => {
    await host.disconnect(juliet, 'lost')
    const fresh = await host.connect('juliet', 'balcony')
    assert.deepEqual(witness.take(), ['detached balcony', 'unbound balcony replaced'])
    await (await host.resume('juliet', { previousId, handled: 0 })).receives(`<failed ${NS} h='0'><item-not-found ${ERRORS}/></failed>`)
    await say('one')
    await fresh.receives(got('one'))
  })

  test('make room for a new one when the account has too many, the longest waiting first', async () => {
    await restart({ limits: { sessionsPerAccountMax: 3 } })
    const others = [await host.login('juliet', 'chamber'), await host.login('juliet', 'tomb')]
    for (const other of others) await enable(other)
    await assert.rejects(host.connect('juliet', 'garden'), /resource-constraint/)
    await host.disconnect(others[1] as ScriptedEntity, 'lost')
    await host.advance(10)
    await host.disconnect(juliet, 'lost')
    await host.connect('juliet', 'garden')
    assert.deepEqual(witness.take(), ['detached tomb', 'detached balcony', 'unbound tomb replaced'])
  })

  test('are limited in number', async () => {
    await restart({ streamManagement: { detachedSessionsMax: 1 } })
    await enable(romeo)
    await host.disconnect(juliet, 'lost')
    await host.disconnect(romeo, 'lost')
    assert.deepEqual(witness.take(), ['detached balcony', 'unbound orchard lost'])
  })

  test('end when too much waits for them', async () => {
    await restart({ streamManagement: { unackedStanzasMax: 2 } })
    await host.disconnect(juliet, 'lost')
    await say('one', 'two', 'three')
    assert.deepEqual(witness.take(), ['detached balcony', 'unbound balcony lost'])
    assert.equal(store.stored.length, 3)
  })

  test('end when a module ends them', async () => {
    await host.disconnect(juliet, 'lost')
    host.core.accounts.warm(parseJid(BARE))?.sessions.get('balcony')?.close('policy-violation')
    await host.settle()
    assert.deepEqual(witness.take(), ['detached balcony', 'unbound balcony lost'])
  })

  test('end with their account', async () => {
    await host.disconnect(juliet, 'lost')
    await say('one')
    await host.core.admin.remove(parseJid(BARE))
    assert.deepEqual(witness.take(), ['detached balcony', 'unbound balcony removed'])
    assert.deepEqual(store.stored, [])
  })
})

describe('XEP-0198 §4: messages of a session that ended', () => {
  test('go to the resources that are there, stamped, in order', async () => {
    const chamber = await host.login('juliet', 'chamber')
    await say('one', 'two', 'three')
    juliet.send(`<a ${NS} h='1'/>`)
    await host.disconnect(juliet, 'lost')
    await host.advance(601_000)
    await chamber.receives(late('two'), late('three'))
    assert.deepEqual(store.stored, [])
    assert.deepEqual(witness.take(), ['acked one balcony', 'detached balcony', 'unbound balcony lost', 'acked two chamber', 'acked three chamber'])
  })

  test('with nobody there are stored with the time at which they came', async () => {
    await say('one')
    await host.disconnect(juliet, 'closed')
    assert.match(store.stored[0] ?? '', /<delay xmlns='urn:xmpp:delay' from='capulet.example' stamp='2024-01-01T00:00:00Z'>/)
  })

  test('are not given twice to a resource that got them', async () => {
    const chamber = await host.login('juliet', 'chamber')
    romeo.send(message('both', BARE))
    await chamber.receives(got('both', BARE))
    await juliet.receives(got('both', BARE))
    await host.disconnect(juliet)
    await chamber.receivesNothing()
    assert.deepEqual(store.stored, [])
  })

  test('of several that end the last one’s are stored', async () => {
    const chamber = await host.login('juliet', 'chamber')
    await enable(chamber)
    romeo.send(message('both', BARE))
    await host.settle()
    await host.disconnect(juliet)
    assert.equal(store.stored.length, 0)
    await host.disconnect(chamber)
    assert.equal(store.stored.length, 1)
  })

  test('addressed to it alone and no chat are refused', async () => {
    romeo.send(message('normal', JULIET, 'normal'))
    await host.settle()
    await host.disconnect(juliet)
    await romeo.receives(`<message from='${JULIET}' to='${romeo.jid.toString()}' type='error' id='normal'>
      <error type='cancel'><service-unavailable ${ERRORS}/></error></message>`)
  })

  test('that a hold kept back are handed on as well', async () => {
    host.core.accounts.warm(parseJid(BARE))?.sessions.get('balcony')?.hold()
    await say('one')
    await host.disconnect(juliet)
    assert.equal(store.stored.length, 1)
  })

  test('are left to whoever has them safe', async () => {
    const claimed: string[] = []
    const keeper = defineModule({
      name: 'keeper', summary: 'Has everything safe.', implements: [],
      setup({ on }) {
        on(messageUnacked, 'normal', ({ stanza, session, at }) => {
          claimed.push(`${stanza.id} ${session.jid.resourcepart} ${at - host.clock.now()}`)
          return stanza.id !== 'unsafe'
        })
      },
    })
    await restart({}, [keeper])
    await say('safe', 'unsafe')
    await host.disconnect(juliet)
    assert.deepEqual(claimed, ['safe balcony 0', 'unsafe balcony 0'])
    assert.equal(store.stored.length, 1)
  })

  test('are stored before the server has stopped', async () => {
    const chamber = await host.login('juliet', 'chamber')
    await enable(chamber)
    store.isQuick = false
    romeo.send(message('both', BARE))
    await say('one')
    let isStopped = false
    const stop = async (): Promise<void> => {
      await host.core.stop()
      isStopped = true
    }
    const stopping = stop()
    await host.settle()
    assert.equal(store.stored.length, 2)
    assert.equal(isStopped, false)
    store.commit()
    store.commit()
    await stopping
    await start()
  })
})

describe('hand-over to another core', () => {
  test('takes the stream along: counters, what is not acknowledged, the name, and what is left of the time', async () => {
    await say('one', 'two')
    juliet.send(`<a ${NS} h='1'/>`)
    juliet.send('<presence/>')
    await host.disconnect(juliet, 'lost')
    await host.advance(300_000)
    await host.core.settled(parseJid(BARE))
    const snapshot = host.core.handOver(parseJid(BARE))
    assert.ok(snapshot)
    assert.equal(host.metrics.value('rollcall_unacked_stanzas'), 0)
    assert.equal(host.metrics.value('rollcall_sessions_detached'), 0)
    await host.core.takeOver(JSON.parse(JSON.stringify(snapshot)) as typeof snapshot)
    assert.equal(host.metrics.value('rollcall_unacked_stanzas'), 1)
    await say('three')
    juliet = await host.resume('juliet', { previousId, handled: 1, edge: 'edge-2' })
    await juliet.receives(resumed(1), got('two'), got('three'))
    await host.disconnect(juliet, 'lost')
    await host.core.takeOver(JSON.parse(JSON.stringify(host.core.handOver(parseJid(BARE)))) as typeof snapshot)
    await host.advance(601_000)
    assert.deepEqual(store.stored.map((wire) => /id='(\w+)'/.exec(wire)?.[1]), ['two', 'three'])
  })

  test('does not prolong the wait', async () => {
    await host.disconnect(juliet, 'lost')
    await host.advance(300_000)
    const snapshot = host.core.handOver(parseJid(BARE))
    assert.ok(snapshot)
    await host.core.takeOver(snapshot)
    witness.take()
    await host.advance(301_000)
    assert.deepEqual(witness.take(), ['unbound balcony lost'])
  })

  test('leaves a client that is connected alone, and its unanswered stanzas are asked about again', async () => {
    await say('one')
    const snapshot = host.core.handOver(parseJid(BARE))
    assert.ok(snapshot)
    await host.core.takeOver(snapshot)
    await say('two')
    assert.equal(juliet.ackRequests, 2)
    juliet.send(`<a ${NS} h='2'/>`)
    await host.settle()
    assert.equal(host.metrics.value('rollcall_unacked_stanzas'), 0)
    await juliet.receives(got('one'), got('two'))
  })
})
