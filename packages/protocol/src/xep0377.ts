/** XEP-0377: Spam Reporting, version 0.4.1. */
import { attr } from './attr.ts'
import { children, flag } from './child.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'
import { text } from './text.ts'
import { StanzaId } from './xep0359.ts'

export const NS_REPORTING = 'urn:xmpp:reporting:1'
/** Reasons that the specification defines; others are possible. */
export const REASON_SPAM = 'urn:xmpp:reporting:spam'
export const REASON_ABUSE = 'urn:xmpp:reporting:abuse'

/** What the reporter says about it. */
export const ReportText = element(NS_REPORTING, 'text', { lang: attr.string('xml:lang').optional(), text: text() })
export type ReportText = Infer<typeof ReportText>

/** A report inside an item of a block request (XEP-0377 §4, §6); the flags allow to pass it on (§5). */
export const Report = element(NS_REPORTING, 'report', {
  reason: attr.string('reason'),
  stanzaIds: children(StanzaId),
  texts: children(ReportText),
  mayGoToOrigin: flag('report-origin'),
  mayGoToThirdParty: flag('third-party'),
})
export type Report = Infer<typeof Report>
export type ReportInput = Input<typeof Report>
