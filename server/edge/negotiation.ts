/**
 * What a stream has to remember until a resource is bound; dropped then.
 */
import type { Jid } from '@rollcall/jid'
import type { SaslContext, SaslSession } from '@rollcall/stream'
import type { HostInfo } from '../protocol/messages.ts'

export class Negotiation {
  /** Bytes received so far. */
  bytes = 0
  /** First-level elements received so far. */
  elements = 0
  /** Of the host that the stream is for. */
  hostInfo: HostInfo | undefined
  /** Fixed from the features sent until the stream restarts. */
  context: SaslContext | undefined
  sasl: SaslSession | undefined
  /** Who has authenticated: a bare JID. */
  account: Jid | undefined
  isAnonymous = false
  /** Delivered by the core before its answer that binds the resource came: wire strings for after that answer. */
  early: string[] | undefined
  /** Bytes of them. */
  earlyBytes = 0
  /** TLS was started: no second time. */
  hasUpgraded = false

  /** The connection is lost: whatever runs must come to nothing. */
  abandon(): void {
    this.sasl?.abort()
  }
}
