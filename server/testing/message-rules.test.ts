/**
 * Receipts (XEP-0184), markers (XEP-0333) and hints (XEP-0334): what clients say to each other about messages, and what they
 * ask servers to do with them. No module has these for itself: routing, copies and archive each do their part, so this
 * looks at all of them together.
 */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { XmlElement } from '@rollcall/xml'
import archive from '../../modules/archive/module.ts'
import carbons from '../../modules/carbons/module.ts'
import presence from '../../modules/presence/module.ts'
import roster from '../../modules/roster/module.ts'
import type { ScriptedEntity } from './scripted-entity.ts'
import { TestHost } from './test-host.ts'

const JULIET = 'juliet@capulet.example'
const NURSE = 'nurse@capulet.example'
const NS_CARBONS = 'urn:xmpp:carbons:2'
const NS_ARCHIVE = 'urn:xmpp:mam:2'
const SM = `xmlns='urn:xmpp:sm:3'`
const HINTS = `xmlns='urn:xmpp:hints'`
const request = `<request xmlns='urn:xmpp:receipts'/>`
const receipt = (id: string) => `<received xmlns='urn:xmpp:receipts' id='${id}'/>`
const displayed = (id: string) => `<displayed xmlns='urn:xmpp:chat-markers:0' id='${id}'/>`

let host: TestHost
/** Juliet's, both with carbons. */
let balcony: ScriptedEntity
let chamber: ScriptedEntity
/** The nurse's, both with carbons. */
let kitchen: ScriptedEntity
let hall: ScriptedEntity

beforeEach(async () => {
  host = await TestHost.start({ accounts: ['juliet', 'nurse'], modules: [roster, presence, carbons, archive] })
  balcony = await enter('juliet', 'balcony')
  chamber = await enter('juliet', 'chamber')
  kitchen = await enter('nurse', 'kitchen')
  hall = await enter('nurse', 'hall')
  for (const entity of everybody()) entity.clear()
})
afterEach(() => host.stop())

const everybody = () => [balcony, chamber, kitchen, hall]

async function enter(localpart: string, resource: string): Promise<ScriptedEntity> {
  const entity = await host.login(localpart, resource)
  await entity.request(`<iq type='set' id='c'><enable xmlns='${NS_CARBONS}'/></iq>`)
  return entity
}
function say(sender: ScriptedEntity, to: string, id: string, content: string, type = 'chat'): void {
  sender.send(`<message to='${to}' type='${type}' id='${id}'>${content}</message>`)
}
/** `id` for a message, `sent id` and `received id` for copies, `error id` for errors. */
function summaryOf(message: XmlElement): string {
  const copy = message.child('sent', NS_CARBONS) ?? message.child('received', NS_CARBONS)
  const inner = copy?.child('forwarded', 'urn:xmpp:forward:0')?.child('message', 'jabber:client')
  if (copy !== undefined) return `${copy.name} ${inner?.attribute('id')}`
  return `${message.attribute('type') === 'error' ? 'error ' : ''}${message.attribute('id')}`
}
async function messagesOf(...entities: readonly ScriptedEntity[]): Promise<string[][]> {
  return Promise.all(entities.map(async (entity) => (await entity.all()).filter(({ name }) => name === 'message').map(summaryOf)))
}
/** Ids of the messages in the archive of the entity's account. */
async function archiveOf(entity: ScriptedEntity): Promise<string[]> {
  entity.send(`<iq type='set' id='q'><query xmlns='${NS_ARCHIVE}'/></iq>`)
  const results = (await entity.all()).map((found) => found.child('result', NS_ARCHIVE)).filter((found) => found !== undefined)
  return results.map((result) => result.child('forwarded', 'urn:xmpp:forward:0')?.child('message', 'jabber:client')?.attribute('id') ?? '')
}
async function leave(...entities: readonly ScriptedEntity[]): Promise<void> {
  for (const entity of entities) await host.disconnect(entity)
  for (const entity of everybody()) entity.clear()
}

