/** Several members as one server: messages, presence and sessions across them, members that die and members that come. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { modules } from '../modules.generated.ts'
import { HOST } from '../edge/testing/edge-harness.ts'
import type { RawClient } from '../edge/testing/edge-harness.ts'
import { befriend, Town } from './testing/town.ts'

const NS = "xmlns='urn:xmpp:sm:3'"
const towns: Town[] = []
after(async () => {
  for (const town of towns) await town.stop()
})

async function townOf(members: number): Promise<Town> {
  const town = await Town.start({ modules, members, options: { 'web-push': { enabled: false } } })
  towns.push(town)
  return town
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}

/** A client whose account is `core`'s and whose connection is `edge`'s; available. */
async function come(town: Town, name: string, edge: string, isManaged = false): Promise<RawClient> {
  await town.createAccount(name).catch(() => {})
  const client = await town.connect(edge, name)
  client.send(`${isManaged ? `<enable ${NS} resume='true'/>` : ''}<presence/>`)
  if (isManaged) await client.read(/<enabled [^>]*>/)
  await client.read(new RegExp(`<presence from='${name}@[^>]*/>`))
  client.text = ''
  return client
}

const say = (to: string, body: string, id = body) =>
  `<message to='${to}@${HOST}' type='chat' id='${id}'><body>${body}</body></message>`

function bodies(client: RawClient): string[] {
  return [...client.text.matchAll(/<body>([^<]*)<\/body>/g)].map((match) => match[1] as string)
}

test('messages between clients of different members arrive in order, wherever the accounts are', async () => {
  const town = await townOf(2)
  for (const [i, [core, edge]] of ([['worker-1', 'worker-2'], ['worker-2', 'worker-1'], ['worker-2', 'worker-2']] as const).entries()) {
    const [from, to] = [town.nameOn('worker-1', 'romeo', i), town.nameOn(core, 'juliet', i)]
    const romeo = await come(town, from, 'worker-1', true)
    const juliet = await come(town, to, edge)
    for (let n = 0; n < 200; n++) romeo.send(say(to, String(n)))
    romeo.send(`<r ${NS}/>`)
    await romeo.read(/<a [^>]*h='201'/)
    await juliet.read(/<body>199</)
    romeo.send(say(to, 'done'))
    await juliet.read(/<body>done</)
  }
})

test('contacts on different members see each other come and go', async () => {
  const town = await townOf(2)
  const [romeoName, julietName] = [town.nameOn('worker-1', 'romeo'), town.nameOn('worker-2', 'juliet')]
  const romeo = await come(town, romeoName, 'worker-1')
  const juliet = await come(town, julietName, 'worker-2')
  await befriend(romeo, romeoName, juliet, julietName)
  romeo.send('<presence><show>away</show></presence>')
  await juliet.read(/<show>away</)
  juliet.destroy()
  await romeo.read(new RegExp(`<presence from='${julietName}@[^>]*type='unavailable'`))
  const again = await town.connect('worker-1', julietName)
  again.send('<presence/>')
  await again.read(/<show>away</)
  await romeo.read(new RegExp(`<presence from='${julietName}@`))
})

test('a core dies: its clients on other edges stay, keep their state, and nobody sees them go', async () => {
  const town = await townOf(3)
  const [romeoName, julietName] = [town.nameOn('worker-2', 'romeo'), town.nameOn('worker-3', 'juliet')]
  const romeo = await come(town, romeoName, 'worker-1')
  const juliet = await come(town, julietName, 'worker-3')
  const phone = await come(town, romeoName, 'worker-1').catch(() => undefined)
  assert.ok(phone !== undefined)
  // The second login replaced the first resource: one client is left.
  await befriend(phone, romeoName, juliet, julietName)
  phone.send("<iq type='set' id='c1'><enable xmlns='urn:xmpp:carbons:2'/></iq><iq type='get' id='r1'><query xmlns='jabber:iq:roster'/></iq>")
  await phone.read(/id='r1'.*<\/iq>/)
  phone.send('<presence><show>dnd</show><priority>7</priority></presence>')
  await juliet.read(/<show>dnd</)
  juliet.text = ''
  await town.kill('worker-2')
  await pause(50)
  assert.equal(phone.isClosed, false)
  assert.doesNotMatch(juliet.text, /<presence/)
  juliet.send(say(romeoName, 'still there?'))
  await phone.read(/<body>still there\?</)
  phone.send(say(julietName, 'always'))
  await juliet.read(/<body>always</)
  const online = [...town.member(town.ownerOf(romeoName)).server.core.accounts.online()]
  const session = online.find((one) => one.jid.localpart === romeoName)?.sessions.get('balcony')
  assert.equal(session?.priority, 7)
  assert.equal(session?.isInterested, true)
  phone.send('<presence/>')
  await juliet.read(new RegExp(`<presence from='${romeoName}@`))
  romeo.destroy()
})

