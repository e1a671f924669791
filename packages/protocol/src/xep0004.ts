/** XEP-0004: Data Forms, version 2.13.2. Typed forms are in `form.ts`. */
import { attr } from './attr.ts'
import { child, children, childText, childTexts, flag } from './child.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'
import type { Lexical } from './lexical.ts'

export const NS_DATA_FORM = 'jabber:x:data'

/** XEP-0004 §3.1. */
export const formTypes = ['form', 'submit', 'cancel', 'result'] as const
export type FormType = (typeof formTypes)[number]

/** XEP-0004 §3.3. */
export const formFieldTypes = [
  'boolean', 'fixed', 'hidden', 'jid-multi', 'jid-single',
  'list-multi', 'list-single', 'text-multi', 'text-private', 'text-single',
] as const
export type FormFieldType = (typeof formFieldTypes)[number]

/** XEP-0004 §3.3: a type that is not understood is a text-single. */
const fieldType: Lexical<FormFieldType> = {
  type: 'enum',
  values: formFieldTypes,
  parse: (text) => formFieldTypes.find((type) => type === text) ?? 'text-single',
  format: (value) => value,
}

/** One of the choices of a list (XEP-0004 §3.2). */
export const FormOption = element(NS_DATA_FORM, 'option', {
  label: attr.string('label').optional(),
  value: childText('value'),
})
export type FormOption = Infer<typeof FormOption>

/** One field (XEP-0004 §3.2). Only a `fixed` field may lack `var`; without `type`, the context says what it is. */
export const FormField = element(NS_DATA_FORM, 'field', {
  var: attr.string('var').optional(),
  type: attr.of('type', fieldType).optional(),
  label: attr.string('label').optional(),
  desc: childText('desc').optional(),
  isRequired: flag('required'),
  values: childTexts('value'),
  options: children(FormOption),
})
export type FormField = Infer<typeof FormField>

/** The columns of a table of results (XEP-0004 §3.4). */
export const FormReported = element(NS_DATA_FORM, 'reported', { fields: children(FormField) })
export type FormReported = Infer<typeof FormReported>

/** One row of a table of results (XEP-0004 §3.4). */
export const FormItem = element(NS_DATA_FORM, 'item', { fields: children(FormField) })
export type FormItem = Infer<typeof FormItem>

/** A form to fill in, filled in, cancelled, or a set of results (XEP-0004 §3). */
export const DataForm = element(NS_DATA_FORM, 'x', {
  type: attr.enum('type', formTypes),
  title: childText('title').optional(),
  instructions: childTexts('instructions'),
  fields: children(FormField),
  reported: child(FormReported).optional(),
  items: children(FormItem),
})
export type DataForm = Infer<typeof DataForm>
export type DataFormInput = Input<typeof DataForm>

/** The FORM_TYPE of a form (XEP-0068 §3), or undefined. */
export function formTypeOf(form: DataForm): string | undefined {
  return form.fields.find((field) => field.var === 'FORM_TYPE')?.values[0]
}
