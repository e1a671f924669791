/**
 * Fields for children: elements with a codec of their own, and the small forms that specifications repeat - an empty
 * element as a flag, an element that only carries text, an element whose name is the value.
 *
 * Where `ns` is left out, the child is in the namespace of its parent.
 */
import type { Jid } from '@rollcall/jid'
import { XmlElement } from '@rollcall/xml'
import type { DeclaredCodec, Field, RequiredField } from './declaration.ts'
import type { Draft } from './draft.ts'
import { neverAbsent, required } from './field.ts'
import { base64Type, boolType, dateTimeType, enumType, intType, jidType, stringType, uintType } from './lexical.ts'
import type { Lexical } from './lexical.ts'

/** One child with its own codec; the first when there are several. */
export function child<Out, In>(codec: DeclaredCodec<Out, In>): RequiredField<Out, In> {
  const isOurs = (candidate: XmlElement): boolean => codec.matches(candidate)
  return required<Out, In>({
    label: `child <${codec.name}/>`,
    shape: { kind: 'child', codec },
    read(element) {
      const found = element.elements().find(isOurs)
      return found === undefined ? undefined : codec.decode(found)
    },
    write(value, draft) {
      draft.children.push(codec.encode(value))
    },
    claims: isOurs,
  })
}

/** Every child of that codec, in order; an empty list when there is none. */
export function children<Out, In>(
  codec: DeclaredCodec<Out, In>,
): Field<readonly Out[], readonly In[], 'defaulted'> {
  const isOurs = (candidate: XmlElement): boolean => codec.matches(candidate)
  return neverAbsent<readonly Out[], readonly In[]>({
    label: `children <${codec.name}/>`,
    shape: { kind: 'children', codec },
    read: (element) => element.elements().filter(isOurs).map((found) => codec.decode(found)),
    write(values, draft) {
      for (const value of values) draft.children.push(codec.encode(value))
    },
    claims: isOurs,
  })
}

/** Whether an empty child of that name is there. */
export function flag(name: string, ns?: string): Field<boolean, boolean, 'defaulted'> {
  const isOurs = named(name, ns)
  return neverAbsent<boolean, boolean>({
    label: `child <${name}/>`,
    shape: { kind: 'flag' },
    read: (element, own) => element.elements().some((candidate) => isOurs(candidate, own)),
    write(value, draft) {
      if (value) draft.children.push(new XmlElement(name, ns ?? draft.ns))
    },
    claims: isOurs,
  })
}

interface ChildTextOptions {
  /** Language of the texts that we write, as `xml:lang`. */
  readonly lang?: string
}

function textElement(name: string, ns: string, content: string, lang: string | undefined): XmlElement {
  return new XmlElement(name, ns, { 'xml:lang': lang }, content === '' ? [] : [content])
}

function textOfChild<T>(
  name: string,
  lexical: Lexical<T>,
  ns: string | undefined,
  options: ChildTextOptions = {},
): RequiredField<T> {
  const isOurs = named(name, ns)
  return required<T, T>({
    label: `child <${name}/>`,
    shape: { kind: 'childText', lexical },
    read(element, own) {
      const found = element.elements().find((candidate) => isOurs(candidate, own))
      return found === undefined ? undefined : lexical.parse(found.text())
    },
    write(value, draft) {
      draft.children.push(textElement(name, ns ?? draft.ns, lexical.format(value), options.lang))
    },
    claims: isOurs,
  })
}

