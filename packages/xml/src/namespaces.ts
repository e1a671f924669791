/**
 * Namespaces in XML 1.0 over the tape. The scanner calls `checkNamespaces` only for tags that use a prefix or declare
 * something unusual; most stanzas have neither. Declarations are found by walking up the open elements on the tape, so
 * nothing is pushed or popped while scanning.
 */
import { latin1 } from '#bytes'
import { XmlError } from './errors.ts'
import { decodeValue } from './escape.ts'
import { intern } from './intern.ts'
import {
  A_COLON, A_DECLARES, A_FLAGS, A_NAME_END, A_NAME_START, A_REWRITE, A_VALUE_END, A_VALUE_START, ATTRIBUTE_SLOTS,
  ATTRIBUTES, DECLARES, ELEMENT_SLOTS, NAME_COLON, NAME_START, PARENT,
} from './tape.ts'

/** The namespace of the `xml` prefix. */
export const XML_NS = 'http://www.w3.org/XML/1998/namespace'
/** The namespace of the `xmlns` prefix. */
export const XMLNS_NS = 'http://www.w3.org/2000/xmlns/'

/** What surrounds an element: the namespaces that its stream header or its parents declare. */
export interface ScanContext {
  /** Default namespace in scope. */
  readonly defaultNs: string
  /** Namespaces by prefix, without `xml`. */
  readonly prefixes: ReadonlyMap<string, string>
}

/** No prefix declared. */
export const NO_PREFIXES: ReadonlyMap<string, string> = new Map()

/** A tape together with the bytes and the context it was scanned in. */
export interface Indexed {
  readonly tape: Int32Array
  readonly bytes: Uint8Array
  /** Where the element begins in `bytes`. */
  readonly base: number
  readonly context: ScanContext
}

/** The namespace that the declaration at tape slot `at` binds. */
export function declaredNs(index: Indexed, at: number): string {
  const { tape, bytes, base } = index
  const start = base + tape[at + A_VALUE_START]!
  const end = base + tape[at + A_VALUE_END]!
  if ((tape[at + A_FLAGS]! & A_REWRITE) === 0) return intern(bytes, start, end)
  return decodeValue(latin1(bytes, start, end))
}

/** The default namespace that the tag of `node` declares, or undefined. */
export function declaredDefault(index: Indexed, node: number): string | undefined {
  const { tape } = index
  if ((tape[node]! & DECLARES) === 0) return undefined
  const end = node + ELEMENT_SLOTS + tape[node + ATTRIBUTES]!
  for (let at = node + ELEMENT_SLOTS; at < end; at += ATTRIBUTE_SLOTS) {
    if ((tape[at + A_FLAGS]! & A_DECLARES) !== 0 && tape[at + A_COLON] === 0) return declaredNs(index, at)
  }
  return undefined
}

/** The prefixes that the tag of `node` declares, added to `into`. */
export function declaredPrefixes(index: Indexed, node: number, into: Map<string, string>): void {
  const { tape, bytes, base } = index
  const end = node + ELEMENT_SLOTS + tape[node + ATTRIBUTES]!
  for (let at = node + ELEMENT_SLOTS; at < end; at += ATTRIBUTE_SLOTS) {
    const colon = tape[at + A_COLON]!
    if ((tape[at + A_FLAGS]! & A_DECLARES) === 0 || colon === 0) continue
    const prefix = intern(bytes, base + colon + 1, base + tape[at + A_NAME_END]!)
    if (prefix !== 'xml') into.set(prefix, declaredNs(index, at))
  }
}

/** The namespace of a prefix at `node` as declared inside the scanned element, or undefined. */
export function innerPrefix(index: Indexed, node: number, prefix: string): string | undefined {
  if (prefix === 'xml') return XML_NS
  const { tape, bytes, base } = index
  for (let up = node; up >= 0; up = tape[up + PARENT]!) {
    if ((tape[up]! & DECLARES) === 0) continue
    const end = up + ELEMENT_SLOTS + tape[up + ATTRIBUTES]!
    for (let at = up + ELEMENT_SLOTS; at < end; at += ATTRIBUTE_SLOTS) {
      const colon = tape[at + A_COLON]!
      if ((tape[at + A_FLAGS]! & A_DECLARES) === 0 || colon === 0) continue
      if (intern(bytes, base + colon + 1, base + tape[at + A_NAME_END]!) === prefix) return declaredNs(index, at)
    }
  }
  return undefined
}

