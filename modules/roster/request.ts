/**
 * What clients may ask of their roster, and what is wrong with it when something is (RFC 6121 §2.3.3).
 *
 * These codecs are looser than the roster's own: §2.1.5 has the server ignore every `subscription` but `remove`, and
 * attributes that are the server's to set, whatever stands in them.
 */
import { tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { attr, children, childTexts, element, NS_ROSTER } from '@rollcall/protocol'
import type { Infer } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'

const RequestItem = element(NS_ROSTER, 'item', {
  jid: attr.string('jid'),
  name: attr.string('name').optional(),
  subscription: attr.string('subscription').optional(),
  groups: childTexts('group'),
})

/** A roster get or set as a client sends it. */
export const RosterRequest = element(NS_ROSTER, 'query', {
  ver: attr.string('ver').optional(),
  items: children(RequestItem),
})
export type RosterRequest = Infer<typeof RosterRequest>

export interface RosterLimits {
  /** Contacts in a roster; one more is `resource-constraint`. */
  readonly itemsMax: number
  /** Groups of one contact. */
  readonly groupsMax: number
  /** Characters of a contact's name and of a group's. */
  readonly textCharactersMax: number
  /** Subscription requests that wait for an account's answer; further ones are ignored. */
  readonly requestsMax: number
  /** Bytes of a waiting request; a larger one is kept without its content. */
  readonly requestBytesMax: number
}

export interface ContactUpdate {
  readonly contact: Jid
  /** '' for none. */
  readonly name: string
  readonly groups: readonly string[]
  readonly isRemoval: boolean
}

/** Checks a roster set of `owner`. Throws `StanzaError`: bad-request, jid-malformed, not-acceptable, not-allowed. */
export function readUpdate(request: RosterRequest, owner: Jid, limits: RosterLimits): ContactUpdate {
  const [item, ...others] = request.items
  if (item === undefined || others.length > 0) throw new StanzaError('bad-request', 'A roster set has exactly one item')
  const contact = tryParseJid(item.jid.trim())?.bare
  if (contact === undefined) throw new StanzaError('jid-malformed', 'The contact\'s address is not a JID')
  if (contact.equals(owner)) throw new StanzaError('not-allowed', 'Nobody is their own contact')
  if (item.subscription === 'remove') return { contact, name: '', groups: [], isRemoval: true }
  const name = item.name ?? ''
  if (name.length > limits.textCharactersMax) throw new StanzaError('not-acceptable', 'The name is too long')
  checkGroups(item.groups, limits)
  return { contact, name, groups: item.groups, isRemoval: false }
}

function checkGroups(groups: readonly string[], limits: RosterLimits): void {
  if (groups.length > limits.groupsMax) throw new StanzaError('not-acceptable', 'Too many groups')
  for (const group of groups) {
    if (group === '') throw new StanzaError('not-acceptable', 'A group without a name')
    if (group.length > limits.textCharactersMax) throw new StanzaError('not-acceptable', 'The name of a group is too long')
  }
  if (new Set(groups).size < groups.length) throw new StanzaError('bad-request', 'A group is named twice')
}

/** The version that a roster get names: a number, 0 for one that is not ours, undefined when it names none (§2.6.2). */
export function requestedVersion(request: RosterRequest): number | undefined {
  if (request.ver === undefined) return undefined
  return /^[1-9]\d{0,14}$/.test(request.ver) ? Number(request.ver) : 0
}
