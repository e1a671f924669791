/** What message archives offer to other modules. */
import { definePort } from '@rollcall/ports'
import type { Account } from '@rollcall/module-api'
import type { XmlElement } from '@rollcall/xml'

export interface MessageArchive {
  /** The `<metadata/>` of the account's archive (XEP-0313 §5), for binding (XEP-0386 §5). Rejects with `StanzaError`. */
  metadata(account: Account): Promise<XmlElement>
}
export const MessageArchive = definePort<MessageArchive>('messageArchive')
