/** Making stanzas in the server: replies, pushes, broadcasts. Text is escaped here; wire strings pass through. */
import type { Jid } from '@rollcall/jid'
import { escapeAttribute, escapeText, serialize } from '@rollcall/xml'
import type { XmlElement } from '@rollcall/xml'
import { NS_CLIENT, Stanza } from './stanza.ts'
import type { StanzaChild, StanzaKind } from './stanza.ts'

export interface StanzaParts {
  readonly from?: Jid | undefined
  readonly to?: Jid | undefined
  readonly type?: string
  readonly id?: string
  /** xml:lang of the stanza. */
  readonly lang?: string
  /** Payloads in order. */
  readonly children?: readonly XmlElement[]
}

/** Builds a stanza from text parts. */
export function buildStanza(kind: StanzaKind, parts: StanzaParts): Stanza {
  const { from, to, type = '', id = '', lang, children = [] } = parts
  let attrs = ''
  if (type !== '') attrs += ` type='${escapeAttribute(type)}'`
  if (id !== '') attrs += ` id='${escapeAttribute(id)}'`
  if (lang !== undefined) attrs += ` xml:lang='${escapeAttribute(lang)}'`
  let content = ''
  const index: StanzaChild[] = []
  for (const child of children) {
    const start = content.length
    content += serialize(child, NS_CLIENT)
    index.push({ name: child.name, ns: child.ns, start, end: content.length })
  }
  return new Stanza(kind, from, to, type, id, attrs, content, index)
}

/** The result of an iq: addresses swapped, same id (RFC 6120 §8.2.3). */
export function iqResult(request: Stanza, payload?: XmlElement): Stanza {
  const result = buildStanza('iq', {
    from: request.to,
    to: request.from,
    type: 'result',
    id: request.id,
    children: payload === undefined ? [] : [payload],
  })
  result.trace = request.trace
  return result
}

/** A presence without payload but an optional status text (RFC 6121 §4.7.2.2). */
export function presence(from: Jid | undefined, to: Jid | undefined, type: string, status?: string): Stanza {
  const bare = buildStanza('presence', { from, to, type })
  return status === undefined ? bare : bare.withChild('status', NS_CLIENT, `<status>${escapeText(status)}</status>`)
}
