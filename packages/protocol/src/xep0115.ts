/** XEP-0115: Entity Capabilities, version 1.6.0. */
import { attr } from './attr.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'

export const NS_CAPS = 'http://jabber.org/protocol/caps'

/** In presence and stream features: a hash of what disco#info answers at `node#ver` (XEP-0115 §4). */
export const Caps = element(NS_CAPS, 'c', {
  /** Name of the hash function, such as `sha-1`; absent in the format before version 1.4, which is not to be verified. */
  hash: attr.string('hash').optional(),
  node: attr.string('node'),
  ver: attr.string('ver'),
})
export type Caps = Infer<typeof Caps>
