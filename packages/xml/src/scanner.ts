/**
 * The scanner: one pass over the bytes of one element, checking everything XML 1.0 and Namespaces ask for and writing the
 * offset tape (`tape.ts`).
 *
 * How it works. Text and attribute values are skipped with one table load per byte; only the few bytes that matter stop
 * the loop. A close tag is compared with the name bytes of the element it closes, which the tape remembers. Prefix
 * checks, references and non-ASCII names leave the hot path through small methods.
 *
 * Resuming. Input ends anywhere. When it does, the scanner keeps its place at a token boundary (or inside a text run)
 * and `scan` goes on from there, so no byte of text is read twice. A tag is read as a whole: while its end has not
 * arrived, only a cheap quote-aware search for `>` looks at new bytes, and the tag is then scanned once. A `<` ends that
 * search too, because it is illegal in a tag. An error inside a tag is reported when its end has been seen; hence what is
 * reported depends on the bytes alone and never on how the network split them.
 *
 * UTF-8 validity is not checked here: the caller checks whole runs with a native function.
 */
import * as chars from './chars.ts'
import { XmlError } from './errors.ts'
import type { XmlLimits } from './limits.ts'
import { checkNamespaces, NO_PREFIXES, type ScanContext } from './namespaces.ts'
import * as references from './references.ts'
import * as layout from './tape.ts'

/*
 * Constants of this module are compiled into the code; imported ones would be loaded and checked at each use, which costs
 * a third of the speed.
 */
const {
  AMP, APOS, BANG, BRACKET, CLASS, COLON, CR, EQUALS, GT, HIGH, LEAD_EF, LT, NAME,
  NAME_START: STARTS_NAME, QUESTION, QUOT, SLASH, SPACE, TEXT_STOP, VALUE_STOP,
} = chars
const {
  A_APOSTROPHE, A_COLON, A_DECLARES, A_FLAGS, A_NAME_END, A_NAME_START, A_REWRITE, A_VALUE_END, A_VALUE_START,
  ATTRIBUTE_SLOTS, ATTRIBUTES, CDATA, CONTENT_END, CONTENT_START, DECLARES, ELEMENT, ELEMENT_SLOTS, END, NAME_COLON,
  NAME_END, NAME_START, NEXT, PARENT, PREFIXED, REWRITE, TEXT, TEXT_END, TEXT_SLOTS, TEXT_START,
} = layout
const { INCOMPLETE } = references

/** Tag flag, never read from the tape: a declaration may bind a reserved name, so `checkNamespaces` must look. */
const SUSPECT = 1 << 8
const COLON_BYTE = 0x3a
const CDATA_OPEN = '<![CDATA['
const TAPE_SLOTS_FIRST = 4096
/** Free slots of a copied tape: enough for most tags. */
const TAPE_SLOTS_SPARE = 448
const XML_NS_BYTES = 36
const XMLNS_NS_BYTES = 29
const NO_CONTEXT: ScanContext = { defaultNs: '', prefixes: NO_PREFIXES }

type Mode = 'content' | 'cdata' | 'tag'

/** Scans one element at a time into its tape; `begin`, then `scan` until it returns an offset. */
export class Scanner {
  tape: Int32Array
  /** Slots of the tape in use. */
  top = 0
  /** Prefixes used in the element that only the context declares; undefined when none. */
  outer: string[] | undefined
  context: ScanContext = NO_CONTEXT
  private limits!: XmlLimits
  private tagOnly = false
  private mode: Mode = 'content'
  /** Where to go on, and where the current text run began: offsets from the element's start. */
  private at = 0
  private textStart = 0
  private textFlags = 0
  /** The innermost open element's slot, -1 outside. */
  private node = -1
  private depth = 0
  private nodes = 0
  /** Start of the tag being read, -1 outside of tags; then how far and in which quote its end was looked for. */
  private tagStart = -1
  private tagSought = 0
  private tagQuote = 0
  /** Registers of the tag in work: its flags, the colon of the name just read, flags of the value just read. */
  private tagFlags = 0
  private colon = 0
  private valueFlags = 0

  constructor(tape: Int32Array = new Int32Array(TAPE_SLOTS_FIRST)) {
    this.tape = tape
  }

