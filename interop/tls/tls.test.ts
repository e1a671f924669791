/**
 * TLS libraries that are not ours across the moment when a connection leaves OpenSSL, and across updates of keys.
 *
 * The programs of OpenSSL and GnuTLS and Python's `ssl` module; each talks XMPP through its standard input and output.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { configOf, HOST, startRig } from '../../server/edge/testing/edge-harness.ts'
import type { Rig } from '../../server/edge/testing/edge-harness.ts'
import { logIn, peers, Talk, until } from './talk.ts'

const GREETING = `<message to='romeo@${HOST}'><body>good night</body></message>`

describe('TLS libraries', () => {
  let rig: Rig
  before(async () => {
    rig = await startRig(configOf(['client-tls'], { tls: { isCompact: true } }))
  })
  after(() => rig.stop())

  const compact = () => rig.metrics.value('rollcall_edge_tls_compact')

  /** `count` messages, each a turn of its own in both directions. */
  async function chat(talk: Talk, count: number): Promise<void> {
    const conn = rig.core.received.findLast((message) => message.kind === 'bind')?.conn
    assert.ok(conn !== undefined)
    for (let i = 0; i < count; i++) {
      const seen = rig.core.stanzas.length
      talk.send(GREETING)
      assert.ok(await until(() => rig.core.stanzas.length > seen), 'a stanza')
      const mark = `${seen}-${'w'.repeat(20_000)}-end`
      rig.send({ kind: 'deliver', conn, wire: `<message><body>${mark}</body></message>` })
      await talk.hear(new RegExp(`${seen}-w+-end`))
    }
  }

  for (const { name, isCompact, command, update } of peers) {
    it(`${name} talks on${isCompact ? '' : ', and stays in OpenSSL'}`, async () => {
      const talk = new Talk(...command(String(rig.port('client-tls'))))
      try {
        await logIn(talk)
        assert.equal(compact(), isCompact ? 1 : 0)
        await chat(talk, 3)
        if (update !== undefined) {
          for (let i = 1; i <= 3; i++) {
            talk.send(update[0])
            // It would take what comes in the same read for a part of the command.
            await talk.hear(update[1], i)
            await chat(talk, 2)
          }
        }
        talk.send('</stream:stream>')
        await talk.hear(/<\/stream:stream>/)
      } finally {
        await talk.end()
      }
      assert.ok(await until(() => rig.edge.connectionCount === 0), 'the end')
      assert.equal(compact(), 0)
    })
  }
})
