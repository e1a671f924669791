/**
 * One contact of one account, as small as it can be: a million accounts hold twenty of these each.
 *
 * Five fields. State, pre-approval, "is in the roster", "was taken out" and a hash of the address share one small
 * integer; the address is the interned bare JID that sessions and other rosters hold too; no groups is one shared array. Instances are mutable and
 * belong to their `AccountRoster`; everybody else sees them as `RosterEntry`.
 */
import type { Jid } from '@rollcall/jid'
import type { RosterEntry } from './roster-entry.ts'
import { isFrom, isPendingIn, isPendingOut, isTo, subscriptionOf, subscriptionState } from './subscription.ts'
import type { Subscription, SubscriptionState } from './subscription.ts'

const STATE_MASK = 15
const APPROVED = 16
const LISTED = 32
const GONE = 64
/** The hash takes what the flags leave of 32 bits: in V8 on 64-bit machines both are one small integer. */
const HASH_SHIFT = 7

/** Hashes are from 0 up to this. */
export const HASHES = 0x2000000

let hashedJid: Jid | undefined
let hashed = 0

/** 25 bits of FNV-1a over a bare JID. A broadcast looks the same contact up in many rosters, so the last one is remembered. */
export function hashOf(bare: Jid): number {
  if (bare === hashedJid) return hashed
  const text = bare.toString()
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hashedJid = bare
  return (hashed = (hash ^ (hash >>> 25)) & (HASHES - 1))
}

/** The groups of everybody who is in none. */
export const noGroups: readonly string[] = Object.freeze([])

export class RosterItem implements RosterEntry {
  readonly jid: Jid
  /** '' when the user gave none. */
  name = ''
  groups = noGroups
  /** Version of the roster in which clients last saw this item change; 0 while they never did. */
  version = 0
  #bits: number

  constructor(jid: Jid) {
    this.jid = jid
    this.#bits = (hashOf(jid) << HASH_SHIFT) | subscriptionState.none
  }

  /** `hashOf` its address: what rosters are sorted by. */
  get hash(): number {
    return this.#bits >>> HASH_SHIFT
  }

  get state(): SubscriptionState {
    return (this.#bits & STATE_MASK) as SubscriptionState
  }

  set state(state: SubscriptionState) {
    this.#bits = (this.#bits & ~STATE_MASK) | state
  }

  get isApproved(): boolean {
    return (this.#bits & APPROVED) !== 0
  }

  set isApproved(isApproved: boolean) {
    this.#bits = isApproved ? this.#bits | APPROVED : this.#bits & ~APPROVED
  }

  /** In the roster. Otherwise the item only notes a request that waits (RFC 6121 §3.1.3: no item before approval). */
  get isListed(): boolean {
    return (this.#bits & LISTED) !== 0
  }

  set isListed(isListed: boolean) {
    this.#bits = isListed ? this.#bits | LISTED : this.#bits & ~LISTED
  }

  get isGone(): boolean {
    return (this.#bits & GONE) !== 0
  }

  set isGone(isGone: boolean) {
    this.#bits = isGone ? this.#bits | GONE : this.#bits & ~GONE
  }

  get subscription(): Subscription {
    return subscriptionOf(this.state)
  }

  get isTo(): boolean {
    return isTo(this.state)
  }

  get isFrom(): boolean {
    return isFrom(this.state)
  }

  get isPendingOut(): boolean {
    return isPendingOut(this.state)
  }

  get isPendingIn(): boolean {
    return isPendingIn(this.state)
  }
}
