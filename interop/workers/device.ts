/**
 * A client with stream management (XEP-0198) that keeps what is not acknowledged, comes back when its connection is lost, and
 * notes all that it sees: what the checks of the tests beside this judge by.
 *
 * It never binds anew: a session that cannot be resumed is what the tests are there to find.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { dial, dialTls, HOST, OPEN, plainAuth } from '../../server/edge/testing/edge-harness.ts'
import type { RawClient } from '../../server/edge/testing/edge-harness.ts'

const NS = "xmlns='urn:xmpp:sm:3'"
const RETURN_ATTEMPTS_MAX = 100
const RETURN_PAUSE_MS = 100

export interface DeviceOptions {
  readonly ports: { readonly client: number; readonly clientTls: number }
  readonly localpart: string
  readonly resource: string
  readonly isSecure: boolean
  /** Localpart of the account that it talks to. */
  readonly partner: string
}

/** A message as it was seen: who sent it, and its number there. */
export interface Seen {
  /** Localpart and resourcepart. */
  readonly sender: string
  readonly serial: number
}

export class Device {
  readonly name: string
  readonly localpart: string
  readonly partner: string
  readonly #options: DeviceOptions
  #client: RawClient | undefined
  #token = ''
  #handled = 0
  #acked = 0
  #unacked: string[] = []
  #sent = 0
  #return: Promise<void> | undefined
  #answers = new Map<string, string>()
  #requests = 0
  /** It does not come back by itself. */
  isAway = false
  /** It does not acknowledge. */
  isMute = false
  drops = 0
  resumptions = 0
  /** What the server said instead of resuming the session. */
  failure = ''
  /** By stanza id, in the order of arrival; copies of what the account's other devices sent are among them. */
  readonly seen = new Map<string, Seen>()
  /** Messages that came more than once under the same stanza id. */
  repeats = 0
  /** Presence of its contact. */
  readonly presence: string[] = []

  constructor(options: DeviceOptions) {
    this.#options = options
    this.localpart = options.localpart
    this.partner = options.partner
    this.name = `${options.localpart}/${options.resource}`
  }

  get sent(): number {
    return this.#sent
  }

  get isQuiet(): boolean {
    return this.#client !== undefined && this.#unacked.length === 0
  }

  /** For people. */
  get state(): string {
    const { isThere, name, isAway, failure } = this
    return `${name}: ${isThere ? 'there' : 'lost'}${isAway ? ', away' : ''}, ${this.#unacked.length} after ${this.#acked} not acknowledged ${failure}`
  }

  get isThere(): boolean {
    return this.#client?.isClosed === false
  }

  async start(): Promise<void> {
    const client = await this.#logIn()
    client.send(`<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${this.#options.resource}</resource></bind></iq>`)
    await client.read(/<iq type='result' id='b1'>.*?<\/iq>/)
    client.send(`<enable ${NS} resume='true'/>`)
    this.#token = / id='([^']+)'/.exec(await client.read(/<enabled [^>]*>/))?.[1] ?? ''
    this.#client = client
    this.#send('<presence/>')
    this.#send("<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
  }