describe('XEP-0184: receipts', () => {
  test('one goes to the client that asked, as copies to the others of both, and into both archives (XEP-0280 §6.1, XEP-0313 §6.1.1)', async () => {
    say(kitchen, JULIET, 'm1', `<body>Madam!</body>${request}`)
    assert.deepEqual(await messagesOf(...everybody()), [['m1'], ['m1'], [], ['sent m1']])
    say(balcony, `${NURSE}/kitchen`, 'r1', receipt('m1'))
    assert.deepEqual(await messagesOf(...everybody()), [[], ['sent r1'], ['r1'], ['received r1']])
    assert.deepEqual([await archiveOf(balcony), await archiveOf(kitchen)], [['m1', 'r1'], ['m1', 'r1']])
  })

  test('every client that got the message may send one (§5.1)', async () => {
    say(kitchen, JULIET, 'm1', `<body>Madam!</body>${request}`)
    await messagesOf(...everybody())
    for (const [entity, id] of [[balcony, 'r1'], [chamber, 'r2']] as const) say(entity, `${NURSE}/kitchen`, id, receipt('m1'))
    assert.deepEqual(await messagesOf(kitchen), [['r1', 'r2']])
  })

  test('one for a client that is gone goes to the others as a chat message does (RFC 6121 §8.5.3.2.1)', async () => {
    await leave(kitchen)
    say(balcony, `${NURSE}/kitchen`, 'r1', receipt('m1'))
    assert.deepEqual(await messagesOf(hall, balcony), [['r1'], []])
    say(balcony, `${NURSE}/kitchen`, 'r2', receipt('m1'), 'normal')
    assert.deepEqual(await messagesOf(hall, balcony), [[], ['error r2']])
  })

  test('one for somebody who is away waits, and is in the archive', async () => {
    await leave(kitchen, hall)
    say(balcony, `${NURSE}/kitchen`, 'r1', receipt('m1'))
    assert.deepEqual(await messagesOf(balcony), [[]])
    hall = await host.connect('nurse', 'hall')
    hall.send('<presence/>')
    assert.deepEqual(await messagesOf(hall), [['r1']])
    assert.deepEqual(await archiveOf(hall), ['r1'])
  })

  test('the server sends none in anybody’s place', async () => {
    say(kitchen, 'capulet.example', 'm1', `<body>O</body>${request}`)
    await leave(balcony, chamber)
    say(kitchen, JULIET, 'm2', `<body>Madam!</body>${request}`)
    say(kitchen, 'rosencrantz@capulet.example', 'm3', `<body>Who is there?</body>${request}`)
    assert.deepEqual(await messagesOf(kitchen), [['error m3']])
  })
})

describe('XEP-0333: markers', () => {
  test('one to the account reaches all clients, as copies the others of the sender, and both archives (§4)', async () => {
    say(kitchen, JULIET, 'm1', `<body>Madam!</body><markable xmlns='urn:xmpp:chat-markers:0'/>`)
    await messagesOf(...everybody())
    for (const [id, type] of [['d1', 'chat'], ['d2', 'normal']] as const) {
      say(balcony, NURSE, id, displayed('m1'), type)
      assert.deepEqual(await messagesOf(...everybody()), [[], [`sent ${id}`], [id], [id]])
    }
    assert.deepEqual([await archiveOf(balcony), await archiveOf(kitchen)], [['m1', 'd1', 'd2'], ['m1', 'd1', 'd2']])
  })

  test('one for somebody who is away waits; with no-store it is dropped, which is no error', async () => {
    await leave(kitchen, hall)
    say(balcony, NURSE, 'd1', displayed('m1'))
    say(balcony, NURSE, 'd2', `${displayed('m2')}<no-store ${HINTS}/>`)
    assert.deepEqual(await messagesOf(balcony, chamber), [[], ['sent d1', 'sent d2']])
    hall = await host.connect('nurse', 'hall')
    hall.send('<presence/>')
    assert.deepEqual(await messagesOf(hall), [['d1']])
  })
})

