/**
 * One story for every client: it is online, loses its connection, the server is killed and started again, and all the time
 * somebody writes to it and its owner writes from another client. What it shows in the end is the whole conversation.
 *
 * The server is killed at once when it has acknowledged the last message to its sender, so the story also shows that what
 * is acknowledged is safe, as a user sees it.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { HOST, useServer } from '../harness.ts'
import type { Account, Ports, RollcallProcess } from '../harness.ts'
import { sendAll } from './correspondent.ts'
import { useRelay } from './relay.ts'
import type { Relay } from './relay.ts'

/** Clients wait before they connect again, the longer the more often they failed; Converse.js needs most. */
const SHOWN_TIMEOUT_MS = 60_000
const POLL_MS = 200
/** After everything is shown: something shown twice comes late. */
const QUIET_MS = 1_500
/** What is said in the two seconds before the server is killed. */
const REPEATED_MAX = 5

const romeo: Account = { localpart: 'romeo', password: 'call me but love' }
export const juliet: Account = { localpart: 'juliet', password: 'balcony', contacts: ['romeo'] }
export const ROMEO = `romeo@${HOST}`

/** A client of Juliet's, whose only conversation is with Romeo. */
export interface ChatClient {
  /**
   * Not when it logs in again: then it shows what waited for it, nothing that was said on another client meanwhile, and
   * what it had acknowledged in the last moments before the server was killed comes again, with the same id (ADR 0010).
   */
  readonly asksArchive: boolean
  /** Logs in and opens the conversation. */
  logIn(): Promise<void>
  /** Writes into the conversation. */
  say(text: string): Promise<void>
  /** The texts that the conversation shows, from top to bottom. */
  shown(): Promise<readonly string[]>
}

export interface Place {
  readonly server: RollcallProcess
  /** The client's only way to the server. */
  readonly relay: Relay
}

/** What was said until now, and by whom. */
class Conversation {
  readonly #server: RollcallProcess
  readonly #client: ChatClient
  readonly #texts: string[] = []
  /** What may stand there twice. */
  readonly #repeated = new Set<string>()

  constructor(server: RollcallProcess, client: ChatClient) {
    this.#server = server
    this.#client = client
  }

  /** Romeo writes; resolves when the server has acknowledged it. */
  async romeoSays(count: number): Promise<void> {
    await sendAll(this.#server, romeo, 'juliet', Array.from({ length: count }, () => this.#add('Romeo')))
  }

  /** The same of Juliet, on a client that is not the one under test. */
  async julietSaysElsewhere(): Promise<void> {
    await sendAll(this.#server, juliet, 'romeo', [this.#add('Juliet elsewhere')])
  }

  async clientSays(): Promise<void> {
    await this.#client.say(this.#add('Juliet'))
  }

  async killServer(): Promise<void> {
    await this.#server.kill()
    if (!this.#client.asksArchive) for (const text of this.#texts.slice(-REPEATED_MAX)) this.#repeated.add(text)
  }

  async isShown(): Promise<void> {
    const deadline = Date.now() + SHOWN_TIMEOUT_MS
    while ((await this.#shown()).length < this.#texts.length && Date.now() < deadline) await sleep(POLL_MS)
    await sleep(QUIET_MS)
    assert.deepEqual(await this.#shown(), this.#texts)
  }

  async #shown(): Promise<readonly string[]> {
    const texts = await this.#client.shown()
    return texts.filter((text, index) => !this.#repeated.has(text) || texts.indexOf(text) === index)
  }

  #add(speaker: string): string {
    const text = `${speaker} ${this.#texts.length + 1}.`
    this.#texts.push(text)
    return text
  }
}

/** Tells it as a suite. `makeClient` is called in the body of `describe`. */
export function tellStory(title: string, port: keyof Ports, makeClient: (place: Place) => ChatClient): void {
  describe(`${title}: no gap in what it shows`, { timeout: 300_000 }, () => {
    const server = useServer({ accounts: [romeo, juliet] })
    const relay = useRelay(() => server.ports[port])
    const client = makeClient({ server, relay })
    const conversation = new Conversation(server, client)

    it('shows what is said while it is online, by all sides', async () => {
      await client.logIn()
      await conversation.romeoSays(3)
      await conversation.isShown()
      await conversation.clientSays()
      await conversation.julietSaysElsewhere()
      await conversation.romeoSays(1)
      await conversation.isShown()
    })

    it('resumes after its connection was lost, and shows what was said meanwhile (XEP-0198)', async () => {
      const resumed = await resumptions(server)
      relay.cut()
      await conversation.romeoSays(4)
      await conversation.julietSaysElsewhere()
      await conversation.romeoSays(1)
      relay.restore()
      await conversation.isShown()
      assert.equal(await resumptions(server), resumed + 1)
      await conversation.clientSays()
      await conversation.romeoSays(2)
      await conversation.isShown()
    })

    it('catches up after the server was killed and started again: what it had, what it missed, what is said before it is back', async () => {
      await conversation.romeoSays(3)
      await conversation.killServer()
      relay.cut()
      await server.start()
      await conversation.romeoSays(4)
      if (client.asksArchive) await conversation.julietSaysElsewhere()
      await conversation.romeoSays(1)
      relay.restore()
      await conversation.isShown()
      await conversation.clientSays()
      await conversation.romeoSays(2)
      await conversation.isShown()
    })

    it('catches up after the server was killed while the client was away with its session', async () => {
      relay.cut()
      await conversation.romeoSays(3)
      if (client.asksArchive) await conversation.julietSaysElsewhere()
      await conversation.killServer()
      await server.start()
      await conversation.romeoSays(2)
      relay.restore()
      await conversation.isShown()
      await conversation.clientSays()
      await conversation.romeoSays(1)
      await conversation.isShown()
    })
  })
}

/** How many sessions were resumed since the server started. */
async function resumptions(server: RollcallProcess): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${server.ports.admin}/metrics`, { signal: AbortSignal.timeout(10_000) })
  const value = /^rollcall_resumptions_total\{result="resumed"\} (\d+)$/m.exec(await response.text())?.[1]
  assert.ok(value !== undefined, 'the server counts resumptions')
  return Number(value)
}