  /** Forgets everything and expects the `<` of an element in `context`; `tagOnly` stops after its start tag. */
  begin(context: ScanContext, tagOnly: boolean): void {
    this.context = context
    this.tagOnly = tagOnly
    this.top = 0
    this.outer = undefined
    this.mode = 'content'
    this.at = 0
    this.textStart = 0
    this.textFlags = 0
    this.node = -1
    this.depth = 0
    this.nodes = 0
    this.tagStart = -1
  }

  /** A scanner in the same state that owns a right-sized copy of the tape: for what must outlive the shared tape. */
  detach(): Scanner {
    const tape = new Int32Array(this.top + TAPE_SLOTS_SPARE)
    tape.set(this.tape.subarray(0, this.top))
    const copy = new Scanner(tape)
    copy.top = this.top
    copy.outer = this.outer
    copy.context = this.context
    copy.tagOnly = this.tagOnly
    copy.mode = this.mode
    copy.at = this.at
    copy.textStart = this.textStart
    copy.textFlags = this.textFlags
    copy.node = this.node
    copy.depth = this.depth
    copy.nodes = this.nodes
    copy.tagStart = this.tagStart
    copy.tagSought = this.tagSought
    copy.tagQuote = this.tagQuote
    return copy
  }

  /**
   * Scans the element that begins at `base`, going on where the last call for it stopped. Returns the offset in `bytes`
   * after the element, or INCOMPLETE when it does not end before `end`. Throws XmlError.
   */
  scan(bytes: Uint8Array, base: number, end: number, limits: XmlLimits): number {
    this.limits = limits
    this.tagStart = -1
    if (this.mode === 'tag') {
      if (!this.findTagEnd(bytes, base, end)) return INCOMPLETE
      this.mode = 'content'
    }
    try {
      return this.content(bytes, base, end)
    } catch (error) {
      if (!(error instanceof XmlError) || this.tagStart < 0 || this.suspendTag(bytes, base, end)) throw error
      return INCOMPLETE
    }
  }

  private content(bytes: Uint8Array, base: number, end: number): number {
    let at = base + this.at
    let start = base + this.textStart
    if (this.mode === 'cdata') {
      at = start = this.cdata(bytes, base, at, end)
      if (at === INCOMPLETE) return INCOMPLETE
    }
    for (;;) {
      at = skipText(bytes, at, end)
      if (at >= end) return this.suspend(at - base, start - base)
      if (bytes[at] !== LT) {
        const next = this.textSpecial(bytes, start, at, end)
        if (next === INCOMPLETE) return this.suspend(at - base, start - base)
        at = next
        continue
      }
      if (at > start) this.addText(TEXT, start - base, at - base)
      if (at + 1 >= end) return this.suspend(at - base, at - base)
      const next = this.markup(bytes, base, at, end)
      if (next === INCOMPLETE) return INCOMPLETE
      at = start = next
      if (this.depth === 0 || this.tagOnly) return next
    }
  }

  private suspend(at: number, textStart: number): number {
    this.at = at
    this.textStart = textStart
    return INCOMPLETE
  }

  /** Looks at a byte that stops the text loop; returns where text goes on, or INCOMPLETE to look again later. */
  private textSpecial(bytes: Uint8Array, start: number, at: number, end: number): number {
    this.tagStart = -1
    const byte = bytes[at]!
    if (byte === AMP) {
      this.textFlags = REWRITE
      return references.readReference(bytes, at, end)
    }
    if (byte === GT) {
      const closesCdata = at - 2 >= start && bytes[at - 1] === BRACKET && bytes[at - 2] === BRACKET
      if (closesCdata) throw new XmlError('not-well-formed', ']]> in text')
      return at + 1
    }
    if (byte === CR) {
      this.textFlags = REWRITE
      return at + 1
    }
    return skipLegal(bytes, at, end)
  }

  private cdata(bytes: Uint8Array, base: number, from: number, end: number): number {
    const start = base + this.textStart
    let at = from
    for (;;) {
      at = skipText(bytes, at, end)
      const byte = at < end ? bytes[at]! : INCOMPLETE
      if (byte === GT && at - 2 >= start && bytes[at - 1] === BRACKET && bytes[at - 2] === BRACKET) break
      if (byte === CR) this.textFlags = REWRITE
      const isPlain = byte === LT || byte === GT || byte === AMP || byte === CR
      const next = byte === INCOMPLETE ? INCOMPLETE : isPlain ? at + 1 : skipLegal(bytes, at, end)
      if (next === INCOMPLETE) return this.suspend(at - base, start - base)
      at = next
    }
    if (at - 2 > start) this.addText(CDATA, start - base, at - 2 - base)
    this.textFlags = 0
    this.mode = 'content'
    return at + 1
  }

