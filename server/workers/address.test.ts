/** An address that guesses passwords is known to all members. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { dial, OPEN, plainAuth } from '../edge/testing/edge-harness.ts'
import { modules } from '../modules.generated.ts'
import { Town } from './testing/town.ts'

let town: Town
before(async () => {
  const authBackoff = { freeFailures: 2, baseMs: 60_000, maxMs: 60_000, forgetMs: 600_000 }
  town = await Town.start({ modules, members: 2, accounts: ['romeo'], edge: { authBackoff }, options: { 'web-push': { enabled: false } } })
})
after(() => town.stop())

async function answerTo(member: string, password: string): Promise<string> {
  const client = await dial(town.member(member).port)
  client.send(OPEN)
  await client.read(/<\/stream:features>/)
  client.send(plainAuth('romeo', password))
  const answer = await client.read(/<success[^>]*>|<failure.*?<\/failure>/)
  client.destroy()
  return answer
}

test('failed logins at one member hold the address back at the others', async () => {
  for (let i = 0; i < 3; i++) assert.match(await answerTo('worker-1', 'guess'), /not-authorized/)
  assert.match(await answerTo('worker-2', 'balcony'), /temporary-auth-failure/)
})
