/** XEP-0157: Contact Addresses for XMPP Services, version 1.1.1: a form in the disco#info of a host (XEP-0128, version 1.0.1). */
import type { Infer } from './codec.ts'
import { form } from './form.ts'
import { formField } from './form-field.ts'

export const SERVER_INFO_FORM = 'http://jabber.org/network/serverinfo'

/** Addresses as URIs, by subject. */
export const ContactAddresses = form({ type: 'result' }, SERVER_INFO_FORM, {
  abuse: formField.texts('abuse-addresses'),
  admin: formField.texts('admin-addresses'),
  feedback: formField.texts('feedback-addresses'),
  sales: formField.texts('sales-addresses'),
  security: formField.texts('security-addresses'),
  status: formField.texts('status-addresses'),
  support: formField.texts('support-addresses'),
})
export type ContactAddresses = Infer<typeof ContactAddresses>
