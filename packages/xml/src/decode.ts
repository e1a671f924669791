/** From the tape to decoded things: attribute values, text and whole elements. */
import { XmlElement, type XmlNode } from './element.ts'
import { decodeContent, decodeValue, fromWire } from './escape.ts'
import { intern } from './intern.ts'
import { attributeKey, declaredDefault, elementNs, type Indexed } from './namespaces.ts'
import {
  A_DECLARES, A_FLAGS, A_REWRITE, A_VALUE_END, A_VALUE_START, ATTRIBUTE_SLOTS, ATTRIBUTES, ELEMENT, ELEMENT_SLOTS,
  KIND_MASK, NAME_COLON, NAME_END, NAME_START, NEXT, REWRITE, TEXT, TEXT_END, TEXT_SLOTS, TEXT_START,
} from './tape.ts'

/** A scanned element with its wire string. */
export interface Decodable extends Indexed {
  /** The whole element as received. */
  elementWire(): string
}

/** Decoded value of the attribute at tape slot `at`. */
export function attributeValue(source: Decodable, at: number): string {
  const { tape } = source
  const raw = source.elementWire().substring(tape[at + A_VALUE_START]!, tape[at + A_VALUE_END])
  return (tape[at + A_FLAGS]! & A_REWRITE) === 0 ? fromWire(raw) : decodeValue(raw)
}

/** Interned local name of the element at `node`. */
export function localName(source: Indexed, node: number): string {
  const { tape, bytes, base } = source
  const colon = tape[node + NAME_COLON]!
  return intern(bytes, base + (colon === 0 ? tape[node + NAME_START]! : colon + 1), base + tape[node + NAME_END]!)
}

/** Tape slot of the first child of the element at `node` (or of what follows, when it has none). */
export function firstChild(tape: Int32Array, node: number): number {
  return node + ELEMENT_SLOTS + tape[node + ATTRIBUTES]!
}

function nodeText(source: Decodable, node: number): string {
  const { tape } = source
  const raw = source.elementWire().substring(tape[node + TEXT_START]!, tape[node + TEXT_END])
  if ((tape[node]! & REWRITE) === 0) return fromWire(raw)
  // In a CDATA section only line ends change: references are plain text there.
  return (tape[node]! & KIND_MASK) === TEXT ? decodeContent(raw) : fromWire(raw.replace(/\r\n?/g, '\n'))
}

/** Decoded text directly inside the element at `node`. */
export function elementText(source: Decodable, node: number): string {
  const { tape } = source
  const end = tape[node + NEXT]!
  let text = ''
  for (let at = firstChild(tape, node); at < end; ) {
    if ((tape[at]! & KIND_MASK) === ELEMENT) {
      at = tape[at + NEXT]!
    } else {
      text += nodeText(source, at)
      at += TEXT_SLOTS
    }
  }
  return text
}

/** Decodes the element at `node`; `inheritedNs` is the default namespace around it. */
export function decodeElement(source: Decodable, node: number, inheritedNs: string): XmlElement {
  const { tape } = source
  const defaultNs = declaredDefault(source, node) ?? inheritedNs
  const first = firstChild(tape, node)
  const end = tape[node + NEXT]!
  const children: XmlNode[] = []
  let text = ''
  for (let at = first; at < end; ) {
    if ((tape[at]! & KIND_MASK) === ELEMENT) {
      if (text !== '') children.push(text)
      text = ''
      children.push(decodeElement(source, at, defaultNs))
      at = tape[at + NEXT]!
    } else {
      text += nodeText(source, at)
      at += TEXT_SLOTS
    }
  }
  if (text !== '') children.push(text)
  const attributes = decodeAttributes(source, node)
  return new XmlElement(localName(source, node), elementNs(source, node, defaultNs), attributes, children)
}

/** Attributes of the element at `node` by key, without namespace declarations; undefined when there are none. */
export function decodeAttributes(source: Decodable, node: number): Map<string, string> | undefined {
  const { tape } = source
  const end = firstChild(tape, node)
  let attributes: Map<string, string> | undefined
  for (let at = node + ELEMENT_SLOTS; at < end; at += ATTRIBUTE_SLOTS) {
    if ((tape[at + A_FLAGS]! & A_DECLARES) !== 0) continue
    attributes ??= new Map()
    attributes.set(attributeKey(source, node, at), attributeValue(source, at))
  }
  return attributes
}
