/**
 * The field for the element's own text.
 *
 * Empty text counts as absent where the field is optional or has a default: `<c/>` and `<c></c>` are the same XML.
 */
import type { Jid } from '@rollcall/jid'
import { claimsNothing, required } from './field.ts'
import type { FieldParts, RequiredField } from './declaration.ts'
import { base64Type, dateTimeType, enumType, intType, jidType, stringType, uintType } from './lexical.ts'
import type { Lexical } from './lexical.ts'

function ownText<T>(lexical: Lexical<T>): RequiredField<T> {
  const parts: FieldParts<T, T> = {
    label: 'text',
    shape: { kind: 'text', lexical },
    read: (element) => lexical.parse(element.text()),
    write(value, draft) {
      const content = lexical.format(value)
      if (content !== '') draft.children.push(content)
    },
    claims: claimsNothing,
  }
  const read: typeof parts.read = (element, ns) => (element.text() === '' ? undefined : parts.read(element, ns))
  return required(parts, { ...parts, read })
}

/** The text of the element, all characters as they stand; variants for other types. */
export const text = Object.assign((): RequiredField<string> => ownText(stringType), {
  uint: (): RequiredField<number> => ownText(uintType),
  int: (): RequiredField<number> => ownText(intType),
  jid: (): RequiredField<Jid> => ownText(jidType),
  base64: (): RequiredField<Uint8Array> => ownText(base64Type),
  /** Milliseconds since 1970, written by XEP-0082. */
  dateTime: (): RequiredField<number> => ownText(dateTimeType),
  enum: <const V extends readonly string[]>(values: V): RequiredField<V[number]> => ownText(enumType(values)),
  /** Any lexical type. */
  of: <T>(lexical: Lexical<T>): RequiredField<T> => ownText(lexical),
})
