/** XEP-0060: Publish-Subscribe, version 1.30.0. What subscribers are told (§7.1.2, §7.2.2, §8). */
import { attr } from './attr.ts'
import { child, children, extensions } from './child.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'
import { DataForm } from './xep0004.ts'
import { pubsubSubscriptionStates } from './xep0060.ts'

export const NS_PUBSUB_EVENT = 'http://jabber.org/protocol/pubsub#event'

/** An item that was published; without payload where the node does not deliver payloads. */
export const EventItem = element(NS_PUBSUB_EVENT, 'item', {
  id: attr.string('id').optional(),
  publisher: attr.string('publisher').optional(),
  payload: extensions(),
})
export type EventItem = Infer<typeof EventItem>

/** An item that was deleted. */
export const EventRetract = element(NS_PUBSUB_EVENT, 'retract', { id: attr.string('id') })
export type EventRetract = Infer<typeof EventRetract>

/** Items of a node that came or went. */
export const EventItems = element(NS_PUBSUB_EVENT, 'items', {
  node: attr.string('node'),
  items: children(EventItem),
  retracts: children(EventRetract),
})
export type EventItems = Infer<typeof EventItems>

/** All items of a node were deleted. */
export const EventPurge = element(NS_PUBSUB_EVENT, 'purge', { node: attr.string('node') })
export type EventPurge = Infer<typeof EventPurge>

/** Where a deleted node is continued. */
export const EventRedirect = element(NS_PUBSUB_EVENT, 'redirect', { uri: attr.string('uri') })
export type EventRedirect = Infer<typeof EventRedirect>

/** A node is gone. */
export const EventDelete = element(NS_PUBSUB_EVENT, 'delete', { node: attr.string('node'), redirect: child(EventRedirect).optional() })
export type EventDelete = Infer<typeof EventDelete>

/** A node was configured; with the new configuration where payloads are delivered. */
export const EventConfiguration = element(NS_PUBSUB_EVENT, 'configuration', { node: attr.string('node'), form: child(DataForm).optional() })
export type EventConfiguration = Infer<typeof EventConfiguration>

/** A subscription changed without the subscriber's doing (XEP-0060 §12.11). */
export const EventSubscription = element(NS_PUBSUB_EVENT, 'subscription', {
  node: attr.string('node'),
  jid: attr.jid('jid'),
  state: attr.enum('subscription', pubsubSubscriptionStates),
})
export type EventSubscription = Infer<typeof EventSubscription>

/** The payload of a notification. */
export const PubsubEvent = element(NS_PUBSUB_EVENT, 'event', {
  items: child(EventItems).optional(),
  purge: child(EventPurge).optional(),
  delete: child(EventDelete).optional(),
  configuration: child(EventConfiguration).optional(),
  subscription: child(EventSubscription).optional(),
})
export type PubsubEvent = Infer<typeof PubsubEvent>
export type PubsubEventInput = Input<typeof PubsubEvent>
