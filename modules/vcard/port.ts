/** The cards of accounts, for modules that show or change a part of them. */
import { definePort } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import type { XmlElement } from '@rollcall/xml'

export interface Vcards {
  /** The `<vCard xmlns='vcard-temp'/>` of an account; undefined when it has none or does not exist. */
  get(account: Jid): Promise<XmlElement | undefined>
  /** Replaces the card; settles when it is stored. `policy-violation` when it is too large. */
  set(account: Jid, card: XmlElement): Promise<void>
}
export const Vcards = definePort<Vcards>('vcards')
