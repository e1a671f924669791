/** A chat client made of slixmpp (slixmpp/person.py): what its application was given, in that order. */
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { after, afterEach } from 'node:test'
import { collectOutput, ended } from '../processes.ts'
import { PYTHON } from '../slixmpp/scenario.ts'
import { juliet, ROMEO, tellStory } from './story.ts'
import type { ChatClient, Place } from './story.ts'

const ANSWER_TIMEOUT_MS = 30_000

function slixmppClient({ server, relay }: Place): ChatClient {
  let child: ChildProcessByStdio<Writable, Readable, Readable> | undefined
  let lines: AsyncIterator<string> | undefined
  let log = () => '(it was not started)'
  after(async () => {
    if (child === undefined) return
    child.kill('SIGKILL')
    await ended(child, ANSWER_TIMEOUT_MS)
  })
  afterEach((context) => {
    if ('passed' in context && !context.passed) console.error(`slixmpp's log at the end of '${context.name}':\n${log()}`)
  })

  /** Writes a line to it and reads one. */
  async function ask(command: object): Promise<{ readonly shown?: readonly string[] }> {
    child?.stdin.write(`${JSON.stringify(command)}\n`)
    const timer = setTimeout(() => child?.kill('SIGKILL'), ANSWER_TIMEOUT_MS)
    const line = await lines?.next()
    clearTimeout(timer)
    if (line === undefined || line.done === true) throw new Error('slixmpp has ended')
    return JSON.parse(line.value) as { readonly shown?: readonly string[] }
  }

  return {
    asksArchive: true,
    async logIn() {
      child = spawn(PYTHON, ['-B', join(import.meta.dirname, '..', 'slixmpp', 'person.py')], { stdio: ['pipe', 'pipe', 'pipe'] })
      const output = collectOutput(child)
      log = () => output.lines(120)
      lines = createInterface(child.stdout)[Symbol.asyncIterator]()
      await ask({ host: server.host, port: relay.port, certificateFile: server.certificateFile, ...juliet, peer: ROMEO })
    },
    say: async (text) => void await ask({ say: text }),
    shown: async () => (await ask({})).shown ?? [],
  }
}

tellStory('slixmpp', 'client', slixmppClient)
