/** XEP-0114: Jabber Component Protocol, version 1.6. */
import { element } from './codec.ts'
import type { Infer } from './codec.ts'
import { text } from './text.ts'

export const NS_COMPONENT_ACCEPT = 'jabber:component:accept'

/** Hex SHA-1 of stream id and secret from the component; empty from the server when it is accepted (XEP-0114 §3). */
export const Handshake = element(NS_COMPONENT_ACCEPT, 'handshake', { digest: text().optional() })
export type Handshake = Infer<typeof Handshake>
