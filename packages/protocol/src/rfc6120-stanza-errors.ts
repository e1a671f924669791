/** RFC 6120 §8.3: stanza errors as elements. To refuse a stanza, throw the `StanzaError` of @rollcall/stanza. */
import type { Jid } from '@rollcall/jid'
import { NS_STANZA_ERRORS, stanzaErrorTypes } from '@rollcall/stanza'
import type { StanzaErrorCondition, StanzaErrorType } from '@rollcall/stanza'
import type { XmlElement } from '@rollcall/xml'
import { attr } from './attr.ts'
import { childName, childText, extensions } from './child.ts'
import { element, mapped } from './codec.ts'
import type { Infer, Input } from './codec.ts'

const conditionNames = Object.keys(stanzaErrorTypes) as StanzaErrorCondition[]

/** RFC 6120 §8.3.3: every defined condition with the type that it has by default and what it says. */
export const stanzaConditions = withTypes({
  'bad-request': 'The stanza breaks the rules of its protocol, so that it cannot be processed.',
  'conflict': 'Something of that name or address exists already.',
  'feature-not-implemented': 'The receiver knows no such feature, or has not built it.',
  'forbidden': 'The sender is known and may not do this.',
  'gone': 'The receiver is not reached at this address any more; a new one may be in the text of the condition.',
  'internal-server-error': 'A defect or misconfiguration kept the server from processing the stanza.',
  'item-not-found': 'The address or the thing asked for does not exist, or the sender may not learn that it does.',
  'jid-malformed': 'An address in the stanza is not a JID.',
  'not-acceptable': 'The stanza is understood but breaks a criterion of the receiver.',
  'not-allowed': 'Nobody may do this here, whoever asks.',
  'not-authorized': 'The sender must first give credentials, or better ones.',
  'policy-violation': 'A rule of this service is broken, such as a limit on size or content.',
  'recipient-unavailable': 'The receiver is not there for the moment.',
  'redirect': 'Requests go to another address for now, given in the text of the condition.',
  'registration-required': 'The sender must register before it may do this.',
  'remote-server-not-found': 'The domain of the receiver does not exist or offers no XMPP service.',
  'remote-server-timeout': 'The domain of the receiver exists but was not reached in time.',
  'resource-constraint': 'The receiver lacks the resources to process this now.',
  'service-unavailable': 'The service is not offered; also said where the truth would leak presence.',
  'subscription-required': 'The sender must first be subscribed to do this.',
  'undefined-condition': 'None of the others; an application-specific condition says more.',
  'unexpected-request': 'The request comes at a moment when it has no meaning.',
})

function withTypes(
  meanings: Record<StanzaErrorCondition, string>,
): Readonly<Record<StanzaErrorCondition, { readonly type: StanzaErrorType; readonly meaning: string }>> {
  const entries = conditionNames.map((name) => [name, { type: stanzaErrorTypes[name], meaning: meanings[name] }] as const)
  return Object.fromEntries(entries) as ReturnType<typeof withTypes>
}

interface StanzaErrorValue {
  readonly condition: StanzaErrorCondition
  readonly type: StanzaErrorType
  /** The entity that found the error, where it is not the receiver (§8.3.1). */
  readonly by?: Jid
  /** Only with `gone` and `redirect`: where to go, as a URI. */
  readonly address?: string
  /** For people. */
  readonly text?: string
  /** Application-specific conditions (§8.3.4). */
  readonly application: readonly XmlElement[]
}

interface StanzaErrorParts extends Omit<StanzaErrorValue, 'type' | 'application'> {
  /** Left out: the default of the condition. */
  readonly type?: StanzaErrorType
  readonly application?: readonly XmlElement[]
}

/**
 * The `<error/>` of a stanza. A condition that this version does not know reads as `undefined-condition`, and a missing
 * type as the condition's default. Texts are written in English.
 */
export const StanzaErrorElement = mapped(
  element('jabber:client', 'error', {
    type: attr.enum('type', ['auth', 'cancel', 'continue', 'modify', 'wait']).optional(),
    by: attr.jid('by').optional(),
    condition: childName(conditionNames, NS_STANZA_ERRORS).default({ name: 'undefined-condition' }),
    text: childText('text', NS_STANZA_ERRORS, { lang: 'en' }).optional(),
    application: extensions(),
  }, { alsoIn: ['jabber:server', 'jabber:component:accept'] }),
  ({ condition, type, ...rest }): StanzaErrorValue => ({
    condition: condition.name,
    type: type ?? stanzaErrorTypes[condition.name],
    ...(hasAddress(condition.name) && condition.text !== undefined && { address: condition.text }),
    ...rest,
  }),
  ({ condition, type, address, ...rest }: StanzaErrorParts) => ({
    condition: { name: condition, text: address },
    type: type ?? stanzaErrorTypes[condition],
    ...rest,
  }),
)
export type StanzaErrorElement = Infer<typeof StanzaErrorElement>
export type StanzaErrorElementInput = Input<typeof StanzaErrorElement>

function hasAddress(condition: StanzaErrorCondition): boolean {
  return condition === 'gone' || condition === 'redirect'
}
