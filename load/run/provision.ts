/**
 * Makes accounts and contacts over XMPP, for servers without an import: in-band registration (XEP-0077 §3.1), then for
 * each contact a subscription in both directions (RFC 6121 §3). Slow beside an import, but it works everywhere.
 */
import { defaultLimits, escapeAttribute, escapeText, StreamFramer } from '@rollcall/xml'
import type { Frame, FrameSink } from '@rollcall/xml'
import type { Population } from '../model/population.ts'
import { Client, streamHeader } from '../wire/client.ts'
import type { ClientHost } from '../wire/client.ts'
import { Outbox } from '../wire/outbox.ts'
import type { KeyCache } from '../wire/scram.ts'
import { ClientSocket } from '../wire/socket.ts'
import type { Endpoint } from '../wire/socket.ts'

export interface ProvisionOptions {
  readonly isRegistering: boolean
  readonly onProgress?: (what: string, done: number, total: number) => void
}

export interface ProvisionResult {
  readonly registered: number
  /** Contacts that both sides have. */
  readonly contacts: number
  readonly problems: readonly string[]
}

const IN_FLIGHT_MAX = 32
const REQUESTS_OPEN_MAX = 500
const REGISTER_TIMEOUT_MS = 30_000
/** Without any progress for so long, what is left is given up. */
const STALL_TIMEOUT_MS = 20_000
const POLL_MS = 20
const PROBLEMS_MAX = 20

/** Registers (those that exist are left alone) and makes all contacts mutual. Every wait is bounded. */
export async function provision(endpoint: Endpoint, population: Population, options: ProvisionOptions): Promise<ProvisionResult> {
  const problems: string[] = []
  const problem = (text: string): void => {
    if (problems.length < PROBLEMS_MAX) problems.push(text)
  }
  let registered = 0
  if (options.isRegistering) registered = await registerAll(endpoint, population, options, problem)
  const contacts = await new Befriender(endpoint, population, options, problem).run()
  return { registered, contacts, problems }
}

async function registerAll(
  endpoint: Endpoint, { names, passwords }: Population, { onProgress }: ProvisionOptions, problem: (text: string) => void,
): Promise<number> {
  const queue = names.entries()
  let made = 0
  let done = 0
  async function worker(): Promise<void> {
    for (const [user, name] of queue) {
      const failure = await new Registration(endpoint, name, passwords[user]!).run()
      if (failure === undefined) made++
      else if (failure !== 'conflict') problem(`${name} is not registered: ${failure}`)
      onProgress?.('accounts', ++done, names.length)
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT_MAX }, worker))
  return made
}

/** One account over one connection. */
class Registration implements FrameSink {
  private readonly endpoint: Endpoint
  private readonly name: string
  private readonly password: string
  private readonly framer = new StreamFramer(defaultLimits)
  private isSecured: boolean
  private socket: ClientSocket | undefined
  private finish: (failure: string | undefined) => void = () => undefined

  constructor(endpoint: Endpoint, name: string, password: string) {
    this.endpoint = endpoint
    this.name = name
    this.password = password
    this.isSecured = endpoint.tls === 'direct'
  }

