/** XEP-0060: Publish-Subscribe, version 1.30.0. What only owners of a node may ask (§8). */
import { attr } from './attr.ts'
import { child, children } from './child.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'
import { DataForm } from './xep0004.ts'
import { pubsubAffiliations, pubsubSubscriptionStates } from './xep0060.ts'

export const NS_PUBSUB_OWNER = 'http://jabber.org/protocol/pubsub#owner'

/** The configuration of a node: asked for, told, or changed (XEP-0060 §8.2). */
export const NodeConfigure = element(NS_PUBSUB_OWNER, 'configure', { node: attr.string('node').optional(), form: child(DataForm).optional() })
export type NodeConfigure = Infer<typeof NodeConfigure>

/** The configuration that new nodes get (XEP-0060 §8.3). */
export const NodeDefault = element(NS_PUBSUB_OWNER, 'default', { form: child(DataForm).optional() })
export type NodeDefault = Infer<typeof NodeDefault>

/** Where a deleted node is continued (XEP-0060 §8.4.1). */
export const NodeRedirect = element(NS_PUBSUB_OWNER, 'redirect', { uri: attr.string('uri') })
export type NodeRedirect = Infer<typeof NodeRedirect>

/** XEP-0060 §8.4. */
export const NodeDelete = element(NS_PUBSUB_OWNER, 'delete', { node: attr.string('node').optional(), redirect: child(NodeRedirect).optional() })
export type NodeDelete = Infer<typeof NodeDelete>

/** XEP-0060 §8.5. */
export const NodePurge = element(NS_PUBSUB_OWNER, 'purge', { node: attr.string('node').optional() })
export type NodePurge = Infer<typeof NodePurge>

/** One subscriber of a node (XEP-0060 §8.8). */
export const NodeSubscription = element(NS_PUBSUB_OWNER, 'subscription', {
  jid: attr.jid('jid'),
  state: attr.enum('subscription', pubsubSubscriptionStates).optional(),
  subid: attr.string('subid').optional(),
})
export type NodeSubscription = Infer<typeof NodeSubscription>

/** The subscribers of a node, or changes of them (XEP-0060 §8.8). */
export const NodeSubscriptions = element(NS_PUBSUB_OWNER, 'subscriptions', {
  node: attr.string('node').optional(),
  list: children(NodeSubscription),
})
export type NodeSubscriptions = Infer<typeof NodeSubscriptions>

/** What an entity is at a node (XEP-0060 §8.9). */
export const NodeAffiliation = element(NS_PUBSUB_OWNER, 'affiliation', {
  jid: attr.jid('jid'),
  affiliation: attr.enum('affiliation', pubsubAffiliations).optional(),
})
export type NodeAffiliation = Infer<typeof NodeAffiliation>

/** The affiliations of a node, or changes of them (XEP-0060 §8.9). */
export const NodeAffiliations = element(NS_PUBSUB_OWNER, 'affiliations', {
  node: attr.string('node').optional(),
  list: children(NodeAffiliation),
})
export type NodeAffiliations = Infer<typeof NodeAffiliations>

/** Request and result of an owner. */
export const PubsubOwner = element(NS_PUBSUB_OWNER, 'pubsub', {
  configure: child(NodeConfigure).optional(),
  default: child(NodeDefault).optional(),
  delete: child(NodeDelete).optional(),
  purge: child(NodePurge).optional(),
  subscriptions: child(NodeSubscriptions).optional(),
  affiliations: child(NodeAffiliations).optional(),
})
export type PubsubOwner = Infer<typeof PubsubOwner>
export type PubsubOwnerInput = Input<typeof PubsubOwner>
