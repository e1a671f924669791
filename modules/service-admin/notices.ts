/**
 * Texts that a host sends to its users: announcements, the message of the day, the welcome message.
 *
 * The message of the day has an id. An account that got it has that id noted, so that everybody gets it once, at their
 * next login or at once when they are online; correcting the text keeps the id. The texts are in memory, because every
 * login asks for them, and the notes are read only while there is a message. What is stored is the truth: whoever changes a
 * text tells all members, each of which reads it again.
 */
import { jidOf } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Accounts, Members, Question, Router, Session } from '@rollcall/module-api'
import type { Keyval, Log, Random } from '@rollcall/ports'
import { buildStanza, NS_CLIENT } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { XmlElement } from '@rollcall/xml'

/** A type, not an interface, so that it counts as JSON. */
export type Motd = { readonly id: string; readonly text: string }

/** Types, as above. */
type Announcement = { readonly host: string; readonly text: string }
/** `isNewMotd`: it goes to everybody who is online. */
type TextsChanged = { readonly host: string; readonly isNewMotd: boolean }

export interface NoticePorts {
  readonly accounts: Accounts
  readonly members: Members
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

function setOrDelete<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

export class Notices {
  readonly #ports: NoticePorts
  readonly #motds = new Map<string, Motd>()
  readonly #welcomes = new Map<string, string>()
  /** Accounts whose note is being read, so that two resources that come at once get one message. */
  readonly #greeting = new Set<string>()
  readonly #announce: Question<Announcement, number>
  readonly #changed: Question<TextsChanged, null>

  constructor(ports: NoticePorts) {
    this.#ports = ports
    const { members } = ports
    this.#announce = members.question('service-admin/announce', ({ host, text }) => this.#announceHere(host, text))
    this.#changed = members.question('service-admin/texts', (change) => this.#reread(change))
  }

  async load(hosts: readonly string[]): Promise<void> {
    for (const host of hosts) await this.#loadTexts(host)
  }

  /** For a change that this member may have missed. */
  async reload(hosts: readonly string[]): Promise<void> {
    try {
      await this.load(hosts)
    } catch (error) {
      this.#ports.log.warn('notices-not-read', { error })
    }
  }

  async #loadTexts(host: string): Promise<void> {
    const [motd, welcome] = await Promise.all([this.#ports.motds.get(host), this.#ports.welcomes.get(host)])
    setOrDelete(this.#motds, host, motd)
    setOrDelete(this.#welcomes, host, welcome)
  }

  async #reread({ host, isNewMotd }: TextsChanged): Promise<null> {
    await this.#loadTexts(host)
    const motd = this.#motds.get(host)
    if (!isNewMotd || motd === undefined) return null
    this.#announceHere(host, motd.text)
    const accounts = [...this.#online(host)].map((account) => account.jid.toString())
    await Promise.all(accounts.map((account) => this.#ports.seen.set(account, motd.id)))
    return null
  }

  /** Sends a text to every connected resource of the host; says how many. */
  async announce(host: string, text: string): Promise<number> {
    return (await this.#announce.all({ host, text })).reduce((sum, count) => sum + count, 0)
  }

  #announceHere(host: string, text: string): number {
    const targets = [...this.#online(host)].flatMap((account) => [...account.sessions.values()].map((session) => session.jid))
    this.#ports.router.broadcast(notice(host, 'headline', text), targets)
    return targets.length
  }

  motd(host: string): Motd | undefined {
    return this.#motds.get(host)
  }

  /** A new message, sent to everybody who is online. */
  async setMotd(host: string, text: string): Promise<void> {
    await this.#ports.motds.set(host, { id: this.#ports.random.id(), text })
    await this.#changed.all({ host, isNewMotd: true })
  }

  /** Another text for those who have not got the message yet; false when there is none. */
  async editMotd(host: string, text: string): Promise<boolean> {
    const present = this.#motds.get(host)
    if (present === undefined) return false
    await this.#ports.motds.set(host, { id: present.id, text })
    await this.#changed.all({ host, isNewMotd: false })
    return true
  }

  /** False when there is none. */
  async deleteMotd(host: string): Promise<boolean> {
    const isThere = this.#motds.has(host)
    await this.#ports.motds.delete(host)
    await this.#changed.all({ host, isNewMotd: false })
    return isThere
  }

  async setWelcome(host: string, text: string): Promise<void> {
    await this.#ports.welcomes.set(host, text)
    await this.#changed.all({ host, isNewMotd: false })
  }

  welcome(host: string): string | undefined {
    return this.#welcomes.get(host)
  }

  /** False when there is none. */
  async deleteWelcome(host: string): Promise<boolean> {
    const isThere = this.#welcomes.has(host)
    await this.#ports.welcomes.delete(host)
    await this.#changed.all({ host, isNewMotd: false })
    return isThere
  }

  /** To be called for a resource that became available. */
  greet({ jid }: Session): void {
    const motd = this.#motds.get(jid.domainpart)
    if (motd !== undefined) void this.#show(motd, jid)
  }

  async #show(motd: Motd, jid: Jid): Promise<void> {
    const account = jid.bare.toString()
    if (this.#greeting.has(account)) return
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