  private addText(kind: number, start: number, end: number): void {
    this.count()
    const node = this.top
    if (node + TEXT_SLOTS > this.tape.length) this.grow(TEXT_SLOTS)
    this.tape[node] = kind | this.textFlags
    this.tape[node + TEXT_START] = start
    this.tape[node + TEXT_END] = end
    this.top = node + TEXT_SLOTS
    this.textFlags = 0
  }

  private count(): void {
    if (++this.nodes > this.limits.childrenMax) throw new XmlError('policy-violation', 'too many nodes in one element')
  }

  private grow(slots: number): void {
    const grown = new Int32Array(Math.max(this.tape.length * 2, this.top + slots))
    grown.set(this.tape)
    this.tape = grown
  }

  /** Reads what starts with `<`; returns the offset after it, or INCOMPLETE with the place kept. */
  private markup(bytes: Uint8Array, base: number, lt: number, end: number): number {
    const byte = bytes[lt + 1]!
    if (byte === BANG || byte === QUESTION) return this.declaration(bytes, base, lt, end)
    this.tagStart = lt - base
    const next = byte === SLASH ? this.closeTag(bytes, base, lt, end) : this.startTag(bytes, base, lt, end)
    if (next === INCOMPLETE) this.suspendTag(bytes, base, end)
    return next
  }

  /** Keeps the place at the start of a tag; true when the tag's end is in sight all the same. */
  private suspendTag(bytes: Uint8Array, base: number, end: number): boolean {
    this.at = this.tagStart
    this.textStart = this.tagStart
    this.tagSought = this.tagStart + 1
    this.tagQuote = 0
    this.tagStart = -1
    const isWhole = this.findTagEnd(bytes, base, end)
    if (!isWhole) this.mode = 'tag'
    return isWhole
  }

  /** Looks for the end of the tag in bytes not looked at before. */
  private findTagEnd(bytes: Uint8Array, base: number, end: number): boolean {
    let quote = this.tagQuote
    for (let at = base + this.tagSought; at < end; at++) {
      const byte = bytes[at]!
      if (byte === LT) return true
      if (quote !== 0) {
        if (byte === quote) quote = 0
      } else if (byte === GT) {
        return true
      } else if (byte === APOS || byte === QUOT) {
        quote = byte
      }
    }
    this.tagSought = end - base
    this.tagQuote = quote
    return false
  }

  /** `<!` and `<?`: only CDATA sections inside an element are allowed (RFC 6120 §11.1). */
  private declaration(bytes: Uint8Array, base: number, lt: number, end: number): number {
    this.tagStart = -1
    const isCdata = bytes[lt + 1] === BANG && (lt + 2 >= end || bytes[lt + 2] === CDATA_OPEN.charCodeAt(2))
    if (!isCdata) throw new XmlError('restricted-xml', 'comment, processing instruction or document type')
    for (let length = 3; length < CDATA_OPEN.length; length++) {
      if (lt + length >= end) return this.suspend(lt - base, lt - base)
      if (bytes[lt + length] !== CDATA_OPEN.charCodeAt(length)) throw new XmlError('not-well-formed', 'malformed CDATA')
    }
    if (this.depth === 0) throw new XmlError('not-well-formed', 'CDATA outside of an element')
    this.mode = 'cdata'
    this.textStart = lt + CDATA_OPEN.length - base
    return this.cdata(bytes, base, lt + CDATA_OPEN.length, end)
  }

