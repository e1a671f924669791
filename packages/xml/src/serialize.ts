/**
 * From decoded elements to wire strings.
 *
 * Namespaces are written as default declarations wherever they change, never as prefixes: the form that XMPP clients
 * handle best and that RFC 6120 §4.8.5 uses. Only attributes in a namespace need a prefix.
 */
import { isNcName } from './chars.ts'
import type { XmlElement } from './element.ts'
import { XmlError } from './errors.ts'
import { escapeAttribute, escapeText, toWire } from './escape.ts'
import { XML_NS, XMLNS_NS } from './namespaces.ts'

const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9._-]*$/

/**
 * Element → wire string; `inheritedNs` is the default namespace around it. Throws XmlError (`not-well-formed`) for names
 * and characters that XML cannot carry.
 */
export function serialize(element: XmlElement, inheritedNs: string): string {
  const name = nameWire(element.name)
  let wire = `<${name}`
  if (element.ns !== inheritedNs) wire += ` xmlns='${namespaceWire(element.ns)}'`
  if (element.attributes.size > 0) wire += attributesWire(element)
  if (element.children.length === 0) return `${wire}/>`
  wire += '>'
  for (const child of element.children) {
    wire += typeof child === 'string' ? escapeText(child) : serialize(child, element.ns)
  }
  return `${wire}</${name}>`
}

function nameWire(name: string): string {
  if (PLAIN_NAME.test(name)) return name
  if (!isNcName(name)) throw new XmlError('not-well-formed', 'malformed name')
  return toWire(name)
}

function namespaceWire(ns: string): string {
  if (ns === XML_NS || ns === XMLNS_NS) throw new XmlError('not-well-formed', 'element in a reserved namespace')
  return escapeAttribute(ns)
}

function attributesWire(element: XmlElement): string {
  let wire = ''
  let prefixes = 0
  for (const [key, value] of element.attributes) {
    const close = key.startsWith('{') ? key.lastIndexOf('}') : -1
    if (close >= 0) {
      const prefix = `n${prefixes++}`
      const ns = namespaceWire(key.slice(1, close))
      if (ns === '') throw new XmlError('not-well-formed', 'attribute key without a namespace')
      wire += ` xmlns:${prefix}='${ns}' ${prefix}:${nameWire(key.slice(close + 1))}='${escapeAttribute(value)}'`
    } else {
      const local = key.startsWith('xml:') ? `xml:${nameWire(key.slice(4))}` : nameWire(key)
      if (local === 'xmlns') throw new XmlError('not-well-formed', 'namespace declaration given as an attribute')
      wire += ` ${local}='${escapeAttribute(value)}'`
    }
  }
  return wire
}
