/**
 * A frame: one complete first-level element, seen through the tape.
 *
 * Nothing is decoded until it is asked for. The element becomes one latin1 string at the first question that needs one;
 * everything that travels on is a substring of it. Frames of a stream are views over a tape that is shared by all
 * connections of a thread, so they live only during the call that brings them; using one later throws.
 */
import { latin1 } from '#bytes'
import {
  attributeValue, type Decodable, decodeAttributes, decodeElement, elementText, firstChild, localName,
} from './decode.ts'
import type { XmlElement } from './element.ts'
import { escapeAttribute, toWire } from './escape.ts'
import { declaredDefault, declaredPrefixes, elementNs, elementPrefix, NO_PREFIXES, type ScanContext } from './namespaces.ts'
import type { Scanner } from './scanner.ts'
import {
  A_APOSTROPHE, A_COLON, A_DECLARES, A_FLAGS, A_NAME_END, A_NAME_START, A_VALUE_END, A_VALUE_START, ATTRIBUTE_SLOTS,
  CONTENT_END, CONTENT_START, DECLARES, ELEMENT, ELEMENT_SLOTS, END, KIND_MASK, NAME_START, NEXT, TEXT_SLOTS,
} from './tape.ts'

/** A view of one complete first-level element: names interned, nothing else decoded until asked. */
export interface Frame {
  /** Local name. */
  readonly name: string
  /** Resolved namespace. */
  readonly ns: string
  /** Default namespace around the element: the stream's content namespace. */
  readonly defaultNs: string
  /** Default namespace inside the element. When it differs from `ns`, content must be decoded before it is spliced. */
  readonly contentNs: string
  /** Prefixes in scope inside the element, without `xml`: what `parseElement` needs for a child's wire string. */
  readonly prefixes: ReadonlyMap<string, string>
  /** Size of the element in bytes. */
  readonly byteLength: number
  /** Decoded text of an attribute of the top tag without a prefix, or `xml:lang`. */
  attribute(name: string): string | undefined
  /** Wire string of that value, still escaped, safe between single or double quotes as received or between single ones. */
  attributeWire(name: string): string | undefined
  /** All attributes decoded, keyed as in XmlElement, without namespace declarations. */
  attributes(): ReadonlyMap<string, string>
  /**
   * Wire string of the top tag's attributes as received (each after white space, each with its own quotes), without the
   * un-prefixed names in `without` and without the plain `xmlns`; prefixes that the element takes from around it are
   * declared at the end.
   */
  attributesWire(without: readonly string[]): string
  /** Wire string between start and end tag, '' for an empty element; children keep relying on the default namespace. */
  contentWire(): string
  /** Wire string of the whole element as received; prefixes from around it are not declared in it. */
  elementWire(): string
  /** Number of first-level child elements. */
  readonly childCount: number
  /** Local name of a child element. */
  childName(child: number): string
  /** Resolved namespace of a child element. */
  childNs(child: number): string
  /** Where a child begins, as an index into `contentWire()`. */
  childStart(child: number): number
  /** Where a child ends, as an index into `contentWire()`. */
  childEnd(child: number): number
  /** Wire string of a child. */
  childWire(child: number): string
  /** Index of the first child with the name and namespace, -1 for none. */
  findChild(name: string, ns: string): number
  /** Decoded text directly inside a child. */
  childText(child: number): string
  /** Decoded text of a child's attribute without a prefix, or `xml:lang`. */
  childAttribute(child: number, name: string): string | undefined
  /** Decodes one child without scanning it again. */
  childElement(child: number): XmlElement
  /** Decoded text directly inside the element. */
  text(): string
  /** Decodes the whole element. */
  toElement(): XmlElement
}

const NO_BYTES = new Uint8Array(0)
const NO_TAPE = new Int32Array(0)
const NOWHERE: ScanContext = { defaultNs: '', prefixes: NO_PREFIXES }

/** The only Frame there is: `show` points it at a scanned element, `hide` ends its use. */
export class FrameView implements Frame, Decodable {
  tape: Int32Array = NO_TAPE
  bytes: Uint8Array = NO_BYTES
  base = 0
  context: ScanContext = NOWHERE
  private end = 0
  private outer: readonly string[] | undefined
  private wire: string | undefined
  private ownName: string | undefined
  private ownNs: string | undefined
  private innerNs: string | undefined
  private readonly childNodes: number[] = []
  private counted = -1

  /** Shows the element that `scanner` has just read from `bytes[base, end)`; `wire` is its string if there is one. */
  show(scanner: Scanner, bytes: Uint8Array, base: number, end: number, wire?: string): this {
    this.tape = scanner.tape
    this.bytes = bytes
    this.base = base
    this.end = end
    this.context = scanner.context
    this.outer = scanner.outer
    this.wire = wire
    this.ownName = undefined
    this.ownNs = undefined
    this.innerNs = undefined
    this.counted = -1
    return this
  }

  /** Ends the use of this view: from now on it throws. */
  hide(): void {
    this.tape = NO_TAPE
    this.bytes = NO_BYTES
    this.wire = undefined
    this.counted = -1
  }

  get name(): string {
    return (this.ownName ??= localName(this.shown(), 0))
  }

  get ns(): string {
    return (this.ownNs ??= elementNs(this.shown(), 0, this.contentNs))
  }

  get defaultNs(): string {
    return this.context.defaultNs
  }

  get contentNs(): string {
    return (this.innerNs ??= declaredDefault(this.shown(), 0) ?? this.context.defaultNs)
  }

