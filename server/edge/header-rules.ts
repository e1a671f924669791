/**
 * What a stream header must be like (RFC 6120 §4.7, §4.8), decided without I/O: the stream error it earns, or what it asks.
 *
 * TCP, WebSocket and BOSH carry the same five facts in different clothes; all come here as an `Opening`.
 */
import { tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { StreamHeader } from '@rollcall/xml'
import { NS_STREAM } from './stream-wire.ts'
import type { StreamFault } from './stream-wire.ts'

/** The facts of a header, absent ones undefined. */
export interface Opening {
  readonly to: string | undefined
  readonly from: string | undefined
  readonly version: string | undefined
  readonly lang: string | undefined
}

/** A header that is in order. */
export interface CheckedOpening {
  /** The domain addressed. */
  readonly host: Jid
  /** Whom the peer says it is; proves nothing. */
  readonly from: Jid | undefined
  /** Language of what the peer sends without saying (RFC 6120 §4.7.4); '' when it did not say. */
  readonly lang: string
}

export type HeaderVerdict = { readonly fault: StreamFault } | { readonly fault: undefined; readonly opening: CheckedOpening }

const VERSION = /^(\d{1,5})\.(\d{1,5})$/
/** BCP 47 in outline: what may stand in `xml:lang` without surprising anybody who copies it. */
const LANGUAGE = /^[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,8}$/

/** The names and namespaces of a header on TCP (RFC 6120 §4.8.1, §4.8.2, §4.8.5). */
export function checkHeaderNames(header: StreamHeader, contentNs: string): StreamFault | undefined {
  if (header.ns !== NS_STREAM) return { condition: 'invalid-namespace', text: 'not a stream header' }
  if (header.name !== 'stream') return { condition: 'bad-format', text: 'not a stream header' }
  if (header.defaultNs !== contentNs) return { condition: 'invalid-namespace', text: `this port is for ${contentNs}` }
  return undefined
}

/** The facts of a header as TCP gives them. */
export function openingOf(attributes: ReadonlyMap<string, string>): Opening {
  return {
    to: attributes.get('to'),
    from: attributes.get('from'),
    version: attributes.get('version'),
    lang: attributes.get('xml:lang'),
  }
}

/** The values of a client's header, whatever the transport. */
export function checkOpening({ to, from, version, lang }: Opening): HeaderVerdict {
  const number = VERSION.exec(version ?? '')
  // RFC 6120 §4.7.5: no version means 0.9, which had neither TLS nor SASL. Higher majors are answered with ours.
  if (number === null || Number(number[1]) < 1) return fault('unsupported-version', 'XMPP 1.0 is required')
  if (to === undefined) return fault('improper-addressing', 'the stream header needs a to attribute')
  const host = tryParseJid(to)
  if (host === undefined || !host.isDomain) return fault('improper-addressing', 'to is not a domain')
  const sender = from === undefined ? undefined : tryParseJid(from)
  if (from !== undefined && sender === undefined) return fault('improper-addressing', 'from is not an address')
  return { fault: undefined, opening: { host, from: sender, lang: lang !== undefined && LANGUAGE.test(lang) ? lang : '' } }
}

function fault(condition: StreamFault['condition'], text: string): HeaderVerdict {
  return { fault: { condition, text } }
}
