/** Members that die while accounts are on their way between them: sessions live on (ADR 0019). */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { parseJid } from '@rollcall/jid'
import { modules } from '../modules.generated.ts'
import { HOST } from '../edge/testing/edge-harness.ts'
import type { RawClient } from '../edge/testing/edge-harness.ts'
import type { ServerMessage } from '../protocol/messages.ts'
import { shardOf } from '../protocol/placement.ts'
import { rendezvous } from './shard-table.ts'
import { befriend, Town } from './testing/town.ts'

const NS = "xmlns='urn:xmpp:sm:3'"
const towns: Town[] = []
after(async () => {
  for (const town of towns) await town.stop()
})

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}

/** An available client; with a token where its stream is managed. */
async function come(town: Town, name: string, edge: string, isManaged: boolean): Promise<{ readonly client: RawClient; readonly token: string }> {
  await town.createAccount(name)
  const client = await town.connect(edge, name)
  if (isManaged) client.send(`<enable ${NS} resume='true'/>`)
  const token = isManaged ? / id='([^']+)'/.exec(await client.read(/<enabled [^>]*>/))?.[1] ?? '' : ''
  client.send('<presence/>')
  await client.read(new RegExp(`<presence from='${name}@[^>]*/>`))
  client.text = ''
  return { client, token }
}

const say = (to: string, body: string) => `<message to='${to}@${HOST}' type='chat' id='${body}'><body>${body}</body></message>`

/** Localparts whose accounts are the first member's, and would be the third's if it came. */
function travellers(prefixes: readonly string[]): string[] {
  const ownerIn = (members: readonly string[], name: string) => members[rendezvous(members)[shardOf(parseJid(`${name}@${HOST}`))] as number]
  return prefixes.map((prefix) => {
    for (let i = 0; ; i++) {
      const name = `${prefix}${i}`
      if (ownerIn(['worker-1', 'worker-2'], name) === 'worker-1' && ownerIn(['worker-1', 'worker-2', 'worker-3'], name) === 'worker-3') return name
    }
  })
}

/** The nth message of a kind. */
function nth(kind: ServerMessage['kind'], n: number): (message: ServerMessage) => boolean {
  let seen = 0
  return (message) => message.kind === kind && ++seen === n
}

/** Before the giver sends that one of three accounts, or, when it has sent them all, says that it is ready. */
const givesUpAt = (sent: number) => (sent > 3 ? nth('map-ready', 1) : nth('take-over', sent))

const moments: readonly (readonly [string, () => (message: ServerMessage) => boolean])[] = [
  ['when it hears of the change', () => nth('map-change', 1)],
  ['at the first mark', () => nth('map-mark', 1)],
  ['before the first account has come', () => nth('take-over', 1)],
  ['when some have come', () => nth('take-over', 3)],
  ['when all have come and the map holds', () => nth('map-active', 1)],
]
for (const [moment, diesOf] of moments) {
  test(`the member that accounts go to dies ${moment}: connections elsewhere stay, who is away can resume, contacts see nothing`, async () => {
    const town = await Town.start({ modules, members: 2, options: { 'web-push': { enabled: false } } })
    towns.push(town)
    const [romeoName, benvolioName, mercutioName, nurseName] = travellers(['romeo', 'benvolio', 'mercutio', 'nurse']) as [string, string, string, string]
    const julietName = town.nameOn('worker-2', 'juliet')
    const { client: juliet } = await come(town, julietName, 'worker-2', true)
    const { client: romeo, token: romeoToken } = await come(town, romeoName, 'worker-1', true)
    const { client: benvolio } = await come(town, benvolioName, 'worker-1', false)
    const { client: mercutio, token: mercutioToken } = await come(town, mercutioName, 'worker-1', true)
    const { client: nurse } = await come(town, nurseName, 'worker-2', true)
    const staying = [[romeo, romeoName], [benvolio, benvolioName], [nurse, nurseName]] as const
    for (const [client, name] of [...staying, [mercutio, mercutioName]] as const) await befriend(client, name, juliet, julietName)
    juliet.send(say(mercutioName, 'lost on the way'))
    await mercutio.read(/lost on the way/)
    mercutio.destroy()
    await pause(50)
    juliet.text = ''
    await town.add({ diesOf: diesOf() })
    for (const [client, name] of staying) {
      client.send(say(julietName, `from ${name}`))
      await juliet.read(new RegExp(`<body>from ${name}<`))
      juliet.send(say(name, `to ${name}`))
      await client.read(new RegExp(`<body>to ${name}<`))
    }
    romeo.send(`<r ${NS}/>`)
    // Presence, two of the subscription, a message.
    await romeo.read(/<a [^>]*h='4'/)
    const again = await town.resume('worker-2', mercutioName, mercutioToken, 2)
    await again.read(/<resumed [^>]*h='3'/)
    await again.read(/lost on the way/)
    romeo.destroy()
    await pause(50)
    const romeoAgain = await town.resume('worker-2', romeoName, romeoToken, 4)
    await romeoAgain.read(/<resumed [^>]*h='4'/)
    assert.doesNotMatch(juliet.text, /unavailable/)
  })
}

