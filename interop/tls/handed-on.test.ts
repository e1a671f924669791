/** TLS libraries that are not ours whose connections go to another member after the login, with updates of keys before and after. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { HOST } from '../../server/edge/testing/edge-harness.ts'
import { modules } from '../../server/modules.generated.ts'
import { Town } from '../../server/workers/testing/town.ts'
import { logIn, peers, Talk, until } from './talk.ts'

describe('TLS libraries whose connection goes to another member', () => {
  let town: Town
  let name: string
  before(async () => {
    town = await Town.start({
      modules, members: 2, isHandingOn: true, listeners: ['client-tls'], edge: { tls: { isCompact: true } }, options: { 'web-push': { enabled: false } },
    })
    name = town.nameOn('worker-2', 'juliet')
    await town.createAccount(name)
  })
  after(() => town.stop())

  const handedOn = () => town.member('worker-1').metrics.value('rollcall_edge_handed_on_total') ?? 0
  const compact = () => town.member('worker-2').metrics.value('rollcall_edge_tls_compact')

  /** Messages to itself, each a turn of its own. */
  async function chat(talk: Talk, mark: string): Promise<void> {
    for (const [i, length] of [1, 20_000].entries()) {
      talk.send(`<message to='${name}@${HOST}/balcony' type='chat'><body>${mark}-${i}-${'w'.repeat(length)}-end</body></message>`)
      await talk.hear(new RegExp(`<body>${mark}-${i}-w+-end`))
    }
  }

  for (const { name: library, isCompact, command, update } of peers.filter((peer) => peer.isCompact)) {
    it(`${library} talks on there`, async () => {
      assert.ok(isCompact)
      const before = handedOn()
      const talk = new Talk(...command(String(town.member('worker-1').port)))
      let updates = 0
      const updateKeys = async () => {
        if (update === undefined) return
        talk.send(update[0])
        await talk.hear(update[1], ++updates)
      }
      try {
        await logIn(talk, name, updateKeys)
        assert.equal(handedOn(), before + 1)
        assert.equal(compact(), 1)
        for (let i = 0; i < 3; i++) {
          await chat(talk, `t${i}`)
          await updateKeys()
        }
        await chat(talk, 'last')
        talk.send('</stream:stream>')
        await talk.hear(/<\/stream:stream>/)
      } finally {
        await talk.end()
      }
      assert.ok(await until(() => compact() === 0), 'the end')
    })
  }
})
