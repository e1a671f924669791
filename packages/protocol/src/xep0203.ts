/** XEP-0203: Delayed Delivery, version 2.0. */
import { attr } from './attr.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'
import { text } from './text.ts'

export const NS_DELAY = 'urn:xmpp:delay'

/** When, and by whom, a stanza was held back. */
export const Delay = element(NS_DELAY, 'delay', {
  from: attr.jid('from').optional(),
  /** Milliseconds since 1970. */
  stamp: attr.dateTime('stamp'),
  reason: text().optional(),
})
export type Delay = Infer<typeof Delay>
