/** RFC 6120 §4.9: stream errors, which always end the stream. */
import type { XmlElement } from '@rollcall/xml'
import { childName, childText, extensions } from './child.ts'
import { element, mapped } from './codec.ts'
import type { Infer, Input } from './codec.ts'
import { NS_STREAMS, streamPrefixed } from './stream-prefix.ts'

export const NS_STREAM_ERRORS = 'urn:ietf:params:xml:ns:xmpp-streams'

/** RFC 6120 §4.9.3: every defined condition with what it says. */
export const streamConditions = {
  'bad-format': 'Well-formed XML that the stream cannot process, where nothing more exact applies.',
  'bad-namespace-prefix': 'A namespace prefix that the stream needs is missing or not supported.',
  'conflict': 'A newer stream replaces this one, or the address that it wants is taken.',
  'connection-timeout': 'The peer no longer answers and is taken for gone.',
  'host-gone': 'The domain in `to` was served here and no longer is.',
  'host-unknown': 'The domain in `to` is not served here.',
  'improper-addressing': 'A stanza between servers lacks `from` or `to`, or one of them is not an address.',
  'internal-server-error': 'A defect or misconfiguration keeps the server from serving the stream.',
  'invalid-from': 'The `from` is not an address that this stream authenticated.',
  'invalid-namespace': 'The namespace of the stream or of its content is not one that is supported.',
  'invalid-xml': 'The XML breaks the schema, where the receiver validates.',
  'not-authorized': 'Data was sent before authentication, or the sender may not send it on this stream.',
  'not-well-formed': 'The XML is not well-formed or not namespace-well-formed.',
  'policy-violation': 'A rule of this service is broken, such as a limit on size or rate.',
  'remote-connection-failed': 'A connection that is needed to authenticate or authorize the peer cannot be made.',
  'reset': 'The stream is closed because its features changed or its keys must be renewed; connect again.',
  'resource-constraint': 'The server lacks the resources to serve the stream.',
  'restricted-xml': 'XML that XMPP forbids: a comment, processing instruction, DTD or entity reference.',
  'see-other-host': 'The peer is to connect to the host and port in the text of the condition.',
  'system-shutdown': 'The server is being shut down; all its streams are closed.',
  'undefined-condition': 'None of the others; an application-specific condition says more.',
  'unsupported-encoding': 'The stream is not in UTF-8.',
  'unsupported-feature': 'The peer offers no feature that is required here, or requires one that is not supported.',
  'unsupported-stanza-type': 'A first-level element is not a message, presence or iq, nor anything negotiated.',
  'unsupported-version': 'The version of the stream header is not supported.',
} as const

export type StreamCondition = keyof typeof streamConditions

const streamConditionNames = Object.keys(streamConditions) as StreamCondition[]

interface StreamErrorValue {
  readonly condition: StreamCondition
  /** Only with `see-other-host` (§4.9.3.19): host, or host and port, an IPv6 address in brackets. */
  readonly address?: string
  /** For people. */
  readonly text?: string
  /** Application-specific conditions (§4.9.4). */
  readonly application: readonly XmlElement[]
}

interface StreamErrorParts extends Omit<StreamErrorValue, 'application'> {
  readonly application?: readonly XmlElement[]
}

/**
 * A stream error. A condition that this version does not know reads as `undefined-condition`. Texts are written in
 * English. `toWire` writes the prefix `stream:`.
 */
export const StreamError = streamPrefixed(mapped(
  element(NS_STREAMS, 'error', {
    condition: childName(streamConditionNames, NS_STREAM_ERRORS).default({ name: 'undefined-condition' }),
    text: childText('text', NS_STREAM_ERRORS, { lang: 'en' }).optional(),
    application: extensions(),
  }),
  ({ condition, ...rest }): StreamErrorValue => ({
    condition: condition.name,
    ...(condition.name === 'see-other-host' && condition.text !== undefined && { address: condition.text }),
    ...rest,
  }),
  ({ condition, address, ...rest }: StreamErrorParts) => ({ condition: { name: condition, text: address }, ...rest }),
))
export type StreamError = Infer<typeof StreamError>
export type StreamErrorInput = Input<typeof StreamError>
