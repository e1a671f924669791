/**
 * Where the receivers of one sender's broadcasts were found, kept for its next one.
 *
 * How it works: a contact list hardly changes and comes in the same order each time. What a broadcast has to look up of each
 * receiver (its account, and the sender in its roster) is kept in parallel arrays and found again by place, so that the next
 * broadcast reads along them. Kept are references to what lives, never answers: an account that was unloaded and an item
 * that was removed say so themselves, and whether the sender may be seen is read off the item each time. Who of the account gets what
 * comes is the one thing found out and kept, for as long as the account notes no change (`Account.changeCount`): most have one
 * session that takes it as it is, and then neither the account's sessions nor its filters are looked at, nor anything of the session but
 * its place. On a server with little to do each of those is fetched from memory: so a broadcast costs what it touches.
 *
 * A sender is kept from its second broadcast on, so that people who just log in and out cost an empty entry. Two
 * generations of bounded size, as with any cache here: what is in use survives.
 */
import type { Account, Accounts, Session } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { Roster, RosterEntry } from '../roster/port.ts'

/** Receivers of one part of a large broadcast: parts go along a route one after the other. */
export const PART_RECEIVERS = 512
/** Receivers of one generation, over all senders; a place costs six words. */
const PLACES_MAX = 250_000
/** Senders of one generation. */
const SENDERS_MAX = 50_000
/** Places that are looked at for a receiver, from the next or the first on: some may be left out of a broadcast. */
const AHEAD_MAX = 8

export interface WhereaboutsPorts {
  readonly accounts: Accounts
  readonly roster: Roster
}

/** Who of an account gets presence: one plain session (`Session.isPlain`), nobody, or there is more to look at. */
export type Receiver = Session | 'nobody' | 'several'

/** The receivers of one sender, in the order of its broadcasts. */
export class Route {
  readonly #ports: WhereaboutsPorts
  readonly #from: Jid
  readonly #grew: () => void
  readonly #jids: Jid[] = []
  readonly #accounts: (Account | undefined)[] = []
  /** The sender in the receiver's roster. */
  readonly #entries: (RosterEntry | undefined)[] = []
  /** When the account was looked up: `Accounts.warmedCount`. */
  readonly #askedAt: number[] = []
  readonly #receivers: (Receiver | undefined)[] = []
  /** `Account.changeCount` when the receiver was found out. */
  readonly #changeCounts: number[] = []
  #next = 0
  /** All receivers are here: who is not, is not where the list says. */
  #isWhole = false
  #account: Account | undefined = undefined

  constructor(ports: WhereaboutsPorts, from: Jid, grew: () => void) {
    this.#ports = ports
    this.#from = from
    this.#grew = grew
  }

  get size(): number {
    return this.#jids.length
  }

  /** Begins a broadcast, or a part of one: after what is not a whole number of parts comes another broadcast. */
  begin(): void {
    if (this.#jids.length % PART_RECEIVERS !== 0) this.#isWhole = true
  }

  /** Goes to a receiver. False when it is not where it was: then the route is of no use any more. */
  goTo(target: Jid): boolean {
    const at = this.#placeOf(target)
    if (at < 0) return false
    this.#next = at + 1
    const { accounts } = this.#ports
    const known = this.#accounts[at]
    if (known === undefined ? this.#askedAt[at] === accounts.warmedCount : known.isWarm) {
      this.#account = known
      return true
    }
    this.#account = this.#accounts[at] = accounts.warm(target)
    this.#entries[at] = undefined
    this.#receivers[at] = undefined
    this.#askedAt[at] = accounts.warmedCount
    return true
  }

  /** The account of the present receiver, if it is warm. */
  get account(): Account | undefined {
    return this.#account
  }

  /** Who of the present account gets it; undefined when that is not known, or may be otherwise by now. */
  get receiver(): Receiver | undefined {
    const at = this.#next - 1
    return this.#changeCounts[at] === this.#account?.changeCount ? this.#receivers[at] : undefined
  }

  /** What is so until the present account, which is warm, notes a change. */
  set receiver(receiver: Receiver | undefined) {
    const at = this.#next - 1
    this.#receivers[at] = receiver
    this.#changeCounts[at] = (this.#account as Account).changeCount
  }

  /** Whether the present receiver, whose account is warm, sees the sender. */
  get isWatched(): boolean {
    const at = this.#next - 1
    let entry = this.#entries[at]
    if (entry === undefined || entry.isGone) entry = this.#entries[at] = this.#ports.roster.item(this.#account as Account, this.#from)
    return entry?.isTo === true
  }

  /** The next one nearly always; -1 when it is neither near nor new. */
  #placeOf(target: Jid): number {
    const ahead = this.#find(target, this.#next)
    if (ahead >= 0) return ahead
    const first = this.#find(target, 0)
    if (first >= 0) this.#isWhole = true
    if (first >= 0 || this.#isWhole) return first
    this.#accounts.push(undefined)
    this.#entries.push(undefined)
    this.#askedAt.push(-1)
    this.#receivers.push(undefined)
    this.#changeCounts.push(-1)
    this.#grew()
    return this.#jids.push(target) - 1
  }

  #find(target: Jid, from: number): number {
    const end = Math.min(this.#jids.length, from + AHEAD_MAX)
    for (let at = from; at < end; at++) if (this.#jids[at] === target) return at
    return -1
  }
}

export class Whereabouts {
  readonly #ports: WhereaboutsPorts
  #young = new Map<Jid, Route | undefined>()
  #old = new Map<Jid, Route | undefined>()
  #places = 0
  readonly #grew = (): void => {
    this.#places++
  }

  constructor(ports: WhereaboutsPorts) {
    this.#ports = ports
  }

  /** The sender's route, to be walked by one broadcast; undefined at its first one. */
  routeOf(from: Jid): Route | undefined {
    const route = this.#young.get(from)
    route?.begin()
    if (route !== undefined) return route
    const isKnown = this.#young.has(from) || this.#old.has(from)
    const kept = this.#old.get(from) ?? (isKnown ? new Route(this.#ports, from, this.#grew) : undefined)
    kept?.begin()
    this.#keep(from, kept)
    return kept
  }

  /** The sender's list has changed. */
  forget(from: Jid): void {
    this.#young.delete(from)
    this.#old.delete(from)
  }

  #keep(from: Jid, route: Route | undefined): void {
    if (this.#young.size >= SENDERS_MAX || this.#places >= PLACES_MAX) {
      this.#old = this.#young
      this.#young = new Map()
      this.#places = 0
    }
    this.#young.set(from, route)
    this.#places += route?.size ?? 0
  }
}
