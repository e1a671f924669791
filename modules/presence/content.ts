/** The little that the server reads in presence: its priority, and whether two say the same. */
import { NS_CLIENT, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'

const PLAIN_PRIORITY = /^<priority>([+-]?\d{1,3})<\/priority>$/
const PRIORITY = /^[+-]?\d{1,3}$/
const ID = / id=(?:'[^']*'|"[^"]*")/

/** RFC 6121 §4.7.2.3: from -128 to 127, 0 when absent. Throws `bad-request` for anything else. */
export function readPriority(stanza: Stanza): number {
  const child = stanza.find('priority', NS_CLIENT)
  if (child === undefined) return 0
  for (const other of stanza.children) {
    if (other !== child && other.name === 'priority' && other.ns === NS_CLIENT) throw new StanzaError('bad-request', 'More than one priority')
  }
  const text = PLAIN_PRIORITY.exec(stanza.childWire(child))?.[1] ?? stanza.element(child).text().trim()
  const priority = PRIORITY.test(text) ? Number(text) : Number.NaN
  if (!(priority >= -128 && priority <= 127)) throw new StanzaError('bad-request', 'A priority is a whole number from -128 to 127')
  return priority + 0
}

/** Whether both tell a contact the same; the `id` tells nothing. */
export function isSamePresence(one: Stanza, other: Stanza): boolean {
  if (one.content !== other.content || one.type !== other.type) return false
  return one.attrs === other.attrs || one.attrs.replace(ID, '') === other.attrs.replace(ID, '')
}
