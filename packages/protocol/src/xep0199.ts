/** XEP-0199: XMPP Ping, version 2.0.1. */
import { element } from './codec.ts'
import type { Infer } from './codec.ts'

export const NS_PING = 'urn:xmpp:ping'

/** Asks for a sign of life (XEP-0199 §4); the result is empty. */
export const Ping = element(NS_PING, 'ping', {})
export type Ping = Infer<typeof Ping>
