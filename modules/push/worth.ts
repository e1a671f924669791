/**
 * Which messages are worth waking a sleeping device: what a person would want to see now.
 *
 * Judged by content, not by the hints alone: chat markers ask to be stored, too, and nobody wants to be woken by one.
 */
import type { Account } from '@rollcall/module-api'
import { NoStore, NS_DELAY } from '@rollcall/protocol'
import { messageType, NS_CLIENT } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'

const NS_ENCRYPTION = 'urn:xmpp:eme:0'
/** OMEMO (XEP-0384), today's and the one before, and OpenPGP for XMPP (XEP-0373): often without a body. */
const NS_ENCRYPTED = ['urn:xmpp:omemo:2', 'eu.siacs.conversations.axolotl', 'urn:xmpp:openpgp:0']
const NS_CALL = 'urn:xmpp:jingle-message:0'
const NS_CORRECTION = 'urn:xmpp:message-correct:0'
const NS_INVITATION = 'jabber:x:conference'

/** Whether a message for the account is worth a notification. */
export function isWorthTelling(account: Account, message: Stanza): boolean {
  const type = messageType(message)
  if (type === 'error' || type === 'headline') return false
  // XEP-0334 §4.2: meant for those who are there now.
  if (message.has(NoStore.name, NoStore.ns) && !isCall(message)) return false
  // What another client of the same person sent is no news.
  if (message.from?.bareEquals(account.jid) === true) return false
  // History that a room shows to those who enter, and corrections of what was told already.
  if ((type === 'groupchat' && message.findNs(NS_DELAY) !== undefined) || message.findNs(NS_CORRECTION) !== undefined) return false
  return isCall(message) || message.findNs(NS_INVITATION) !== undefined || isEncrypted(message) || message.has('body', NS_CLIENT)
}

/** A ringing call waits for nothing (XEP-0353 §3.1). */
export function isCall(message: Stanza): boolean {
  return message.has('propose', NS_CALL)
}

/** Whether a message that was given to a session before, and came back, is on its way again. */
export function isRedelivered(account: Account, message: Stanza): boolean {
  if (message.findNs(NS_DELAY) === undefined) return false
  const host = account.jid.domainpart
  // Only the server itself can have set this stamp: the delay module takes forged ones off.
  return message.children.some((child) =>
    child.name === 'delay' && child.ns === NS_DELAY && message.element(child).attribute('from') === host)
}

/** The text that people would read, cut after `charactersMax`; '' when there is none, or only a stand-in for what is encrypted. */
export function excerptOf(message: Stanza, charactersMax: number): string {
  const body = message.find('body', NS_CLIENT)
  if (body === undefined || isEncrypted(message)) return ''
  const text = message.element(body).text().trim()
  const parts = new Intl.Segmenter().segment(text)
  let excerpt = ''
  let characters = 0
  for (const { segment } of parts) {
    if (++characters > charactersMax) return `${excerpt}…`
    excerpt += segment
  }
  return excerpt
}

function isEncrypted(message: Stanza): boolean {
  return message.findNs(NS_ENCRYPTION) !== undefined || NS_ENCRYPTED.some((ns) => message.findNs(ns) !== undefined)
}
