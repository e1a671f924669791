/** XEP-0300: Use of Cryptographic Hash Functions in XMPP, version 1.0.0: the element that carries a hash. */
import { attr } from './attr.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'
import { text } from './text.ts'

export const NS_HASHES = 'urn:xmpp:hashes:2'

/** A hash and the name of its function, such as `sha-256`. */
export const Hash = element(NS_HASHES, 'hash', { algo: attr.string('algo'), hash: text.base64() })
export type Hash = Infer<typeof Hash>
