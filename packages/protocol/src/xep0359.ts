/** XEP-0359: Unique and Stable Stanza IDs, version 0.7.0. */
import { attr } from './attr.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'

export const NS_STANZA_IDS = 'urn:xmpp:sid:0'

/** The id under which `by` keeps the message; only that entity may say so (XEP-0359 §2.1, §3). */
export const StanzaId = element(NS_STANZA_IDS, 'stanza-id', { id: attr.string('id'), by: attr.jid('by') })
export type StanzaId = Infer<typeof StanzaId>

/** The id that the sending client gave (XEP-0359 §2.2). */
export const OriginId = element(NS_STANZA_IDS, 'origin-id', { id: attr.string('id') })
export type OriginId = Infer<typeof OriginId>
