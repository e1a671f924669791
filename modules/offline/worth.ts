/** Which messages are kept for later (XEP-0160 §3, XEP-0334 §4). */
import { NoStore, NS_DELAY, NS_HINTS, Store } from '@rollcall/protocol'
import { messageType, NS_CLIENT } from '@rollcall/stanza'
import type { Stanza, StanzaChild } from '@rollcall/stanza'

/** Chat states (XEP-0085), hints, and what others put on a message about its way: delay, ids (XEP-0359). */
const NS_WITHOUT_CONTENT = new Set(['http://jabber.org/protocol/chatstates', NS_HINTS, NS_DELAY, 'urn:xmpp:sid:0'])

/**
 * - `kept`: stored until the account's next login.
 * - `refused`: it says something, but must not be stored; the sender is told that it did not arrive.
 * - `ephemeral`: nothing to tell anybody later, nor worth an error: a chat state, an empty message.
 */
export type Worth = 'kept' | 'refused' | 'ephemeral'

export function worthOf(message: Stanza): Worth {
  const type = messageType(message)
  if (type !== 'chat' && type !== 'normal') return 'refused'
  const mayBeStored = !message.has(NoStore.name, NoStore.ns)
  if (mayBeStored && message.has(Store.name, Store.ns)) return 'kept'
  if (!message.children.some(isContent)) return 'ephemeral'
  // `no-permanent-store` is no obstacle: this store is of the kind that XEP-0334 §3.3 has in mind for it.
  if (mayBeStored) return 'kept'
  return message.has('body', NS_CLIENT) ? 'refused' : 'ephemeral'
}

/** Says something by itself, later as well as now. */
function isContent({ name, ns }: StanzaChild): boolean {
  return !NS_WITHOUT_CONTENT.has(ns) && !(ns === NS_CLIENT && name === 'thread')
}
