/**
 * Who may do what at a node: XEP-0060 §4.1 and §4.5 as functions of facts.
 *
 * The facts about the asker are gathered by whoever knows them (a roster, a list of members); nothing here looks anything
 * up. So the same decisions serve the nodes of accounts and those of a service with its own address.
 */
import type { PubsubAffiliationName } from '@rollcall/protocol'
import type { StanzaError } from '@rollcall/stanza'
import { StanzaError as Refusal } from '@rollcall/stanza'
import type { NodeConfig } from './config.ts'
import { pubsubError } from './errors.ts'

/** What is known about somebody who asks, in relation to one node. */
export interface Requester {
  readonly affiliation: PubsubAffiliationName
  /** May see the presence of the owner. */
  readonly isWatcher: boolean
  /** Groups of the owner's roster that the asker is in. */
  readonly groups: readonly string[]
  /** Has an explicit subscription. */
  readonly isSubscribed: boolean
}

/** Why somebody may not subscribe or read; undefined: they may. */
export type ReadRefusal = 'forbidden' | 'presence-subscription-required' | 'not-in-roster-group' | 'closed-node'

type AccessConfig = Pick<NodeConfig, 'accessModel' | 'rosterGroups'>

/** Whether the asker may subscribe to the node and retrieve its items (§6.1.3, §6.5.1); the reason when not. */
export function readRefusal(config: AccessConfig, { affiliation, isWatcher, groups }: Requester): ReadRefusal | undefined {
  if (affiliation === 'owner') return undefined
  if (affiliation === 'outcast' || affiliation === 'publish-only') return 'forbidden'
  // §4.1: members and publishers may, whatever the model says about everybody else.
  if (affiliation === 'member' || affiliation === 'publisher') return undefined
  switch (config.accessModel) {
    case 'open': return undefined
    case 'presence': return isWatcher ? undefined : 'presence-subscription-required'
    case 'roster': return isWatcher && groups.some((group) => config.rosterGroups.includes(group)) ? undefined : 'not-in-roster-group'
    case 'whitelist': return 'closed-node'
  }
}

/** Whether the asker gets what is published without ever having subscribed (§9.1): contacts who may read. */
export function isImplicitSubscriber(config: AccessConfig, requester: Requester): boolean {
  return (requester.affiliation === 'owner' || requester.isWatcher) && readRefusal(config, requester) === undefined
}

/** Whether the asker may publish (§4.1, §16.4.4 `publish_model`). */
export function mayPublish(config: AccessConfig & Pick<NodeConfig, 'publishModel'>, requester: Requester): boolean {
  const { affiliation } = requester
  if (affiliation === 'owner' || affiliation === 'publisher' || affiliation === 'publish-only') return true
  if (affiliation === 'outcast') return false
  if (config.publishModel === 'open') return true
  if (config.publishModel !== 'subscribers' || readRefusal(config, requester) !== undefined) return false
  return requester.isSubscribed || isImplicitSubscriber(config, requester)
}

/** The error that the refusal is told with (§6.1.3, §6.5.9). */
export function readError(refusal: ReadRefusal): StanzaError {
  switch (refusal) {
    case 'forbidden': return new Refusal('forbidden')
    case 'presence-subscription-required': return pubsubError('not-authorized', refusal)
    case 'not-in-roster-group': return pubsubError('not-authorized', refusal)
    case 'closed-node': return pubsubError('not-allowed', refusal)
  }
}
