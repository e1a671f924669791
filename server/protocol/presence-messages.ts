/**
 * Messages of the presence engine. Presence is most of what a messaging service sends, so each of these stands for many
 * stanzas.
 */
import type { Jid } from '@rollcall/jid'
import type { ProbeAnswer } from '@rollcall/module-api'
import type { Confirmed } from './member-messages.ts'

/**
 * Core to edge: one presence for many connections. The wire string for `conns[i]` is `head + addresses[i] + tail`. The edge
 * may gather it as `deliver-presence`.
 */
export interface DeliverBroadcast {
  readonly kind: 'deliver-broadcast'
  readonly head: string
  readonly tail: string
  /** Numbers of connections of the edge. */
  readonly conns: readonly number[]
  /** Wire strings of addresses; as many as `conns`. */
  readonly addresses: readonly string[]
}
/**
 * Core to core: the answer to a probe that was broadcast to contacts of the sender (RFC 6121 §4.3.2), for all of them
 * together. In order with the sender's broadcasts.
 */
export interface PresenceStates extends Confirmed, ProbeAnswer {
  readonly kind: 'presence-states'
  /** The full JID that asked. */
  readonly to: Jid
}
