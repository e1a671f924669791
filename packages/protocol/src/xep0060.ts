/** XEP-0060: Publish-Subscribe, version 1.30.0. What everybody may ask; owners and events have their own files. */
import { attr } from './attr.ts'
import { child, children, extensions } from './child.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'
import { DataForm } from './xep0004.ts'
import { ResultSet } from './xep0059.ts'

export const NS_PUBSUB = 'http://jabber.org/protocol/pubsub'
export const NS_PUBSUB_ERRORS = 'http://jabber.org/protocol/pubsub#errors'

/** FORM_TYPE of a node's configuration (XEP-0060 §16.4.4). */
export const FORM_NODE_CONFIG = 'http://jabber.org/protocol/pubsub#node_config'
/** FORM_TYPE of preconditions of a publication (XEP-0060 §7.1.5). */
export const FORM_PUBLISH_OPTIONS = 'http://jabber.org/protocol/pubsub#publish-options'
/** FORM_TYPE of what service discovery tells about a node (XEP-0060 §5.4). */
export const FORM_NODE_METADATA = 'http://jabber.org/protocol/pubsub#meta-data'

/** XEP-0060 §4.1. */
export const pubsubAffiliations = ['owner', 'publisher', 'publish-only', 'member', 'none', 'outcast'] as const
export type PubsubAffiliationName = (typeof pubsubAffiliations)[number]

/** XEP-0060 §4.2. */
export const pubsubSubscriptionStates = ['none', 'pending', 'unconfigured', 'subscribed'] as const
export type PubsubSubscriptionState = (typeof pubsubSubscriptionStates)[number]

/** Application conditions of errors that carry nothing else (XEP-0060 §15.1). */
export type PubsubErrorName =
  | 'closed-node' | 'invalid-jid' | 'invalid-options' | 'invalid-payload' | 'invalid-subid' | 'item-forbidden' | 'item-required'
  | 'jid-required' | 'max-items-exceeded' | 'max-nodes-exceeded' | 'node-full' | 'nodeid-required' | 'not-in-roster-group'
  | 'not-subscribed' | 'payload-required' | 'payload-too-big' | 'pending-subscription' | 'precondition-not-met'
  | 'presence-subscription-required' | 'subid-required' | 'too-many-subscriptions'

/** Application condition: the service or node lacks a feature (XEP-0060 §15.1), named without the namespace before `#`. */
export const PubsubUnsupported = element(NS_PUBSUB_ERRORS, 'unsupported', { feature: attr.string('feature') })
export type PubsubUnsupported = Infer<typeof PubsubUnsupported>

/** A published item with its payload, or the mere mention of one. Who published it is said by the service alone (§7.1.2.3). */
export const PubsubItem = element(NS_PUBSUB, 'item', {
  id: attr.string('id').optional(),
  publisher: attr.string('publisher').optional(),
  payload: extensions(),
})
export type PubsubItem = Infer<typeof PubsubItem>

/** Publishes (XEP-0060 §7.1); in results, says which ids the items got. */
export const PubsubPublish = element(NS_PUBSUB, 'publish', { node: attr.string('node').optional(), items: children(PubsubItem) })
export type PubsubPublish = Infer<typeof PubsubPublish>

/** What must be true of the node for a publication to go on, or how it is created (XEP-0060 §7.1.5). */
export const PubsubPublishOptions = element(NS_PUBSUB, 'publish-options', { form: child(DataForm).optional() })
export type PubsubPublishOptions = Infer<typeof PubsubPublishOptions>

/** Deletes items (XEP-0060 §7.2). */
export const PubsubRetract = element(NS_PUBSUB, 'retract', {
  node: attr.string('node').optional(),
  notify: attr.bool('notify').optional(),
  items: children(PubsubItem),
})
export type PubsubRetract = Infer<typeof PubsubRetract>

/** Asks for items, or answers with them (XEP-0060 §6.5). */
export const PubsubItems = element(NS_PUBSUB, 'items', {
  node: attr.string('node').optional(),
  max: attr.uint('max_items').optional(),
  subid: attr.string('subid').optional(),
  items: children(PubsubItem),
})
export type PubsubItems = Infer<typeof PubsubItems>