for (const sent of [1, 2, 3, 4]) {
  test(`the member that accounts go away from dies with ${sent - 1} of three on their way: who was connected to it can resume`, async () => {
    const town = await Town.start({ modules, members: 2, options: { 'web-push': { enabled: false } } })
    towns.push(town)
    const names = travellers(['romeo', 'benvolio', 'mercutio'])
    const julietName = town.nameOn('worker-2', 'juliet')
    const { client: juliet } = await come(town, julietName, 'worker-2', true)
    const away: { readonly name: string; readonly token: string }[] = []
    for (const name of names) {
      const { client, token } = await come(town, name, 'worker-1', true)
      await befriend(client, name, juliet, julietName)
      juliet.send(say(name, `before ${name}`))
      await client.read(/<body>before/)
      client.send(`<r ${NS}/>`)
      await client.read(/<a [^>]*h='3'/)
      if (name === names[2]) client.destroy()
      away.push({ name, token })
    }
    juliet.text = ''
    await town.add({ of: 'worker-1', diesOf: givesUpAt(sent) })
    for (const { name, token } of away) {
      const again = await town.resume('worker-2', name, token, 2)
      await again.read(/<resumed [^>]*h='3'/)
      await again.read(new RegExp(`<body>before ${name}<`))
      again.send(say(julietName, `from ${name}`))
      await juliet.read(new RegExp(`<body>from ${name}<`))
    }
    assert.doesNotMatch(juliet.text, /unavailable/)
  })
}

for (const isManaged of [true, false]) for (const sent of [1, 2, 3, 4]) {
  const kind = isManaged ? 'with' : 'without'
  test(`the same: who is connected elsewhere, ${kind} stream management, stays with ${sent - 1} of three on their way`, async () => {
    const town = await Town.start({ modules, members: 2, options: { 'web-push': { enabled: false } } })
    towns.push(town)
    const julietName = town.nameOn('worker-2', 'juliet')
    const { client: juliet } = await come(town, julietName, 'worker-2', true)
    const staying: { readonly name: string; readonly client: RawClient }[] = []
    for (const name of travellers(['romeo', 'benvolio', 'mercutio'])) {
      const { client } = await come(town, name, 'worker-2', isManaged)
      await befriend(client, name, juliet, julietName)
      staying.push({ name, client })
    }
    juliet.text = ''
    await town.add({ of: 'worker-1', diesOf: givesUpAt(sent) })
    for (const { name, client } of staying) {
      client.send(say(julietName, `from ${name}`))
      await juliet.read(new RegExp(`<body>from ${name}<`))
      juliet.send(say(name, `to ${name}`))
      await client.read(new RegExp(`<body>to ${name}<`))
      client.send('<presence><show>away</show></presence>')
      await juliet.read(new RegExp(`<presence from='${name}@[^>]*><show>away<`))
      if (!isManaged) continue
      client.send(`<r ${NS}/>`)
      // Presence, two of the subscription, a message, presence.
      await client.read(/<a [^>]*h='5'/)
    }
    assert.doesNotMatch(juliet.text, /unavailable/)
  })
}
