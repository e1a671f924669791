/** XEP-0313: Message Archive Management, version 1.1.3, and the preferences of XEP-0441, version 0.2.0. */
import { attr } from './attr.ts'
import { child, childTexts, flag } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'
import { DataForm } from './xep0004.ts'
import { ResultSet } from './xep0059.ts'
import { Forwarded } from './xep0297.ts'

export const NS_MAM = 'urn:xmpp:mam:2'
/** XEP-0431, version 0.2.0: the field of a query that searches texts. */
export const NS_FULL_TEXT = 'urn:xmpp:fulltext:0'

/** Asks for messages (XEP-0313 §4) as set, for the form of such a request (§4.1.5) as get and its result. */
export const MamQuery = element(NS_MAM, 'query', {
  queryId: attr.string('queryid').optional(),
  /** Only for archives of publish-subscribe nodes (XEP-0442). */
  node: attr.string('node').optional(),
  form: child(DataForm).optional(),
  page: child(ResultSet).optional(),
  /** The page is sent latest message first; it is the same page (§4.3.4). */
  isFlipped: flag('flip-page'),
})
export type MamQuery = Infer<typeof MamQuery>

/** One archived message (XEP-0313 §4.2). */
export const MamResult = element(NS_MAM, 'result', {
  queryId: attr.string('queryid').optional(),
  id: attr.string('id'),
  forwarded: child(Forwarded),
})
export type MamResult = Infer<typeof MamResult>

/** After the last message of a page (XEP-0313 §4.3). */
export const MamFin = element(NS_MAM, 'fin', {
  /** There is nothing more to page to. */
  isComplete: attr.bool('complete').default(false),
  isStable: attr.bool('stable').default(true),
  page: child(ResultSet),
})
export type MamFin = Infer<typeof MamFin>

const edge = { id: attr.string('id'), at: attr.dateTime('timestamp') }

/** The oldest message of an archive (XEP-0313 §5). */
export const MamStart = element(NS_MAM, 'start', edge)
/** The latest message of an archive (XEP-0313 §5). */
export const MamEnd = element(NS_MAM, 'end', edge)

/** What is in an archive (XEP-0313 §5): both ends, or nothing when it is empty. */
export const MamMetadata = element(NS_MAM, 'metadata', { start: child(MamStart).optional(), end: child(MamEnd).optional() })
export type MamMetadata = Infer<typeof MamMetadata>

/** Contacts whose messages are archived (XEP-0441 §2.1.2). */
export const MamAlways = element(NS_MAM, 'always', { jids: childTexts('jid') })
/** Contacts whose messages are not (XEP-0441 §2.1.3). */
export const MamNever = element(NS_MAM, 'never', { jids: childTexts('jid') })

export const mamDefaults = ['always', 'never', 'roster'] as const
export type MamDefault = (typeof mamDefaults)[number]

/** Which messages are archived (XEP-0441 §2.1). */
export const MamPrefs = element(NS_MAM, 'prefs', {
  default: attr.enum('default', mamDefaults).optional(),
  always: child(MamAlways).optional(),
  never: child(MamNever).optional(),
})
export type MamPrefs = Infer<typeof MamPrefs>
