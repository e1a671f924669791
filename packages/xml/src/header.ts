/** The stream header (RFC 6120 §4.7), and the context it makes for the elements of its stream. */
import { latin1 } from '#bytes'
import type { FrameView } from './frame.ts'
import { NO_PREFIXES, type ScanContext } from './namespaces.ts'

/** A decoded stream header; which names and namespaces are acceptable is for the stream to decide. */
export interface StreamHeader {
  /** Prefix of the header's name, '' for none. */
  readonly prefix: string
  /** Local name, `stream` on a good stream. */
  readonly name: string
  /** Resolved namespace, `http://etherx.jabber.org/streams` on a good stream. */
  readonly ns: string
  /** Declared default namespace: the content namespace; '' when not declared. */
  readonly defaultNs: string
  /** Decoded attributes; `xml:lang` under that key, other prefixed ones under `{namespace}local`, no declarations. */
  readonly attributes: ReadonlyMap<string, string>
  /** Declared namespaces by prefix. */
  readonly prefixes: ReadonlyMap<string, string>
}

/** What a stream remembers of its header. Plain data. */
export interface StreamContext extends ScanContext {
  /** The header's qualified name as received, which the close tag must repeat. */
  readonly qname: string
}

/**
 * Different headers in use are few, and every idle connection keeps one: so they are shared. Beyond this many the oldest
 * is forgotten (streams that have it keep it), so that odd headers cannot crowd out the usual ones for good.
 */
const CONTEXTS_MAX = 64
/** Longer headers are not shared: the cache holds at most this many characters for each of its contexts. */
const KEY_LENGTH_MAX = 512
const contexts = new Map<string, StreamContext>()

/** Decodes the header that `frame` shows. */
export function decodeHeader(frame: FrameView): StreamHeader {
  return {
    prefix: frame.prefix,
    name: frame.name,
    ns: frame.ns,
    defaultNs: frame.contentNs,
    attributes: frame.attributes(),
    prefixes: frame.prefixes,
  }
}

/** The shared context of all streams with this header's names and declarations. */
export function contextOf(header: StreamHeader, bytes: Uint8Array, nameStart: number, nameEnd: number): StreamContext {
  return sharedContext({ qname: latin1(bytes, nameStart, nameEnd), defaultNs: header.defaultNs, prefixes: header.prefixes })
}

/** The same context as others have, where there is one. */
export function sharedContext({ defaultNs, prefixes: declared, qname }: StreamContext): StreamContext {
  // No XML has a NUL, so different headers have different keys.
  let key = `${qname}\0${defaultNs}`
  for (const [prefix, ns] of declared) key += `\0${prefix}\0${ns}`
  const known = contexts.get(key)
  if (known !== undefined) return known
  const prefixes = declared.size === 0 ? NO_PREFIXES : declared
  const context: StreamContext = { qname, defaultNs, prefixes }
  if (key.length > KEY_LENGTH_MAX) return context
  const [oldest] = contexts.keys()
  if (oldest !== undefined && contexts.size >= CONTEXTS_MAX) contexts.delete(oldest)
  contexts.set(key, context)
  return context
}
