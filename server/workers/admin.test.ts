/** Commands of administrators, whose accounts one member owns, about accounts of all members (XEP-0133). */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { HOST } from '../edge/testing/edge-harness.ts'
import type { RawClient } from '../edge/testing/edge-harness.ts'
import { modules } from '../modules.generated.ts'
import { Town } from './testing/town.ts'

const ADMIN = 'http://jabber.org/protocol/admin'

let town: Town
let prince: RawClient
let serial = 0

beforeEach(async () => {
  town = await Town.start({ modules, members: 3, admins: ['prince'], accounts: ['prince'], options: { 'web-push': { enabled: false } } })
  prince = await come('prince', town.ownerOf('prince'))
})
afterEach(() => town.stop())

/** An available client of an account that is made when it is not there. */
async function come(name: string, edge = 'worker-1'): Promise<RawClient> {
  await town.createAccount(name).catch(() => {})
  const client = await town.connect(edge, name)
  client.send('<presence/>')
  await client.read(new RegExp(`<presence from='${name}@[^>]*/>`))
  return client
}

/** A localpart of an account that the administrator's owner does not own. */
const elsewhere = (prefix: string) => {
  const [, other] = others()
  return town.nameOn(other, prefix)
}
const others = () => {
  const own = town.ownerOf('prince')
  return [own, ...[...town.members.keys()].filter((id) => id !== own)] as [string, string, string]
}

async function ask(action: string, session = '', form = ''): Promise<string> {
  const id = `a${++serial}`
  const command = `<command xmlns='http://jabber.org/protocol/commands' node='${ADMIN}#${action}'${session}>${form}</command>`
  prince.send(`<iq type='set' id='${id}' to='${HOST}'>${command}</iq>`)
  const answer = await prince.read(new RegExp(`<iq [^>]*id='${id}'.*?</iq>`))
  prince.text = ''
  return answer
}

async function run(action: string, fields: Readonly<Record<string, string>>): Promise<string> {
  const session = / sessionid='([^']*)'/.exec(await ask(action))?.[1] ?? ''
  const values = Object.entries(fields).map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`).join('')
  const type = `<field var='FORM_TYPE'><value>${ADMIN}</value></field>`
  return ask(action, ` sessionid='${session}'`, `<x xmlns='jabber:x:data' type='submit'>${type}${values}</x>`)
}

const valuesOf = (answer: string, name: string) =>
  [...(new RegExp(`<field [^>]*var='${name}'[^>]*>(.*?)</field>`).exec(answer)?.[1] ?? '').matchAll(/<value>([^<]*)</g)].map(([, value]) => value)

test('who is online is counted and listed over all members (§4.15 to §4.17, §4.20)', async () => {
  const names = others().map((id) => town.nameOn(id, 'capulet'))
  for (const [i, name] of names.entries()) await come(name, `worker-${i + 1}`)
  assert.deepEqual(valuesOf(await ask('get-online-users-num'), 'onlineusersnum'), ['4'])
  assert.deepEqual(valuesOf(await ask('get-active-users-num'), 'activeusersnum'), ['4'])
  assert.deepEqual(valuesOf(await ask('get-idle-users-num'), 'idleusersnum'), ['0'])
  const listed = valuesOf(await run('get-online-users-list', { max_items: '25' }), 'onlineuserjids')
  assert.deepEqual([listed.length, new Set(listed)], [4, new Set(['prince', ...names].map((name) => `${name}@${HOST}`))])
})

test('an announcement reaches everybody who is online, once (§4.23)', async () => {
  const clients: RawClient[] = []
  for (const id of others()) clients.push(await come(town.nameOn(id, 'montague')))
  assert.match(await run('announce', { announcement: 'The gates close.' }), /Sent to 4 connected resources/)
  for (const client of clients) await client.read(/<body>The gates close\.</)
  assert.match(await run('announce', { announcement: 'They are closed.' }), /Sent to 4/)
  for (const client of clients) {
    assert.match(await client.read(/<body>[^<]*</), /They are closed\.</)
  }
})

test('a message of the day and a welcome are known to all members, also to one that comes later (§4.24 to §4.28)', async () => {
  const there = await come(elsewhere('romeo'))
  await run('set-motd', { motd: 'Be civil.' })
  await there.read(/<body>Be civil\.</)
  const later = await come(town.nameOn(others()[2], 'juliet'))
  await later.read(/<body>Be civil\.</)
  await run('edit-motd', { motd: 'Be quiet.' })
  const last = await come(town.nameOn(others()[1], 'nurse'))
  await last.read(/<body>Be quiet\.</)
  await ask('delete-motd')
  await run('set-welcome', { welcome: 'Welcome to Verona.' })
  const added = await town.add()
  const name = town.nameOn(added.id, 'paris')
  await town.createAccount(name)
  const paris = await town.connect('worker-1', name)
  paris.send('<presence/>')
  await paris.read(/<body>Welcome to Verona\.</)
  assert.doesNotMatch(paris.text, /Be /)
})

test('an account that another member owns: its roster, last login, statistics, and the end of its sessions (§4.8 to §4.10, §4.5)', async () => {
  const name = elsewhere('romeo')
  const romeo = await come(name)
  romeo.send(`<iq type='set' id='r1'><query xmlns='jabber:iq:roster'><item jid='juliet@${HOST}' name='Sun'/></query></iq>`)
  await romeo.read(/id='r1'/)
  const jid = `${name}@${HOST}`
  const facts = await run('user-stats', { accountjid: jid })
  assert.deepEqual([valuesOf(facts, 'onlineresources'), valuesOf(facts, 'rostersize')], [['balcony'], ['1']])
  assert.match(await run('get-user-roster', { accountjids: jid }), new RegExp(`<item [^>]*jid='juliet@${HOST}'[^>]*name='Sun'|name='Sun'[^>]*jid='juliet@`))
  assert.equal(valuesOf(await run('get-user-lastlogin', { accountjids: jid }), 'lastlogin').length, 1)
  assert.match(await run('end-user-session', { accountjids: jid }), /status='completed'/)
  await romeo.read(/policy-violation/)
  assert.match(await run('end-user-session', { accountjids: `nobody@${HOST}` }), /is not connected/)
})

test('a member that does not answer is an error that names it, and a shutdown goes on', async () => {
  const [, mute] = others()
  town.member(mute).bus.isDead = true
  await town.member(mute).bus.close()
  const answer = await ask('get-online-users-num')
  assert.match(answer, /remote-server-timeout/)
  assert.match(answer, new RegExp(`${mute} does not answer`))
  assert.match(await run('shutdown', { delay: '30', announcement: 'The end.' }), new RegExp(`not everybody was told: ${mute} does not answer`))
})
