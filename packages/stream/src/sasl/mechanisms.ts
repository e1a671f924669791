/** Which mechanisms a connection is offered, why another is refused, and how each starts. */
import { startAnonymous } from './anonymous.ts'
import { downgradeAttributes } from './downgrade.ts'
import { certifiedAccounts, startExternal } from './external.ts'
import { hashedTokenMechanisms } from './hashed-token.ts'
import { startPlain } from './plain.ts'
import { SCRAM_HASHES } from './sasl.ts'
import type { SaslCondition, SaslContext, SaslExchange, SaslOffer, ScramHash } from './sasl.ts'
import { startScram } from './scram.ts'

interface ScramName {
  readonly hash: ScramHash
  readonly isPlus: boolean
}

const strongestFirst = SCRAM_HASHES.toReversed()
const scramByName = new Map<string, ScramName>()
for (const isPlus of [true, false]) {
  for (const hash of strongestFirst) scramByName.set(`SCRAM-${hash}${isPlus ? '-PLUS' : ''}`, { hash, isPlus })
}

const hasPlus = (context: SaslContext): boolean => context.isSecure && context.channelBindings.size > 0
const mayUsePlain = ({ isSecure, policy }: SaslContext): boolean => isSecure || policy.mayPlainBeInsecure

/** Names for `<mechanisms/>` in the server's order of preference (RFC 6120 §6.3.3); may be empty. */
export function mechanismsFor(context: SaslContext): string[] {
  const { policy } = context
  const names: string[] = []
  if (policy.isExternalEnabled && context.isSecure && certifiedAccounts(context).length > 0) names.push('EXTERNAL')
  for (const [name, { hash, isPlus }] of scramByName) {
    if (policy.scramHashes.includes(hash) && (!isPlus || hasPlus(context))) names.push(name)
  }
  if (policy.isPlainEnabled && mayUsePlain(context)) names.push('PLAIN')
  if (policy.isAnonymousEnabled) names.push('ANONYMOUS')
  return names
}

/** Types for `<sasl-channel-binding/>` (XEP-0440), empty when no -PLUS mechanism is offered: then send no such feature. */
export function channelBindingTypesFor(context: SaslContext): string[] {
  if (!hasPlus(context) || context.policy.scramHashes.length === 0) return []
  return advertisedBindings(context)
}

function advertisedBindings(context: SaslContext): string[] {
  const types = [...context.channelBindings.keys()]
  // RFC 9266 §3: where there is tls-exporter, tls-unique is not defined; it may be answered, not recommended.
  return types.includes('tls-exporter') ? types.filter((type) => type !== 'tls-unique') : types
}

/** Mechanisms that take a token (XEP-0484 §3.1), strongest first; none where somebody could read and replay them. */
export function tokenMechanismsFor(context: SaslContext): string[] {
  return mayUsePlain(context) ? hashedTokenMechanisms(hasPlus(context) ? advertisedBindings(context) : []) : []
}

/** What is offered on a connection with this context; it may be kept for all whose contexts differ in nothing that is listed. */
export function offerOf(context: SaslContext): SaslOffer {
  return { mechanisms: mechanismsFor(context), bindingTypes: channelBindingTypesFor(context), digests: new Map() }
}

/** Starts a mechanism that `mechanismsFor` lists; undefined for any other, `refusalOf` then says why. */
export function startSasl(mechanism: string, context: SaslContext): SaslExchange | undefined {
  const offer = context.offer ?? offerOf(context)
  if (!offer.mechanisms.includes(mechanism)) return undefined
  switch (mechanism) {
    case 'PLAIN':
      return startPlain(context)
    case 'EXTERNAL':
      return startExternal(context)
    case 'ANONYMOUS':
      return startAnonymous(context)
    default: {
      const scram = scramByName.get(mechanism)
      if (scram === undefined) return undefined
      // SASL and SASL2 offer the same, so that which of them is used makes no difference to the hash (XEP-0474 §5.1).
      const attributes = downgradeAttributes(context, scram.hash, offer)
      return startScram(context, { ...scram, isPlusOffered: hasPlus(context), attributes })
    }
  }
}

/** The condition for a mechanism that is not offered here (RFC 6120 §6.5.4, §6.5.7, §6.5.9). */
export function refusalOf(mechanism: string, context: SaslContext): SaslCondition {
  const { policy } = context
  const scram = scramByName.get(mechanism)
  const needsTls = scram ? scram.isPlus && policy.scramHashes.includes(scram.hash) : mechanism === 'PLAIN' && policy.isPlainEnabled
  if (needsTls && !context.isSecure) return 'encryption-required'
  const isTooWeak = scram ? !policy.scramHashes.includes(scram.hash) : mechanism === 'PLAIN' && !policy.isPlainEnabled
  return isTooWeak ? 'mechanism-too-weak' : 'invalid-mechanism'
}
