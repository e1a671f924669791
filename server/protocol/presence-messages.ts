/**
 * Messages of the presence engine. Presence is most of what a messaging service sends, so each of these stands for many
 * stanzas.
 */

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
