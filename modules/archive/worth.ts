/** Which messages are kept, and for how long (XEP-0313 §6.1.1, XEP-0160 §3, XEP-0334 §4). */
import { NoPermanentStore, NoStore, NS_DELAY, NS_HINTS, NS_STANZA_IDS, Store } from '@rollcall/protocol'
import { messageType, NS_CLIENT } from '@rollcall/stanza'
import type { Stanza, StanzaChild } from '@rollcall/stanza'

/** Chat states (XEP-0085), hints, and what others put on a message about its way. */
const NS_WITHOUT_CONTENT = new Set(['http://jabber.org/protocol/chatstates', NS_HINTS, NS_DELAY, NS_STANZA_IDS])
/** News of a node (XEP-0060): the node itself keeps them. */
const NS_PUBSUB_EVENT = 'http://jabber.org/protocol/pubsub#event'

/**
 * - `archived`: part of the account's history. Receipts (XEP-0184) and markers (XEP-0333) are: clients that catch up
 *   need them as much as the messages that they are about.
 * - `delivered`: kept until it is delivered.
 * - `refused`: it says something, but must not be stored; when nobody gets it now the sender is told that it did not arrive.
 * - `ephemeral`: nothing to tell anybody later, nor worth an error: a chat state, an empty message.
 */
export type Worth = 'archived' | 'delivered' | 'refused' | 'ephemeral'

export function worthOf(message: Stanza): Worth {
  const type = messageType(message)
  if (type !== 'chat' && type !== 'normal') return 'refused'
  const { children } = message
  // Nearly every message: a body and nothing that would forbid to keep it.
  const hasHints = message.findNs(NS_HINTS) !== undefined
  if (!hasHints && message.has('body', NS_CLIENT)) return 'archived'
  const mayBeStored = !(hasHints && message.has(NoStore.name, NoStore.ns))
  const isWanted = hasHints && message.has(Store.name, Store.ns)
  if (!children.some(isContent) && !(isWanted && mayBeStored)) return 'ephemeral'
  if (!mayBeStored) return message.has('body', NS_CLIENT) ? 'refused' : 'ephemeral'
  if (hasHints && message.has(NoPermanentStore.name, NoPermanentStore.ns)) return 'delivered'
  if (message.findNs(NS_PUBSUB_EVENT) !== undefined && !isWanted && !message.has('body', NS_CLIENT)) return 'delivered'
  return 'archived'
}

/** Says something by itself, later as well as now. */
function isContent({ name, ns }: StanzaChild): boolean {
  return !NS_WITHOUT_CONTENT.has(ns) && !(ns === NS_CLIENT && name === 'thread')
}