  /** Resolves with undefined, or why not: an error condition or a sentence. */
  run(): Promise<string | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.finish('no answer'), REGISTER_TIMEOUT_MS)
      let isDone = false
      this.finish = (failure) => {
        if (isDone) return
        isDone = true
        clearTimeout(timer)
        this.socket?.destroy()
        resolve(failure)
      }
      this.socket = new ClientSocket(this.endpoint, {
        opened: () => this.openStream(),
        received: (bytes) => this.received(bytes),
        secured: () => this.openStream(),
        closed: (reason) => this.finish(reason),
      })
    })
  }

  streamOpen(): void {
    // Features follow.
  }

  streamClose(): void {
    this.finish('the server closed the stream')
  }

  element(frame: Frame): void {
    switch (frame.name) {
      case 'features':
        if (!this.isSecured && this.endpoint.tls === 'starttls') return this.socket?.write(`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
        return this.request()
      case 'proceed':
        this.isSecured = true
        this.framer.reset()
        return this.socket?.secure()
      case 'iq':
        return this.finish(frame.attribute('type') === 'result' ? undefined : conditionOf(frame))
      default:
        return this.finish(frame.childCount > 0 ? frame.childName(0) : frame.name)
    }
  }

  private received(bytes: Uint8Array): void {
    try {
      this.framer.push(bytes, this)
    } catch (error) {
      this.finish(error instanceof Error ? error.message : String(error))
    }
  }

  private openStream(): void {
    this.socket?.write(streamHeader(this.endpoint.domain))
  }

  private request(): void {
    const fields = `<username>${escapeText(this.name)}</username><password>${escapeText(this.password)}</password>`
    this.socket?.write(`<iq type='set' id='register' to='${this.endpoint.domain}'><query xmlns='jabber:iq:register'>${fields}</query></iq>`)
  }
}

function conditionOf(iq: Frame): string {
  const at = iq.findChild('error', 'jabber:client')
  const [condition] = at < 0 ? [] : iq.childElement(at).elements()
  return condition?.name ?? 'refused'
}

/** Logs everybody in, lets the lower number of each pair ask, and everybody agree and ask back. */
class Befriender implements ClientHost {
  readonly endpoint: Endpoint
  readonly outbox = new Outbox()
  readonly keys: KeyCache = new Map()
  readonly mechanism = undefined
  private readonly population: Population
  private readonly onProgress: ProvisionOptions['onProgress']
  private readonly problem: (text: string) => void
  private readonly clients: Client[]
  private readonly contactsOf = new Map<number, ReadonlySet<string>>()
  private readonly numbers = new Map<string, number>()
  private readonly wasOnline = new Set<number>()
  private waiting = 0
  private agreed = 0
  private asked = 0
  private lastProgressMs = performance.now()

  constructor(endpoint: Endpoint, population: Population, options: ProvisionOptions, problem: (text: string) => void) {
    this.endpoint = endpoint
    this.population = population
    this.onProgress = options.onProgress
    this.problem = problem
    this.clients = population.names.map((name, user) => new Client(user, this, { name, password: population.passwords[user]!, resource: 'load-provision' }))
    for (let user = 0; user < population.userCount; user++) this.numbers.set(this.addressOf(user), user)
  }

  async run(): Promise<number> {
    for (const client of this.clients) {
      this.waiting++
      client.login()
      await this.until(() => this.waiting < IN_FLIGHT_MAX)
    }
    await this.until(() => this.waiting === 0)
    const { graph } = this.population
    for (const client of this.clients) {
      for (let at = graph.starts[client.index]!; at < graph.starts[client.index + 1]!; at++) {
        const contact = graph.contacts[at]!
        if (contact < client.index || this.contactsOf.get(client.index)?.has(this.addressOf(contact)) === true) continue
        client.send(`<presence to='${this.addressOf(contact)}' type='subscribe'/>`)
        this.asked++
        if (!(await this.until(() => this.asked * 2 - this.agreed < REQUESTS_OPEN_MAX))) return this.finish()
      }
    }
    await this.until(() => this.agreed >= this.asked * 2)
    return this.finish()
  }

  private async finish(): Promise<number> {
    const open = this.asked * 2 - this.agreed
    if (open > 0) this.problem(`${open} of ${this.asked * 2} subscriptions were not agreed on`)
    for (const client of this.clients) client.logout(`<presence type='unavailable'/>`)
    await this.until(() => this.clients.every(({ phase }) => phase === 0))
    for (const client of this.clients) client.cut()
    return Math.floor(this.agreed / 2)
  }

  arrived(): void {
    this.lastProgressMs = performance.now()
  }

  bound(): void {
    // The resource does not matter.
  }

  rosterReceived(client: Client, frame: Frame): void {
    const items = frame.childCount === 0 ? [] : frame.childElement(0).elements('item')
    const mutual = items.filter((item) => item.attribute('subscription') === 'both').map((item) => escapeAttribute(item.attribute('jid') ?? ''))
    this.contactsOf.set(client.index, new Set(mutual))
  }

  initialPresence(): string {
    return '<presence/>'
  }

  message(): void {
    // Nobody writes here.
  }

  presence(client: Client, frame: Frame): void {
    const from = frame.attributeWire('from') ?? ''
    const bare = from.split('/')[0]!
    switch (frame.attribute('type')) {
      case 'subscribe':
        client.send(`<presence to='${bare}' type='subscribed'/>`)
        // The asker has the lower number; whoever is asked asks back.
        if ((this.numbers.get(bare) ?? Infinity) < client.index) client.send(`<presence to='${bare}' type='subscribe'/>`)
        return
      case 'subscribed':
        this.agreed++
        if (this.agreed % 100 === 0 || this.agreed === this.asked * 2) this.onProgress?.('subscriptions', this.agreed, this.asked * 2)
        return
      case undefined:
        if (client.isOnline || bare !== this.addressOf(client.index)) return
        client.setOnline()
        this.wasOnline.add(client.index)
        this.waiting--
        return
      default:
    }
  }

  ended(client: Client, reason: string | undefined): void {
    if (reason === undefined) return
    if (!this.wasOnline.has(client.index)) this.waiting--
    this.problem(`${this.population.names[client.index]!}: ${reason}`)
  }

  private addressOf(user: number): string {
    return escapeAttribute(`${this.population.names[user]!}@${this.endpoint.domain}`)
  }

  /** Whether `isDone` became true while there was progress. */
  private async until(isDone: () => boolean): Promise<boolean> {
    this.lastProgressMs = performance.now()
    while (!isDone() && performance.now() - this.lastProgressMs < STALL_TIMEOUT_MS) {
      await new Promise((resolve) => { setTimeout(resolve, POLL_MS) })
    }
    return isDone()
  }
}
