/** What presence offers to other modules. */
import type { Jid } from '@rollcall/jid'
import { definePort } from '@rollcall/ports'
import type { Account } from '@rollcall/module-api'

/** When and how the last resource of an account went unavailable. */
export interface LastPresence {
  /** ms since the Unix epoch. */
  readonly at: number
  /** Wire string of the content of the unavailable presence; '' when it had none. */
  readonly content: string
}

/** The account does not let the contact see its presence, whatever its roster says. Called often: it must be cheap. */
export type HidesFrom = (account: Account, contact: Jid) => boolean

export interface Presence {
  /**
   * Adds a reason for an account to hide from a contact (a block list). It holds for broadcasts, for probes and for what
   * a contact that logs in is told. Presence in the other direction is the business of `inbound` filters, except for what
   * the account itself is told at login, where this is asked too.
   */
  addVeto(hidesFrom: HidesFrom): void
  /** Tells the contact the presence of every available resource, if it may know: after an unblock. */
  reveal(account: Account, contact: Jid): void
  /** Tells the contact that every resource it may know of went away: before a block takes effect. */
  conceal(account: Account, contact: Jid): void
  /** Entities that resources of the account sent directed presence (bare and full JIDs); some may come twice. */
  told(account: Account): Iterable<Jid>
  /** Asks the contact for its presence anew; the answer goes to every available resource of the account. */
  ask(account: Account, contact: Jid): void
  /** The end of the last presence session; undefined when there was none or it is not known. */
  last(account: Jid): Promise<LastPresence | undefined>
}
export const Presence = definePort<Presence>('presence')
