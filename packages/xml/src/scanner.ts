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
import {
  AMP, APOS, BANG, BRACKET, CLASS, COLON, CR, EQUALS, GT, HIGH, isNamePart, isNameStart, LEAD_EF, LT, NAME,
  NAME_START as STARTS_NAME, QUESTION, QUOT, SLASH, SPACE, TEXT_STOP, VALUE_STOP,
} from './chars.ts'
import { XmlError } from './errors.ts'
import type { XmlLimits } from './limits.ts'
import { checkNamespaces, NO_PREFIXES, type ScanContext } from './namespaces.ts'
import { INCOMPLETE, readReference } from './references.ts'
import {
  A_APOSTROPHE, A_COLON, A_DECLARES, A_FLAGS, A_NAME_END, A_NAME_START, A_REWRITE, A_VALUE_END, A_VALUE_START,
  ATTRIBUTE_SLOTS, ATTRIBUTES, CDATA, CONTENT_END, CONTENT_START, DECLARES, ELEMENT, ELEMENT_SLOTS, END, NAME_COLON,
  NAME_END, NAME_START, NEXT, PARENT, PREFIXED, REWRITE, TEXT, TEXT_END, TEXT_SLOTS, TEXT_START,
} from './tape.ts'

/** Tag flag, never read from the tape: a declaration may bind a reserved name, so `checkNamespaces` must look. */
const SUSPECT = 1 << 8
const CDATA_OPEN = '<![CDATA['
const TAPE_SLOTS_FIRST = 4096
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
  /** Registers of the tag in work: next free slot, flags, colon of the name just read, flags of the value just read. */
  private cursor = 0
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
    const copy = new Scanner(this.tape.slice(0, this.top))
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
    for (;;) {
      if (this.mode === 'cdata') {
        at = this.cdata(bytes, base, at, end)
        if (at === INCOMPLETE) return INCOMPLETE
        start = at
      }
      while (at < end && (CLASS[bytes[at]!]! & TEXT_STOP) === 0) at++
      if (at >= end) return this.suspend(at - base, start - base)
      if (bytes[at] !== LT) {
        const next = this.textSpecial(bytes, start, at, end)
        if (next === INCOMPLETE) return this.suspend(at - base, start - base)
        at = next
        continue
      }
      if (at > start) this.addText(TEXT, start - base, at - base)
      this.at = at - base
      this.textStart = this.at
      const next = this.markup(bytes, base, at, end)
      if (next === INCOMPLETE) return INCOMPLETE
      at = next
      start = next
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
    const byte = bytes[at]!
    if (byte === AMP) {
      this.textFlags = REWRITE
      return readReference(bytes, at, end)
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
      while (at < end && (CLASS[bytes[at]!]! & TEXT_STOP) === 0) at++
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
    this.reserve(TEXT_SLOTS)
    const node = this.top
    this.tape[node] = kind | this.textFlags
    this.tape[node + TEXT_START] = start
    this.tape[node + TEXT_END] = end
    this.top = node + TEXT_SLOTS
    this.textFlags = 0
  }

  private count(): void {
    if (++this.nodes > this.limits.childrenMax) throw new XmlError('policy-violation', 'too many nodes in one element')
  }

  private reserve(slots: number): void {
    if (this.top + slots <= this.tape.length) return
    const grown = new Int32Array(Math.max(this.tape.length * 2, this.top + slots))
    grown.set(this.tape)
    this.tape = grown
  }

  /** Reads what starts with `<`; returns the offset after it, or INCOMPLETE with the place kept. */
  private markup(bytes: Uint8Array, base: number, lt: number, end: number): number {
    if (lt + 1 >= end) return INCOMPLETE
    const byte = bytes[lt + 1]!
    if (byte === BANG || byte === QUESTION) return this.declaration(bytes, base, lt, end)
    this.tagStart = lt - base
    const next = byte === SLASH ? this.closeTag(bytes, base, lt, end) : this.startTag(bytes, base, lt, end)
    if (next === INCOMPLETE) this.suspendTag(bytes, base, end)
    this.tagStart = -1
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
    const isCdata = bytes[lt + 1] === BANG && (lt + 2 >= end || bytes[lt + 2] === CDATA_OPEN.charCodeAt(2))
    if (!isCdata) throw new XmlError('restricted-xml', 'comment, processing instruction or document type')
    for (let length = 3; length < CDATA_OPEN.length; length++) {
      if (lt + length >= end) return INCOMPLETE
      if (bytes[lt + length] !== CDATA_OPEN.charCodeAt(length)) throw new XmlError('not-well-formed', 'malformed CDATA')
    }
    if (this.depth === 0) throw new XmlError('not-well-formed', 'CDATA outside of an element')
    this.mode = 'cdata'
    this.textStart = lt + CDATA_OPEN.length - base
    return lt + CDATA_OPEN.length
  }

  private closeTag(bytes: Uint8Array, base: number, lt: number, end: number): number {
    const { tape, node } = this
    if (node < 0) throw new XmlError('not-well-formed', 'close tag without a start tag')
    const nameEnd = base + tape[node + NAME_END]!
    let at = lt + 2
    for (let name = base + tape[node + NAME_START]!; name < nameEnd; name++, at++) {
      if (at >= end) return INCOMPLETE
      if (bytes[at] !== bytes[name]) throw new XmlError('not-well-formed', 'close tag does not match')
    }
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
    this.reserve(ELEMENT_SLOTS + this.limits.attributesMax * ATTRIBUTE_SLOTS)
    this.cursor = node + ELEMENT_SLOTS
    this.tagFlags = ELEMENT
    let at = this.name(bytes, lt + 1, end)
    if (at === INCOMPLETE) return INCOMPLETE
    const tape = this.tape
    tape[node + NAME_START] = lt + 1 - base
    tape[node + NAME_COLON] = this.colon === 0 ? 0 : this.colon - base
    tape[node + NAME_END] = at - base
    if (this.colon !== 0) this.tagFlags |= PREFIXED
    for (;;) {
      const byte = bytes[at]!
      if (byte === GT || byte === SLASH) return this.endStartTag(bytes, base, at, end)
      if ((CLASS[byte]! & SPACE) === 0) throw new XmlError('not-well-formed', 'malformed start tag')
      do at++
      while (at < end && (CLASS[bytes[at]!]! & SPACE) !== 0)
      if (at >= end) return INCOMPLETE
      if (bytes[at] === GT || bytes[at] === SLASH) continue
      at = this.attribute(bytes, base, node, at, end)
      if (at === INCOMPLETE || at >= end) return INCOMPLETE
    }
  }

  /** `at` is the `>` or `/` of a start tag: checks it and enters the element into the tape. */
  private endStartTag(bytes: Uint8Array, base: number, at: number, end: number): number {
    const isEmpty = bytes[at] === SLASH
    if (isEmpty && at + 1 >= end) return INCOMPLETE
    if (isEmpty && bytes[at + 1] !== GT) throw new XmlError('not-well-formed', 'malformed empty element')
    const node = this.top
    const next = isEmpty ? at + 2 : at + 1
    const tape = this.tape
    tape[node] = this.tagFlags & ~SUSPECT
    tape[node + PARENT] = this.node
    tape[node + ATTRIBUTES] = (this.cursor - node - ELEMENT_SLOTS) / ATTRIBUTE_SLOTS
    tape[node + CONTENT_START] = next - base
    tape[node + CONTENT_END] = next - base
    tape[node + END] = next - base
    tape[node + NEXT] = this.cursor
    if ((this.tagFlags & (PREFIXED | SUSPECT)) !== 0) this.checkPrefixes(bytes, base, node)
    this.count()
    if (this.depth >= this.limits.depthMax) throw new XmlError('policy-violation', 'elements nested too deep')
    this.top = this.cursor
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

  /** Reads one attribute at `start` into the tape; returns the offset after its closing quote. */
  private attribute(bytes: Uint8Array, base: number, node: number, start: number, end: number): number {
    const slot = this.cursor
    if (slot - node - ELEMENT_SLOTS >= this.limits.attributesMax * ATTRIBUTE_SLOTS) {
      throw new XmlError('policy-violation', 'too many attributes')
    }
    const nameEnd = this.name(bytes, start, end)
    if (nameEnd === INCOMPLETE) return INCOMPLETE
    const colon = this.colon
    let at = nameEnd
    while (at < end && (CLASS[bytes[at]!]! & SPACE) !== 0) at++
    if (at >= end) return INCOMPLETE
    if (bytes[at] !== EQUALS) throw new XmlError('not-well-formed', 'attribute without a value')
    do at++
    while (at < end && (CLASS[bytes[at]!]! & SPACE) !== 0)
    if (at >= end) return INCOMPLETE
    const quote = bytes[at]!
    if (quote !== APOS && quote !== QUOT) throw new XmlError('not-well-formed', 'attribute value without quotes')
    const valueStart = at + 1
    const valueEnd = this.value(bytes, quote, valueStart, end)
    if (valueEnd === INCOMPLETE) return INCOMPLETE
    const tape = this.tape
    tape[slot + A_NAME_START] = start - base
    tape[slot + A_COLON] = colon === 0 ? 0 : colon - base
    tape[slot + A_NAME_END] = nameEnd - base
    tape[slot + A_VALUE_START] = valueStart - base
    tape[slot + A_VALUE_END] = valueEnd - base
    tape[slot + A_FLAGS] = this.valueFlags | this.classify(bytes, start, nameEnd, colon, valueEnd - valueStart)
    if (this.isRepeated(bytes, base, node, slot)) throw new XmlError('not-well-formed', 'attribute given twice')
    this.cursor = slot + ATTRIBUTE_SLOTS
    return valueEnd + 1
  }

  /** Notes declarations and prefixes on the tag; returns A_DECLARES for `xmlns` and `xmlns:prefix`. */
  private classify(bytes: Uint8Array, start: number, nameEnd: number, colon: number, valueBytes: number): number {
    const prefixEnd = colon === 0 ? nameEnd : colon
    if (prefixEnd - start !== 5 || !isXmlns(bytes, start)) {
      if (colon !== 0) this.tagFlags |= PREFIXED
      return 0
    }
    this.tagFlags |= DECLARES
    const isSuspect =
      colon !== 0 || valueBytes === XML_NS_BYTES || valueBytes === XMLNS_NS_BYTES || (this.valueFlags & A_REWRITE) !== 0
    if (isSuspect) this.tagFlags |= SUSPECT
    return A_DECLARES
  }

  private isRepeated(bytes: Uint8Array, base: number, node: number, slot: number): boolean {
    const tape = this.tape
    const start = tape[slot + A_NAME_START]!
    const length = tape[slot + A_NAME_END]! - start
    for (let other = node + ELEMENT_SLOTS; other < slot; other += ATTRIBUTE_SLOTS) {
      const otherStart = tape[other + A_NAME_START]!
      if (tape[other + A_NAME_END]! - otherStart !== length) continue
      let same = 0
      while (same < length && bytes[base + start + same] === bytes[base + otherStart + same]) same++
      if (same === length) return true
    }
    return false
  }

  /** Reads an attribute value up to its closing quote, which it returns the offset of; sets `valueFlags`. */
  private value(bytes: Uint8Array, quote: number, start: number, end: number): number {
    this.valueFlags = 0
    let at = start
    for (;;) {
      while (at < end && (CLASS[bytes[at]!]! & VALUE_STOP) === 0) at++
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
        at = byte === AMP ? readReference(bytes, at, end) : skipLegal(bytes, at, end)
        if (at === INCOMPLETE) return INCOMPLETE
      }
    }
  }

  /** Reads a qualified name and sets `colon`; returns the offset of the byte after it, which is always in sight. */
  private name(bytes: Uint8Array, start: number, end: number): number {
    this.colon = 0
    let at = start
    while (at < end && (CLASS[bytes[at]!]! & NAME) !== 0) at++
    if (at >= end) return INCOMPLETE
    if ((CLASS[bytes[at]!]! & (COLON | HIGH)) !== 0) return this.unusualName(bytes, start, end)
    if (at === start || (CLASS[bytes[start]!]! & STARTS_NAME) === 0) {
      throw new XmlError('not-well-formed', 'malformed name')
    }
    return at
  }

  /** A name with a colon or with characters beyond ASCII. */
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
      if (!(at === partStart ? isNameStart(code) : isNamePart(code))) {
        if (at === partStart || code >= 0x80) throw new XmlError('not-well-formed', 'malformed name')
        return at
      }
      at += length
    }
    return INCOMPLETE
  }
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
