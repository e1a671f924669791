/** XEP-0191: Blocking Command, version 1.3. */
import { attr } from './attr.ts'
import { children } from './child.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'

export const NS_BLOCKING = 'urn:xmpp:blocking'
export const NS_BLOCKING_ERRORS = 'urn:xmpp:blocking:errors'

/** A blocked address: of an account, a resource, a domain, or a resource of a domain (XEP-0191 §6). */
export const BlockItem = element(NS_BLOCKING, 'item', { jid: attr.jid('jid') })
export type BlockItem = Infer<typeof BlockItem>

/** The whole list: request (empty) and result (XEP-0191 §3.2). */
export const Blocklist = element(NS_BLOCKING, 'blocklist', { items: children(BlockItem) })
export type Blocklist = Infer<typeof Blocklist>

/** Blocks addresses, as request and as push (XEP-0191 §3.3); no item at all is a bad request. */
export const Block = element(NS_BLOCKING, 'block', { items: children(BlockItem) })
export type Block = Infer<typeof Block>
export type BlockInput = Input<typeof Block>

/** Unblocks addresses, or all of them when there is no item (XEP-0191 §3.4, §3.5). */
export const Unblock = element(NS_BLOCKING, 'unblock', { items: children(BlockItem) })
export type Unblock = Infer<typeof Unblock>
export type UnblockInput = Input<typeof Unblock>

/** Beside `not-acceptable`: the sender itself has blocked the address that it writes to (XEP-0191 §3.3). */
export const Blocked = element(NS_BLOCKING_ERRORS, 'blocked', {})
export type Blocked = Infer<typeof Blocked>
