/** XEP-0198: Stream Management, version 1.6.3. Elements of the stream level that are no stanzas. */
import type { StanzaErrorCondition } from '@rollcall/stanza'
import { NS_STANZA_ERRORS, stanzaErrorTypes } from '@rollcall/stanza'
import { attr } from './attr.ts'
import { childName } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'
import { integerType } from './lexical.ts'

export const NS_STREAM_MANAGEMENT = 'urn:xmpp:sm:3'

/** Counters wrap to 0 after this (§4). */
export const HANDLED_MAX = 2 ** 32 - 1

const counter = (name: string) => attr.of(name, integerType('unsignedInt', 0, HANDLED_MAX))
/** Seconds; xs:positiveInteger. */
const seconds = (name: string) => attr.of(name, integerType('positiveInteger', 1, Number.MAX_SAFE_INTEGER))

/** Stream feature: stanzas can be acknowledged and the stream resumed (§2). */
export const StreamManagementFeature = element(NS_STREAM_MANAGEMENT, 'sm', {})
export type StreamManagementFeature = Infer<typeof StreamManagementFeature>

/** Asks for acknowledgements on this stream (§3). */
export const SmEnable = element(NS_STREAM_MANAGEMENT, 'enable', {
  /** The client wants to be able to resume. */
  resume: attr.bool('resume').default(false),
  /** How long it wants that, in seconds. */
  max: seconds('max').optional(),
})
export type SmEnable = Infer<typeof SmEnable>

/** Acknowledgements are on (§3). */
export const SmEnabled = element(NS_STREAM_MANAGEMENT, 'enabled', {
  /** Names the stream when it is to be resumed; known to its client only. */
  id: attr.string('id').optional(),
  resume: attr.bool('resume').default(false),
  /** For how many seconds the stream can be resumed. */
  max: seconds('max').optional(),
  /** Where it is best resumed: `domainpart:port`, IPv6 in brackets. */
  location: attr.string('location').optional(),
})
export type SmEnabled = Infer<typeof SmEnabled>

/** Asks how many stanzas were handled (§4). */
export const SmRequest = element(NS_STREAM_MANAGEMENT, 'r', {})
export type SmRequest = Infer<typeof SmRequest>

/** Says how many stanzas were handled (§4), modulo 2^32. */
export const SmAnswer = element(NS_STREAM_MANAGEMENT, 'a', { handled: counter('h') })
export type SmAnswer = Infer<typeof SmAnswer>

/** Asks to go on with an earlier stream (§5). */
export const SmResume = element(NS_STREAM_MANAGEMENT, 'resume', { previousId: attr.string('previd'), handled: counter('h') })
export type SmResume = Infer<typeof SmResume>

/** The earlier stream goes on (§5). */
export const SmResumed = element(NS_STREAM_MANAGEMENT, 'resumed', { previousId: attr.string('previd'), handled: counter('h') })
export type SmResumed = Infer<typeof SmResumed>

const conditions = Object.keys(stanzaErrorTypes) as StanzaErrorCondition[]

/** The request was refused (§6); `handled` when the stream to resume is over but remembered (§5). */
export const SmFailed = element(NS_STREAM_MANAGEMENT, 'failed', {
  handled: counter('h').optional(),
  condition: childName(conditions, NS_STANZA_ERRORS).optional(),
})
export type SmFailed = Infer<typeof SmFailed>

/** In a stream error: more stanzas were acknowledged than sent (§6). */
export const HandledCountTooHigh = element(NS_STREAM_MANAGEMENT, 'handled-count-too-high', {
  handled: counter('h').optional(),
  sent: counter('send-count').optional(),
})
export type HandledCountTooHigh = Infer<typeof HandledCountTooHigh>
