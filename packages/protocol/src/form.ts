/**
 * Typed forms: the fields of one FORM_TYPE (XEP-0068, version 1.3.0) declared once, read and written as an object.
 *
 * The same declaration makes the blank form that a user fills in, with labels and choices, and reads what comes back.
 */
import { CodecError, LexicalError } from './codec-error.ts'
import { mapped } from './codec.ts'
import type { DeclaredCodec, Need } from './declaration.ts'
import type { FormFields, FormFieldSpec } from './form-field.ts'
import { DataForm, formTypeOf, NS_DATA_FORM } from './xep0004.ts'
import type { DataFormInput, FormType } from './xep0004.ts'

export interface FormHead {
  /** Which forms are read and written; blank forms are always of type `form`. */
  readonly type: Exclude<FormType, 'cancel'>
  readonly title?: string
  readonly instructions?: readonly string[]
}

type ValueOf<F> = F extends FormFieldSpec<infer T> ? T : never
type KeysOf<F extends FormFields, N extends Need> = { [K in keyof F]: F[K]['need'] extends N ? K : never }[keyof F]
type Flat<T> = { [K in keyof T]: T[K] }

/** What reading a typed form gives. */
export type FormValues<F extends FormFields> = Flat<
  { readonly [K in KeysOf<F, 'required' | 'defaulted'>]: ValueOf<F[K]> }
  & { readonly [K in KeysOf<F, 'optional'>]?: ValueOf<F[K]> }
>

/** What writing a typed form takes: lists and booleans may be left out. */
export type FormInput<F extends FormFields> = Flat<
  { readonly [K in KeysOf<F, 'required'>]: ValueOf<F[K]> }
  & { readonly [K in KeysOf<F, 'optional' | 'defaulted'>]?: ValueOf<F[K]> }
>

/** A codec for the `<x/>` of one FORM_TYPE, and the same for forms that are part of another decoded value. */
export interface FormCodec<Values, In> extends DeclaredCodec<Values, In> {
  readonly formType: string
  /** Values of a decoded form. Throws CodecError for another type, another FORM_TYPE, and bad or missing fields. */
  read(form: DataForm): Values
  /** The form with these values. Throws CodecError. */
  write(values: In): DataFormInput
  /** The form to fill in, with labels and choices; `values` are proposed. Throws CodecError. */
  blank(values?: Partial<In>): DataFormInput
}

/** Declares a typed form. */
export function form<const F extends FormFields>(
  head: FormHead,
  formType: string,
  fields: F,
): FormCodec<FormValues<F>, FormInput<F>> {
  const read = (data: DataForm): FormValues<F> => readForm(data, head, formType, fields) as FormValues<F>
  const write = (values: FormInput<F>): DataFormInput => ({
    ...(head.type === 'form' ? head : { type: head.type }),
    fields: formFields(formType, fields, values, head.type, true),
  })
  return {
    ...mapped(DataForm, read, write),
    shape: { kind: 'form', fields },
    formType,
    read,
    write,
    blank: (values = {}) => ({ ...head, type: 'form', fields: formFields(formType, fields, values, 'form', false) }),
  }
}

function problem(text: string, options?: { readonly cause?: unknown }): CodecError {
  return new CodecError('x', NS_DATA_FORM, text, options)
}

function readForm(data: DataForm, head: FormHead, formType: string, fields: FormFields): Record<string, unknown> {
  if (data.type !== head.type) throw problem(`the form is of type ${data.type}, not ${head.type}`)
  // COMPAT(clients that submit without FORM_TYPE): the place of the form says what it is; only another one is wrong.
  const declared = formTypeOf(data) ?? formType
  if (declared !== formType) throw problem(`FORM_TYPE is not ${formType}`)
  const values: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(fields)) {
    const found = data.fields.find((candidate) => candidate.var === field.var)
    const value = located(field.var, () => field.parse(found?.values ?? []))
    if (value !== undefined) values[key] = value
    else if (field.need === 'required') throw problem(`field '${field.var}' is missing`)
  }
  return values
}

type FieldInput = NonNullable<DataFormInput['fields']>[number]

function formFields(
  formType: string,
  fields: FormFields,
  values: Readonly<Record<string, unknown>>,
  type: FormType,
  isComplete: boolean,
): FieldInput[] {
  const written: FieldInput[] = [{ var: 'FORM_TYPE', type: 'hidden', values: [formType] }]
  for (const [key, field] of Object.entries(fields)) {
    const value = values[key]
    const isMissing = value === undefined
    if (isMissing && isComplete && field.need === 'required') throw problem(`field '${field.var}' is missing`)
    const texts = isMissing ? [] : located(field.var, () => field.format(value))
    if (type === 'form') written.push({ ...shown(field), values: texts })
    else if (texts.length > 0) written.push({ var: field.var, ...(type === 'result' && { type: field.type }), values: texts })
  }
  return written
}

/** A field as people see it. */
function shown(field: FormFieldSpec<unknown>): FieldInput {
  const { var: name, type, label, desc, choices } = field
  return { var: name, type, label, desc, isRequired: field.need === 'required', options: choices }
}

function located<T>(name: string, step: () => T): T {
  try {
    return step()
  } catch (error) {
    if (error instanceof LexicalError) throw problem(`field '${name}': ${error.message}`, error)
    throw error
  }
}
