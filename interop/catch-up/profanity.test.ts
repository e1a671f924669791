/** profanity under tmux: what its terminal shows. It asks the archive only when a chat is opened. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach } from 'node:test'
import { HOST } from '../harness.ts'
import { Terminal } from '../terminal/tmux.ts'
import { juliet, ROMEO, tellStory } from './story.ts'
import type { ChatClient, Place } from './story.ts'

function profanity({ server, relay }: Place): ChatClient {
  let terminal: Terminal | undefined
  const open = (): Terminal => {
    if (terminal === undefined) throw new Error('nobody has logged in')
    return terminal
  }
  after(() => terminal?.end())
  afterEach(async (context) => {
    if ('passed' in context && !context.passed) console.error(`The terminal at the end of '${context.name}':\n${await open().text()}`)
  })
  return {
    asksArchive: false,
    async logIn() {
      const home = join(server.folder, 'home')
      mkdirSync(home)
      terminal = new Terminal(join(server.folder, 'tmux'), { ...process.env, HOME: home, XDG_CONFIG_HOME: '', XDG_DATA_HOME: '' })
      await terminal.start('profanity')
      await terminal.shows(/Type '\/help'/)
      for (const setting of ['/strophe sm on', '/reconnect 1', '/carbons on']) await terminal.type(setting)
      await terminal.type(`/connect ${juliet.localpart}@${HOST} server 127.0.0.1 port ${relay.port} tls trust`)
      await terminal.shows(/[Pp]assword/)
      await terminal.type(juliet.password)
      await terminal.shows(/\[TLS\] \[online\]/)
      await terminal.type(`/msg ${ROMEO}`)
      await terminal.shows(new RegExp(`^ *${ROMEO}`, 'm'))
    },
    say: (text) => open().type(text),
    shown: async () => (await open().text()).match(/(?:Romeo|Juliet|Juliet elsewhere) \d+\./g) ?? [],
  }
}

tellStory('profanity', 'client', profanity)
