/** Fields for attributes. Names are keys of XmlElement: local names, `xml:lang`, or `{namespace}local`. */
import type { Jid } from '@rollcall/jid'
import { claimsNothing, required } from './field.ts'
import type { RequiredField } from './declaration.ts'
import { base64Type, boolType, dateTimeType, enumType, intType, jidType, stringType, uintType } from './lexical.ts'
import type { Lexical } from './lexical.ts'

function attribute<T>(name: string, lexical: Lexical<T>): RequiredField<T> {
  return required<T, T>({
    label: `attribute '${name}'`,
    shape: { kind: 'attribute', lexical },
    read(element) {
      const text = element.attribute(name)
      return text === undefined ? undefined : lexical.parse(text)
    },
    write(value, draft) {
      draft.attributes.set(name, lexical.format(value))
    },
    claims: claimsNothing,
  })
}

/** Attribute fields by type of value. */
export const attr = {
  string: (name: string): RequiredField<string> => attribute(name, stringType),
  /** A whole number from 0. */
  uint: (name: string): RequiredField<number> => attribute(name, uintType),
  int: (name: string): RequiredField<number> => attribute(name, intType),
  /** `true`, `1`, `false` or `0`; written as words. */
  bool: (name: string): RequiredField<boolean> => attribute(name, boolType),
  jid: (name: string): RequiredField<Jid> => attribute(name, jidType),
  /** One of the words. */
  enum: <const V extends readonly string[]>(name: string, values: V): RequiredField<V[number]> => attribute(name, enumType(values)),
  /** Milliseconds since 1970, written by XEP-0082. */
  dateTime: (name: string): RequiredField<number> => attribute(name, dateTimeType),
  base64: (name: string): RequiredField<Uint8Array> => attribute(name, base64Type),
  /** Any lexical type. */
  of: <T>(name: string, lexical: Lexical<T>): RequiredField<T> => attribute(name, lexical),
}
