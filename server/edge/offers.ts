/**
 * What is offered before authentication, worked out once for all connections that differ in nothing it depends on.
 *
 * The features of a host are the same text for thousands of clients, and their version (XEP-0509) is a hash over it. They
 * depend on the configuration, on what the core says about the host, and on a few facts of the connection, which make the
 * key. A client certificate may offer something to one client only: such offers are not kept.
 */
import { offerOf } from '@rollcall/stream'
import type { SaslContext, SaslOffer } from '@rollcall/stream'
import type { HostInfo } from '../protocol/messages.ts'
import type { EdgeConfig } from './config.ts'
import { authFeatures, tlsFeature } from './features.ts'
import { maySasl2, versionFeature, versionOf } from './sasl2-features.ts'

/** Features as a wire string, and what is to be remembered of them. */
export interface Offered {
  readonly wire: string
  readonly offer: SaslOffer
  /** Stands for the features (XEP-0509); absent where SASL2 is not offered. */
  readonly version: string | undefined
}

/** Facts of a connection beside its SASL context. */
export interface OfferTo {
  readonly mayUpgrade: boolean
  /** Whether stream management may be used. */
  readonly isManageable: boolean
}

export class Offers {
  #config: EdgeConfig | undefined
  /** At most one entry for each combination of facts, of which there are a few dozen. */
  #kept = new WeakMap<HostInfo, Map<string, Offered>>()

  /** What is offered to a connection with this context on the host that `info` is about. */
  find(context: SaslContext, info: HostInfo, config: EdgeConfig, to: OfferTo): Offered {
    if (context.certificateIdentities.length > 0) return work(context, info, config, to)
    if (config !== this.#config) {
      this.#config = config
      this.#kept = new WeakMap()
    }
    let offers = this.#kept.get(info)
    if (offers === undefined) this.#kept.set(info, offers = new Map())
    const key = keyOf(context, to)
    let offered = offers.get(key)
    if (offered === undefined) offers.set(key, offered = work(context, info, config, to))
    return offered
  }
}

function keyOf({ isSecure, channelBindings }: SaslContext, { mayUpgrade, isManageable }: OfferTo): string {
  let key = (isSecure ? 's' : '') + (mayUpgrade ? 'u' : '') + (isManageable ? 'm' : '')
  for (const type of channelBindings.keys()) key += ` ${type}`
  return key
}

function work(context: SaslContext, info: HostInfo, config: EdgeConfig, { mayUpgrade, isManageable }: OfferTo): Offered {
  const wire = (mayUpgrade ? tlsFeature(config.isTlsRequired) : '') + authFeatures(context, info, config, isManageable)
  const offer = offerOf(context)
  if (!maySasl2(context)) return { wire, offer, version: undefined }
  const version = versionOf(wire, context)
  return { wire: wire + versionFeature(version), offer, version }
}
