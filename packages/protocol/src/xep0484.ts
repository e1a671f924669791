/** XEP-0484: Fast Authentication Streamlining Tokens (FAST), version 0.2.0. */
import { attr } from './attr.ts'
import { childTexts } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'

export const NS_FAST = 'urn:xmpp:fast:0'

/** From the server, what is on offer (XEP-0484 §3.1); from a client, that it authenticates with a token (§3.4). */
export const Fast = element(NS_FAST, 'fast', {
  /** Mechanisms that take a token; only from the server. */
  mechanisms: childTexts('mechanism'),
  /** Whether early data of TLS may carry a login; only from the server. */
  tls0rtt: attr.bool('tls-0rtt').optional(),
  /** Grows with every use of the token, against replays; only from a client. */
  count: attr.uint('count').optional(),
  /** The token is to die with this login (§3.6); only from a client. */
  invalidate: attr.bool('invalidate').optional(),
})
export type Fast = Infer<typeof Fast>

/** Asks for a token for one mechanism (XEP-0484 §3.2). */
export const FastRequestToken = element(NS_FAST, 'request-token', { mechanism: attr.string('mechanism') })
export type FastRequestToken = Infer<typeof FastRequestToken>

/** A token; secret (XEP-0484 §3.3). */
export const FastToken = element(NS_FAST, 'token', {
  expiry: attr.dateTime('expiry'),
  token: attr.string('token'),
})
export type FastToken = Infer<typeof FastToken>
