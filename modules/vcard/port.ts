/** The cards of accounts, for modules that show or change a part of them. */
import { definePort } from '@rollcall/ports'
import type { Account } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { XmlElement } from '@rollcall/xml'

/** What a reader is shown instead of the stored card; undefined: there is none. Rejects with what the reader is answered. */
export type CardReader = (account: Account, reader: Jid, card: XmlElement | undefined) => Promise<XmlElement | undefined>

export interface Vcards {
  /** The `<vCard xmlns='vcard-temp'/>` of an account; undefined when it has none or does not exist. */
  get(account: Jid): Promise<XmlElement | undefined>
  /** Replaces the card; settles when it is stored. `policy-violation` when it is too large. */
  set(account: Jid, card: XmlElement): Promise<void>
  /** Called at each request for a card, in order of registration, each with what its predecessor made of it. */
  onRead(handler: CardReader): void
  /** Called when the owner's new card was stored, before the request is answered; a rejection answers it. */
  onPublished(handler: (account: Account, card: XmlElement) => Promise<void>): void
}
export const Vcards = definePort<Vcards>('vcards')
