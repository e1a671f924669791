/** XEP-0388: Extensible SASL Profile (SASL2), version 1.0.4. With the element of XEP-0480 that stands inside its own. */
import { attr } from './attr.ts'
import { child, childName, childText, childTexts, extensions } from './child.ts'
import { element, mapped } from './codec.ts'
import type { Infer, Input } from './codec.ts'
import { NS_SASL, saslConditions } from './rfc6120-sasl.ts'
import type { SaslCondition } from './rfc6120-sasl.ts'
import type { XmlElement } from '@rollcall/xml'
import { text } from './text.ts'
import { NS_SASL_UPGRADE } from './xep0480.ts'

export const NS_SASL2 = 'urn:xmpp:sasl:2'

/** What can be negotiated together with authentication, as features of their own (XEP-0388 §2.1). */
export const Sasl2Inline = element(NS_SASL2, 'inline', { features: extensions() })
export type Sasl2Inline = Infer<typeof Sasl2Inline>

/** Stream feature: mechanisms and what can go with them (XEP-0388 §2.1). */
export const Sasl2Authentication = element(NS_SASL2, 'authentication', {
  mechanisms: childTexts('mechanism'),
  inline: child(Sasl2Inline).optional(),
  /** Names of upgrade tasks (XEP-0480 §2.1). */
  upgrades: childTexts('upgrade', NS_SASL_UPGRADE),
})
export type Sasl2Authentication = Infer<typeof Sasl2Authentication>

/** The client's installation (XEP-0388 §2.3): never shown to other entities. */
export const Sasl2UserAgent = element(NS_SASL2, 'user-agent', {
  /** A UUID of version 4 that stays the same for this installation. */
  id: attr.string('id').optional(),
  software: childText('software').optional(),
  device: childText('device').optional(),
})
export type Sasl2UserAgent = Infer<typeof Sasl2UserAgent>

/** Starts SASL (XEP-0388 §2.3); no initial response is another thing than an empty one. */
export const Sasl2Authenticate = element(NS_SASL2, 'authenticate', {
  mechanism: attr.string('mechanism'),
  initialResponse: childText.base64('initial-response').optional(),
  userAgent: child(Sasl2UserAgent).optional(),
  /** Upgrade tasks that the client is ready for (XEP-0480 §2.2). */
  upgrades: childTexts('upgrade', NS_SASL_UPGRADE),
  /** What is to be negotiated together with authentication. */
  inline: extensions(),
})
export type Sasl2Authenticate = Infer<typeof Sasl2Authenticate>

/** A step of the server (XEP-0388 §2.5). */
export const Sasl2Challenge = element(NS_SASL2, 'challenge', { data: text.base64() })
export type Sasl2Challenge = Infer<typeof Sasl2Challenge>

/** A step of the client (XEP-0388 §2.5). */
export const Sasl2Response = element(NS_SASL2, 'response', { data: text.base64() })
export type Sasl2Response = Infer<typeof Sasl2Response>

/** The client gives up (XEP-0388 §6.5); answered by failure with `aborted`. */
export const Sasl2Abort = element(NS_SASL2, 'abort', { text: childText('text').optional(), details: extensions() })
export type Sasl2Abort = Infer<typeof Sasl2Abort>

/** Authenticated (XEP-0388 §2.6.1). */
export const Sasl2Success = element(NS_SASL2, 'success', {
  /** What the mechanism says at the end. */
  additionalData: childText.base64('additional-data').optional(),
  /** A bare JID, or a full one when a resource was bound. */
  authorizationIdentifier: childText('authorization-identifier'),
  /** The results of what was negotiated together with authentication. */
  results: extensions(),
})
export type Sasl2Success = Infer<typeof Sasl2Success>

interface Sasl2FailureValue {
  readonly condition: SaslCondition
  /** For people. */
  readonly text?: string
  /** Conditions of other specifications. */
  readonly details: readonly XmlElement[]
}

/** Authentication failed (XEP-0388 §2.6.2). A condition that this version does not know reads as `not-authorized`. */
export const Sasl2Failure = mapped(
  element(NS_SASL2, 'failure', {
    condition: childName(Object.keys(saslConditions) as SaslCondition[], NS_SASL).default({ name: 'not-authorized' }),
    text: childText('text').optional(),
    details: extensions(),
  }),
  ({ condition, ...rest }): Sasl2FailureValue => ({ condition: condition.name, ...rest }),
  ({ condition, ...rest }: Sasl2FailureValue) => ({ condition: { name: condition }, ...rest }),
)
export type Sasl2Failure = Infer<typeof Sasl2Failure>
export type Sasl2FailureInput = Input<typeof Sasl2Failure>

/** Names of the tasks from which the client chooses one (XEP-0388 §2.6.3). */
export const Sasl2Tasks = element(NS_SASL2, 'tasks', { tasks: childTexts('task') })
export type Sasl2Tasks = Infer<typeof Sasl2Tasks>

/** The mechanism succeeded and something is left to do (XEP-0388 §2.6.3). */
export const Sasl2Continue = element(NS_SASL2, 'continue', {
  additionalData: childText.base64('additional-data').optional(),
  tasks: child(Sasl2Tasks),
  text: childText('text').optional(),
})
export type Sasl2Continue = Infer<typeof Sasl2Continue>

/** The client starts a task (XEP-0388 §2.6.3). */
export const Sasl2Next = element(NS_SASL2, 'next', { task: attr.string('task'), content: extensions() })
export type Sasl2Next = Infer<typeof Sasl2Next>

/** A step of a task, in either direction (XEP-0388 §2.6.3). */
export const Sasl2TaskData = element(NS_SASL2, 'task-data', { content: extensions() })
export type Sasl2TaskData = Infer<typeof Sasl2TaskData>
