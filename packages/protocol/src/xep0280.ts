/** XEP-0280: Message Carbons, version 1.0.1. */
import { child } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'
import { Forwarded } from './xep0297.ts'

export const NS_CARBONS = 'urn:xmpp:carbons:2'

/** Asks for copies on this stream (XEP-0280 §4). */
export const CarbonsEnable = element(NS_CARBONS, 'enable', {})
export type CarbonsEnable = Infer<typeof CarbonsEnable>

/** Ends the copies on this stream (XEP-0280 §5). */
export const CarbonsDisable = element(NS_CARBONS, 'disable', {})
export type CarbonsDisable = Infer<typeof CarbonsDisable>

/** In a message: no copies of it (XEP-0280 §9); it stays in the message. */
export const CarbonsPrivate = element(NS_CARBONS, 'private', {})
export type CarbonsPrivate = Infer<typeof CarbonsPrivate>

/** A copy of a message that another resource of the account received (XEP-0280 §7). */
export const CarbonsReceived = element(NS_CARBONS, 'received', { forwarded: child(Forwarded) })
export type CarbonsReceived = Infer<typeof CarbonsReceived>

/** A copy of a message that another resource of the account sent (XEP-0280 §8). */
export const CarbonsSent = element(NS_CARBONS, 'sent', { forwarded: child(Forwarded) })
export type CarbonsSent = Infer<typeof CarbonsSent>
