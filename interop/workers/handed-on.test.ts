/** slixmpp over TLS and a server of two processes: some of its connections go to the other one, and it notices nothing. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HOST, useServer } from '../harness.ts'
import { scenarioRunner } from '../slixmpp/scenario.ts'

const accounts = ['romeo', 'juliet'].map((localpart, i) => ({
  localpart, password: `${localpart}-password`, contacts: i === 0 ? ['juliet'] : [],
}))
/** The kernel decides which process accepts a connection: so often that none goes on happens less than once in a million times. */
const ATTEMPTS_MAX = 10

describe('slixmpp and two workers', () => {
  const server = useServer({ accounts, settings: { workers: 2 } })
  const scenario = scenarioRunner(server, accounts)

  async function counted(name: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${server.ports.admin}/metrics`, { signal: AbortSignal.timeout(10_000) })
    const values = [...(await response.text()).matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)$`, 'gm'))]
    assert.ok(values.length > 0, `the server counts ${name}`)
    return values.reduce((sum, [, value]) => sum + Number(value), 0)
  }

  it('people talk over TLS wherever they were accepted', async () => {
    const conversation = async () => assert.deepEqual(await scenario('messages.full_address'), {
      body: '<&>"\' ♥ 日本\n\ttwo lines', subject: 'Balcony & garden', from: `romeo@${HOST}/orchard`, to: `juliet@${HOST}/balcony`,
      back: 'Art thou not Romeo?', backFrom: `juliet@${HOST}/balcony`, lang: 'en',
    })
    for (let i = 0; i < ATTEMPTS_MAX && await counted('rollcall_edge_handed_on_total') === 0; i++) await conversation()
    assert.ok(await counted('rollcall_edge_handed_on_total') > 0, 'a connection went on')
    assert.equal(await scenario('messages.order'), true)
  })

  it('every mechanism logs in over TLS, with and without channel binding', async () => {
    const logins = Object.values(await scenario('login.mechanisms') as Record<string, { readonly bound: string; readonly tls: string }>)
    assert.equal(logins.length, 7)
    for (const { bound, tls } of logins) assert.deepEqual({ bound, tls }, { bound: `romeo@${HOST}/orchard`, tls: 'TLSv1.3' })
  })
})
