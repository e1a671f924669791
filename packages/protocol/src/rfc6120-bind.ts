/** RFC 6120 §7: resource binding. */
import { childText, flag } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'

export const NS_BIND = 'urn:ietf:params:xml:ns:xmpp-bind'
export const NS_SESSION = 'urn:ietf:params:xml:ns:xmpp-session'

/** The request (`resource` optional) and the result (`jid`) of binding (RFC 6120 §7.6.1, §7.7.1). */
export const Bind = element(NS_BIND, 'bind', {
  resource: childText('resource').optional(),
  jid: childText.jid('jid').optional(),
})
export type Bind = Infer<typeof Bind>

/** The stream feature that announces binding (RFC 6120 §7.4). */
export const BindFeature = element(NS_BIND, 'bind', { required: flag('required') })
export type BindFeature = Infer<typeof BindFeature>

/**
 * Session establishment: the feature and the request. RFC 6120 dropped it; clients of RFC 3921 still ask, and
 * `optional` tells the newer ones of them not to.
 */
export const Session = element(NS_SESSION, 'session', { optional: flag('optional') })
export type Session = Infer<typeof Session>