  get prefixes(): ReadonlyMap<string, string> {
    const { tape, context } = this.shown()
    if ((tape[0]! & DECLARES) === 0) return context.prefixes
    const prefixes = new Map(context.prefixes)
    declaredPrefixes(this, 0, prefixes)
    return prefixes
  }

  get byteLength(): number {
    return this.end - this.base
  }

  attribute(name: string): string | undefined {
    const at = this.find(0, name)
    return at < 0 ? undefined : attributeValue(this, at)
  }

  attributeWire(name: string): string | undefined {
    const at = this.find(0, name)
    if (at < 0) return undefined
    const { tape } = this
    const raw = this.elementWire().substring(tape[at + A_VALUE_START]!, tape[at + A_VALUE_END])
    return (tape[at + A_FLAGS]! & A_APOSTROPHE) === 0 ? raw : raw.replaceAll("'", '&apos;')
  }

  attributes(): ReadonlyMap<string, string> {
    return decodeAttributes(this.shown(), 0) ?? NO_PREFIXES
  }

  attributesWire(without: readonly string[]): string {
    const { tape } = this.shown()
    const wire = this.elementWire()
    const end = firstChild(tape, 0)
    let kept = ''
    let runStart = -1
    let runEnd = -1
    for (let at = ELEMENT_SLOTS; at < end; at += ATTRIBUTE_SLOTS) {
      if (this.isLeftOut(at, without)) {
        if (runStart >= 0) kept += wire.substring(runStart, runEnd)
        runStart = -1
      } else {
        if (runStart < 0) runStart = tape[at + A_NAME_START]! - 1
        runEnd = tape[at + A_VALUE_END]! + 1
      }
    }
    if (runStart >= 0) kept += wire.substring(runStart, runEnd)
    return this.outer === undefined ? kept : kept + this.outerDeclarations(this.outer)
  }

  contentWire(): string {
    const { tape } = this.shown()
    return this.elementWire().substring(tape[CONTENT_START]!, tape[CONTENT_END])
  }

  elementWire(): string {
    return (this.wire ??= latin1(this.shown().bytes, this.base, this.end))
  }

  get childCount(): number {
    if (this.counted < 0) this.countChildren()
    return this.counted
  }

  childName(child: number): string {
    return localName(this, this.childNode(child))
  }

  childNs(child: number): string {
    const node = this.childNode(child)
    return elementNs(this, node, declaredDefault(this, node) ?? this.contentNs)
  }

  childStart(child: number): number {
    return this.tape[this.childNode(child) + NAME_START]! - 1 - this.tape[CONTENT_START]!
  }

  childEnd(child: number): number {
    return this.tape[this.childNode(child) + END]! - this.tape[CONTENT_START]!
  }

  childWire(child: number): string {
    const node = this.childNode(child)
    return this.elementWire().substring(this.tape[node + NAME_START]! - 1, this.tape[node + END])
  }

  findChild(name: string, ns: string): number {
    const count = this.childCount
    for (let child = 0; child < count; child++) {
      if (this.childName(child) === name && this.childNs(child) === ns) return child
    }
    return -1
  }

  childText(child: number): string {
    return elementText(this, this.childNode(child))
  }

  childAttribute(child: number, name: string): string | undefined {
    const at = this.find(this.childNode(child), name)
    return at < 0 ? undefined : attributeValue(this, at)
  }

  childElement(child: number): XmlElement {
    return decodeElement(this, this.childNode(child), this.contentNs)
  }

  text(): string {
    return elementText(this.shown(), 0)
  }

  toElement(): XmlElement {
    return decodeElement(this.shown(), 0, this.context.defaultNs)
  }

  /** Prefix of the top tag's name, '' for none. */
  get prefix(): string {
    return elementPrefix(this.shown(), 0)
  }

  private shown(): this {
    if (this.tape.length === 0) throw new Error('frame used after the call it belongs to')
    return this
  }

  private countChildren(): void {
    const { tape } = this.shown()
    const end = tape[NEXT]!
    let count = 0
    for (let at = firstChild(tape, 0); at < end; ) {
      if ((tape[at]! & KIND_MASK) === ELEMENT) {
        this.childNodes[count++] = at
        at = tape[at + NEXT]!
      } else {
        at += TEXT_SLOTS
      }
    }
    this.counted = count
  }

  private childNode(child: number): number {
    if (child < 0 || child >= this.childCount) throw new RangeError('no such child')
    return this.childNodes[child]!
  }

  private find(node: number, name: string): number {
    const { tape } = this.shown()
    const end = firstChild(tape, node)
    for (let at = node + ELEMENT_SLOTS; at < end; at += ATTRIBUTE_SLOTS) {
      if (this.isNamed(at, name)) return at
    }
    return -1
  }

  private isNamed(at: number, name: string): boolean {
    const { tape, bytes, base } = this
    const start = tape[at + A_NAME_START]!
    if (tape[at + A_NAME_END]! - start !== name.length) return false
    for (let index = 0; index < name.length; index++) {
      if (bytes[base + start + index] !== name.charCodeAt(index)) return false
    }
    return true
  }

  private isLeftOut(at: number, without: readonly string[]): boolean {
    if (this.tape[at + A_COLON] !== 0) return false
    if ((this.tape[at + A_FLAGS]! & A_DECLARES) !== 0) return true
    for (let index = 0; index < without.length; index++) {
      if (this.isNamed(at, without[index]!)) return true
    }
    return false
  }

  private outerDeclarations(outer: readonly string[]): string {
    let wire = ''
    for (const prefix of outer) {
      wire += ` xmlns:${toWire(prefix)}='${escapeAttribute(this.context.prefixes.get(prefix)!)}'`
    }
    return wire
  }
}