  private closeTag(bytes: Uint8Array, base: number, lt: number, end: number): number {
    const { tape, node } = this
    if (node < 0) throw new XmlError('not-well-formed', 'close tag without a start tag')
    const nameEnd = base + tape[node + NAME_END]!
    const nameStart = base + tape[node + NAME_START]!
    let at = (lt + 2 + nameEnd - nameStart) | 0
    if (at >= end) return INCOMPLETE
    if (!isSame(bytes, nameStart, lt + 2, nameEnd - nameStart)) throw new XmlError('not-well-formed', 'close tag does not match')
    while (at < end && (CLASS[bytes[at]!]! & SPACE) !== 0) at++
    if (at >= end) return INCOMPLETE
    if (bytes[at] !== GT) throw new XmlError('not-well-formed', 'malformed close tag')
    tape[node + CONTENT_END] = lt - base
    tape[node + END] = at + 1 - base
    tape[node + NEXT] = this.top
    this.node = tape[node + PARENT]!
    this.depth--
    return at + 1
  }

  private startTag(bytes: Uint8Array, base: number, lt: number, end: number): number {
    const node = this.top
    const slots = ELEMENT_SLOTS + this.limits.attributesMax * ATTRIBUTE_SLOTS
    if (node + slots > this.tape.length) this.grow(slots)
    this.tagFlags = ELEMENT
    let at = this.name(bytes, lt + 1, end)
    if (at === INCOMPLETE) return INCOMPLETE
    const tape = this.tape
    tape[node + NAME_START] = lt + 1 - base
    tape[node + NAME_COLON] = 0
    tape[node + NAME_END] = at - base
    if (this.colon !== 0) {
      tape[node + NAME_COLON] = this.colon - base
      this.tagFlags |= PREFIXED
    }
    let slot = node + ELEMENT_SLOTS
    for (;;) {
      const byte = bytes[at]!
      if (byte === GT || byte === SLASH) return this.endStartTag(bytes, base, slot, at, end)
      if ((CLASS[byte]! & SPACE) === 0) throw new XmlError('not-well-formed', 'malformed start tag')
      do at++
      while (at < end && (CLASS[bytes[at]!]! & SPACE) !== 0)
      if (at >= end) return INCOMPLETE
      if (bytes[at] === GT || bytes[at] === SLASH) continue
      if (slot >= node + slots) throw new XmlError('policy-violation', 'too many attributes')
      at = this.attribute(bytes, base, slot, at, end)
      if (at === INCOMPLETE || at >= end) return INCOMPLETE
      slot += ATTRIBUTE_SLOTS
    }
  }

  /** `at` is the `>` or `/` of a start tag whose attributes end before `slot`: enters the element into the tape. */
  private endStartTag(bytes: Uint8Array, base: number, slot: number, at: number, end: number): number {
    const isEmpty = bytes[at] === SLASH
    if (isEmpty && at + 1 >= end) return INCOMPLETE
    if (isEmpty && bytes[at + 1] !== GT) throw new XmlError('not-well-formed', 'malformed empty element')
    const node = this.top
    const next = isEmpty ? at + 2 : at + 1
    const tape = this.tape
    tape[node] = this.tagFlags & ~SUSPECT
    tape[node + PARENT] = this.node
    tape[node + ATTRIBUTES] = slot - node - ELEMENT_SLOTS
    tape[node + CONTENT_START] = next - base
    tape[node + CONTENT_END] = next - base
    tape[node + END] = next - base
    tape[node + NEXT] = slot
    if ((this.tagFlags & (PREFIXED | SUSPECT)) !== 0) this.checkPrefixes(bytes, base, node)
    this.count()
    if (this.depth >= this.limits.depthMax) throw new XmlError('policy-violation', 'elements nested too deep')
    this.top = slot
    if (!isEmpty) {
      this.node = node
      this.depth++
    }
    return next
  }

  private checkPrefixes(bytes: Uint8Array, base: number, node: number): void {
    const outer = checkNamespaces({ tape: this.tape, bytes, base, context: this.context }, node)
    for (const prefix of outer) {
      this.outer ??= []
      if (!this.outer.includes(prefix)) this.outer.push(prefix)
    }
  }

