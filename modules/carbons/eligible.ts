/** Which messages are copied: the rules of XEP-0280 §6.1, all of them, as `urn:xmpp:carbons:rules:0` promises. */
import { CarbonsPrivate, CarbonsReceived, CarbonsSent, NoCopy } from '@rollcall/protocol'
import { messageType, NS_CLIENT } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'

const NS_MUC_USER = 'http://jabber.org/protocol/muc#user'
const NS_DIRECT_INVITATION = 'jabber:x:conference'
/** Receipts (XEP-0184), chat states (XEP-0085), markers (XEP-0333). */
const NS_INSTANT_MESSAGING = ['urn:xmpp:receipts', 'http://jabber.org/protocol/chatstates', 'urn:xmpp:chat-markers:0']

/**
 * Whether a message is to be copied by what it is. Not asked about errors: they follow the message that they answer.
 * `isReceived`: it came for the account, instead of being sent by it.
 */
export function isEligible(message: Stanza, isReceived: boolean): boolean {
  const type = messageType(message)
  if (type === 'groupchat' || type === 'error') return false
  // XEP-0334 §4.3: `no-copy` says the same as `private`, and §9 has clients send both.
  if (has(message, CarbonsPrivate) || has(message, NoCopy)) return false
  // A copy of what pretends to be a copy would give it the account's own name, which is what clients trust (§11).
  if (has(message, CarbonsReceived) || has(message, CarbonsSent)) return false
  const room = message.find('x', NS_MUC_USER)
  if (room !== undefined) {
    if (message.element(room).child('invite') !== undefined) return true
    // The room itself sends private messages to every client of the account that is in it.
    if (isReceived && message.from?.isFull === true) return false
    if (!isReceived && message.to?.isFull === true) return true
  }
  return type === 'chat'
    || (type === 'normal' && message.has('body', NS_CLIENT))
    || message.has('x', NS_DIRECT_INVITATION)
    || NS_INSTANT_MESSAGING.some((ns) => message.findNs(ns) !== undefined)
}

function has(message: Stanza, codec: { readonly name: string; readonly ns: string }): boolean {
  return message.has(codec.name, codec.ns)
}
