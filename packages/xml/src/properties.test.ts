/** Properties that hold for any input: splitting changes nothing, and writing then reading gives the same thing back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeValue } from './escape.ts'
import {
  escapeAttribute, escapeText, fromWire, parseElement, parseText, serialize, toWire, unescapeWire, XmlElement, XmlError,
} from './index.ts'
import { Corpus, FOOTER, HEADER, mutate, randomFrom } from './testing/corpus.ts'
import { chunksOf, cut, record, toJson } from './testing/recorder.ts'

const encoder = new TextEncoder()

/** With and without byte order mark, declaration and white space. */
const BARE = HEADER.slice(HEADER.indexOf('<stream'))
const HEADERS = [HEADER, BARE, `\ufeff${HEADER}`, HEADER.replace('?>', '?>\n '), `\ufeff \n${BARE}`]

function streamOf(seed: number, stanzas: number): Uint8Array {
  const corpus = new Corpus(seed)
  let text = HEADERS[seed % HEADERS.length] as string
  for (let left = stanzas; left > 0; left--) text += corpus.next() + (left % 3 === 0 ? ' \n' : '')
  return encoder.encode(text + FOOTER)
}

test('a stream split at any bytes gives the same events', () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(fc.nat(5000), { maxLength: 40 }), (seed, offsets) => {
      const bytes = streamOf(seed, 8)
      const whole = record([bytes])
      assert.equal(whole.events.at(-1), 'close')
      assert.deepEqual(record(cut(bytes, offsets)).events, whole.events)
    }),
    { numRuns: 150 },
  )
})

test('a broken stream split at any bytes gives the same events and the same error', () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(fc.nat(1500), { maxLength: 12 }), fc.integer({ min: 1, max: 40 }), (seed, offsets, size) => {
      const bytes = mutate(streamOf(seed, 2), randomFrom(seed))
      const whole = record([bytes]).events
      assert.deepEqual(record(cut(bytes, offsets)).events, whole)
      assert.deepEqual(record(chunksOf(bytes, size)).events, whole)
    }),
    { numRuns: 1500 },
  )
})

test('limits give the same error however the stream is split', () => {
  const limits = { elementBytesMax: 180, depthMax: 3, attributesMax: 5, childrenMax: 8 }
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 300 }), (seed, size) => {
      const bytes = mutate(streamOf(seed, 6), randomFrom(seed))
      assert.deepEqual(record(chunksOf(bytes, size), limits).events, record([bytes], limits).events)
    }),
    { numRuns: 600 },
  )
})

const isLegal = (text: string) => text.isWellFormed() && !/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(text)
const anyText = fc.string({ unit: 'binary', maxLength: 30 })
const markup = fc.string({ unit: fc.constantFrom('<', '>', '&', "'", '"', '\r', '\n', '\t', ']', 'a', '\u00e9'), maxLength: 12 })
const text = fc.oneof(anyText.filter(isLegal), markup)
const name = fc.constantFrom('a', 'body', 'x-1', '_y', '\u00e9l\u00e9ment', 'n\u00b7', '\ud800\udc00')
const ns = fc.constantFrom('', 'jabber:client', 'urn:x', "it's&<>", 'urn:\u00e9')
const key = fc.oneof(name, fc.constant('xml:lang'), fc.tuple(ns.filter((value) => value !== ''), name).map(([uri, local]) => `{${uri}}${local}`))

const { element } = fc.letrec<{ element: XmlElement; children: (XmlElement | string)[] }>((tie) => ({
  element: fc
    .tuple(name, ns, fc.dictionary(key, text, { maxKeys: 4, noNullPrototype: true }), tie('children'))
    .map(([local, uri, attributes, children]) => new XmlElement(local, uri, attributes, children)),
  children: fc.array(fc.oneof({ depthSize: 'small' }, text.filter((value) => value !== ''), tie('element')), { maxLength: 4 }).map(merged),
}))

/** Adjacent strings cannot be told apart once written. */
function merged(nodes: (XmlElement | string)[]): (XmlElement | string)[] {
  const children: (XmlElement | string)[] = []
  for (const node of nodes) {
    const last = children.at(-1)
    if (typeof node === 'string' && typeof last === 'string') children[children.length - 1] = last + node
    else children.push(node)
  }
  return children
}

test('parsing what was serialised gives the same element', () => {
  fc.assert(
    fc.property(element, ns, (original, inheritedNs) => {
      const wire = serialize(original, inheritedNs)
      const parsed = parseElement(wire, inheritedNs)
      assert.deepEqual(toJson(parsed), toJson(original))
      assert.ok(parsed.equals(original))
      assert.equal(serialize(parsed, inheritedNs), wire)
    }),
    { numRuns: 800 },
  )
})

test('escaping and unescaping give the same text, and illegal characters are refused', () => {
  fc.assert(
    fc.property(fc.oneof(text, fc.string({ unit: 'binary' }), fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)) })), (value) => {
      if (!isLegal(value)) {
        for (const escape of [escapeText, escapeAttribute]) assert.throws(() => escape(value), { name: 'XmlError', condition: 'not-well-formed' })
        return
      }
      assert.equal(unescapeWire(escapeText(value)), value)
      assert.equal(decodeValue(escapeAttribute(value)), value)
      assert.equal(fromWire(toWire(value)), value)
      assert.equal(parseText(`<a b='${fromWire(escapeAttribute(value))}'/>`, '').attribute('b'), value)
      assert.doesNotMatch(escapeAttribute(value), /[<'"]/)
    }),
    { numRuns: 1500 },
  )
})

test('the parser throws nothing but XmlError on random bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        parseElement(Buffer.from(bytes).toString('latin1'), '')
      } catch (error) {
        assert.ok(error instanceof XmlError)
      }
    }),
  )
})
