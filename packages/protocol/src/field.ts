/** Makes fields from their parts: required ones that can be relaxed, and those that are never absent. */
import type { Field, FieldParts, RequiredField } from './declaration.ts'

/** The required form of a field; `relaxed` where the optional form reads otherwise. */
export function required<Out, In>(parts: FieldParts<Out, In>, relaxed: FieldParts<Out, In> = parts): RequiredField<Out, In> {
  return {
    ...parts,
    need: 'required',
    optional: () => ({ ...relaxed, need: 'optional' }),
    default: (value) => withDefault(relaxed, value),
  }
}

function withDefault<Out, In>(parts: FieldParts<Out, In>, value: Out): Field<Out, In, 'defaulted'> {
  return {
    ...parts,
    need: 'defaulted',
    fallback: () => value,
    write(given, draft) {
      if (!Object.is(given, value)) parts.write(given, draft)
    },
  }
}

/** A field that is never absent, such as a list; `read` answers the empty value itself. */
export function neverAbsent<Out, In>(parts: FieldParts<Out, In>): Field<Out, In, 'defaulted'> {
  return { ...parts, need: 'defaulted' }
}

export const claimsNothing = (): boolean => false
