/** RFC 6120 §6: SASL negotiation. With XEP-0440: SASL Channel-Binding Type Capability, version 1.0.0. */
import { attr } from './attr.ts'
import { childName, children, childText, childTexts } from './child.ts'
import { element, mapped } from './codec.ts'
import type { Infer, Input } from './codec.ts'
import { optionalSaslData, saslData } from './sasl-data.ts'
import { text } from './text.ts'

export const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
export const NS_SASL_CHANNEL_BINDING = 'urn:xmpp:sasl-cb:0'

/** Stream feature: the mechanisms on offer (RFC 6120 §6.4.1). */
export const SaslMechanisms = element(NS_SASL, 'mechanisms', { mechanisms: childTexts('mechanism') })
export type SaslMechanisms = Infer<typeof SaslMechanisms>

/** One type of channel binding, by its registered name (XEP-0440 §2). */
export const ChannelBinding = element(NS_SASL_CHANNEL_BINDING, 'channel-binding', { type: attr.string('type') })
export type ChannelBinding = Infer<typeof ChannelBinding>

/** Stream feature: the channel bindings that the -PLUS mechanisms can use (XEP-0440 §2). */
export const SaslChannelBinding = element(NS_SASL_CHANNEL_BINDING, 'sasl-channel-binding', {
  bindings: children(ChannelBinding),
})
export type SaslChannelBinding = Infer<typeof SaslChannelBinding>

/** Starts SASL (RFC 6120 §6.4.2); `data` is the initial response, absent when there is none. */
export const SaslAuth = element(NS_SASL, 'auth', {
  mechanism: attr.string('mechanism'),
  data: text.of(optionalSaslData).optional(),
})
export type SaslAuth = Infer<typeof SaslAuth>

/** A step of the server (RFC 6120 §6.4.3). */
export const SaslChallenge = element(NS_SASL, 'challenge', { data: text.of(saslData) })
export type SaslChallenge = Infer<typeof SaslChallenge>

/** A step of the client (RFC 6120 §6.4.3). */
export const SaslResponse = element(NS_SASL, 'response', { data: text.of(saslData) })
export type SaslResponse = Infer<typeof SaslResponse>

/** The client gives up this attempt (RFC 6120 §6.4.4); answered by failure with `aborted`. */
export const SaslAbort = element(NS_SASL, 'abort', {})
export type SaslAbort = Infer<typeof SaslAbort>

/** Authenticated (RFC 6120 §6.4.6); `data` is what the mechanism says at the end. */
export const SaslSuccess = element(NS_SASL, 'success', { data: text.of(optionalSaslData).optional() })
export type SaslSuccess = Infer<typeof SaslSuccess>

/** RFC 6120 §6.5: every SASL error condition with what it says. */
export const saslConditions = {
  'aborted': 'The client gave up the attempt and the server confirms it.',
  'account-disabled': 'The account exists but is switched off for now.',
  'credentials-expired': 'The credentials were right once and are no longer accepted.',
  'encryption-required': 'The mechanism may not be used before the stream is encrypted.',
  'incorrect-encoding': 'The data is not the base64 that the protocol asks for.',
  'invalid-authzid': 'The authorization identity is malformed, or this client may not act for it.',
  'invalid-mechanism': 'The client asked for a mechanism that is not on offer.',
  'malformed-request': 'The request breaks the rules of the mechanism or of SASL in XMPP.',
  'mechanism-too-weak': 'The mechanism is weaker than this account is allowed to use.',
  'not-authorized': 'The credentials are wrong; nothing more is told.',
  'temporary-auth-failure': 'The server cannot decide now; trying later can succeed.',
} as const

export type SaslCondition = keyof typeof saslConditions

const saslConditionNames = Object.keys(saslConditions) as SaslCondition[]

/**
 * Authentication failed (RFC 6120 §6.4.5). A condition that this version does not know reads as `not-authorized`.
 * Texts are written in English.
 */
export const SaslFailure = mapped(
  element(NS_SASL, 'failure', {
    condition: childName(saslConditionNames).default({ name: 'not-authorized' }),
    text: childText('text', NS_SASL, { lang: 'en' }).optional(),
  }),
  ({ condition, ...rest }): SaslFailureValue => ({ condition: condition.name, ...rest }),
  ({ condition, ...rest }: SaslFailureValue) => ({ condition: { name: condition }, ...rest }),
)

interface SaslFailureValue {
  readonly condition: SaslCondition
  /** For people; may say more than the condition. */
  readonly text?: string
}
export type SaslFailure = Infer<typeof SaslFailure>
export type SaslFailureInput = Input<typeof SaslFailure>
