/**
 * What a stream has to remember until a resource is bound; dropped then.
 */
import type { Jid } from '@rollcall/jid'
import type { SaslSession, Sasl2Session, TokenContext } from '@rollcall/stream'
import type { HostInfo } from '../protocol/messages.ts'
import type { InlineWishes } from './sasl2-wishes.ts'
import type { TlsFacts } from './tls-facts.ts'

export class Negotiation {
  /** Bytes received so far. */
  bytes = 0
  /** First-level elements received so far. */
  elements = 0
  /** Of the host that the stream is for. */
  hostInfo: HostInfo | undefined
  /** Fixed from the features sent until the stream restarts. */
  context: TokenContext | undefined
  sasl: SaslSession | undefined
  sasl2: Sasl2Session | undefined
  /** Whom the stream header says the client is; proves nothing. */
  from: Jid | undefined
  /** Stands for the features sent (XEP-0509). */
  featuresVersion: string | undefined
  /** What the present attempt of SASL2 asks for beside authentication. */
  wishes: InlineWishes | undefined
  /** Who has authenticated: a bare JID. */
  account: Jid | undefined
  isAnonymous = false
  /** Delivered by the core before its answer that binds the resource came: wire strings for after that answer. */
  early: string[] | undefined
  /** Bytes of them. */
  earlyBytes = 0
  /** Once TLS is up. */
  tls: TlsFacts | undefined
  /** TLS was started: no second time. */
  hasUpgraded = false

  /** The connection is lost: whatever runs must come to nothing. */
  abandon(): void {
    this.sasl?.abort()
    this.sasl2?.abort()
  }

  /** Somebody has authenticated, or TLS starts: no attempt can go on. */
  closeLogin(): void {
    this.sasl = undefined
    this.sasl2 = undefined
    this.context = undefined
    this.wishes = undefined
  }
}
