/** Values of any codec, generated from its declaration. */
import { jidOf, parseJid } from '@rollcall/jid'
import { XmlElement } from '@rollcall/xml'
import fc from 'fast-check'
import type { Arbitrary } from 'fast-check'
import type { AnyCodec, AnyField, Fields, FieldShape, FormFieldShape } from '../declaration.ts'
import type { Lexical } from '../lexical.ts'

const xmlText = fc.string({ unit: 'grapheme' }).filter((text) => /^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*$/u.test(text))

const jid = fc.oneof(
  fc.constantFrom('juliet@capulet.example', 'romeo@montague.example/orchard', 'verona.example', 'nurse@capulet.example/Nächste Kammer').map(parseJid),
  fc.stringMatching(/^[a-z0-9.-]{1,20}$/).map((localpart) => jidOf(localpart, 'verona.example', 'balcony')),
)

/** An element that no declaration knows. */
const foreign: Arbitrary<XmlElement> = fc
  .record({ name: fc.constantFrom('rapier', 'poison'), ns: fc.constantFrom('urn:example:swords', 'urn:example:vials'), text: xmlText })
  .map(({ name, ns, text }) => new XmlElement(name, ns, { of: 'tybalt' }, text === '' ? [] : [text]))

const values: Readonly<Record<string, Arbitrary<unknown>>> = {
  string: xmlText,
  uint: fc.maxSafeNat(),
  unsignedInt: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  positiveInteger: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  int: fc.maxSafeInteger().map((value) => value + 0),
  bool: fc.boolean(),
  jid,
  dateTime: fc.integer({ min: Date.UTC(0, 0, 1), max: Date.UTC(9999, 11, 31) }),
  base64: fc.uint8Array(),
  zoneOffset: fc.integer({ min: -1439, max: 1439 }),
}

function lexicalValue({ type, values: list }: Lexical<unknown>): Arbitrary<unknown> {
  if (list !== undefined) return fc.constantFrom(...list)
  const arbitrary = values[type]
  if (arbitrary === undefined) throw new Error(`no generator for values of type ${type}`)
  return arbitrary
}

function fieldValue(field: AnyField): Arbitrary<unknown> {
  const shape: FieldShape = field.shape
  switch (shape.kind) {
    case 'attribute':
    case 'childText': return lexicalValue(shape.lexical)
    // An optional text that is written as nothing reads as absent.
    case 'text': return lexicalValue(shape.lexical).filter((value) => field.need === 'required' || shape.lexical.format(value) !== '')
    case 'childTexts': return fc.array(lexicalValue(shape.lexical), { maxLength: 3 })
    case 'child': return codecValue(shape.codec)
    case 'children': return fc.array(codecValue(shape.codec), { maxLength: 3 })
    case 'childName': return fc.record(
      { name: fc.constantFrom(...shape.names), text: xmlText.filter((text) => text !== '') },
      { requiredKeys: ['name'], noNullPrototype: true },
    )
    case 'anyChild': return fc
      .tuple(fc.constantFrom(...shape.names), fc.constantFrom(...shape.namespaces), foreign)
      .map(([name, ns, content]) => new XmlElement(name, ns, {}, [content]))
    case 'flag': return fc.boolean()
    case 'extensions': return fc.array(foreign, { maxLength: 3 })
  }
}

function fieldsValue(fields: Fields): Arbitrary<unknown> {
  const entries = Object.entries(fields)
  const requiredKeys = entries.filter(([, field]) => field.need !== 'optional').map(([key]) => key)
  const model = Object.fromEntries(entries.map(([key, field]) => [key, fieldValue(field)]))
  return fc.record(model, { requiredKeys, noNullPrototype: true })
}

function formValue(fields: Readonly<Record<string, FormFieldShape>>): Arbitrary<unknown> {
  const entries = Object.entries(fields)
  const requiredKeys = entries.filter(([, field]) => field.need !== 'optional').map(([key]) => key)
  const model = Object.fromEntries(entries.map(([key, field]) => {
    const one = lexicalValue(field.lexical)
    return [key, field.isList ? fc.array(one, { maxLength: 3 }) : one]
  }))
  return fc.record(model, { requiredKeys, noNullPrototype: true })
}

/** Values that the codec can decode to. */
export function codecValue(codec: AnyCodec): Arbitrary<unknown> {
  const { shape } = codec
  switch (shape.kind) {
    case 'element': return fieldsValue(shape.fields)
    case 'form': return formValue(shape.fields)
    case 'raw': return fc.array(foreign, { maxLength: 3 }).map((content) => new XmlElement(codec.name, codec.ns, {}, content))
    case 'mapped': return codecValue(shape.source).map((inner) => shape.decoded(inner as never))
  }
}