  /** Reads the attribute at `start` into the tape at `slot`; returns the offset after its closing quote. */
  private attribute(bytes: Uint8Array, base: number, slot: number, start: number, end: number): number {
    const nameEnd = this.name(bytes, start, end)
    if (nameEnd === INCOMPLETE) return INCOMPLETE
    let at = nameEnd + 1
    if (bytes[nameEnd] !== EQUALS || at >= end || (CLASS[bytes[at]!]! & SPACE) !== 0) {
      at = openValue(bytes, nameEnd, end)
      if (at === INCOMPLETE) return INCOMPLETE
    }
    const quote = bytes[at]!
    if (quote !== APOS && quote !== QUOT) throw new XmlError('not-well-formed', 'attribute value without quotes')
    const valueStart = at + 1
    at = skipValue(bytes, valueStart, end)
    if (at >= end) return INCOMPLETE
    let flags = 0
    if (bytes[at] !== quote) {
      at = this.specialValue(bytes, quote, at, end)
      if (at === INCOMPLETE) return INCOMPLETE
      flags = this.valueFlags
    }
    const tape = this.tape
    tape[slot + A_NAME_START] = start - base
    tape[slot + A_COLON] = 0
    tape[slot + A_NAME_END] = nameEnd - base
    tape[slot + A_VALUE_START] = valueStart - base
    tape[slot + A_VALUE_END] = at - base
    if (this.colon !== 0) {
      tape[slot + A_COLON] = this.colon - base
      flags |= this.prefixedAttribute(bytes, start)
    } else if (nameEnd - start === 5 && isXmlns(bytes, start)) {
      flags |= this.defaultDeclaration(at - valueStart, flags)
    }
    tape[slot + A_FLAGS] = flags
    for (let other = this.top + ELEMENT_SLOTS; other < slot; other += ATTRIBUTE_SLOTS) {
      const otherStart = tape[other + A_NAME_START]!
      if (tape[other + A_NAME_END]! - otherStart !== nameEnd - start) continue
      if (isSame(bytes, start, base + otherStart, nameEnd - start)) throw new XmlError('not-well-formed', 'attribute given twice')
    }
    return at + 1
  }

  /** Notes a default declaration on the tag, and whether it may name a reserved namespace. */
  private defaultDeclaration(valueBytes: number, flags: number): number {
    const isSuspect = valueBytes === XML_NS_BYTES || valueBytes === XMLNS_NS_BYTES || (flags & A_REWRITE) !== 0
    this.tagFlags |= isSuspect ? DECLARES | SUSPECT : DECLARES
    return A_DECLARES
  }

  /** Notes `xmlns:prefix` and prefixes on the tag; the prefix `xml` needs no declaration and cannot be rebound. */
  private prefixedAttribute(bytes: Uint8Array, start: number): number {
    const prefixBytes = this.colon - start
    if (prefixBytes === 5 && isXmlns(bytes, start)) {
      this.tagFlags |= DECLARES | SUSPECT
      return A_DECLARES
    }
    if (prefixBytes !== 3 || bytes[start] !== 0x78 || bytes[start + 1] !== 0x6d || bytes[start + 2] !== 0x6c) this.tagFlags |= PREFIXED
    return 0
  }

  /** Reads on in an attribute value up to its closing quote, which it returns the offset of; sets `valueFlags`. */
  private specialValue(bytes: Uint8Array, quote: number, from: number, end: number): number {
    this.valueFlags = 0
    let at = from
    for (;;) {
      at = skipValue(bytes, at, end)
      if (at >= end) return INCOMPLETE
      const byte = bytes[at]!
      if (byte === quote) return at
      if (byte === LT) throw new XmlError('not-well-formed', '< in an attribute value')
      if (byte === APOS || byte === QUOT) {
        if (byte === APOS) this.valueFlags |= A_APOSTROPHE
        at++
      } else if ((CLASS[byte]! & SPACE) !== 0) {
        this.valueFlags |= A_REWRITE
        at++
      } else {
        if (byte === AMP) this.valueFlags |= A_REWRITE
        at = byte === AMP ? references.readReference(bytes, at, end) : skipLegal(bytes, at, end)
        if (at === INCOMPLETE) return INCOMPLETE
      }
    }
  }

  /** Reads a qualified name and sets `colon`; returns the offset of the byte after it, which is always in sight. */
  private name(bytes: Uint8Array, start: number, end: number): number {
    this.colon = 0
    const at = skipName(bytes, start, end)
    if (at >= end) return INCOMPLETE
    if ((CLASS[bytes[at]!]! & (COLON | HIGH)) !== 0) return this.prefixedName(bytes, start, at, end)
    if (at === start || (CLASS[bytes[start]!]! & STARTS_NAME) === 0) {
      throw new XmlError('not-well-formed', 'malformed name')
    }
    return at
  }

