/** Refusals of publish-subscribe: a stanza error with the application condition that XEP-0060 puts beside it. */
import { NS_PUBSUB_ERRORS, PubsubUnsupported } from '@rollcall/protocol'
import type { PubsubErrorName } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { StanzaErrorCondition, StanzaErrorType } from '@rollcall/stanza'
import { XmlElement } from '@rollcall/xml'

export interface PubsubErrorOptions {
  readonly text?: string
  /** When it differs from the condition's default. */
  readonly type?: StanzaErrorType
}

/** The error with its application condition (XEP-0060 §15.1). */
export function pubsubError(condition: StanzaErrorCondition, name: PubsubErrorName, { text, type }: PubsubErrorOptions = {}): StanzaError {
  const application = new XmlElement(name, NS_PUBSUB_ERRORS)
  return new StanzaError(condition, text, type === undefined ? { application } : { application, type })
}

/** The service or the node lacks a feature, by its name after `#` (XEP-0060 §10). */
export function unsupported(feature: string, text?: string): StanzaError {
  return new StanzaError('feature-not-implemented', text, { application: PubsubUnsupported.encode({ feature }) })
}
