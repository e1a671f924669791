/**
 * What a client whose user does not look need not get now (XEP-0352 §3.2). Judged by the wire string, because what is
 * sent to one session may be shared by many; it is parsed only for clients that are inactive.
 */
import { NS_CLIENT } from '@rollcall/stanza'
import type { XmlElement } from '@rollcall/xml'
import { parseElement } from '@rollcall/xml'

/**
 * - `important`: now, after everything that was kept.
 * - `late`: kept, in order.
 * - `never`: nobody will miss it.
 * - another text: kept, and a newer one of the same text takes its place.
 */
export type Importance = 'important' | 'late' | 'never' | `latest ${string}`

const NS_CHAT_STATES = 'http://jabber.org/protocol/chatstates'
const NS_EVENT = 'http://jabber.org/protocol/pubsub#event'
const NS_CARBONS = 'urn:xmpp:carbons:2'
const NS_FORWARD = 'urn:xmpp:forward:0'
/** What accompanies a chat state without making it worth more. */
const companions: ReadonlySet<string> = new Set([
  'urn:xmpp:hints', 'urn:xmpp:sid:0', 'urn:xmpp:delay', 'urn:xmpp:carbons:2', 'http://jabber.org/protocol/nick',
])

/** How much a stanza (a wire string) matters to somebody who does not look. What cannot be read is important. */
export function importanceOf(wire: string): Importance {
  if (wire.startsWith('<presence')) return ofPresence(wire)
  if (!wire.startsWith('<message')) return 'important'
  // Most messages have a body; looking for it costs less than parsing.
  if (wire.includes('<body') && !wire.includes(NS_EVENT)) return 'important'
  return ofMessage(parseElement(wire, NS_CLIENT))
}

/** Directed presence, as rooms send it: every one tells something, so none replaces another. */
function ofPresence(wire: string): Importance {
  const type = parseElement(wire, NS_CLIENT).attribute('type')
  return type === undefined || type === 'unavailable' ? 'late' : 'important'
}

function ofMessage(message: XmlElement): Importance {
  if (message.attribute('type') === 'error') return 'important'
  const event = message.child('event', NS_EVENT)
  if (event !== undefined) return ofEvent(message, event)
  const carbon = message.elements().find(({ ns }) => ns === NS_CARBONS)
  const copy = carbon?.child('forwarded', NS_FORWARD)?.child('message', NS_CLIENT)
  if (copy !== undefined) return isChatStateOnly(copy) ? 'never' : 'important'
  return isChatStateOnly(message) ? 'never' : 'important'
}

/** Of a node that holds one thing at a time (an avatar, a tune) only the newest matters; a notice with a body is a message. */
function ofEvent(message: XmlElement, event: XmlElement): Importance {
  if (message.child('body', NS_CLIENT) !== undefined) return 'important'
  const [what] = event.elements()
  const node = what?.attribute('node')
  if (what?.name !== 'items' || node === undefined || what.elements().some(({ name }) => name !== 'item')) return 'late'
  const ids = what.elements().map((item) => item.attribute('id') ?? '')
  return `latest ${JSON.stringify([message.attribute('from') ?? '', node, ...ids])}`
}

function isChatStateOnly(message: XmlElement): boolean {
  let hasState = false
  for (const { name, ns } of message.elements()) {
    if (ns === NS_CHAT_STATES) hasState = true
    else if (!companions.has(ns) && !(ns === NS_CLIENT && name === 'thread')) return false
  }
  return hasState
}
