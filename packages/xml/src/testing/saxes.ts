/** The independent opinion: the same XML read by saxes, an XML parser that nobody of us wrote. */
import { SaxesParser } from 'saxes'
import { XmlElement } from '../element.ts'
import { XML_NS } from '../namespaces.ts'

/** What saxes thinks of a document. */
export interface Verdict {
  /** Whether it is well-formed with namespaces. */
  readonly accepts: boolean
  /** Whether it holds something that saxes lets pass but an XMPP stream must not. */
  readonly isRestricted: boolean
  /** The root, when accepted. */
  readonly root: XmlElement | undefined
}

/** saxes does not look at the first character after a colon, which must start a name (Namespaces in XML 1.0 §4). */
const BAD_LOCAL = /^(?:[-.0-9\u00b7\u203f\u2040]|\p{Mn})/u

/** Reads a whole document with saxes; `isStream` when its root is a stream header, inside which no text may stand. */
export function readWithSaxes(bytes: Uint8Array, isStream: boolean): Verdict {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return { accepts: false, isRestricted: false, root: undefined }
  }
  const parser = new SaxesParser({ xmlns: true })
  const open: XmlElement[] = []
  let root: XmlElement | undefined
  let isRestricted = false
  const addText = (chunk: string) => {
    const parent = open.at(-1)
    if (parent === undefined) return
    if (isStream && open.length === 1 && /[^ \t\r\n]/.test(chunk)) isRestricted = true
    const last = parent.children.at(-1)
    if (typeof last === 'string') parent.children[parent.children.length - 1] = last + chunk
    else if (chunk !== '') parent.children.push(chunk)
  }
  parser.on('error', (error) => {
    throw error
  })
  parser.on('doctype', () => void (isRestricted = true))
  parser.on('comment', () => void (isRestricted = true))
  parser.on('processinginstruction', () => void (isRestricted = true))
  parser.on('text', addText)
  parser.on('cdata', (chunk) => {
    if (isStream && open.length === 1) isRestricted = true
    addText(chunk)
  })
  parser.on('opentag', (tag) => {
    const attributes = new Map<string, string>()
    for (const { prefix, local, uri, value } of Object.values(tag.attributes)) {
      if (BAD_LOCAL.test(local)) isRestricted = true
      if (prefix === 'xmlns' || (prefix === '' && local === 'xmlns')) continue
      attributes.set(uri === '' ? local : uri === XML_NS ? `xml:${local}` : `{${uri}}${local}`, value)
    }
    if (BAD_LOCAL.test(tag.local)) isRestricted = true
    const element = new XmlElement(tag.local, tag.uri, attributes)
    root ??= element
    open.at(-1)?.append(element)
    open.push(element)
  })
  parser.on('closetag', () => void open.pop())
  try {
    parser.write(text).close()
  } catch {
    return { accepts: false, isRestricted, root: undefined }
  }
  return { accepts: true, isRestricted, root }
}
