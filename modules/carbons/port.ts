/** What carbons offer to other modules. */
import type { Session } from '@rollcall/module-api'
import { definePort } from '@rollcall/ports'
import type { Stanza } from '@rollcall/stanza'

export type Direction = 'sent' | 'received'

export interface Carbons {
  /** The copy of a message that its account sent or received, for one session; undefined when that gets none. */
  copyFor(session: Session, message: Stanza, direction: Direction): Stanza | undefined
}
export const Carbons = definePort<Carbons>('carbons')
