/**
 * Presence of one resource as wire pieces around the recipient's address: serialised once, however many are told.
 */
import type { Jid } from '@rollcall/jid'
import type { Stanza } from '@rollcall/stanza'

/** What stands before the address; `from` must be set. */
export function headOf(stanza: Stanza): string {
  return `<presence from='${(stanza.from as Jid).wire}' to='`
}

/** What stands after the address. */
export function tailOf(stanza: Stanza): string {
  return `'${stanza.tail}`
}
