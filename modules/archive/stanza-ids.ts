/**
 * Ids of log entries: what stanza ids (XEP-0359) and archive ids (XEP-0313 §6.2) of accounts are.
 *
 * Sixteen characters: eight that say when, so that the text order of an account's ids is the order of its log, and eight
 * random ones, so that nobody can guess an id. Two entries of one account never have the same time: the later one is put
 * a millisecond ahead, which also keeps the order when the clock steps back.
 */
import { tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { NS_STANZA_IDS } from '@rollcall/protocol'
import type { Stanza, StanzaChild } from '@rollcall/stanza'

/** Base64url sorted as text sorts. */
const DIGITS = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'
const TIME_DIGITS = 8
const RANDOM_DIGITS = 8

/** An id of that time, ms since the Unix epoch; `random` has at least eight characters. */
export function makeStanzaId(ms: number, random: string): string {
  let time = ''
  let rest = ms
  for (let i = 0; i < TIME_DIGITS; i++) {
    time = (DIGITS[rest % 64] as string) + time
    rest = Math.floor(rest / 64)
  }
  return time + random.slice(0, RANDOM_DIGITS)
}

/** What of an id is not its time: where the message has a stamp, it is from that. */
export function randomHalfOf(id: string): string {
  return id.slice(TIME_DIGITS)
}

/** The random half of the ids that a message with that stamp gets. */
export function randomHalfFrom(stamp: string): string {
  return stamp.slice(0, RANDOM_DIGITS)
}

/** The time in an id. */
export function timeOfStanzaId(id: string): number {
  let ms = 0
  for (let i = 0; i < TIME_DIGITS; i++) ms = ms * 64 + DIGITS.indexOf(id[i] ?? '-')
  return ms
}

/** The message with its id in the account's log. Ids consist of characters that need no escaping. */
export function withStanzaId(message: Stanza, account: Jid, id: string): Stanza {
  return message.withChild('stanza-id', NS_STANZA_IDS, `<stanza-id xmlns='${NS_STANZA_IDS}' by='${account.wire}' id='${id}'/>`)
}

/** The id that the message carries in the account's name. */
export function stanzaIdOf(message: Stanza, account: Jid): string | undefined {
  for (const child of message.children) if (isIdBy(message, child, account)) return message.element(child).attribute('id')
  return undefined
}

/** XEP-0359 §3: without ids that claim to be the account's. The same stanza when there are none. */
export function withoutForgedIds(message: Stanza, account: Jid): Stanza {
  if (message.findNs(NS_STANZA_IDS) === undefined) return message
  return message.withoutChildren((child) => isIdBy(message, child, account))
}

function isIdBy(message: Stanza, child: StanzaChild, account: Jid): boolean {
  if (child.name !== 'stanza-id' || child.ns !== NS_STANZA_IDS) return false
  const by = message.element(child).attribute('by')
  return by !== undefined && tryParseJid(by)?.equals(account) === true
}
