/**
 * The vocabulary of declarations: what a codec is, what a field is, and what both look like to tools.
 *
 * How it works: a codec asks each of its fields in the order of declaration. A field that finds nothing answers
 * undefined, and whether that is an error, an absent property or a default is decided by its `need`, in one place.
 * A field also says which children it understands, so that `extensions()` can take the others.
 */
import type { XmlElement } from '@rollcall/xml'
import type { Draft } from './draft.ts'
import type { Lexical } from './lexical.ts'

/** Decodes and encodes one element. `Out` is what decoding gives, `In` what encoding takes. */
export interface Codec<Out, In = Out> {
  readonly ns: string
  readonly name: string
  /** Throws CodecError naming the element and the attribute or child that is wrong. */
  decode(element: XmlElement): Out
  /** Throws CodecError for a value that cannot be written. */
  encode(value: In): XmlElement
  /** The encoded element as a wire string for a place where `jabber:client` is the default namespace. */
  toWire(value: In): string
  /** Whether `decode` takes elements of that name and namespace. */
  matches(element: XmlElement): boolean
}

/** A codec that was declared with `element()`, `raw()`, `mapped()` or `form()`, and shows what it is made of. */
export interface DeclaredCodec<Out, In> extends Codec<Out, In> {
  readonly shape: CodecShape
}

/** Any declared codec. */
export type AnyCodec = DeclaredCodec<unknown, never>

/** What a codec is made of, for generated documentation and generated test values. */
export type CodecShape =
  | { readonly kind: 'element'; readonly fields: Fields }
  | { readonly kind: 'raw' }
  | { readonly kind: 'form'; readonly fields: Readonly<Record<string, FormFieldShape>> }
  | { readonly kind: 'mapped'; readonly source: AnyCodec; readonly decoded: (inner: never) => unknown }

/** What happens when a part is absent: an error, no property, or a default value. */
export type Need = 'required' | 'optional' | 'defaulted'

/** What a field of an element stands for. */
export type FieldShape =
  | { readonly kind: 'attribute' | 'text' | 'childText' | 'childTexts'; readonly lexical: Lexical<unknown> }
  | { readonly kind: 'child' | 'children'; readonly codec: AnyCodec }
  | { readonly kind: 'childName'; readonly names: readonly string[]; readonly ns: string | undefined }
  | { readonly kind: 'anyChild'; readonly names: readonly string[]; readonly namespaces: readonly string[] }
  | { readonly kind: 'flag' | 'extensions' }

/** What a field of a typed form stands for. */
export interface FormFieldShape {
  /** Name of the field on the wire. */
  readonly var: string
  readonly need: Need
  readonly lexical: Lexical<unknown>
  readonly isList: boolean
}

/** A field without its need. */
export interface FieldParts<Out, In> {
  /** How errors name the part, for example `attribute 'jid'`. */
  readonly label: string
  readonly shape: FieldShape
  /** The value, or undefined when the part is absent. Throws LexicalError or CodecError. `ns` is that of the element. */
  read(element: XmlElement, ns: string): Out | undefined
  /** Adds the part to the draft. Throws LexicalError or CodecError. */
  write(value: In, draft: Draft): void
  /** Whether this field understands that child of an element in `ns`. */
  claims(child: XmlElement, ns: string): boolean
}

/** One part of an element: decoded to `Out`, encoded from `In`. */
export interface Field<Out, In = Out, N extends Need = Need> extends FieldParts<Out, In> {
  readonly need: N
  /** The value of an absent part; only where `need` is `defaulted`. */
  fallback?(): Out
}

export type AnyField = Field<unknown, unknown>

/** A required field that can be relaxed. */
export interface RequiredField<Out, In = Out> extends Field<Out, In, 'required'> {
  /** Absent part: the property is left out. */
  optional(): Field<Out, In, 'optional'>
  /** Absent part: this value; and the value is not written. */
  default(value: Out): Field<Out, In, 'defaulted'>
}

export type Fields = Readonly<Record<string, AnyField>>
