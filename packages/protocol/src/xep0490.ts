/** XEP-0490: Message Displayed Synchronization, version 1.0.1. */
import { child } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'
import { StanzaId } from './xep0359.ts'

/** Namespace of the element, and name of the node that items of it are published at. */
export const NS_DISPLAYED_SYNC = 'urn:xmpp:mds:displayed:0'
/** The server publishes what clients say in messages (XEP-0490 §4.4.2). */
export const NS_DISPLAYED_ASSIST = 'urn:xmpp:mds:server-assist:0'

/** Everything up to this message of the chat was displayed. */
export const DisplayedSync = element(NS_DISPLAYED_SYNC, 'displayed', { stanzaId: child(StanzaId) })
export type DisplayedSync = Infer<typeof DisplayedSync>