describe('XEP-0334: hints', () => {
  test('no-copy to one client: no copies on either side, yet archived (§4.3)', async () => {
    say(kitchen, `${JULIET}/balcony`, 'm1', `<body>Hist!</body><no-copy ${HINTS}/>`)
    assert.deepEqual(await messagesOf(...everybody()), [['m1'], [], [], []])
    assert.deepEqual([await archiveOf(balcony), await archiveOf(kitchen)], [['m1'], ['m1']])
  })

  test('no-store: delivered and copied, and in nobody’s archive (§4.2)', async () => {
    say(kitchen, `${JULIET}/balcony`, 'm1', `<body>Hist!</body><no-store ${HINTS}/>`)
    assert.deepEqual(await messagesOf(...everybody()), [['m1'], ['received m1'], [], ['sent m1']])
    assert.deepEqual([await archiveOf(balcony), await archiveOf(kitchen)], [[], []])
  })

  test('no-store to a client whose connection is lost: it gets it when it resumes', async () => {
    balcony.send(`<enable ${SM} resume='true'/>`)
    const previousId = (await balcony.next()).attribute('id') ?? ''
    await host.disconnect(balcony, 'lost')
    say(kitchen, `${JULIET}/balcony`, 'm1', `<body>Hist!</body><no-store ${HINTS}/>`)
    await host.settle()
    balcony.clear()
    balcony = await host.resume('juliet', { previousId, handled: 0 })
    assert.deepEqual(await messagesOf(balcony), [['m1']])
    assert.deepEqual(await archiveOf(chamber), [])
  })

  test('no-store to a client that never comes back, with nobody else there: the sender is told, nothing is kept', async () => {
    await leave(chamber)
    balcony.send(`<enable ${SM} resume='true' max='60'/>`)
    await host.disconnect(balcony, 'lost')
    say(kitchen, `${JULIET}/balcony`, 'm1', `<body>Hist!</body><no-store ${HINTS}/>`)
    assert.deepEqual(await messagesOf(kitchen), [[]])
    await host.advance(62_000)
    assert.deepEqual(await messagesOf(kitchen), [['error m1']])
    chamber = await host.connect('juliet', 'chamber')
    chamber.send('<presence/>')
    assert.deepEqual(await messagesOf(chamber), [[]])
    assert.deepEqual(await archiveOf(chamber), [])
  })

  test('no-permanent-store: waits for who is away, once, and is in nobody’s archive (§4.1)', async () => {
    await leave(balcony, chamber)
    say(kitchen, JULIET, 'm1', `<body>Off the record.</body><no-permanent-store ${HINTS}/>`)
    await host.settle()
    balcony = await host.connect('juliet', 'balcony')
    balcony.send('<presence/>')
    assert.deepEqual(await messagesOf(balcony), [['m1']])
    chamber = await host.connect('juliet', 'chamber')
    chamber.send('<presence/>')
    assert.deepEqual(await messagesOf(chamber), [[]])
    assert.deepEqual([await archiveOf(balcony), await archiveOf(kitchen)], [[], []])
  })

  test('store: waits and is archived though it says nothing by itself (§4.4)', async () => {
    await leave(balcony, chamber)
    say(kitchen, JULIET, 'm1', `<thread>t</thread><store ${HINTS}/>`)
    say(kitchen, JULIET, 'm2', `<thread>t</thread>`)
    await host.settle()
    balcony = await host.connect('juliet', 'balcony')
    balcony.send('<presence/>')
    assert.deepEqual(await messagesOf(balcony), [['m1']])
    assert.deepEqual([await archiveOf(balcony), await archiveOf(kitchen)], [['m1'], ['m1']])
  })
})
