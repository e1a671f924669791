/** Sessions that die with their member, connection and core, and are resumed at another (ADR 0019). */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { modules } from '../modules.generated.ts'
import { HOST } from '../edge/testing/edge-harness.ts'
import type { RawClient } from '../edge/testing/edge-harness.ts'
import { befriend, Town } from './testing/town.ts'

const NS = "xmlns='urn:xmpp:sm:3'"
const CARBONS = "<iq type='set' id='c1'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
const towns: Town[] = []
after(async () => {
  for (const town of towns) await town.stop()
})

async function townOf(members: number, resumeMaxSeconds?: number): Promise<Town> {
  const streamManagement = resumeMaxSeconds === undefined ? {} : { streamManagement: { resumeMaxSeconds } }
  const town = await Town.start({ modules, members, options: { 'web-push': { enabled: false } }, ...streamManagement })
  towns.push(town)
  return town
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}

/** An available client with stream management, on the member that owns its account; `handled` counts its own presence. */
async function come(town: Town, name: string, extra = '', edge = town.ownerOf(name)): Promise<{ readonly client: RawClient; readonly token: string }> {
  await town.createAccount(name).catch(() => {})
  const client = await town.connect(edge, name)
  client.send(`<enable ${NS} resume='true'/>${extra}<presence/>`)
  const token = / id='([^']+)'/.exec(await client.read(/<enabled [^>]*>/))?.[1] ?? ''
  await client.read(new RegExp(`<presence from='${name}@[^>]*/>`))
  client.text = ''
  return { client, token }
}

const say = (to: string, body: string) => `<message to='${to}@${HOST}' type='chat' id='${body}'><body>${body}</body></message>`

/** Body and stanza id of each message, in order. */
function messages(client: RawClient): string[] {
  return [...client.text.matchAll(/<body>([^<]*)<\/body>.*?<stanza-id [^>]*id='([^']*)'/g)].map((match) => `${match[1]} ${match[2]}`)
}

const bodiesOf = (list: readonly string[]) => list.map((one) => one.split(' ')[0])

/** Where somebody who is not the owner would come in. */
function otherThan(town: Town, member: string): string {
  return [...town.members.keys()].find((id) => id !== member) ?? ''
}

async function acknowledged(client: RawClient, h: number): Promise<void> {
  client.send(`<r ${NS}/>`)
  await client.read(new RegExp(`<a [^>]*h='${h}'`))
}

test('a client whose connection and core die is resumed; it gets what it had not acknowledged, and contacts see nothing', async () => {
  const town = await townOf(3)
  const [romeoName, julietName] = [town.nameOn('worker-2', 'romeo'), town.nameOn('worker-1', 'juliet')]
  const { client: romeo, token } = await come(town, romeoName)
  const { client: juliet } = await come(town, julietName)
  await befriend(romeo, romeoName, juliet, julietName)
  romeo.send('<presence><show>dnd</show><priority>3</priority></presence>')
  await juliet.read(/<show>dnd</)
  romeo.send(say(julietName, 'first'))
  await juliet.read(/<body>first</)
  // Its presence, two of the subscription, presence, a message.
  await acknowledged(romeo, 5)
  for (const body of ['one', 'two', 'three']) juliet.send(say(romeoName, body))
  await romeo.read(/<body>three</)
  juliet.text = ''
  await town.kill('worker-2')
  juliet.send(say(romeoName, 'four'))
  await pause(50)
  assert.doesNotMatch(juliet.text, /<presence/)
  const again = await town.resume(otherThan(town, ''), romeoName, token, 40)
  await again.read(/<resumed [^>]*h='5'/)
  await again.read(/<body>one<.*<body>two<.*<body>three<.*<body>four</)
  again.send(say(julietName, 'here again'))
  await juliet.read(/<body>here again</)
  await acknowledged(again, 6)
  assert.doesNotMatch(juliet.text, /<presence/)
  const online = [...town.member(town.ownerOf(romeoName)).server.core.accounts.online()]
  assert.equal(online.find(({ jid }) => jid.localpart === romeoName)?.sessions.get('balcony')?.priority, 3)
})

test('what the dead member handled and had not acknowledged is not handled again', async () => {
  const town = await townOf(3)
  const [romeoName, julietName] = [town.nameOn('worker-2', 'romeo'), town.nameOn('worker-1', 'juliet')]
  const { client: romeo, token } = await come(town, romeoName)
  const { client: juliet } = await come(town, julietName)
  await acknowledged(romeo, 1)
  const sent = Array.from({ length: 30 }, (_, i) => `m${i}`)
  for (const body of sent.slice(0, 20)) romeo.send(say(julietName, body))
  await juliet.read(/<body>m19</)
  juliet.text = ''
  await town.kill('worker-2')
  const again = await town.resume('worker-3', romeoName, token, 0)
  const h = Number(/h='(\d+)'/.exec(await again.read(/<resumed [^>]*>/))?.[1])
  assert.ok(h >= 1 && h <= 21)
  for (const body of sent.slice(h - 1)) again.send(say(julietName, body))
  await juliet.read(/<body>m29</)
  await acknowledged(again, 31)
  juliet.text = ''
  for (const [client, name] of [[again, romeoName], [juliet, julietName]] as const) {
    client.text = ''
    client.send("<iq type='set' id='q1'><query xmlns='urn:xmpp:mam:2'/></iq>")
    const answer = await client.read(/<iq [^>]*id='q1'.*?<\/iq>/)
    assert.deepEqual([...answer.matchAll(/<body>([^<]*)</g)].map((match) => match[1]), sent, name)
  }
})

