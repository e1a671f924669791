/**
 * Changes of block lists and what they entail.
 *
 * A change counts once it is stored: the changes of one account are made one after the other, and each is in force, and
 * told to contacts and clients, when storage has it. So a list in memory is never more or less than what a restart would
 * find. Stanzas are checked against memory, without waiting.
 */
import type { Account, Session, SessionSlot } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { Keyval, Random } from '@rollcall/ports'
import { Block, Blocked, Unblock } from '@rollcall/protocol'
import { buildStanza, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { XmlElement } from '@rollcall/xml'
import type { Presence } from '../presence/port.ts'
import type { Roster } from '../roster/port.ts'
import { BlockList } from './block-list.ts'

/** Changes of one account that wait for storage; further ones are refused with `resource-constraint`. */
const CHANGES_WAITING_MAX = 20

const nothingYet: Promise<unknown> = Promise.resolve()

/** What a warm account carries. */
export class AccountBlocks {
  list: BlockList
  waiting = 0
  last = nothingYet

  constructor(list: BlockList) {
    this.list = list
  }
}

export interface BlockingServicePorts {
  readonly store: Keyval<readonly string[]>
  readonly presence: Presence
  readonly roster: Roster
  readonly random: Random
  readonly blocksOf: (account: Account) => AccountBlocks
  /** Sessions that asked for the list and so get pushes. */
  readonly askedSlot: SessionSlot<true>
  readonly itemsMax: number
}

export class BlockingService {
  readonly #ports: BlockingServicePorts

  constructor(ports: BlockingServicePorts) {
    this.#ports = ports
  }

  isBlocked(account: Account, jid: Jid): boolean {
    const { list } = this.#ports.blocksOf(account)
    if (list.isEmpty || !list.matches(jid)) return false
    // XEP-0016 §2.12, by way of XEP-0191 §5: nobody can block their own resources. Nor their own server, whose answers
    // a client cannot do without; blocking its domain blocks the others who live there.
    return !jid.bareEquals(account.jid) && !(jid.localpart === '' && jid.domainpart === account.jid.domainpart)
  }

  list(session: Session): readonly Jid[] {
    session.set(this.#ports.askedSlot, true)
    return this.#ports.blocksOf(session.account).list.jids
  }

  block(account: Account, jids: readonly Jid[]): Promise<void> {
    if (jids.length === 0) throw new StanzaError('bad-request', 'There is nothing to block')
    return this.#change(account, (list) => list.with(jids), (blocks, next) => {
      const known = this.#contactsOf(account, jids, next).filter((contact) => !blocks.list.matches(contact))
      for (const contact of known) this.#ports.presence.conceal(account, contact)
      blocks.list = next
      account.noteChange()
      this.#push(account, Block.encode({ items: jids.map((jid) => ({ jid })) }))
    })
  }

  /** Unblocks the addresses; all of them when none is named (§3.5). */
  unblock(account: Account, jids: readonly Jid[]): Promise<void> {
    const { presence, roster } = this.#ports
    return this.#change(account, (list) => (jids.length === 0 ? new BlockList() : list.without(jids)), (blocks, next) => {
      const before = blocks.list
      const named = jids.length === 0 ? before.jids : jids
      blocks.list = next
      account.noteChange()
      const isFree = (contact: Jid) => before.matches(contact) && !this.isBlocked(account, contact)
      for (const contact of this.#watchersOf(account, named)) if (isFree(contact)) presence.reveal(account, contact)
      // What the contacts did meanwhile was dropped, so that the clients must be told how things are now.
      for (const contact of [...roster.watched(account)]) if (isFree(contact)) presence.ask(account, contact)
      this.#push(account, Unblock.encode({ items: jids.map((jid) => ({ jid })) }))
    })
  }

  /** §3.3, stanzas from a blocked address: true = to be dropped. Throws the error that the sender is told. */
  refuses(account: Account, stanza: Stanza): boolean {
    const { from, kind, type } = stanza
    if (from === undefined || !this.isBlocked(account, from)) return false
    const isSilent = kind === 'presence' || type === 'error' || (kind === 'iq' && type === 'result')
    if (isSilent) return true
    throw new StanzaError('service-unavailable')
  }

  /** §3.3, stanzas to a blocked address. Throws the error that the user is told. */
  checkOutbound(account: Account, stanza: Stanza): void {
    if (stanza.to === undefined || !this.isBlocked(account, stanza.to)) return
    throw new StanzaError('not-acceptable', undefined, { type: 'cancel', application: Blocked.encode({}) })
  }

  async #change(
    account: Account, change: (list: BlockList) => BlockList, apply: (blocks: AccountBlocks, next: BlockList) => void,
  ): Promise<void> {
    const blocks = this.#ports.blocksOf(account)
    if (blocks.waiting >= CHANGES_WAITING_MAX) throw new StanzaError('resource-constraint', 'Too many changes at once')
    const turn = async () => {
      const next = change(blocks.list)
      if (next.size > Math.max(this.#ports.itemsMax, blocks.list.size)) {
        throw new StanzaError('policy-violation', `A block list has at most ${this.#ports.itemsMax} items`)
      }
      await this.#ports.store.set(account.jid.toString(), next.texts)
      apply(blocks, next)
    }
    const work = blocks.last.then(turn, turn)
    blocks.last = work
    blocks.waiting++
    try {
      await work
    } finally {
      blocks.waiting--
    }
  }

  /** Who is to see the account go: it may see its presence (§3.3), or was sent it, and `list` stands for it. */
  #contactsOf(account: Account, items: readonly Jid[], list: BlockList): Jid[] {
    const told = new Map<string, Jid>()
    for (const jid of this.#ports.presence.told(account)) if (list.matches(jid) && !jid.bareEquals(account.jid)) told.set(jid.toString(), jid)
    for (const jid of this.#watchersOf(account, items)) told.set(jid.toString(), jid)
    return [...told.values()]
  }

  /** Contacts that may see the account and that the items stand for; of an item with a resource, that resource. */
  #watchersOf(account: Account, items: readonly Jid[]): Jid[] {
    const { roster } = this.#ports
    const named = new BlockList(items)
    const contacts = [...roster.watchers(account)].filter((contact) => named.matches(contact))
    const resources = items.filter((jid) => jid.isFull && !named.matches(jid.bare) && roster.isWatcher(account, jid.bare))
    return [...contacts, ...resources]
  }

  /** §3.3, §3.4: to every resource that asked for the list. */
  #push(account: Account, payload: XmlElement): void {
    for (const session of account.sessions.values()) {
      if (session.get(this.#ports.askedSlot) === undefined) continue
      session.send(buildStanza('iq', { to: session.jid, type: 'set', id: this.#ports.random.id(), children: [payload] }))
    }
  }
}
