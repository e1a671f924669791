/** The card as import and export of whole accounts carry it. */
import { keyvalStore } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import { openStore } from '@rollcall/ports'
import type { StorageBackend } from '@rollcall/ports'
import { fromWire, parseText, serialize } from '@rollcall/xml'
import type { XmlElement } from '@rollcall/xml'

/** The card as text. */
export const cardStore = keyvalStore<string>('vcard')

export function cardData(storage: StorageBackend) {
  const store = openStore(storage, cardStore)
  return {
    async read(account: Jid): Promise<XmlElement[]> {
      const xml = await store.get(account.toString())
      return xml === undefined ? [] : [parseText(xml, '')]
    },
    async write(account: Jid, [card]: readonly XmlElement[]): Promise<void> {
      if (card !== undefined) await store.set(account.toString(), fromWire(serialize(card, '')))
    },
  }
}
