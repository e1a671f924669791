/**
 * Last items for those who come online or get to see the presence (XEP-0163 §4.3.3, §4.3.4).
 *
 * How it works: a client of ours that wants to hear of nodes comes online; each contact whose presence it may see is asked
 * for last items: by name first, which is remembered and for most contacts says that there is nothing, and only where
 * a wanted node is there the contact's account is loaded. That happens behind the login, a few contacts at a time.
 * Resources of other servers are greeted when their presence arrives.
 */
import type { Account, Accounts, Router, Session } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { Log } from '@rollcall/ports'
import { buildStanza } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { Caps } from '../caps/port.ts'
import type { Roster } from '../roster/port.ts'
import type { AccountNodes } from './account-nodes.ts'
import type { Directory } from './directory.ts'
import type { Notifier } from './notifier.ts'
import { Resource, showsCaps } from './resource.ts'
import type { Wants } from './resource.ts'

/** Contacts asked side by side, of all logins together. */
const LANES = 8
const TOPIC_LAST = ''

interface Greeting {
  readonly contact: Jid
  readonly resource: Resource
  readonly wants: Wants
}

export interface GreeterPorts {
  readonly router: Router
  readonly accounts: Accounts
  readonly roster: Roster
  readonly caps: Caps
  readonly log: Log
  readonly notifier: Notifier
  readonly directory: Directory
  readonly stateOf: (account: Account) => AccountNodes
  /** Greetings that may wait. */
  readonly greetingsMax: number
}

export class Greeter {
  readonly #ports: GreeterPorts
  #queue: Greeting[] = []
  #next = 0
  #lanes = 0

  constructor(ports: GreeterPorts) {
    this.#ports = ports
  }

  get waiting(): number {
    return this.#queue.length - this.#next
  }

  /** A session of ours became available. */
  came(session: Session): void {
    const { presence } = session
    if (presence === undefined || !showsCaps(presence)) return
    const resource = this.#ports.notifier.resourceOf(session)
    resource?.when(TOPIC_LAST, (wants) => {
      if (wants.size > 0 && session.presence !== undefined) this.#greet(session, resource, wants)
    })
  }

  /** A contact got to see the presence of the account. */
  subscribed(account: Account, contact: Jid): void {
    const { accounts, directory } = this.#ports
    if (directory.peek(account.jid.toString())?.length === 0) return
    for (const session of accounts.warm(contact.bare)?.sessions.values() ?? []) {
      const resource = this.#ports.notifier.resourceOf(session)
      resource?.when(TOPIC_LAST, (wants) => this.#add({ contact: account.jid, resource, wants }))
    }
    this.#run()
  }

  /** Presence that came for an account from somewhere else; kept cheap for accounts that have no nodes. */
  heard(account: Account, stanza: Stanza): void {
    const { from, type } = stanza
    const { router, roster } = this.#ports
    if (from === undefined || !from.isFull || router.isHere(from)) return
    const state = this.#ports.stateOf(account)
    if (type === 'unavailable') return state.remote.delete(from)
    if (state.known?.size === 0 || (type !== '' && type !== 'probe') || !roster.isWatcher(account, from.bare)) return
    const before = state.remote.get(from)
    if (type === '' && !showsCaps(stanza)) return
    // A probe tells that the resource is there, and its presence, with what it supports, may come after it or not at all.
    if (type === 'probe' && (before !== undefined || account.sessions.size > 0)) return
    const shown = type === '' ? stanza : buildStanza('presence', { from })
    void this.#track(account, state, shown, before === undefined)
  }

  async #track(account: Account, state: AccountNodes, presence: Stanza, isNew: boolean): Promise<void> {
    const from = presence.from as Jid
    try {
      const loaded = state.load()
      const nodes = loaded instanceof Promise ? await loaded : loaded
      if (nodes.size === 0) return
      if (isNew && state.remote.get(from) !== undefined) return
      const resource = new Resource(from, this.#ports.caps.featuresIn(presence, account.jid))
      state.remote.set(resource)
      if (isNew) resource.when(TOPIC_LAST, (wants) => void this.#send(account, resource, wants))
    } catch (error) {
      this.#ports.log.error('pep-resource-failed', { account: account.jid.toString(), error })
    }
  }

  #greet(session: Session, resource: Resource, wants: Wants): void {
    const { account } = session
    const { directory, roster, router } = this.#ports
    this.#add({ contact: account.jid, resource, wants })
    for (const contact of roster.watched(account)) {
      if (!router.isHere(contact)) continue
      const names = directory.peek(contact.toString())
      if (names === undefined || names.some((name) => wants.has(name))) this.#add({ contact, resource, wants })
    }
    this.#run()
  }

  #add(greeting: Greeting): void {
    if (this.waiting < this.#ports.greetingsMax) this.#queue.push(greeting)
  }

  #run(): void {
    while (this.#lanes < LANES && this.waiting > 0) {
      this.#lanes++
      void this.#lane()
    }
  }

  async #lane(): Promise<void> {
    for (let greeting = this.#take(); greeting !== undefined; greeting = this.#take()) {
      const { contact, resource, wants } = greeting
      try {
        const names = await this.#ports.directory.names(contact.toString())
        if (!names.some((name) => wants.has(name))) continue
        await this.#ports.accounts.use(contact, (account) => this.#send(account, resource, wants))
      } catch (error) {
        this.#ports.log.error('pep-greeting-failed', { account: contact.toString(), error })
      }
    }
    this.#lanes--
  }

  #take(): Greeting | undefined {
    const greeting = this.#queue[this.#next++]
    if (greeting !== undefined) return greeting
    this.#queue = []
    this.#next = 0
    return undefined
  }

  async #send(account: Account, resource: Resource, wants: Wants): Promise<void> {
    try {
      await this.#ports.notifier.sendLast(account, this.#ports.stateOf(account), resource, wants)
    } catch (error) {
      this.#ports.log.error('pep-last-item-failed', { account: account.jid.toString(), error })
    }
  }
}
