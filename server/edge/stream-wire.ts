/**
 * Stream-level XML as wire strings: headers, errors, and the namespaces that features live in.
 *
 * Strings and not codecs, because these few are sent by every connection and never change. All are relative to a default
 * namespace of the stream's content, with the prefix `stream` declared; transports without a stream header add both.
 */
import { escapeAttribute, escapeText } from '@rollcall/xml'

export const NS_STREAM = 'http://etherx.jabber.org/streams'
export const NS_STREAM_ERRORS = 'urn:ietf:params:xml:ns:xmpp-streams'
export const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
export const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
export const NS_SASL2 = 'urn:xmpp:sasl:2'
export const NS_BIND = 'urn:ietf:params:xml:ns:xmpp-bind'
export const NS_SESSION = 'urn:ietf:params:xml:ns:xmpp-session'
export const NS_CSI = 'urn:xmpp:csi:0'
export const NS_SM = 'urn:xmpp:sm:3'
export const NS_COMPONENT = 'jabber:component:accept'
export const NS_FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing'

/** Every condition of RFC 6120 §4.9.3. */
export const STREAM_ERROR_CONDITIONS = [
  'bad-format', 'bad-namespace-prefix', 'conflict', 'connection-timeout', 'host-gone', 'host-unknown',
  'improper-addressing', 'internal-server-error', 'invalid-from', 'invalid-namespace', 'invalid-xml', 'not-authorized',
  'not-well-formed', 'policy-violation', 'remote-connection-failed', 'reset', 'resource-constraint', 'restricted-xml',
  'see-other-host', 'system-shutdown', 'undefined-condition', 'unsupported-encoding', 'unsupported-feature',
  'unsupported-stanza-type', 'unsupported-version',
] as const
export type StreamErrorCondition = (typeof STREAM_ERROR_CONDITIONS)[number]

const known: ReadonlySet<string> = new Set(STREAM_ERROR_CONDITIONS)

/** Whether RFC 6120 §4.9.3 defines the condition. */
export function isStreamErrorCondition(text: string): text is StreamErrorCondition {
  return known.has(text)
}

/** Why a stream ends, as its error says it. */
export interface StreamFault {
  readonly condition: StreamErrorCondition
  /** For people, in English. */
  readonly text?: string
  /** The other host of `see-other-host` (RFC 6120 §4.9.3.19), as `host` or `host:port`. */
  readonly otherHost?: string
  /** Wire string of an application-specific condition (RFC 6120 §4.9.4). */
  readonly detail?: string
}

/**
 * What a core says about the end of a stream: '' is an end in order; `see-other-host` has the host in its text; what RFC 6120
 * does not define is `undefined-condition`.
 */
export function faultOf({ condition, text, detail }: { condition: string; text?: string; detail?: string }): StreamFault | undefined {
  if (condition === '') return undefined
  if (condition === 'see-other-host') return text === undefined ? { condition: 'reset' } : { condition, otherHost: text }
  const known = isStreamErrorCondition(condition) ? condition : 'undefined-condition'
  return { condition: known, ...(text === undefined ? {} : { text }), ...(detail === undefined ? {} : { detail }) }
}

/** `<stream:error/>`; `declarations` is put on it where no stream header declares the prefix. */
export function streamErrorWire({ condition, text, otherHost, detail = '' }: StreamFault, declarations = ''): string {
  const value = condition === 'see-other-host' ? escapeText(otherHost ?? '') : ''
  const open = `<${condition} xmlns='${NS_STREAM_ERRORS}'`
  const element = value === '' ? `${open}/>` : `${open}>${value}</${condition}>`
  const explanation = text === undefined || text === '' ? '' : `<text xmlns='${NS_STREAM_ERRORS}' xml:lang='en'>${escapeText(text)}</text>`
  return `<stream:error${declarations}>${element}${explanation}${detail}</stream:error>`
}

/** What our own header says (RFC 6120 §4.7). All but `to` is ours. */
export interface OwnHeader {
  readonly id: string
  /** The host that answers. */
  readonly from: string
  /** Whom the peer said it is, if it did. */
  readonly to: string | undefined
}

/** The attributes of our header, each with a leading space; the language is that of our texts. */
export function headerAttributes({ id, from, to }: OwnHeader): string {
  const address = to === undefined ? '' : ` to='${escapeAttribute(to)}'`
  return ` from='${escapeAttribute(from)}'${address} id='${escapeAttribute(id)}' version='1.0' xml:lang='en'`
}

/** The response stream header on TCP. */
export function streamHeaderWire(contentNs: string, header: OwnHeader): string {
  const attributes = contentNs === NS_COMPONENT
    // XEP-0114 §3 streams carry neither version nor language.
    ? ` from='${escapeAttribute(header.from)}' id='${escapeAttribute(header.id)}'`
    : headerAttributes(header)
  return `<?xml version='1.0'?><stream:stream xmlns='${contentNs}' xmlns:stream='${NS_STREAM}'${attributes}>`
}
