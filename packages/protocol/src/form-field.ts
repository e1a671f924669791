/**
 * Fields of typed forms: how the texts of one form field become a value.
 *
 * Clients submit empty texts for what their user left alone, so for every type but text an empty value is an absent one.
 */
import type { Jid } from '@rollcall/jid'
import type { FormFieldShape, Need } from './declaration.ts'
import { boolType, enumType, jidType, stringType, uintType } from './lexical.ts'
import type { Lexical } from './lexical.ts'
import type { FormFieldType } from './xep0004.ts'

/** How a field is shown to people. */
export interface FormFieldOptions {
  readonly label?: string
  readonly desc?: string
}

export interface FormChoice {
  readonly label?: string
  readonly value: string
}

/** One field of a typed form. */
export interface FormFieldSpec<T, N extends Need = Need> extends FormFieldOptions, FormFieldShape {
  readonly type: FormFieldType
  readonly need: N
  readonly choices: readonly FormChoice[]
  /** The value, or undefined when there is none. Throws LexicalError. */
  parse(values: readonly string[]): T | undefined
  /** Throws LexicalError. */
  format(value: T): string[]
}

export type FormFields = Readonly<Record<string, FormFieldSpec<unknown>>>

/** A required field of a typed form that can be made optional. */
export interface RequiredFormField<T> extends FormFieldSpec<T, 'required'> {
  optional(): FormFieldSpec<T, 'optional'>
}

type Spec = Pick<FormFieldSpec<unknown>, 'var' | 'type' | 'label' | 'desc' | 'choices'>

function single<T>(spec: Spec, lexical: Lexical<T>): RequiredFormField<T> {
  const parts = {
    ...spec,
    lexical,
    isList: false,
    parse(values: readonly string[]): T | undefined {
      const first = values[0]
      return first === undefined || (first === '' && lexical !== stringType) ? undefined : lexical.parse(first)
    },
    format: (value: T): string[] => [lexical.format(value)],
  }
  return { ...parts, need: 'required', optional: () => ({ ...parts, need: 'optional' }) }
}

function list<T>(spec: Spec, lexical: Lexical<T>): FormFieldSpec<readonly T[], 'defaulted'> {
  return {
    ...spec,
    need: 'defaulted',
    lexical,
    isList: true,
    parse: (values) =>
      values.filter((value) => value !== '' || lexical === stringType).map((value) => lexical.parse(value)),
    format: (values) => values.map((value) => lexical.format(value)),
  }
}

type Choices<V extends string> = Readonly<Record<V, string>>

function choicesOf(choices: Readonly<Record<string, string>>): FormChoice[] {
  return Object.entries(choices).map(([value, label]) => ({ label, value }))
}

function valuesOf<V extends string>(choices: Choices<V>): V[] {
  return Object.keys(choices) as V[]
}

const spec = (name: string, type: FormFieldType, options: FormFieldOptions = {}): Spec => ({
  var: name,
  type,
  choices: [],
  ...options,
})

/** Fields of typed forms by type of value. */
export const formField = {
  /** One line. */
  text: (name: string, options?: FormFieldOptions): RequiredFormField<string> =>
    single(spec(name, 'text-single', options), stringType),
  /** One line that is not shown, such as a password. */
  secret: (name: string, options?: FormFieldOptions): RequiredFormField<string> =>
    single(spec(name, 'text-private', options), stringType),
  hidden: (name: string): RequiredFormField<string> => single(spec(name, 'hidden'), stringType),
  uint: (name: string, options?: FormFieldOptions): RequiredFormField<number> =>
    single(spec(name, 'text-single', options), uintType),
  jid: (name: string, options?: FormFieldOptions): RequiredFormField<Jid> =>
    single(spec(name, 'jid-single', options), jidType),
  /** False when absent (XEP-0004 §3.3). */
  bool: (name: string, options?: FormFieldOptions): FormFieldSpec<boolean, 'defaulted'> => {
    const { parse, ...rest } = single(spec(name, 'boolean', options), boolType)
    return { ...rest, need: 'defaulted', parse: (values) => parse(values) ?? false }
  },
  /** One of the values; keys are the values, texts their labels. */
  list: <V extends string>(name: string, choices: Choices<V>, options?: FormFieldOptions): RequiredFormField<V> =>
    single({ ...spec(name, 'list-single', options), choices: choicesOf(choices) }, enumType(valuesOf(choices))),
  /** Lines of text. */
  lines: (name: string, options?: FormFieldOptions): FormFieldSpec<readonly string[], 'defaulted'> =>
    list(spec(name, 'text-multi', options), stringType),
  jids: (name: string, options?: FormFieldOptions): FormFieldSpec<readonly Jid[], 'defaulted'> =>
    list(spec(name, 'jid-multi', options), jidType),
  /** Some of the values; keys are the values, texts their labels. */
  lists: <V extends string>(
    name: string,
    choices: Choices<V>,
    options?: FormFieldOptions,
  ): FormFieldSpec<readonly V[], 'defaulted'> =>
    list({ ...spec(name, 'list-multi', options), choices: choicesOf(choices) }, enumType(valuesOf(choices))),
  /** Any texts, as a list without given choices. */
  texts: (name: string, options?: FormFieldOptions): FormFieldSpec<readonly string[], 'defaulted'> =>
    list(spec(name, 'list-multi', options), stringType),
}
