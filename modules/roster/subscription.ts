/**
 * The subscription state machine of RFC 6121 Appendix A, as data.
 *
 * A state is a set of four bits: the user sees the contact (TO), the contact sees the user (FROM), the user's request
 * waits (OUT), the contact's request waits (IN). Nine of the sixteen sets occur. Each table below is one table of the
 * appendix: a row per state with the state that follows and whether the stanza goes on (routed to the contact, or
 * delivered to the user). What the appendix says in footnotes and §3 says in prose (pre-approval, automatic answers,
 * pushes) is derived from the row in two small functions, so that no cell is written twice.
 *
 * Pure: rosters, routing and storage are the caller's.
 */

const TO = 1
const FROM = 2
const OUT = 4
const IN = 8

/** The nine states of RFC 6121 §A.1, from the user's side. A contact that is not in the roster is in `none`. */
export const subscriptionState = {
  none: 0,
  nonePendingOut: 4,
  nonePendingIn: 8,
  nonePendingOutIn: 12,
  to: 1,
  toPendingIn: 9,
  from: 2,
  fromPendingOut: 6,
  both: 3,
} as const

export type SubscriptionState = (typeof subscriptionState)[keyof typeof subscriptionState]
export type SubscriptionType = 'subscribe' | 'subscribed' | 'unsubscribe' | 'unsubscribed'
/** The value of the roster attribute `subscription` (RFC 6121 §2.1.2.5). */
export type Subscription = 'none' | 'to' | 'from' | 'both'

/** What a subscription stanza from the user does (RFC 6121 §A.2). */
export interface OutboundChange {
  readonly state: SubscriptionState
  readonly isApproved: boolean
  /** The stanza goes to the contact. */
  readonly isRouted: boolean
  /** The user's clients see a difference: roster push and new version. */
  readonly isPushed: boolean
}

/** What a subscription stanza from the contact does (RFC 6121 §A.3). */
export interface InboundChange {
  readonly state: SubscriptionState
  readonly isApproved: boolean
  /** The stanza goes to the user's clients. */
  readonly isDelivered: boolean
  readonly isPushed: boolean
  /** Sent back on the user's behalf. */
  readonly reply: 'subscribed' | 'unsubscribed' | undefined
}

interface Row {
  readonly next: SubscriptionState
  /** MUST of the column "route" or "deliver"; MUST NOT and SHOULD NOT are false. */
  readonly isPassed: boolean
}

type Table = Readonly<Record<SubscriptionState, Row>>

type Changes = readonly (readonly [SubscriptionState, SubscriptionState])[]

const states = Object.values(subscriptionState)

/** Builds a table from what changes: every other state stays, with `isPassedUnchanged` as its column. */
function table(isPassedUnchanged: boolean, changes: Changes): Table {
  const next = new Map(changes)
  const rows = states.map((state) => {
    const changed = next.get(state)
    return [state, { next: changed ?? state, isPassed: changed !== undefined || isPassedUnchanged }]
  })
  return Object.fromEntries(rows) as Table
}

const s = subscriptionState

/** The user no longer sees, nor asks to see, the contact. */
const withoutTo: Changes = [
  [s.nonePendingOut, s.none], [s.nonePendingOutIn, s.nonePendingIn], [s.to, s.none],
  [s.toPendingIn, s.nonePendingIn], [s.fromPendingOut, s.from], [s.both, s.from],
]
/** The contact no longer sees, nor asks to see, the user. */
const withoutFrom: Changes = [
  [s.nonePendingIn, s.none], [s.nonePendingOutIn, s.nonePendingOut], [s.toPendingIn, s.to],
  [s.from, s.none], [s.fromPendingOut, s.nonePendingOut], [s.both, s.to],
]

