/** RFC 7395: XMPP over WebSocket - the elements that open and close a stream there (§3.4, §3.6). */
import { attr } from './attr.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'

export const NS_FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing'

const header = {
  to: attr.string('to').optional(),
  from: attr.string('from').optional(),
  id: attr.string('id').optional(),
  version: attr.string('version').optional(),
  lang: attr.string('xml:lang').optional(),
}

/** Opens a stream; addresses stay text, because a bad one is a stream error with a condition of its own. */
export const WsOpen = element(NS_FRAMING, 'open', header)
export type WsOpen = Infer<typeof WsOpen>
export type WsOpenInput = Input<typeof WsOpen>

/** Closes a stream; `seeOtherUri` sends the client elsewhere (RFC 7395 §3.6.1). */
export const WsClose = element(NS_FRAMING, 'close', { ...header, seeOtherUri: attr.string('see-other-uri').optional() })
export type WsClose = Infer<typeof WsClose>
export type WsCloseInput = Input<typeof WsClose>
