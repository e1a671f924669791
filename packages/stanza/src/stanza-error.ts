/**
 * Stanza errors (RFC 6120 §8.3). Throwing a `StanzaError` is how any handler refuses a stanza; every other throw is a
 * defect and becomes `internal-server-error`.
 */
import type { XmlElement } from '@rollcall/xml'

export type StanzaErrorType = 'auth' | 'cancel' | 'continue' | 'modify' | 'wait'

/** RFC 6120 §8.3.3: every defined condition with the type that goes with it by default. */
export const stanzaErrorTypes = {
  'bad-request': 'modify',
  'conflict': 'cancel',
  'feature-not-implemented': 'cancel',
  'forbidden': 'auth',
  'gone': 'cancel',
  'internal-server-error': 'cancel',
  'item-not-found': 'cancel',
  'jid-malformed': 'modify',
  'not-acceptable': 'modify',
  'not-allowed': 'cancel',
  'not-authorized': 'auth',
  'policy-violation': 'modify',
  'recipient-unavailable': 'wait',
  'redirect': 'modify',
  'registration-required': 'auth',
  'remote-server-not-found': 'cancel',
  'remote-server-timeout': 'wait',
  'resource-constraint': 'wait',
  'service-unavailable': 'cancel',
  'subscription-required': 'auth',
  'undefined-condition': 'cancel',
  'unexpected-request': 'wait',
} as const satisfies Record<string, StanzaErrorType>

export type StanzaErrorCondition = keyof typeof stanzaErrorTypes

export interface StanzaErrorOptions {
  /** When it differs from the condition's default. */
  readonly type?: StanzaErrorType
  /** Application-specific condition beside the defined one (RFC 6120 §8.3.4). */
  readonly application?: XmlElement
  /** The address in `<gone/>` and `<redirect/>`. */
  readonly address?: string
}

/** A refusal that the sender is told; `text` is for people and may be absent. */
export class StanzaError extends Error {
  readonly condition: StanzaErrorCondition
  readonly type: StanzaErrorType
  readonly text: string | undefined
  readonly application: XmlElement | undefined
  readonly address: string | undefined

  constructor(condition: StanzaErrorCondition, text?: string, options: StanzaErrorOptions = {}) {
    super(text ?? condition)
    this.name = 'StanzaError'
    this.condition = condition
    this.type = options.type ?? stanzaErrorTypes[condition]
    this.text = text
    this.application = options.application
    this.address = options.address
  }
}