test('connections that die with their member: contacts see them go once', async () => {
  const town = await townOf(3)
  const names = [town.nameOn('worker-2', 'romeo'), town.nameOn('worker-3', 'tybalt'), town.nameOn('worker-3', 'juliet')] as const
  // One whose core dies with it, one whose core lives.
  const romeo = await come(town, names[0], 'worker-2')
  const tybalt = await come(town, names[1], 'worker-2')
  const juliet = await come(town, names[2], 'worker-1')
  await befriend(romeo, names[0], juliet, names[2])
  await befriend(tybalt, names[1], juliet, names[2])
  await town.kill('worker-2')
  await pause(300)
  for (const name of [names[0], names[1]]) {
    const seen = [...juliet.text.matchAll(new RegExp(`<presence from='${name}@[^>]*>`, 'g'))].map((match) => match[0])
    assert.equal(seen.length, 1, `${name}: ${seen.join(' ')}`)
    assert.match(seen[0] ?? '', /type='unavailable'/)
  }
  const back = await come(town, names[0], 'worker-3')
  await juliet.read(new RegExp(`<presence from='${names[0]}@${HOST}/balcony' to='[^']*'/>`))
  back.destroy()
})

test('a core dies under a client with stream management: its counts go on, and what was on its way arrives', async () => {
  const town = await townOf(3)
  const [romeoName, julietName] = [town.nameOn('worker-2', 'romeo'), town.nameOn('worker-3', 'juliet')]
  const romeo = await come(town, romeoName, 'worker-1', true)
  const juliet = await come(town, julietName, 'worker-3', true)
  let sent = 1
  for (let i = 0; i < 20; i++, sent++) romeo.send(say(julietName, `before ${i}`))
  await juliet.read(/<body>before 19</)
  for (let i = 0; i < 5; i++) juliet.send(say(romeoName, `unacked ${i}`))
  await romeo.read(/<body>unacked 4</)
  await town.kill('worker-2')
  for (let i = 0; i < 20; i++, sent++) romeo.send(say(julietName, `after ${i}`))
  romeo.send(`<r ${NS}/>`)
  await romeo.read(new RegExp(`<a [^>]*h='${sent}'`))
  await juliet.read(/<body>after 19</)
  // The server counts on: presence of its own, five messages.
  romeo.send(`<a ${NS} h='6'/>`)
  juliet.send(say(romeoName, 'one more'))
  await romeo.read(/<body>one more</)
  romeo.send(`<a ${NS} h='7'/>`)
  await pause(30)
  assert.equal(romeo.isClosed, false)
})

