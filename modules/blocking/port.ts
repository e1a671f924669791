/** What block lists offer to other modules. */
import type { Jid } from '@rollcall/jid'
import { definePort } from '@rollcall/ports'
import type { Account } from '@rollcall/module-api'

export interface Blocking {
  /** Whether the account has blocked the address, by itself or by its domain. Never true of its own address. */
  isBlocked(account: Account, jid: Jid): boolean
  /** The addresses on the list, in the order in which they were added. */
  list(account: Account): readonly Jid[]
}
export const Blocking = definePort<Blocking>('blocking')
