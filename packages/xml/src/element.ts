/**
 * The small DOM: what a feature works with once a payload has been decoded, and what it builds to answer.
 *
 * Attributes are keyed by their local name; `xml:lang` keeps its prefix, and an attribute in any other namespace is keyed
 * `{namespace}local`. Prefixes of elements are not kept: a name and a namespace say everything.
 */

/** A child: an element or text. */
export type XmlNode = XmlElement | string

/** Attributes to start an element with; undefined values are left out. */
export type AttributesInit = ReadonlyMap<string, string> | Readonly<Record<string, string | undefined>>

const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map()

/** One decoded element. */
export class XmlElement {
  /** Local name. */
  readonly name: string
  /** Namespace, '' for none. */
  readonly ns: string
  /** Elements and text in document order; adjacent text is one string when it was parsed. */
  readonly children: XmlNode[]
  private map: ReadonlyMap<string, string>

  constructor(name: string, ns: string, attributes?: AttributesInit, children: XmlNode[] = []) {
    this.name = name
    this.ns = ns
    this.map = attributes === undefined ? NO_ATTRIBUTES : toMap(attributes)
    this.children = children
  }

  /** Attributes by key, in document order. */
  get attributes(): ReadonlyMap<string, string> {
    return this.map
  }

  /** Value of an attribute, or undefined. */
  attribute(key: string): string | undefined {
    return this.map.get(key)
  }

  /** Sets an attribute, or removes it when the value is undefined; returns this element. */
  setAttribute(key: string, value: string | undefined): this {
    const map = new Map(this.map)
    if (value === undefined) map.delete(key)
    else map.set(key, value)
    this.map = map
    return this
  }

  /** Adds children at the end; returns this element. */
  append(...nodes: readonly XmlNode[]): this {
    this.children.push(...nodes)
    return this
  }

  /** First child element with the name, in `ns` or, when left out, in this element's own namespace. */
  child(name: string, ns: string = this.ns): XmlElement | undefined {
    for (const node of this.children) {
      if (typeof node !== 'string' && node.name === name && node.ns === ns) return node
    }
    return undefined
  }

  /** Child elements: all of them, or those with the name in `ns` (left out: in this element's own namespace). */
  elements(name?: string, ns: string = this.ns): XmlElement[] {
    const found: XmlElement[] = []
    for (const node of this.children) {
      if (typeof node === 'string') continue
      if (name === undefined || (node.name === name && node.ns === ns)) found.push(node)
    }
    return found
  }

  /** The text directly inside this element, not that of child elements. */
  text(): string {
    let text = ''
    for (const node of this.children) if (typeof node === 'string') text += node
    return text
  }

  /** Text of the first child element with the name (as `child` finds it), or undefined when there is none. */
  childText(name: string, ns: string = this.ns): string | undefined {
    return this.child(name, ns)?.text()
  }

  /** Whether both have the same name, namespace, attributes in any order, and children. */
  equals(other: XmlElement): boolean {
    if (this.name !== other.name || this.ns !== other.ns || this.map.size !== other.map.size) return false
    for (const [key, value] of this.map) if (other.map.get(key) !== value) return false
    if (this.children.length !== other.children.length) return false
    return this.children.every((node, at) => isSame(node, other.children[at]!))
  }
}

function isSame(one: XmlNode, other: XmlNode): boolean {
  if (typeof one === 'string' || typeof other === 'string') return one === other
  return one.equals(other)
}

function toMap(init: AttributesInit): ReadonlyMap<string, string> {
  if (init instanceof Map) return init
  const map = new Map<string, string>()
  for (const [key, value] of Object.entries(init)) if (value !== undefined) map.set(key, value)
  return map
}