/** RFC 6121 Tables 2 to 5. */
const outboundTables: Readonly<Record<SubscriptionType, Table>> = {
  subscribe: table(true, [[s.none, s.nonePendingOut], [s.nonePendingIn, s.nonePendingOutIn], [s.from, s.fromPendingOut]]),
  unsubscribe: table(true, withoutTo),
  subscribed: table(false, [[s.nonePendingIn, s.from], [s.nonePendingOutIn, s.fromPendingOut], [s.toPendingIn, s.both]]),
  unsubscribed: table(false, withoutFrom),
}
/** RFC 6121 Tables 6 to 9. */
const inboundTables: Readonly<Record<SubscriptionType, Table>> = {
  subscribe: table(false, [[s.none, s.nonePendingIn], [s.nonePendingOut, s.nonePendingOutIn], [s.to, s.toPendingIn]]),
  unsubscribe: table(false, withoutFrom),
  subscribed: table(false, [[s.nonePendingOut, s.to], [s.nonePendingOutIn, s.toPendingIn], [s.fromPendingOut, s.both]]),
  unsubscribed: table(false, withoutTo),
}

/** Processing of a subscription stanza that the user sends (RFC 6121 §A.2 and §3.4.2). `isApproved`: the contact is pre-approved. */
export function outboundChange(type: SubscriptionType, state: SubscriptionState, isApproved: boolean): OutboundChange {
  const { next, isPassed } = outboundTables[type][state]
  let willBeApproved = isApproved
  // §3.4.2: an approval of a request that has not come yet is kept for when it comes.
  if (type === 'subscribed' && (state & (FROM | IN)) === 0) willBeApproved = true
  // §3.4.2: the record lasts until the user sends `unsubscribed`.
  if (type === 'unsubscribed') willBeApproved = false
  const isPushed = willBeApproved !== isApproved || visible(next) !== visible(state)
  return { state: next, isApproved: willBeApproved, isRouted: isPassed, isPushed }
}

/** Processing of a subscription stanza that comes from the contact (RFC 6121 §A.3 and §3.1.3). */
export function inboundChange(type: SubscriptionType, state: SubscriptionState, isApproved: boolean): InboundChange {
  if (type === 'subscribe') {
    // Table 6, footnotes 1 and 2: what is granted already, or was granted in advance, is answered for the user.
    if ((state & FROM) !== 0) return { state, isApproved, isDelivered: false, isPushed: false, reply: 'subscribed' }
    if (isApproved) {
      const granted = ((state | FROM) & ~IN) as SubscriptionState
      return { state: granted, isApproved, isDelivered: false, isPushed: true, reply: 'subscribed' }
    }
  }
  const { next, isPassed } = inboundTables[type][state]
  const isPushed = visible(next) !== visible(state)
  return { state: next, isApproved, isDelivered: isPassed, isPushed, reply: type === 'unsubscribe' && isPassed ? 'unsubscribed' : undefined }
}

/** The roster attribute `subscription` of a state. */
export function subscriptionOf(state: SubscriptionState): Subscription {
  if ((state & TO) !== 0) return (state & FROM) !== 0 ? 'both' : 'to'
  return (state & FROM) !== 0 ? 'from' : 'none'
}

/** The state with these attributes; a pending flag that RFC 6121 §A.1 has no state for is left out. */
export function stateOf(subscription: Subscription, isPendingOut: boolean, isPendingIn: boolean): SubscriptionState {
  const mutual = { none: 0, to: TO, from: FROM, both: TO | FROM }[subscription]
  const out = isPendingOut && (mutual & TO) === 0 ? OUT : 0
  const waiting = isPendingIn && (mutual & FROM) === 0 ? IN : 0
  return (mutual | out | waiting) as SubscriptionState
}

/** The contact may see the user's presence. */
export function isFrom(state: SubscriptionState): boolean {
  return (state & FROM) !== 0
}

/** The user may see the contact's presence. */
export function isTo(state: SubscriptionState): boolean {
  return (state & TO) !== 0
}

/** The user's request waits for the contact (`ask='subscribe'`). */
export function isPendingOut(state: SubscriptionState): boolean {
  return (state & OUT) !== 0
}

/** The contact's request waits for the user. */
export function isPendingIn(state: SubscriptionState): boolean {
  return (state & IN) !== 0
}

/** Whether a presence type is one of the four of RFC 6121 §3. */
export function isSubscriptionType(type: string): type is SubscriptionType {
  return type === 'subscribe' || type === 'subscribed' || type === 'unsubscribe' || type === 'unsubscribed'
}

/** What roster items show of a state: a waiting inbound request is the server's own note. */
function visible(state: SubscriptionState): number {
  return state & ~IN
}
