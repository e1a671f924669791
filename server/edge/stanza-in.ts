/**
 * From a frame to a `Stanza`: the hot path of everything that comes in.
 *
 * Normally the content namespace is the frame's own, so the stanza takes the wire strings over as they are. A stanza that
 * uses a prefix for its own name (legal, and seen nowhere but in attacks and tests) is decoded and written afresh, since
 * its content would mean something else under another default namespace.
 */
import type { Jid } from '@rollcall/jid'
import { NS_CLIENT, Stanza } from '@rollcall/stanza'
import type { StanzaChild, StanzaKind } from '@rollcall/stanza'
import { escapeAttribute, serialize, XmlElement } from '@rollcall/xml'
import type { Frame } from '@rollcall/xml'

const ADDRESSES = ['from', 'to'] as const
const NO_CHILDREN: readonly StanzaChild[] = []

/** The kind of stanza that the frame is on a stream with this content namespace, or undefined. */
export function stanzaKind(frame: Frame, contentNs: string): StanzaKind | undefined {
  if (frame.ns !== contentNs) return undefined
  const { name } = frame
  return name === 'message' || name === 'presence' || name === 'iq' ? name : undefined
}

/** The stanza between the given addresses; `lang` is the stream's language, '' for none (RFC 6120 §4.7.4). */
export function readStanza(frame: Frame, kind: StanzaKind, from: Jid | undefined, to: Jid | undefined, lang: string): Stanza {
  const type = frame.attribute('type') ?? ''
  const id = frame.attribute('id') ?? ''
  const { ns } = frame
  if (frame.contentNs !== ns) return rewritten(frame, kind, from, to, type, id, lang)
  let attrs = frame.attributesWire(ADDRESSES)
  if (lang !== '' && frame.attribute('xml:lang') === undefined) attrs += ` xml:lang='${lang}'`
  const count = frame.childCount
  if (count === 0) return new Stanza(kind, from, to, type, id, attrs, frame.contentWire(), NO_CHILDREN)
  const children: StanzaChild[] = []
  for (let child = 0; child < count; child++) {
    const childNs = frame.childNs(child)
    children.push({
      name: frame.childName(child),
      ns: childNs === ns ? NS_CLIENT : childNs,
      start: frame.childStart(child),
      end: frame.childEnd(child),
    })
  }
  return new Stanza(kind, from, to, type, id, attrs, frame.contentWire(), children)
}

function rewritten(
  frame: Frame, kind: StanzaKind, from: Jid | undefined, to: Jid | undefined, type: string, id: string, lang: string,
): Stanza {
  const element = frame.toElement()
  let attrs = ''
  let hasLang = false
  for (const [key, value] of element.attributes) {
    // Attributes in foreign namespaces mean nothing to XMPP on a stanza (RFC 6120 §8.4), so they end here.
    if (key === 'from' || key === 'to' || key.startsWith('{')) continue
    hasLang ||= key === 'xml:lang'
    attrs += ` ${key}='${escapeAttribute(value)}'`
  }
  if (lang !== '' && !hasLang) attrs += ` xml:lang='${lang}'`
  let content = ''
  const children: StanzaChild[] = []
  for (const child of element.children) {
    if (typeof child === 'string') continue
    const moved = child.ns === frame.ns ? inNamespace(child, frame.ns, NS_CLIENT) : child
    const start = content.length
    content += serialize(moved, NS_CLIENT)
    children.push({ name: moved.name, ns: moved.ns, start, end: content.length })
  }
  return new Stanza(kind, from, to, type, id, attrs, content, children)
}

/** The element with one namespace replaced throughout; nesting is bounded by the scanner. */
function inNamespace(element: XmlElement, from: string, to: string): XmlElement {
  if (from === to) return element
  const children = element.children.map((child) => (typeof child === 'string' ? child : inNamespace(child, from, to)))
  return new XmlElement(element.name, element.ns === from ? to : element.ns, element.attributes, children)
}
