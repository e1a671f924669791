/** RFC 6121 §2: the roster, its versioning (§2.6), and the features of versioning and pre-approval (§3.4). */
import { attr } from './attr.ts'
import { children, childTexts, flag } from './child.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'

export const NS_ROSTER = 'jabber:iq:roster'
export const NS_ROSTER_VERSIONING = 'urn:xmpp:features:rosterver'
export const NS_PRE_APPROVAL = 'urn:xmpp:features:pre-approval'

/** Who sees whose presence (RFC 6121 §2.1.2.5); `remove` only in pushes and in requests to delete. */
export const rosterSubscriptions = ['none', 'to', 'from', 'both', 'remove'] as const
export type RosterSubscription = (typeof rosterSubscriptions)[number]

/** One contact (RFC 6121 §2.1.2). */
export const RosterItem = element(NS_ROSTER, 'item', {
  jid: attr.jid('jid'),
  name: attr.string('name').optional(),
  subscription: attr.enum('subscription', rosterSubscriptions).optional(),
  /** A subscription request to the contact is unanswered (§2.1.2.2). */
  ask: attr.enum('ask', ['subscribe']).optional(),
  /** The user approved the contact before it asked (§2.1.2.1). */
  approved: attr.bool('approved').optional(),
  groups: childTexts('group'),
})
export type RosterItem = Infer<typeof RosterItem>

/** A roster request, result or push (RFC 6121 §2.1.1). An empty `ver` asks for versioning without having a version. */
export const RosterQuery = element(NS_ROSTER, 'query', {
  ver: attr.string('ver').optional(),
  items: children(RosterItem),
})
export type RosterQuery = Infer<typeof RosterQuery>
export type RosterQueryInput = Input<typeof RosterQuery>

/** Stream feature: the server keeps roster versions (RFC 6121 §2.6.1). */
export const RosterVersioningFeature = element(NS_ROSTER_VERSIONING, 'ver', { required: flag('required'), optional: flag('optional') })
export type RosterVersioningFeature = Infer<typeof RosterVersioningFeature>

/** Stream feature: the server takes approvals before the request (RFC 6121 §3.4.1). */
export const PreApprovalFeature = element(NS_PRE_APPROVAL, 'sub', {})
export type PreApprovalFeature = Infer<typeof PreApprovalFeature>