/** XEP-0060 §6.1. The address is text because a bad one has an error of its own. */
export const PubsubSubscribe = element(NS_PUBSUB, 'subscribe', { node: attr.string('node').optional(), jid: attr.string('jid').optional() })
export type PubsubSubscribe = Infer<typeof PubsubSubscribe>

/** XEP-0060 §6.2. */
export const PubsubUnsubscribe = element(NS_PUBSUB, 'unsubscribe', {
  node: attr.string('node').optional(),
  jid: attr.string('jid').optional(),
  subid: attr.string('subid').optional(),
})
export type PubsubUnsubscribe = Infer<typeof PubsubUnsubscribe>

/** Subscription options (XEP-0060 §6.3). */
export const PubsubOptions = element(NS_PUBSUB, 'options', {
  node: attr.string('node').optional(),
  jid: attr.string('jid').optional(),
  subid: attr.string('subid').optional(),
  form: child(DataForm).optional(),
})
export type PubsubOptions = Infer<typeof PubsubOptions>

/** One subscription of the asker (XEP-0060 §5.6, §6.1.2). */
export const PubsubSubscription = element(NS_PUBSUB, 'subscription', {
  node: attr.string('node').optional(),
  jid: attr.jid('jid'),
  state: attr.enum('subscription', pubsubSubscriptionStates).optional(),
  subid: attr.string('subid').optional(),
})
export type PubsubSubscription = Infer<typeof PubsubSubscription>

/** The asker's subscriptions, at all nodes or one (XEP-0060 §5.6). */
export const PubsubSubscriptions = element(NS_PUBSUB, 'subscriptions', {
  node: attr.string('node').optional(),
  list: children(PubsubSubscription),
})
export type PubsubSubscriptions = Infer<typeof PubsubSubscriptions>

/** What the asker is at a node (XEP-0060 §5.7). */
export const PubsubAffiliation = element(NS_PUBSUB, 'affiliation', {
  node: attr.string('node'),
  affiliation: attr.enum('affiliation', pubsubAffiliations),
})
export type PubsubAffiliation = Infer<typeof PubsubAffiliation>

/** The asker's affiliations, at all nodes or one (XEP-0060 §5.7). */
export const PubsubAffiliations = element(NS_PUBSUB, 'affiliations', {
  node: attr.string('node').optional(),
  list: children(PubsubAffiliation),
})
export type PubsubAffiliations = Infer<typeof PubsubAffiliations>

/** Makes a node; without a name the service finds one (XEP-0060 §8.1). */
export const PubsubCreate = element(NS_PUBSUB, 'create', { node: attr.string('node').optional() })
export type PubsubCreate = Infer<typeof PubsubCreate>

/** The configuration of the node that is being made (XEP-0060 §8.1.3). */
export const PubsubConfigure = element(NS_PUBSUB, 'configure', { form: child(DataForm).optional() })
export type PubsubConfigure = Infer<typeof PubsubConfigure>

/** Asks for the default subscription options (XEP-0060 §6.4). */
export const PubsubDefault = element(NS_PUBSUB, 'default', { node: attr.string('node').optional() })
export type PubsubDefault = Infer<typeof PubsubDefault>

/** Request and result of everything that is not for owners only. */
export const Pubsub = element(NS_PUBSUB, 'pubsub', {
  create: child(PubsubCreate).optional(),
  configure: child(PubsubConfigure).optional(),
  publish: child(PubsubPublish).optional(),
  publishOptions: child(PubsubPublishOptions).optional(),
  retract: child(PubsubRetract).optional(),
  items: child(PubsubItems).optional(),
  subscribe: child(PubsubSubscribe).optional(),
  unsubscribe: child(PubsubUnsubscribe).optional(),
  options: child(PubsubOptions).optional(),
  subscription: child(PubsubSubscription).optional(),
  subscriptions: child(PubsubSubscriptions).optional(),
  affiliations: child(PubsubAffiliations).optional(),
  default: child(PubsubDefault).optional(),
  page: child(ResultSet).optional(),
})
export type Pubsub = Infer<typeof Pubsub>
export type PubsubInput = Input<typeof Pubsub>
