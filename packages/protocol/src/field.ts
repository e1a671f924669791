/**
 * What a declaration is made of: a field reads one part of an element and writes it back.
 *
 * How it works: `element()` asks each field in the order of declaration. A field that finds nothing answers
 * undefined, and whether that is an error, an absent property or a default is decided by its `need`, in one place.
 * A field also says which children it understands, so that `extensions()` can take the others.
 */
import type { XmlElement } from '@rollcall/xml'
import type { Draft } from './draft.ts'
import type { AnyCodec } from './codec.ts'
import type { Lexical } from './lexical.ts'

/** What happens when the part is absent: an error, no property, or a default value. */
export type Need = 'required' | 'optional' | 'defaulted'

/** What a field stands for, as data: for generated documentation and generated test values. */
export type FieldShape =
  | { readonly kind: 'attribute' | 'text' | 'childText' | 'childTexts'; readonly lexical: Lexical<unknown> }
  | { readonly kind: 'child' | 'children'; readonly codec: AnyCodec }
  | { readonly kind: 'childName'; readonly names: readonly string[]; readonly ns: string | undefined }
  | { readonly kind: 'anyChild'; readonly names: readonly string[]; readonly namespaces: readonly string[] }
  | { readonly kind: 'flag' | 'extensions' }

/** One part of an element: decoded to `Out`, encoded from `In`. */
export interface Field<Out, In = Out, N extends Need = Need> {
  readonly need: N
  /** How errors name the part, for example `attribute 'jid'`. */
  readonly label: string
  readonly shape: FieldShape
  /** The value, or undefined when the part is absent. Throws LexicalError or CodecError. `ns` is that of the element. */
  read(element: XmlElement, ns: string): Out | undefined
  /** Adds the part to the draft. Throws LexicalError or CodecError. */
  write(value: In, draft: Draft): void
  /** Whether this field understands that child of an element in `ns`. */
  claims(child: XmlElement, ns: string): boolean
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

/** A field without its need. */
export type Parts<Out, In> = Omit<Field<Out, In>, 'need' | 'fallback'>

/** Makes the required form of a field from its parts; `relaxed` where the optional form reads otherwise. */
export function required<Out, In>(parts: Parts<Out, In>, relaxed: Parts<Out, In> = parts): RequiredField<Out, In> {
  return {
    ...parts,
    need: 'required',
    optional: () => ({ ...relaxed, need: 'optional' }),
    default: (value) => withDefault(relaxed, value),
  }
}

function withDefault<Out, In>(parts: Parts<Out, In>, value: Out): Field<Out, In, 'defaulted'> {
  return {
    ...parts,
    need: 'defaulted',
    fallback: () => value,
    write(given, draft) {
      if (!Object.is(given, value)) parts.write(given, draft)
    },
  }
}

/** Makes a field that is never absent, such as a list; `read` answers the empty value itself. */
export function neverAbsent<Out, In>(parts: Parts<Out, In>): Field<Out, In, 'defaulted'> {
  return { ...parts, need: 'defaulted' }
}

export const claimsNothing = (): boolean => false
