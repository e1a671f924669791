/** Case pairs: the same element as XML and as a value, checked in both directions. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parseElement, parseText, XmlElement } from '@rollcall/xml'
import type { Codec } from '../declaration.ts'
import { NS_STREAMS } from '../stream-prefix.ts'

export interface CasePair<T> {
  readonly title: string
  /** As it stands in a stanza; white space between elements is only for the reader. */
  readonly xml: string
  readonly value: T
  /** The XML is understood, but another form of it is written. */
  readonly isOnlyRead?: boolean
}

/** Prefixes that a stream header declares. */
const prefixes = new Map([['stream', NS_STREAMS]])

/** One test per pair: the XML decodes to the value, the value encodes to the XML, and its wire string means the same. */
export function casePairs<T>(codec: Codec<T>, pairs: readonly CasePair<T>[]): void {
  for (const { title, xml, value, isOnlyRead = false } of pairs) {
    it(`<${codec.name} xmlns='${codec.ns}'>: ${title}`, () => {
      const element = parseXml(xml)
      assert.deepEqual(codec.decode(element), value)
      const encoded = codec.encode(value)
      if (!isOnlyRead) assert.deepEqual(encoded, element)
      assert.deepEqual(codec.decode(encoded), value)
      assert.deepEqual(parseElement(codec.toWire(value), 'jabber:client', { prefixes }), encoded)
    })
  }
}

/** Parses XML that is indented for the reader. */
export function parseXml(xml: string): XmlElement {
  return tight(parseText(xml.trim(), 'jabber:client', { prefixes }))
}

/** Without the text between child elements, where it is only white space. */
function tight(element: XmlElement): XmlElement {
  const hasElements = element.children.some((node) => typeof node !== 'string')
  const kept = element.children.filter((node) => typeof node !== 'string' || !hasElements || node.trim() !== '')
  return new XmlElement(
    element.name,
    element.ns,
    element.attributes,
    kept.map((node) => (typeof node === 'string' ? node : tight(node))),
  )
}
