/** XEP-0012: Last Activity, version 2.0. */
import { attr } from './attr.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'
import { text } from './text.ts'

export const NS_LAST = 'jabber:iq:last'

/** Seconds since an account was last connected, since a client was last used, or since a host started. */
export const LastQuery = element(NS_LAST, 'query', {
  /** Absent in requests. */
  seconds: attr.uint('seconds').optional(),
  /** Status of the last unavailable presence, only for an account that is offline (XEP-0012 §3). */
  status: text().optional(),
})
export type LastQuery = Infer<typeof LastQuery>