test('the member that waits for a client dies too, before the client is back', async () => {
  const town = await townOf(3)
  const [romeoName, julietName] = [town.nameOn('worker-2', 'romeo'), town.nameOn('worker-1', 'juliet')]
  const { client: romeo, token } = await come(town, romeoName)
  const { client: juliet } = await come(town, julietName)
  await befriend(romeo, romeoName, juliet, julietName)
  await acknowledged(romeo, 3)
  await town.kill('worker-2')
  juliet.send(say(romeoName, 'one'))
  await pause(30)
  // Juliet's own member stays.
  await town.add()
  const second = town.ownerOf(romeoName)
  if (second !== 'worker-1') await town.kill(second)
  else await town.add()
  juliet.send(say(romeoName, 'two'))
  await pause(30)
  const again = await town.resume('worker-1', romeoName, token, 5)
  await again.read(/<resumed [^>]*h='3'/)
  await again.read(/<body>one<.*<body>two</)
  assert.doesNotMatch(juliet.text, /unavailable/)
})

test('each device of an account gets what it missed, copies of what the other one sent among it', async () => {
  const town = await townOf(3)
  const [romeoName, julietName] = [town.nameOn('worker-2', 'romeo'), town.nameOn('worker-1', 'juliet')]
  const { client: romeo, token } = await come(town, romeoName, CARBONS)
  const { client: juliet } = await come(town, julietName)
  const phone = await town.connect('worker-2', romeoName, 'phone')
  phone.send(`<enable ${NS} resume='true'/>${CARBONS}<presence/>`)
  const phoneToken = / id='([^']+)'/.exec(await phone.read(/<enabled [^>]*>/))?.[1] ?? ''
  await phone.read(/id='c1'.*<presence from=/)
  phone.destroy()
  await pause(30)
  // The desk has them and says so, the phone is away.
  juliet.send(say(romeoName, 'one') + say(romeoName, 'two'))
  await romeo.read(/<body>two</)
  romeo.send(say(julietName, 'answer'))
  await juliet.read(/<body>answer</)
  romeo.send(`<a ${NS} h='100'/>`)
  await pause(1200)
  await town.kill('worker-2')
  const back = await town.resume('worker-3', romeoName, phoneToken, 3)
  await back.read(/<resumed /)
  await pause(100)
  const got = messages(back)
  assert.deepEqual(bodiesOf(got), ['one', 'two', 'answer'])
  assert.match(back.text, /<sent xmlns='urn:xmpp:carbons:2'>/)
  assert.notEqual(token, phoneToken)
})

test('who comes back is told who of its contacts is there and who is not', async () => {
  const town = await townOf(3)
  const [romeoName, julietName, nurseName] = [town.nameOn('worker-2', 'romeo'), town.nameOn('worker-1', 'juliet'), town.nameOn('worker-3', 'nurse')]
  const { client: romeo, token } = await come(town, romeoName)
  const { client: juliet } = await come(town, julietName)
  const { client: nurse } = await come(town, nurseName)
  await befriend(romeo, romeoName, juliet, julietName)
  await befriend(romeo, romeoName, nurse, nurseName)
  romeo.destroy()
  await pause(30)
  // What it is told meanwhile dies with the member that keeps it.
  juliet.send('<presence><show>away</show></presence>')
  nurse.send('</stream:stream>')
  await pause(50)
  await town.kill('worker-2')
  const again = await town.resume('worker-1', romeoName, token, 20)
  await again.read(/<resumed /)
  for (let i = 0; i < 100 && !(again.text.includes('<show>away<') && again.text.includes(`from='${nurseName}@`)); i++) await pause(10)
  assert.match(again.text, new RegExp(`<presence from='${julietName}@${HOST}/balcony'[^>]*><show>away<`))
  assert.match(again.text, new RegExp(`<presence from='${nurseName}@${HOST}'[^>]* type='unavailable'`))
})

test('a session that nobody resumes ends after its time, and contacts are told once', async () => {
  const town = await townOf(3, 2)
  const [romeoName, julietName] = [town.nameOn('worker-2', 'romeo'), town.nameOn('worker-1', 'juliet')]
  const { client: romeo, token } = await come(town, romeoName)
  const { client: juliet } = await come(town, julietName)
  await befriend(romeo, romeoName, juliet, julietName)
  await town.kill('worker-2')
  await pause(500)
  assert.doesNotMatch(juliet.text, /unavailable/)
  await juliet.read(new RegExp(`<presence from='${romeoName}@[^>]*type='unavailable'`))
  const again = await town.resume('worker-3', romeoName, token, 0)
  await again.read(/<failed /)
  await pause(100)
  assert.doesNotMatch(juliet.text, /unavailable/)
})

test('a client that binds anew instead takes the place of the one that is waited for', async () => {
  const town = await townOf(3)
  const [romeoName, julietName] = [town.nameOn('worker-2', 'romeo'), town.nameOn('worker-1', 'juliet')]
  const { client: romeo } = await come(town, romeoName)
  const { client: juliet } = await come(town, julietName)
  await befriend(romeo, romeoName, juliet, julietName)
  juliet.send(say(romeoName, 'one'))
  await romeo.read(/<body>one</)
  await town.kill('worker-2')
  const anew = await town.connect(town.ownerOf(romeoName), romeoName)
  anew.send('<presence/>')
  await anew.read(/<body>one</)
  await pause(50)
  assert.doesNotMatch(juliet.text, /<presence[^>]*unavailable.*unavailable/)
  const session = [...town.member(town.ownerOf(romeoName)).server.core.accounts.online()].find(({ jid }) => jid.localpart === romeoName)
  assert.equal(session?.sessions.size, 1)
})
