/** XEP-0297: Stanza Forwarding, version 1.0. */
import { anyChild, child } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'
import { Delay } from './xep0203.ts'

export const NS_FORWARD = 'urn:xmpp:forward:0'

/** A stanza inside another, with the time when it was first delivered where that matters (XEP-0297 §3.1). */
export const Forwarded = element(NS_FORWARD, 'forwarded', {
  delay: child(Delay).optional(),
  stanza: anyChild(['message', 'presence', 'iq'], ['jabber:client', 'jabber:server']),
})
export type Forwarded = Infer<typeof Forwarded>
