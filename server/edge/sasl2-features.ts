/** The features of SASL2 (XEP-0388 §2.1) as wire strings, and the version that stands for all features (XEP-0509). */
import { encodeBase64, mechanismsFor, tokenMechanismsFor, upgradeTasksFor } from '@rollcall/stream'
import type { SaslContext } from '@rollcall/stream'
import { ConfigVersion, Fast, NS_BIND2, NS_SASL2, NS_SASL_UPGRADE } from '@rollcall/protocol'
import { escapeAttribute } from '@rollcall/xml'
import type { HostInfo } from '../protocol/messages.ts'
import { NS_SM } from './stream-wire.ts'

const VERSION_BYTES = 18

/** XEP-0388 §5: only under TLS, or where the operator says that TLS ends in front of the server. */
export function maySasl2(context: SaslContext): boolean {
  return (context.isSecure || context.policy.mayPlainBeInsecure) && mechanismsFor(context).length > 0
}

/** `<authentication/>`, or '' where SASL2 is not to be offered. */
export function sasl2Feature(context: SaslContext, info: HostInfo, isManageable: boolean): string {
  if (!maySasl2(context)) return ''
  const mechanisms = mechanismsFor(context).map((name) => `<mechanism>${name}</mechanism>`).join('')
  const upgrades = upgradeTasksFor(context.policy).map((name) => `<upgrade xmlns='${NS_SASL_UPGRADE}'>${name}</upgrade>`).join('')
  return `<authentication xmlns='${NS_SASL2}'>${mechanisms}<inline>${inlineFeatures(context, info, isManageable)}</inline>${upgrades}</authentication>`
}

function inlineFeatures(context: SaslContext, { bind2Features = [] }: HostInfo, isManageable: boolean): string {
  const offered = bind2Features.filter((name) => isManageable || name !== NS_SM)
  const features = offered.map((name) => `<feature var='${escapeAttribute(name)}'/>`).join('')
  const bind = features === '' ? `<bind xmlns='${NS_BIND2}'/>` : `<bind xmlns='${NS_BIND2}'><inline>${features}</inline></bind>`
  // XEP-0198 §2.2: whoever can enable stream management while binding can also resume.
  const resumption = offered.includes(NS_SM) ? `<sm xmlns='${NS_SM}'/>` : ''
  const mechanisms = tokenMechanismsFor(context)
  // No `tls-0rtt`: the TLS of Node takes no early data, so nothing can arrive in any.
  return bind + resumption + (mechanisms.length === 0 ? '' : Fast.toWire({ mechanisms }))
}

/** Stands for exactly these features: an opaque version (XEP-0509 §2.3). */
export function versionOf(features: string, context: SaslContext): string {
  const digest = context.crypto.hash('SHA-256', new TextEncoder().encode(features))
  return encodeBase64(digest.slice(0, VERSION_BYTES))
}

/** Stream feature with that version. */
export const versionFeature = (value: string): string => ConfigVersion.toWire({ scheme: 'opaque', value })
