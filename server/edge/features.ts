/** `<stream:features/>` in its three forms (RFC 6120 §4.3.2), as wire strings. */
import { channelBindingTypesFor, mechanismsFor } from '@rollcall/stream'
import type { SaslContext } from '@rollcall/stream'
import type { HostInfo } from '../protocol/messages.ts'
import type { EdgeConfig } from './config.ts'
import { sasl2Feature } from './sasl2-features.ts'
import { NS_BIND, NS_SASL, NS_SESSION, NS_SM, NS_TLS } from './stream-wire.ts'

/** RFC 6120 §5.3.1; when TLS is required nothing else is offered. */
export function tlsFeature(isRequired: boolean): string {
  return isRequired ? `<starttls xmlns='${NS_TLS}'><required/></starttls>` : `<starttls xmlns='${NS_TLS}'/>`
}

/** Mechanisms, channel bindings (XEP-0440), what modules add before authentication, limits. */
export function authFeatures(context: SaslContext, info: HostInfo, config: EdgeConfig, isManageable: boolean): string {
  let wire = ''
  const bindings = channelBindingTypesFor(context)
  if (bindings.length > 0) {
    wire += "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>"
    for (const type of bindings) wire += `<channel-binding type='${type}'/>`
    wire += '</sasl-channel-binding>'
  }
  const mechanisms = mechanismsFor(context)
  if (mechanisms.length > 0) {
    wire += `<mechanisms xmlns='${NS_SASL}'>`
    for (const name of mechanisms) wire += `<mechanism>${name}</mechanism>`
    wire += '</mechanisms>'
  }
  const ownLimits = limitsFeature(config.limits.preAuthElementBytesMax, config.timeouts.negotiationMs)
  return sasl2Feature(context, info, isManageable) + wire + info.featuresBeforeAuth + ownLimits
}

/**
 * Resource binding (RFC 6120 §7), the session of old (RFC 3921 §3, a no-op), stream management (XEP-0198 §2) where the
 * transport has no such thing of its own, what modules add, limits.
 */
export function boundFeatures(info: HostInfo, config: EdgeConfig, isManageable: boolean): string {
  return `<bind xmlns='${NS_BIND}'/><session xmlns='${NS_SESSION}'><optional/></session>`
    + sessionFeatures(info, config, isManageable)
}

/** What there is when a resource is bound: all that follows where Bind 2 bound it. */
export function sessionFeatures(info: HostInfo, config: EdgeConfig, isManageable: boolean): string {
  return (isManageable ? `<sm xmlns='${NS_SM}'/>` : '') + info.featuresAfterAuth
    + limitsFeature(config.limits.stanzaBytesMax, config.timeouts.idleMs)
}

/** XEP-0478: what we accept, and the silence after which we look for a sign of life; 0 means never. */
function limitsFeature(bytesMax: number, idleMs: number): string {
  const idle = idleMs > 0 ? `<idle-seconds>${Math.floor(idleMs / 1000)}</idle-seconds>` : ''
  return `<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>${bytesMax}</max-bytes>${idle}</limits>`
}
