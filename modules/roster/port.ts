/** What the roster offers to other modules and to the command line. Everything that takes an `Account` is synchronous: it is warm. */
import type { Jid } from '@rollcall/jid'
import { definePort } from '@rollcall/ports'
import type { Account, Session } from '@rollcall/module-api'
import type { RosterEntry } from './roster-entry.ts'
import type { Subscription } from './subscription.ts'

export { rosterRows, rosterStore } from './rows.ts'
export type { RosterEntry } from './roster-entry.ts'
export type { RosterRow } from './rows.ts'
export type { Subscription } from './subscription.ts'

/** A contact as import and export carry it (XEP-0227). */
export interface RosterRecord {
  readonly jid: Jid
  readonly name?: string
  readonly groups?: readonly string[]
  readonly subscription?: Subscription
  readonly ask?: boolean
  readonly approved?: boolean
  /** The contact's request waits: wire string of what follows the addresses of its stanza. */
  readonly request?: string
  /** False for the mere note of a waiting request. */
  readonly isListed?: boolean
}

export type WatcherHandler = (account: Account, contact: Jid) => void

export interface Roster {
  /**
   * Whether `watcher` may know about the presence of `account` (bare JIDs count; an account may know its own).
   * A promise only when the account is not warm; false when it does not exist.
   */
  maySeePresence(account: Jid, watcher: Jid): boolean | Promise<boolean>
  /** The contact is in the roster, whatever its subscription. */
  isContact(account: Account, contact: Jid): boolean
  /** The contact, or the note of its waiting request; undefined when neither is there. */
  item(account: Account, contact: Jid): RosterEntry | undefined
  /** Contacts in the roster, in no particular order. */
  items(account: Account): Iterable<RosterEntry>
  /** Contacts that may see the account's presence (from, both): a list that never changes. */
  watchers(account: Account): readonly Jid[]
  /** How many they are. */
  watcherCount(account: Account): number
  /** Contacts whose presence the account may see (to, both). */
  watched(account: Account): Iterable<Jid>
  /** The contact may see the account's presence. */
  isWatcher(account: Account, contact: Jid): boolean
  /** The account may see the contact's presence. */
  isWatched(account: Account, contact: Jid): boolean
  /**
   * Removes a contact as a client would (RFC 6121 §2.5): cancels both subscriptions, pushes. False when it is not there.
   * The promise settles when the change is stored.
   */
  remove(account: Account, contact: Jid): Promise<boolean>
  /**
   * To be called when a session becomes available: gives it the requests that wait (RFC 6121 §3.1.3) and repeats the
   * account's own unanswered requests to other domains (§3.1.2).
   */
  greet(session: Session): void
  /** Called after a contact got to see the account's presence: it has been told `subscribed`. */
  onWatcherAdded(handler: WatcherHandler): void
  /** Called while a contact loses sight of the account's presence, before it is told `unsubscribed`. */
  onWatcherRemoved(handler: WatcherHandler): void
  /** The whole roster of an account, warm or not, for export. */
  read(account: Jid): Promise<RosterRecord[]>
  /** Writes contacts of an account that is not connected, for import; others stay. Nobody is told. */
  write(account: Jid, records: Iterable<RosterRecord>): Promise<void>
}
export const Roster = definePort<Roster>('roster')
