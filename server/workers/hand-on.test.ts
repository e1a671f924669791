/** Clients without TLS go on at the member that owns their account (ADR 0012). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { BIND, clearText, configOf, dial, HOST, logIn, OPEN, plainAuth } from '../edge/testing/edge-harness.ts'
import { modules } from '../modules.generated.ts'
import { Town } from './testing/town.ts'

let town: Town
before(async () => {
  town = await Town.start({ modules, members: 2, isHandingOn: true, options: { 'web-push': { enabled: false } } })
})
after(() => town.stop())

const count = (id: string) => town.member(id).server.edge.connectionCount

test('a client that has authenticated goes to the owner of its account, and nobody else moves', async () => {
  const [here, there] = [town.nameOn('worker-1', 'romeo'), town.nameOn('worker-2', 'juliet')]
  await town.createAccount(here)
  await town.createAccount(there)
  const romeo = await town.connect('worker-1', here)
  assert.deepEqual([count('worker-1'), count('worker-2')], [1, 0])
  const juliet = await town.connect('worker-1', there)
  assert.deepEqual([count('worker-1'), count('worker-2')], [1, 1])
  juliet.send('<presence/>')
  await juliet.read(/<presence from=/)
  romeo.send(`<message to='${there}@${HOST}' type='chat'><body>wherefore</body></message>`)
  await juliet.read(/<body>wherefore</)
  juliet.send(`<message to='${here}@${HOST}/balcony' type='chat'><body>art thou</body></message>`)
  await romeo.read(/<body>art thou</)
  romeo.send('</stream:stream>')
  juliet.send('</stream:stream>')
  await juliet.read(/<\/stream:stream>/)
})

test('what it sent ahead goes with it, wherever the bytes were cut (XEP-0509)', async () => {
  const name = town.nameOn('worker-2', 'tybalt')
  await town.createAccount(name)
  const ahead = `${plainAuth(name)}${OPEN}${BIND}<presence/><iq type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>`
  for (const cut of [0, plainAuth(name).length + 5, ahead.length - 9, ahead.length]) {
    const client = await dial(town.member('worker-1').port)
    client.send(OPEN)
    await client.read(/<\/stream:features>/)
    client.send(ahead.slice(0, cut))
    await new Promise((resolve) => setTimeout(resolve, 30))
    client.send(ahead.slice(cut))
    await client.read(/<iq [^>]*id='p1'[^>]*type='result'|<iq [^>]*type='result'[^>]*id='p1'/)
    client.destroy()
  }
})

test('a member that has no room closes the connection', async () => {
  const name = town.nameOn('worker-2', 'paris')
  await town.createAccount(name)
  const { edge } = town.member('worker-2').server
  const usual = configOf(['client'], clearText)
  await edge.reload({ ...usual, limits: { ...usual.limits, connectionsMax: 0 } })
  const client = await dial(town.member('worker-1').port)
  client.send(OPEN)
  await client.read(/<\/stream:features>/)
  client.send(plainAuth(name))
  await client.closed()
  await edge.reload(usual)
  const again = await dial(town.member('worker-1').port)
  await logIn(again, name)
  again.destroy()
})
