/**
 * A message as the log keeps it: a tuple, because there are millions of them.
 *
 * The stanza is kept as text, not as a wire string: JSON would write every byte beyond ASCII of a wire string as two.
 */
import { parseJidWire } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { NS_CLIENT, stanzaFromFrame } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { fromWire, scanFragment, toWire } from '@rollcall/xml'

/**
 * Direction (1: the account sent it), the number of the last received message up to this entry, the bytes of all received
 * messages up to this entry, the stanza. Numbers and bytes count since the log began, whatever was deleted since.
 */
export type StoredMessage = readonly [direction: 0 | 1, number: number, end: number, stanza: string]

export const RECEIVED = 0
export const SENT = 1

/** The stanza as text. */
export function textOf(stanza: Stanza): string {
  return fromWire(stanza.toWire())
}

/** The wire string of a stored stanza, relative to `jabber:client`. */
export function wireOf(stored: StoredMessage): string {
  return toWire(stored[3])
}

/** The stanza as it came. */
export function stanzaOf(stored: StoredMessage): Stanza {
  const frame = scanFragment(wireOf(stored), NS_CLIENT)
  return stanzaFromFrame(frame, address(frame.attributeWire('from')), address(frame.attributeWire('to')))
}

function address(wire: string | undefined): Jid | undefined {
  return wire === undefined ? undefined : parseJidWire(wire)
}

/** Bytes of a message as counted against the limit: about what storage takes. */
export function sizeOf(stanza: Stanza): number {
  return stanza.attrs.length + stanza.content.length + (stanza.from?.wire.length ?? 0) + (stanza.to?.wire.length ?? 0)
}
