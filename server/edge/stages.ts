/** The stages of a stream and the reasons for not reading it: vocabulary that hub and connections share. */

/**
 * - `header`: waits for a stream header, the first or one after a restart
 * - `negotiating`: header answered, not authenticated
 * - `authenticated`: no resource bound yet
 * - `bound`: stanzas flow (for a component: after its handshake)
 * - `closing`: our close tag is sent; input is read and ignored until the peer's, or the deadline
 * - `closed`: gone
 */
export type Stage = 'header' | 'negotiating' | 'authenticated' | 'bound' | 'closing' | 'closed'

/** An answer of the core is awaited. */
export const HOLD_BUSY = 1
/** The peer does not read what it is sent. */
export const HOLD_OUTPUT = 2
/** The peer sends faster than it may. */
export const HOLD_RATE = 4
/** The whole edge is told to wait. */
export const HOLD_EDGE = 8
/** The peer has had its share of this turn. */
export const HOLD_SHARE = 16
/** The peer's account is on its way from one member to another. */
export const HOLD_MOVE = 32
