import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { HOST, useServer } from '../harness.ts'
import { runProgram } from '../processes.ts'
import { scenarioRunner } from '../slixmpp/scenario.ts'
import { Terminal } from './tmux.ts'

const accounts = [
  { localpart: 'romeo', password: 'call me but love', contacts: ['juliet'] },
  { localpart: 'juliet', password: 'balcony' },
]

describe('profanity', () => {
  const server = useServer({ accounts })
  const scenario = scenarioRunner(server, accounts)
  let terminal: Terminal | undefined
  afterEach(() => terminal?.end())

  it('logs in by STARTTLS, chats both ways with slixmpp, sees presence and says goodbye', async () => {
    const home = join(server.folder, 'home')
    mkdirSync(home)
    terminal = new Terminal(join(server.folder, 'tmux'), { ...process.env, HOME: home, XDG_CONFIG_HOME: '', XDG_DATA_HOME: '' })
    const peer = scenario('peer.answers_chat')
    // Its failure is judged below; until then the terminal may fail first.
    peer.catch(() => {})

    await terminal.start('profanity')
    await terminal.shows(/Type '\/help'/)
    await terminal.type(`/connect romeo@${HOST} server 127.0.0.1 port ${server.ports.client} tls trust`)
    await terminal.shows(/[Pp]assword/)
    await terminal.type('call me but love')
    await terminal.shows(/logged in successfully/)
    await terminal.shows(/\[TLS\] \[online\]/)
    // The list at the right has a heading for each presence; the number counts unread messages.
    await terminal.shows(new RegExp(` Online \\(\\d+\\)\\s*\\n.*juliet@${HOST}`))
    await terminal.type(`/msg juliet@${HOST} But soft, from profanity`)
    await terminal.shows(/me: But soft, from profanity/)
    await terminal.shows(/Ay me, from slixmpp/)
    await terminal.shows(new RegExp(`juliet@${HOST} \\[away\\]`))
    await terminal.type('/quit')
    assert.deepEqual(await peer, { body: 'But soft, from profanity', type: 'chat', from: `romeo@${HOST}`, gone: `romeo@${HOST}` })
  })
})

describe('sendxmpp', () => {
  const server = useServer({ accounts })
  const scenario = scenarioRunner(server, accounts)

  for (const [transport, port, flag] of [['STARTTLS', 'client', '--tls'], ['direct TLS', 'clientTls', '--ssl']] as const) {
    it(`sends a message from a script, by ${transport}`, async () => {
      const file = join(server.folder, `sendxmpprc-${port}`)
      const settings = { username: 'romeo', password: 'call me but love', jserver: '127.0.0.1', port: server.ports[port], component: HOST }
      writeFileSync(file, Object.entries(settings).map(([key, value]) => `${key}: ${value}\n`).join(''), { mode: 0o600 })
      const peer = scenario('peer.receives_message')
      peer.catch(() => {})
      const text = `The exchange of thy love's faithful vow for mine <${transport}>`
      const { code, stderr } = await runProgram('sendxmpp', ['--file', file, flag, '--no-tls-verify', `juliet@${HOST}`], { input: text, timeoutMs: 30_000 })
      assert.equal(code, 0, stderr)
      assert.deepEqual(await peer, { body: text, type: 'chat', from: `romeo@${HOST}/sendxmpp` })
    })
  }
})
