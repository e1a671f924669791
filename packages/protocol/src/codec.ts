/**
 * Codecs: XML elements as declared data. One declaration is the decoder, the encoder and the TypeScript type.
 *
 * How it works: `element(ns, name, fields)` walks the fields in the order of declaration, for decoding as for encoding,
 * so what a declaration says first stands first on the wire. Readers are tolerant (RFC 6120 §8.4): attributes and
 * children that no field names are skipped; bad or missing required parts throw a CodecError.
 *
 * Why two types: what is decoded is complete (`Infer`: lists, flags and defaults are always there), what is encoded
 * may leave out everything that has a default (`Input`). Every `Infer` is also an `Input`.
 */
import { serialize } from '@rollcall/xml'
import type { XmlElement } from '@rollcall/xml'
import { CodecError, LexicalError } from './codec-error.ts'
import { finishDraft, startDraft } from './draft.ts'
import type { Draft } from './draft.ts'
import type { AnyField, DeclaredCodec, Field, Fields, Need } from './declaration.ts'

type NeedOf<F> = F extends { readonly need: infer N } ? N : never
type KeysBut<F extends Fields, N extends Need> = { [K in keyof F]: NeedOf<F[K]> extends N ? never : K }[keyof F]
type KeysOf<F extends Fields, N extends Need> = { [K in keyof F]: NeedOf<F[K]> extends N ? K : never }[keyof F]
type OutOf<F> = F extends Field<infer Out, infer _In, Need> ? Out : never
type InOf<F> = F extends Field<infer _Out, infer In, Need> ? In : never
type Flat<T> = { [K in keyof T]: T[K] }

/** The decoded type of a record of fields. */
export type DecodedFields<F extends Fields> = Flat<
  { readonly [K in KeysBut<F, 'optional'>]: OutOf<F[K]> } & { readonly [K in KeysOf<F, 'optional'>]?: OutOf<F[K]> }
>

/** The type that encoding a record of fields takes. */
export type EncodedFields<F extends Fields> = Flat<
  { readonly [K in KeysOf<F, 'required'>]: InOf<F[K]> } & { readonly [K in KeysBut<F, 'required'>]?: InOf<F[K]> }
>

/** The type that a codec decodes to. */
export type Infer<C> = C extends { decode(element: XmlElement): infer Out } ? Out : never

/** The type that a codec encodes: like `Infer`, but lists, flags and defaults may be left out. */
export type Input<C> = C extends { encode(value: infer In): XmlElement } ? In : never

export interface ElementOptions {
  /** Further namespaces that decode the same, for elements that follow the content namespace of their stream. */
  readonly alsoIn?: readonly string[]
}

/** Declares an element. */
export function element<const F extends Fields>(
  ns: string,
  name: string,
  fields: F,
  options: ElementOptions = {},
): DeclaredCodec<DecodedFields<F>, EncodedFields<F>> {
  const namespaces = [ns, ...(options.alsoIn ?? [])]
  const entries: Entries = Object.entries(fields)
  const codec = {
    ns,
    name,
    shape: { kind: 'element', fields } as const,
    matches: (candidate: XmlElement) => candidate.name === name && namespaces.includes(candidate.ns),
    decode(source: XmlElement): DecodedFields<F> {
      if (!codec.matches(source)) throw new CodecError(name, ns, `found <${source.name} xmlns='${source.ns}'> instead`)
      return decodeFields(source, entries) as DecodedFields<F>
    },
    encode: (value: EncodedFields<F>): XmlElement => encodeFields(startDraft(name, ns), entries, value),
    toWire: (value: EncodedFields<F>): string => serialize(codec.encode(value), 'jabber:client'),
  }
  return codec
}

type Entries = readonly (readonly [string, AnyField])[]

function decodeFields(source: XmlElement, entries: Entries): Record<string, unknown> {
  const decoded: Record<string, unknown> = {}
  for (const [key, field] of entries) {
    const value = readField(source, field, entries) ?? field.fallback?.()
    if (value !== undefined) decoded[key] = value
    else if (field.need === 'required') throw new CodecError(source.name, source.ns, `${field.label} is missing`)
  }
  return decoded
}

function readField(source: XmlElement, field: AnyField, entries: Entries): unknown {
  try {
    const value = field.read(source, source.ns)
    return field.shape.kind === 'extensions' ? unclaimed(source, value as XmlElement[], entries) : value
  } catch (error) {
    throw located(source.name, source.ns, field, error)
  }
}

/** The children that no field of the declaration understands. */
function unclaimed(source: XmlElement, candidates: readonly XmlElement[], entries: Entries): XmlElement[] {
  return candidates.filter((candidate) => !entries.some(([, field]) => field.claims(candidate, source.ns)))
}

function encodeFields(draft: Draft, entries: Entries, values: Readonly<Record<string, unknown>>): XmlElement {
  for (const [key, field] of entries) {
    const value = values[key]
    if (value !== undefined) writeField(draft, field, value)
    else if (field.need === 'required') throw new CodecError(draft.name, draft.ns, `${field.label} is missing`)
  }
  return finishDraft(draft)
}

function writeField(draft: Draft, field: AnyField, value: unknown): void {
  try {
    field.write(value, draft)
  } catch (error) {
    throw located(draft.name, draft.ns, field, error)
  }
}

/** Says where a lexical error happened; every other error passes. */
function located(name: string, ns: string, field: AnyField, error: unknown): unknown {
  if (!(error instanceof LexicalError)) return error
  return new CodecError(name, ns, `${field.label}: ${error.message}`, error)
}

/** Declares an element that is only recognised and kept as it is, because its content is the business of its owner. */
export function raw(ns: string, name: string): DeclaredCodec<XmlElement, XmlElement> {
  const check = (value: XmlElement): XmlElement => {
    if (value.name === name && value.ns === ns) return value
    throw new CodecError(name, ns, `found <${value.name} xmlns='${value.ns}'> instead`)
  }
  return {
    ns,
    name,
    shape: { kind: 'raw' },
    matches: (candidate) => candidate.name === name && candidate.ns === ns,
    decode: check,
    encode: check,
    toWire: (value) => serialize(check(value), 'jabber:client'),
  }
}

/**
 * A codec for the same element with another value type, for elements whose natural value is not their XML structure.
 * `toOuter` and `toInner` must be inverse; what they throw passes.
 */
export function mapped<Out, In, InnerOut, InnerIn>(
  source: DeclaredCodec<InnerOut, InnerIn>,
  toOuter: (inner: InnerOut) => Out,
  toInner: (outer: In) => InnerIn,
): DeclaredCodec<Out, In> {
  return {
    ...source,
    shape: { kind: 'mapped', source, decoded: toOuter },
    decode: (element) => toOuter(source.decode(element)),
    encode: (value) => source.encode(toInner(value)),
    toWire: (value) => source.toWire(toInner(value)),
  }
}