/** The text of the first child of that name; an empty child is the empty text. Variants for other types. */
export const childText = Object.assign(
  (name: string, ns?: string, options?: ChildTextOptions): RequiredField<string> => textOfChild(name, stringType, ns, options),
  {
    uint: (name: string, ns?: string): RequiredField<number> => textOfChild(name, uintType, ns),
    int: (name: string, ns?: string): RequiredField<number> => textOfChild(name, intType, ns),
    bool: (name: string, ns?: string): RequiredField<boolean> => textOfChild(name, boolType, ns),
    jid: (name: string, ns?: string): RequiredField<Jid> => textOfChild(name, jidType, ns),
    base64: (name: string, ns?: string): RequiredField<Uint8Array> => textOfChild(name, base64Type, ns),
    /** Milliseconds since 1970, written by XEP-0082. */
    dateTime: (name: string, ns?: string): RequiredField<number> => textOfChild(name, dateTimeType, ns),
    enum: <const V extends readonly string[]>(name: string, values: V, ns?: string): RequiredField<V[number]> =>
      textOfChild(name, enumType(values), ns),
    /** Any lexical type. */
    of: <T>(name: string, lexical: Lexical<T>, ns?: string): RequiredField<T> => textOfChild(name, lexical, ns),
  },
)

/** The texts of every child of that name, in order. */
export function childTexts(name: string, ns?: string): Field<readonly string[], readonly string[], 'defaulted'> {
  const isOurs = named(name, ns)
  return neverAbsent<readonly string[], readonly string[]>({
    label: `children <${name}/>`,
    shape: { kind: 'childTexts', lexical: stringType },
    read: (element, own) =>
      element.elements().filter((candidate) => isOurs(candidate, own)).map((found) => found.text()),
    write(values, draft) {
      for (const value of values) draft.children.push(textElement(name, ns ?? draft.ns, value, undefined))
    },
    claims: isOurs,
  })
}

/** A child whose name is the value, such as an error condition, with the text that some of them carry. */
export interface NamedChild<N extends string> {
  readonly name: N
  /** Absent when the child is empty. */
  readonly text?: string
}

/** The first child whose name is one of `names`. Children of other names are not an error but not seen. */
export function childName<const V extends readonly string[]>(names: V, ns?: string): RequiredField<NamedChild<V[number]>> {
  const known: readonly string[] = names
  const nameOf = (candidate: XmlElement, own: string): V[number] | undefined =>
    candidate.ns === (ns ?? own) && known.includes(candidate.name) ? candidate.name : undefined
  return required<NamedChild<V[number]>, NamedChild<V[number]>>({
    label: 'child that names the condition',
    shape: { kind: 'childName', names, ns },
    read(element, own) {
      for (const candidate of element.elements()) {
        const name = nameOf(candidate, own)
        if (name === undefined) continue
        const content = candidate.text()
        return content === '' ? { name } : { name, text: content }
      }
      return undefined
    },
    write(value, draft) {
      draft.children.push(textElement(value.name, ns ?? draft.ns, value.text ?? '', undefined))
    },
    claims: (candidate, own) => nameOf(candidate, own) !== undefined,
  })
}

/** The first child with one of these names in one of these namespaces, kept as it is. */
export function anyChild(names: readonly string[], namespaces: readonly string[]): RequiredField<XmlElement> {
  const isOurs = (candidate: XmlElement): boolean =>
    names.includes(candidate.name) && namespaces.includes(candidate.ns)
  return required<XmlElement, XmlElement>({
    label: `child ${names.map((name) => `<${name}/>`).join(' or ')}`,
    shape: { kind: 'anyChild', names, namespaces },
    read: (element) => element.elements().find(isOurs),
    write: (value, draft) => void draft.children.push(value),
    claims: isOurs,
  })
}

/** Every child that no other field of the declaration understands, in order and as it is. */
export function extensions(): Field<readonly XmlElement[], readonly XmlElement[], 'defaulted'> {
  return neverAbsent<readonly XmlElement[], readonly XmlElement[]>({
    label: 'other children',
    shape: { kind: 'extensions' },
    // All of them: `element()` takes away what the other fields claim.
    read: (element) => element.elements(),
    write: (values: readonly XmlElement[], draft: Draft) => void draft.children.push(...values),
    claims: () => false,
  })
}

function named(name: string, ns: string | undefined): (candidate: XmlElement, own: string) => boolean {
  return (candidate, own) => candidate.name === name && candidate.ns === (ns ?? own)
}