/** The namespace of a prefix that a scan has accepted. */
export function resolvePrefix(index: Indexed, node: number, prefix: string): string {
  return innerPrefix(index, node, prefix) ?? index.context.prefixes.get(prefix) ?? ''
}

/** The prefix of the element at `node`, '' for none. */
export function elementPrefix(index: Indexed, node: number): string {
  const { tape, bytes, base } = index
  const colon = tape[node + NAME_COLON]!
  return colon === 0 ? '' : intern(bytes, base + tape[node + NAME_START]!, base + colon)
}

/** Resolved namespace of the element at `node`; `defaultNs` is the default namespace inside its own tag. */
export function elementNs(index: Indexed, node: number, defaultNs: string): string {
  const prefix = elementPrefix(index, node)
  return prefix === '' ? defaultNs : resolvePrefix(index, node, prefix)
}

/** The key of the attribute at slot `at` of `node`: its local name, `xml:…`, or `{namespace}local` for other prefixes. */
export function attributeKey(index: Indexed, node: number, at: number): string {
  const { tape, bytes, base } = index
  const start = base + tape[at + A_NAME_START]!
  const end = base + tape[at + A_NAME_END]!
  const colon = tape[at + A_COLON]!
  if (colon === 0) return intern(bytes, start, end)
  const prefix = intern(bytes, start, base + colon)
  if (prefix === 'xml') return intern(bytes, start, end)
  return `{${resolvePrefix(index, node, prefix)}}${intern(bytes, base + colon + 1, end)}`
}

/**
 * Checks the declarations, prefixes and expanded attribute names of one tag, and returns the prefixes in it that only the
 * context declares. Throws XmlError: `bad-namespace-prefix` for an undeclared prefix (RFC 6120 §4.9.3.2), else
 * `not-well-formed`.
 */
export function checkNamespaces(index: Indexed, node: number): string[] {
  const { tape, bytes, base } = index
  const outer: string[] = []
  const seen = new Set<string>()
  const end = node + ELEMENT_SLOTS + tape[node + ATTRIBUTES]!
  for (let at = node + ELEMENT_SLOTS; at < end; at += ATTRIBUTE_SLOTS) {
    if ((tape[at + A_FLAGS]! & A_DECLARES) !== 0) checkDeclaration(index, at)
  }
  const prefix = elementPrefix(index, node)
  if (prefix === 'xmlns') throw new XmlError('not-well-formed', 'element with the prefix xmlns')
  if (prefix !== '') noteOuter(index, node, prefix, outer)
  for (let at = node + ELEMENT_SLOTS; at < end; at += ATTRIBUTE_SLOTS) {
    const colon = tape[at + A_COLON]!
    if (colon === 0 || (tape[at + A_FLAGS]! & A_DECLARES) !== 0) continue
    noteOuter(index, node, intern(bytes, base + tape[at + A_NAME_START]!, base + colon), outer)
    const key = attributeKey(index, node, at)
    if (seen.has(key)) throw new XmlError('not-well-formed', 'two attributes with the same expanded name')
    seen.add(key)
  }
  return outer
}

function noteOuter(index: Indexed, node: number, prefix: string, outer: string[]): void {
  if (innerPrefix(index, node, prefix) !== undefined) return
  if (!index.context.prefixes.has(prefix)) throw new XmlError('bad-namespace-prefix', 'undeclared namespace prefix')
  outer.push(prefix)
}

/** Namespaces in XML 1.0 §3 and §5: what a declaration may bind. */
function checkDeclaration(index: Indexed, at: number): void {
  const { tape, bytes, base } = index
  const colon = tape[at + A_COLON]!
  const ns = declaredNs(index, at)
  const prefix = colon === 0 ? '' : intern(bytes, base + colon + 1, base + tape[at + A_NAME_END]!)
  if (prefix === 'xmlns') throw new XmlError('not-well-formed', 'the prefix xmlns declared')
  if ((prefix === 'xml') !== (ns === XML_NS)) throw new XmlError('not-well-formed', 'the xml namespace bound wrongly')
  if (ns === XMLNS_NS) throw new XmlError('not-well-formed', 'the xmlns namespace bound')
  if (prefix !== '' && ns === '') throw new XmlError('not-well-formed', 'a prefix bound to no namespace')
}
