/** The two fields of a registration, as a form (XEP-0077 §4) and as the old elements; the form goes before. */
import { form, formField, formTypeOf, NS_REGISTER } from '@rollcall/protocol'
import type { RegisterQuery, RegisterQueryInput } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'

const FORM_TYPES = [NS_REGISTER, `${NS_REGISTER}:changepassword`]

export interface RegistrationFields {
  /** Undefined when absent or empty. */
  readonly username: string | undefined
  readonly password: string | undefined
}

/** What a set carries. Throws `bad-request` for a form that is not a filled-in registration form. */
export function readFields(query: RegisterQuery): RegistrationFields {
  const { form: submitted } = query
  if (submitted === undefined) return { username: query.username || undefined, password: query.password || undefined }
  if (submitted.type !== 'submit' || !FORM_TYPES.includes(formTypeOf(submitted) ?? NS_REGISTER)) {
    throw new StanzaError('bad-request', 'This is not a filled-in registration form')
  }
  const valueOf = (name: string) => submitted.fields.find((field) => field.var === name)?.values[0] || undefined
  return { username: valueOf('username'), password: valueOf('password') }
}

/** What a client without an account is asked for. */
export function blankFields(instructions: string): RegisterQueryInput {
  const registration = form({ type: 'submit', title: 'New account', instructions: [instructions] }, NS_REGISTER, {
    username: formField.text('username', { label: 'Name' }),
    password: formField.secret('password', { label: 'Password' }),
  })
  return { instructions, username: '', password: '', form: registration.blank() }
}
