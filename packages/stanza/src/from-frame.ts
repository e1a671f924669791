/**
 * From a scanned element to a stanza, without decoding anything but its type and id.
 *
 * Payloads in the stream's own content namespace (`jabber:server`, `jabber:component:accept`) are taken as
 * `jabber:client`: inside the server every stanza is relative to that one namespace, and a splice must not change it.
 */
import type { Jid } from '@rollcall/jid'
import { serialize } from '@rollcall/xml'
import type { Frame } from '@rollcall/xml'
import { NS_CLIENT, Stanza } from './stanza.ts'
import type { StanzaChild, StanzaKind } from './stanza.ts'

const addresses = ['from', 'to']
const noChildren: readonly StanzaChild[] = []

/** The kind of stanza that an element of the stream's content namespace is, or undefined when it is none. */
export function stanzaKind(frame: Frame): StanzaKind | undefined {
  const { name } = frame
  return name === 'message' || name === 'presence' || name === 'iq' ? name : undefined
}

/** Makes the stanza; the frame must have a stanza's name and be in its stream's content namespace. */
export function stanzaFromFrame(frame: Frame, from: Jid | undefined, to: Jid | undefined): Stanza {
  const kind = frame.name as StanzaKind
  const type = frame.attribute('type') ?? ''
  const id = frame.attribute('id') ?? ''
  const attrs = frame.attributesWire(addresses)
  const contentNs = frame.ns
  // A prefixed top tag with another default namespace inside: legal, never seen, so it may cost a decode.
  if (frame.contentNs !== contentNs) return decodedStanza(frame, kind, from, to)
  const count = frame.childCount
  if (count === 0) return new Stanza(kind, from, to, type, id, attrs, frame.contentWire(), noChildren)
  const children: StanzaChild[] = new Array<StanzaChild>(count)
  for (let i = 0; i < count; i++) {
    const ns = frame.childNs(i)
    children[i] = { name: frame.childName(i), ns: ns === contentNs ? NS_CLIENT : ns, start: frame.childStart(i), end: frame.childEnd(i) }
  }
  return new Stanza(kind, from, to, type, id, attrs, frame.contentWire(), children)
}

function decodedStanza(frame: Frame, kind: StanzaKind, from: Jid | undefined, to: Jid | undefined): Stanza {
  let stanza = new Stanza(kind, from, to, frame.attribute('type') ?? '', frame.attribute('id') ?? '', frame.attributesWire(addresses), '')
  for (let i = 0; i < frame.childCount; i++) {
    const element = frame.childElement(i)
    const ns = element.ns === frame.ns ? NS_CLIENT : element.ns
    stanza = stanza.withChild(element.name, ns, serialize(element, frame.ns))
  }
  return stanza
}