test('a member dies while messages flow through it: what is acknowledged arrives, each once and in order', async () => {
  const town = await townOf(3)
  const [romeoName, julietName] = [town.nameOn('worker-1', 'romeo'), town.nameOn('worker-2', 'juliet')]
  const romeo = await come(town, romeoName, 'worker-1', true)
  const juliet = await come(town, julietName, 'worker-3', true)
  let n = 0
  const talk = setInterval(() => {
    for (let i = 0; i < 20; i++) romeo.send(say(julietName, String(n++)))
  }, 1)
  await pause(60)
  // In the middle of a burst: some of it is with the member, some on the way, some not sent.
  for (let i = 0; i < 300; i++) romeo.send(say(julietName, String(n++)))
  const unconfirmed = () => town.member('worker-1').metrics.value('rollcall_members_unconfirmed') ?? 0
  for (let turn = 0; turn < 10_000 && unconfirmed() === 0; turn++) await new Promise((resolve) => setImmediate(resolve))
  await town.kill('worker-2')
  await pause(60)
  clearInterval(talk)
  romeo.send(`<r ${NS}/>`)
  await romeo.read(new RegExp(`<a [^>]*h='${n + 1}'`))
  const unique = () => [...new Set([...juliet.text.matchAll(/<body>(\d+)<\/body>.*?<stanza-id [^>]*id='([^']*)'/g)].map((match) => `${match[1]} ${match[2]}`))]
  for (let i = 0; i < 200 && unique().length < n; i++) await pause(10)
  assert.deepEqual(unique().map((text) => Number(text.split(' ')[0])), Array.from({ length: n }, (_, i) => i))
  assert.ok((town.member('worker-1').metrics.value('rollcall_members_resent_total') ?? 0) > 0, 'nothing was under way')
  assert.deepEqual(town.log.of('member-message-missing'), [])
})

test('a member comes: accounts move to it with their sessions while clients talk, and nothing is lost or reordered', async () => {
  const town = await townOf(1)
  const names = Array.from({ length: 12 }, (_, i) => `monty${i}`)
  const clients: RawClient[] = []
  for (const name of names) clients.push(await come(town, name, 'worker-1', true))
  let n = 0
  const talk = setInterval(() => {
    clients.forEach((client, i) => client.send(say(names[(i + 5) % names.length] as string, String(n))))
    n++
  }, 1)
  await pause(30)
  const member = await town.add()
  await pause(30)
  clearInterval(talk)
  for (let i = 0; i < 200 && clients.some((client) => bodies(client).length < n); i++) await pause(10)
  const expected = Array.from({ length: n }, (_, i) => String(i))
  clients.forEach((client, i) => assert.deepEqual(bodies(client), expected, names[i] as string))
  assert.ok([...member.server.core.accounts.online()].length > 0)
  assert.ok(clients.every((client) => !client.isClosed))
})

test('a member dies and another comes while everybody talks to everybody: nothing gets stuck, lost or reordered', async () => {
  const town = await townOf(3)
  const names = Array.from({ length: 24 }, (_, i) => `capulet${i}`)
  const clients: RawClient[] = []
  for (const [i, name] of names.entries()) clients.push(await come(town, name, i % 2 === 0 ? 'worker-1' : 'worker-3', true))
  let n = 0
  const talk = setInterval(() => {
    clients.forEach((client, i) => client.send(say(names[(i + 7) % names.length] as string, String(n))))
    n++
  }, 2)
  await pause(50)
  await town.kill('worker-2')
  await town.add()
  await pause(50)
  clearInterval(talk)
  for (const client of clients) client.send(`<r ${NS}/>`)
  const unique = (client: RawClient) => [...new Set(bodies(client))]
  for (let i = 0; i < 500 && clients.some((client) => unique(client).length < n); i++) await pause(10)
  const expected = Array.from({ length: n }, (_, i) => String(i))
  clients.forEach((client, i) => assert.deepEqual(unique(client), expected, names[i] as string))
  for (const client of clients) await client.read(new RegExp(`<a [^>]*h='${n + 1}'`))
  assert.ok(clients.every((client) => !client.isClosed))
})

test('a session whose connection died with its edge is resumed through another', async () => {
  const town = await townOf(3)
  const [romeoName, julietName] = [town.nameOn('worker-3', 'romeo'), town.nameOn('worker-3', 'juliet')]
  await town.createAccount(romeoName)
  const first = await town.connect('worker-2', romeoName)
  first.send(`<enable ${NS} resume='true'/><presence/>`)
  const id = / id='([^']+)'/.exec(await first.read(/<enabled [^>]*>/))?.[1] ?? ''
  await first.read(/<presence from=/)
  const juliet = await come(town, julietName, 'worker-1')
  await town.kill('worker-2')
  juliet.send(say(romeoName, 'where are you?'))
  await pause(30)
  const second = await town.resume('worker-1', romeoName, id, 1)
  await second.read(/<resumed /)
  await second.read(/<body>where are you\?</)
})

test('an answer finds the member that asked, and a component is known to all', async () => {
  const town = await townOf(2)
  const romeoName = town.nameOn('worker-1', 'romeo')
  const romeo = await come(town, romeoName, 'worker-2')
  romeo.send(`<iq type='get' id='d1' to='${HOST}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`)
  await romeo.read(/id='d1'.*<\/iq>/)
})

test('the ledger of what dies with a member has sessions that somebody may know of, not those that did nothing', async () => {
  const town = await townOf(2)
  const ledgerIs = async (size: number) => {
    for (let i = 0; i < 200 && town.coordinator.ledgerSize !== size; i++) await pause(10)
    assert.equal(town.coordinator.ledgerSize, size)
  }
  const [romeoName, julietName] = [town.nameOn('worker-1', 'romeo'), town.nameOn('worker-1', 'juliet')]
  for (const name of [romeoName, julietName]) await town.createAccount(name)
  const silent = await town.connect('worker-1', romeoName)
  const juliet = await come(town, julietName, 'worker-1')
  await ledgerIs(1)
  silent.send(`<presence to='${julietName}@${HOST}'/>`)
  await juliet.read(/<presence /)
  await ledgerIs(2)
  silent.send('</stream:stream>')
  await ledgerIs(1)
})
