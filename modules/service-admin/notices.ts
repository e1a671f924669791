/**
 * Texts that a host sends to its users: announcements, the message of the day, the welcome message.
 *
 * The message of the day has an id. An account that got it has that id noted, so that everybody gets it once, at their
 * next login or at once when they are online; correcting the text keeps the id. The texts are in memory, because every
 * login asks for them, and the notes are read only while there is a message.
 */
import { jidOf } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Accounts, Router, Session } from '@rollcall/module-api'
import type { Keyval, Log, Random } from '@rollcall/ports'
import { buildStanza, NS_CLIENT } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { XmlElement } from '@rollcall/xml'

/** A type, not an interface, so that it counts as JSON. */
export type Motd = { readonly id: string; readonly text: string }

export interface NoticePorts {
  readonly accounts: Accounts
  readonly router: Router
  readonly random: Random
  readonly log: Log
  readonly motds: Keyval<Motd>
  readonly seen: Keyval<string>
  readonly welcomes: Keyval<string>
}

/** A headline: shown to those who are there, kept for nobody (RFC 6121 §5.2.2). */
function notice(host: string, type: 'headline' | 'normal', text: string): Stanza {
  return buildStanza('message', { from: jidOf('', host), type: type === 'normal' ? '' : type, children: [new XmlElement('body', NS_CLIENT, {}, [text])] })
}

export class Notices {
  readonly #ports: NoticePorts
  readonly #motds = new Map<string, Motd>()
  readonly #welcomes = new Map<string, string>()
  /** Accounts whose note is being read, so that two resources that come at once get one message. */
  readonly #greeting = new Set<string>()

  constructor(ports: NoticePorts) {
    this.#ports = ports
  }

  async load(hosts: readonly string[]): Promise<void> {
    for (const host of hosts) {
      const [motd, welcome] = await Promise.all([this.#ports.motds.get(host), this.#ports.welcomes.get(host)])
      if (motd !== undefined) this.#motds.set(host, motd)
      if (welcome !== undefined) this.#welcomes.set(host, welcome)
    }
  }

  /** Sends a text to every connected resource of the host; says how many. */
  announce(host: string, text: string): number {
    const targets = [...this.#online(host)].flatMap((account) => [...account.sessions.values()].map((session) => session.jid))
    this.#ports.router.broadcast(notice(host, 'headline', text), targets)
    return targets.length
  }

  motd(host: string): Motd | undefined {
    return this.#motds.get(host)
  }

  /** A new message, sent to everybody who is online. */
  async setMotd(host: string, text: string): Promise<void> {
    const motd = { id: this.#ports.random.id(), text }
    await this.#ports.motds.set(host, motd)
    this.#motds.set(host, motd)
    this.announce(host, text)
    const accounts = [...this.#online(host)].map((account) => account.jid.toString())
    await Promise.all(accounts.map((account) => this.#ports.seen.set(account, motd.id)))
  }

  /** Another text for those who have not got the message yet; false when there is none. */
  async editMotd(host: string, text: string): Promise<boolean> {
    const present = this.#motds.get(host)
    if (present === undefined) return false
    const motd = { id: present.id, text }
    await this.#ports.motds.set(host, motd)
    this.#motds.set(host, motd)
    return true
  }

  /** False when there is none. */
  async deleteMotd(host: string): Promise<boolean> {
    await this.#ports.motds.delete(host)
    return this.#motds.delete(host)
  }

  async setWelcome(host: string, text: string): Promise<void> {
    await this.#ports.welcomes.set(host, text)
    this.#welcomes.set(host, text)
  }

  welcome(host: string): string | undefined {
    return this.#welcomes.get(host)
  }

  /** False when there is none. */
  async deleteWelcome(host: string): Promise<boolean> {
    await this.#ports.welcomes.delete(host)
    return this.#welcomes.delete(host)
  }

  /** To be called for a resource that became available. */
  async greet({ jid }: Session): Promise<void> {
    const motd = this.#motds.get(jid.domainpart)
    const account = jid.bare.toString()
    if (motd === undefined || this.#greeting.has(account)) return
    this.#greeting.add(account)
    try {
      if ((await this.#ports.seen.get(account)) === motd.id) return
      await this.#ports.seen.set(account, motd.id)
      void this.#ports.router.route(notice(jid.domainpart, 'headline', motd.text).addressed(jid.domain, jid))
    } catch (error) {
      this.#ports.log.warn('motd-not-sent', { account, error })
    } finally {
      this.#greeting.delete(account)
    }
  }

  /** To be called for a new account. It waits for its user, who is not there yet: an ordinary message. */
  async welcomeUser(account: Jid): Promise<void> {
    const text = this.#welcomes.get(account.domainpart)
    if (text === undefined) return
    try {
      await this.#ports.router.route(notice(account.domainpart, 'normal', text).addressed(account.domain, account))
    } catch (error) {
      this.#ports.log.warn('welcome-not-sent', { account: account.toString(), error })
    }
  }

  *#online(host: string) {
    for (const account of this.#ports.accounts.online()) if (account.jid.domainpart === host) yield account
  }
}
