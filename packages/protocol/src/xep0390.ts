/** XEP-0390: Entity Capabilities 2.0, version 0.3.2. */
import { children } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'
import { Hash } from './xep0300.ts'

export const NS_CAPS_2 = 'urn:xmpp:caps'

/** In presence and stream features: hashes of what disco#info answers, by several functions (XEP-0390 §5.4). */
export const Caps2 = element(NS_CAPS_2, 'c', { hashes: children(Hash) })
export type Caps2 = Infer<typeof Caps2>