  /** A name with a colon at `colon`, or with something beyond ASCII there. */
  private prefixedName(bytes: Uint8Array, start: number, colon: number, end: number): number {
    const at = skipName(bytes, colon + 1, end)
    if (at >= end) return INCOMPLETE
    const isPlain =
      bytes[colon] === COLON_BYTE && (CLASS[bytes[at]!]! & (COLON | HIGH)) === 0 &&
      colon > start && (CLASS[bytes[start]!]! & STARTS_NAME) !== 0 && (CLASS[bytes[colon + 1]!]! & STARTS_NAME) !== 0
    if (!isPlain) return this.unusualName(bytes, start, end)
    this.colon = colon
    return at
  }

  /** A name with characters beyond ASCII, or a malformed one. */
  private unusualName(bytes: Uint8Array, start: number, end: number): number {
    let at = start
    let partStart = start
    while (at < end) {
      const byte = bytes[at]!
      if ((CLASS[byte]! & COLON) !== 0) {
        if (this.colon !== 0 || at === start) throw new XmlError('not-well-formed', 'malformed qualified name')
        this.colon = at
        at++
        partStart = at
        continue
      }
      const length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
      if (at + length > end) return INCOMPLETE
      const code = codePoint(bytes, at, length)
      if (!(at === partStart ? chars.isNameStart(code) : chars.isNamePart(code))) {
        if (at === partStart || code >= 0x80) throw new XmlError('not-well-formed', 'malformed name')
        return at
      }
      at += length
    }
    return INCOMPLETE
  }
}

/*
 * The loops over bytes. `| 0` tells the compiler that the index is a machine integer from the start; without it the index
 * is kept as a tagged value wherever it also comes from a method call, and text is skipped at a third of the speed.
 */

/** The next byte that text must look at, or `end`. */
function skipText(bytes: Uint8Array, from: number, end: number): number {
  let at = from | 0
  while (at < end && (CLASS[bytes[at]!]! & TEXT_STOP) === 0) at++
  return at
}

/** The next byte that an attribute value must look at, or `end`. */
function skipValue(bytes: Uint8Array, from: number, end: number): number {
  let at = from | 0
  while (at < end && (CLASS[bytes[at]!]! & VALUE_STOP) === 0) at++
  return at
}

/** The next byte that is not part of an ASCII name without colon, or `end`. */
function skipName(bytes: Uint8Array, from: number, end: number): number {
  let at = from | 0
  while (at < end && (CLASS[bytes[at]!]! & NAME) !== 0) at++
  return at
}

/** From the end of an attribute name to its opening quote, over white space and `=`. */
function openValue(bytes: Uint8Array, nameEnd: number, end: number): number {
  let at = nameEnd
  while (at < end && (CLASS[bytes[at]!]! & SPACE) !== 0) at++
  if (at >= end) return INCOMPLETE
  if (bytes[at] !== EQUALS) throw new XmlError('not-well-formed', 'attribute without a value')
  do at++
  while (at < end && (CLASS[bytes[at]!]! & SPACE) !== 0)
  return at < end ? at : INCOMPLETE
}

function isSame(bytes: Uint8Array, one: number, other: number, length: number): boolean {
  const delta = (other - one) | 0
  const end = (one + length) | 0
  for (let at = one | 0; at < end; at++) if (bytes[at] !== bytes[at + delta]) return false
  return true
}

function isXmlns(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at] === 0x78 && bytes[at + 1] === 0x6d && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x6e && bytes[at + 4] === 0x73
  )
}

/** Steps over a byte that is legal unless it is a control or begins U+FFFE or U+FFFF (XML 1.0 §2.2). */
function skipLegal(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] !== LEAD_EF) throw new XmlError('not-well-formed', 'control character')
  if (at + 2 >= end) return INCOMPLETE
  if (bytes[at + 1] === 0xbf && bytes[at + 2]! >= 0xbe) throw new XmlError('not-well-formed', 'noncharacter')
  return at + 1
}

/** Code point of a UTF-8 sequence whose validity is checked elsewhere. */
function codePoint(bytes: Uint8Array, at: number, length: number): number {
  if (length === 1) return bytes[at]!
  let code = bytes[at]! & (0x7f >> length)
  for (let part = 1; part < length; part++) code = (code << 6) | (bytes[at + part]! & 0x3f)
  return code
}
