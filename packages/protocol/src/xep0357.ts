/** XEP-0357: Push Notifications, version 0.4.1. What is published, and to what node, is XEP-0060. */
import { attr } from './attr.ts'
import { child, extensions } from './child.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'
import { form } from './form.ts'
import { formField } from './form-field.ts'
import { DataForm } from './xep0004.ts'

export const NS_PUSH = 'urn:xmpp:push:0'

/** FORM_TYPE of the summary in a notification (XEP-0357 §7). */
export const FORM_PUSH_SUMMARY = 'urn:xmpp:push:summary'

/** Asks the account's server to notify a push service (XEP-0357 §5); the form goes with every notification. */
export const PushEnable = element(NS_PUSH, 'enable', {
  jid: attr.jid('jid'),
  node: attr.string('node').optional(),
  options: child(DataForm).optional(),
})
export type PushEnable = Infer<typeof PushEnable>

/** Ends the notifications to one node of a push service, or to all of them (XEP-0357 §6). */
export const PushDisable = element(NS_PUSH, 'disable', { jid: attr.jid('jid'), node: attr.string('node').optional() })
export type PushDisable = Infer<typeof PushDisable>

/** What a notification tells (XEP-0357 §7). All of it is optional: what is missing is nobody's business. */
export const PushSummary = form({ type: 'submit' }, FORM_PUSH_SUMMARY, {
  messageCount: formField.uint('message-count').optional(),
  pendingSubscriptionCount: formField.uint('pending-subscription-count').optional(),
  lastMessageSender: formField.jid('last-message-sender').optional(),
  lastMessageBody: formField.text('last-message-body').optional(),
})
export type PushSummary = Infer<typeof PushSummary>
export type PushSummaryInput = Input<typeof PushSummary>

/** The payload of a published item (XEP-0357 §7). */
export const PushNotification = element(NS_PUSH, 'notification', { summary: child(DataForm).optional(), others: extensions() })
export type PushNotification = Infer<typeof PushNotification>
