import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { HOST, useServer } from '../harness.ts'
import { runProgram } from '../processes.ts'

const accounts = [
  { localpart: 'romeo', password: 'call me but love', contacts: ['juliet'] },
  { localpart: 'juliet', password: 'balcony' },
]

/** Only slixmpp judges the certificate: these clients know the server by its address, which is not in it. */
const transports = [
  ['STARTTLS (xmpp:)', 'client', (port: number) => `xmpp://127.0.0.1:${port}`],
  ['direct TLS (xmpps:, XEP-0368)', 'clientTls', (port: number) => `xmpps://127.0.0.1:${port}`],
  ['WebSocket (RFC 7395)', 'http', (port: number) => `ws://127.0.0.1:${port}/ws`],
] as const

describe('@xmpp/client', () => {
  const server = useServer({ accounts })

  for (const [title, port, serviceOf] of transports) {
    it(`two clients see each other and chat over ${title}`, async () => {
      const passwords = accounts.map(({ password }) => password)
      const args = [join(import.meta.dirname, 'xmpp-js-chat.ts'), serviceOf(server.ports[port]), ...passwords]
      const env = { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0' }
      const { code, stdout, stderr } = await runProgram(process.execPath, args, { env, timeoutMs: 30_000 })
      assert.equal(code, 0, stderr)
      const { addresses, gone, ...rest } = JSON.parse(stdout) as { readonly addresses: readonly string[]; readonly gone: string }
      // Bind 2 (XEP-0386), which it uses over TLS, adds to the resource that it asks for.
      assert.match(addresses.join(' '), new RegExp(`^romeo@${HOST}/js(?:/[\\w-]+)? juliet@${HOST}/js(?:/[\\w-]+)?$`))
      assert.equal(gone, addresses[1])
      assert.deepEqual(rest, {
        contact: `juliet@${HOST}`, status: 'Ay me', there: 'by yonder blessed moon ☾ <&>', back: 'O, swear not by the moon',
      })
    })
  }

  it('logs in with SASL2, later with its token alone, and resumes over a new connection (XEP-0388, 0386, 0484, 0198)', async () => {
    const args = [join(import.meta.dirname, 'xmpp-js-login.ts'), `xmpps://127.0.0.1:${server.ports.clientTls}`, 'balcony']
    const env = { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0' }
    const { code, stdout, stderr } = await runProgram(process.execPath, args, { env, timeoutMs: 30_000 })
    assert.equal(code, 0, stderr)
    const { withPassword, ...rest } = JSON.parse(stdout) as { readonly withPassword: string }
    assert.match(withPassword, new RegExp(`^juliet@${HOST}/js/[\\w-]{12}$`))
    assert.deepEqual(rest, {
      withToken: withPassword, mechanism: 'HT-SHA-256-NONE', clients: [{ connected: 'true', software: 'xmpp.js' }],
    })
  })
})