  async #logIn(): Promise<RawClient> {
    const { isSecure, localpart, ports } = this.#options
    const client = isSecure ? await dialTls(ports.clientTls) : await dial(ports.client)
    client.send(OPEN)
    await client.read(/<\/stream:features>/)
    client.send(plainAuth(localpart))
    await client.read(/<success[^>]*>/)
    client.send(OPEN)
    await client.read(/<\/stream:features>/)
    return client
  }

  #send(stanza: string): void {
    this.#unacked.push(stanza)
    this.#client?.send(stanza)
  }

  /** Says the next thing to its contact; while it is away, that waits. */
  say(): void {
    const body = `${this.name} ${this.#sent++}`
    this.#send(`<message to='${this.partner}@${HOST}' type='chat' id='${body}'><body>${body}</body></message>`)
  }

  ask(): void {
    this.#client?.send(`<r ${NS}/>`)
  }

  /** Cuts the connection, and does not come back before `comeBack`. */
  leave(): void {
    this.isAway = true
    this.#client?.destroy()
  }

  comeBack(): void {
    this.isAway = false
  }

  /** Handles what has come; comes back when the connection is lost. */
  pump(): void {
    const client = this.#client
    if (client === undefined) return
    this.#take(client)
    if (!client.isClosed || this.isAway || this.failure !== '' || this.#return !== undefined) return
    this.drops++
    this.#return = this.#resume().finally(() => (this.#return = undefined))
  }

  async #resume(): Promise<void> {
    for (let attempt = 0; attempt < RETURN_ATTEMPTS_MAX; attempt++) {
      try {
        const client = await this.#logIn()
        client.send(`<resume ${NS} previd='${this.#token}' h='${this.#handled}'/>`)
        const answer = await client.read(/<resumed [^>]*>|<failed .*?(?:<\/failed>|\/>)/)
        if (!answer.includes('<resumed ')) {
          this.failure = answer
          return
        }
        this.resumptions++
        this.#client = client
        this.#acknowledge(Number(/ h='(\d+)'/.exec(answer)?.[1]))
        for (const stanza of this.#unacked) client.send(stanza)
        return
      } catch {
        // Between two members it may be nobody's; a member may die while it logs in.
        await sleep(RETURN_PAUSE_MS)
      }
    }
    this.failure = 'nobody answers'
  }

  #take(client: RawClient): void {
    for (;;) {
      const element = firstElement(client.text)
      if (element === undefined) return
      client.text = client.text.slice(element.length)
      this.#element(element, client)
    }
  }

  #element(element: string, client: RawClient): void {
    if (element.startsWith('<r ')) {
      if (!this.isMute) client.send(`<a ${NS} h='${this.#handled}'/>`)
      return
    }
    if (element.startsWith('<a ')) {
      this.#acknowledge(Number(/ h='(\d+)'/.exec(element)?.[1]))
      return
    }
    this.#handled++
    if (element.startsWith('<presence')) this.#presence(element)
    else if (element.startsWith('<message')) this.#message(element)
    else this.#iq(element)
  }

  #presence(element: string): void {
    if (element.includes(` from='${this.partner}@`)) this.presence.push(element)
  }

  #message(element: string): void {
    const [, sender = '', serial = ''] = /<body>(\S+) (\d+)<\/body>/.exec(element) ?? []
    const id = stanzaIdOf(element, this.localpart)
    if (element.includes("<result xmlns='urn:xmpp:mam:2'")) {
      const query = / queryid='([^']*)'/.exec(element)?.[1] ?? ''
      this.#answers.set(query, `${this.#answers.get(query) ?? ''}\n${sender} ${serial}`)
      return
    }
    assert.ok(sender !== '', `${this.name} got ${element}`)
    assert.ok(id !== undefined, `${this.name} got a message without an id: ${element}`)
    if (this.seen.has(id)) this.repeats++
    else this.seen.set(id, { sender, serial: Number(serial) })
  }

  #iq(element: string): void {
    const id = / id='([^']*)'/.exec(element)?.[1] ?? ''
    this.#answers.set(id, element)
  }

  /** Everything in the account's archive, as `sender serial`, in order. */
  async archive(): Promise<string[]> {
    const lines: string[] = []
    for (let after = '', isComplete = false; !isComplete;) {
      const id = `archive${++this.#requests}`
      const page = `<set xmlns='http://jabber.org/protocol/rsm'><max>250</max>${after === '' ? '' : `<after>${after}</after>`}</set>`
      this.#send(`<iq type='set' id='${id}'><query xmlns='urn:xmpp:mam:2' queryid='q${id}'>${page}</query></iq>`)
      for (let i = 0; i < 1000 && !this.#answers.has(id); i++) {
        await sleep(10)
        this.pump()
      }
      const fin = this.#answers.get(id) ?? ''
      if (fin.includes('<resource-constraint')) {
        // The machine is busy; the server says so and wants to be asked later.
        await sleep(500)
        continue
      }
      assert.match(fin, /type='result'/, `${this.name}: no answer to a query: ${fin}`)
      lines.push(...(this.#answers.get(`q${id}`) ?? '').split('\n').filter((line) => line !== ''))
      after = /<last>([^<]*)<\/last>/.exec(fin)?.[1] ?? ''
      isComplete = fin.includes("complete='true'")
    }
    return lines
  }

  #acknowledge(h: number): void {
    const sent = this.#acked + this.#unacked.length
    assert.ok(h >= this.#acked && h <= sent, `${this.name}: the server counts ${h}, not ${this.#acked} to ${sent}`)
    this.#unacked.splice(0, h - this.#acked)
    this.#acked = h
  }

  end(): void {
    this.isAway = true
    this.#client?.send('</stream:stream>')
    this.#client?.destroy()
  }
}

/** The id that the account's archive gave the message, or the one that is copied in it. */
function stanzaIdOf(element: string, localpart: string): string | undefined {
  for (const [tag] of element.matchAll(/<stanza-id [^>]*>/g)) {
    if (tag.includes(` by='${localpart}@${HOST}'`)) return / id='([^']+)'/.exec(tag)?.[1]
  }
  return undefined
}

/** The first element of a stream's text, once it is complete; elements of its own name may be inside. */
function firstElement(text: string): string | undefined {
  const start = /^<(message|presence|iq|a|r)[ />]/.exec(text)
  const name = start?.[1]
  if (name === undefined) return undefined
  const tags = new RegExp(`<(/?)${name}(?=[ />])[^>]*?(/?)>`, 'g')
  let depth = 0
  for (let tag = tags.exec(text); tag !== null; tag = tags.exec(text)) {
    if (tag[1] === '/') depth--
    else if (tag[2] !== '/') depth++
    if (depth === 0) return text.slice(0, tags.lastIndex)
  }
  return undefined
}
