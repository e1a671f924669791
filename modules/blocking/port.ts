/** What block lists offer to other modules. */
import type { Jid } from '@rollcall/jid'
import { definePort } from '@rollcall/ports'
import type { Account } from '@rollcall/module-api'
import type { XmlElement } from '@rollcall/xml'

/** An address that a client asked to block, and what it said beside it. */
export interface BlockedItem {
  readonly jid: Jid
  readonly extensions: readonly XmlElement[]
}

export interface Blocking {
  /** Whether the account has blocked the address, by itself or by its domain. Never true of its own address. */
  isBlocked(account: Account, jid: Jid): boolean
  /** The addresses on the list, in the order in which they were added. */
  list(account: Account): readonly Jid[]
  /** Called for each item of a block request, also of an address that was blocked before, when the block is stored and in force. */
  onBlocked(handler: (account: Account, item: BlockedItem) => void): void
}
export const Blocking = definePort<Blocking>('blocking')
