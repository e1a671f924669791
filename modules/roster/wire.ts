/**
 * Rosters as wire strings. Built by concatenation, not by codec: every login asks for a whole roster, and thousands of
 * logins come at once after a restart. The tests read the result with the codec of RFC 6121.
 */
import type { Jid } from '@rollcall/jid'
import { NS_ROSTER } from '@rollcall/protocol'
import { Stanza } from '@rollcall/stanza'
import { escapeAttribute, escapeText } from '@rollcall/xml'
import type { AccountRoster } from './account-roster.ts'
import type { RosterItem } from './roster-item.ts'

/** One `<item/>` (RFC 6121 §2.1.2). */
export function itemWire(item: RosterItem): string {
  let wire = `<item jid='${item.jid.wire}' subscription='${item.subscription}'`
  if (item.isPendingOut) wire += ` ask='subscribe'`
  if (item.isApproved) wire += ` approved='true'`
  if (item.name !== '') wire += ` name='${escapeAttribute(item.name)}'`
  if (item.groups.length === 0) return `${wire}/>`
  wire += '>'
  for (const group of item.groups) wire += `<group>${escapeText(group)}</group>`
  return `${wire}</item>`
}

/** The `<item/>` of a push that removes a contact (§2.5.2). */
export function removalWire(contact: Jid): string {
  return `<item jid='${contact.wire}' subscription='remove'/>`
}

/** The whole roster as the answer to a get (§2.1.4). */
export function rosterResult(request: Stanza, roster: AccountRoster): Stanza {
  let content = `<query xmlns='${NS_ROSTER}' ver='${roster.version}'>`
  for (const item of roster.items) if (item.isListed) content += itemWire(item)
  content += '</query>'
  const attrs = ` type='result' id='${escapeAttribute(request.id)}'`
  const child = { name: 'query', ns: NS_ROSTER, start: 0, end: content.length }
  return new Stanza('iq', request.to, request.from, 'result', request.id, attrs, content, [child])
}

/**
 * A roster push but for the address of the resource, which stands between the two parts (§2.1.6). Without `from`: clients
 * take it as from their own account. The version makes the id unique.
 */
export function pushParts(item: string, version: number): readonly [string, string] {
  const query = `<query xmlns='${NS_ROSTER}' ver='${version}'>${item}</query>`
  return [`<iq to='`, `' type='set' id='push-${version}'>${query}</iq>`]
}
