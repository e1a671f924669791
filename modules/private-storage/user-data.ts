/** Everything that an account keeps, for import and export of whole accounts; for accounts that nobody is connected to. */
import { mapStore } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import { openStore } from '@rollcall/ports'
import type { StorageBackend } from '@rollcall/ports'
import { fromWire, parseText, serialize } from '@rollcall/xml'
import type { XmlElement } from '@rollcall/xml'

/** By `keyOf`: the element as text. */
export const privateXmlStore = mapStore<string>('private_xml')

export const keyOf = (element: XmlElement) => `{${element.ns}}${element.name}`

export function privateXmlData(storage: StorageBackend) {
  const store = openStore(storage, privateXmlStore)
  return {
    async read(account: Jid): Promise<XmlElement[]> {
      const elements = await store.all(account.toString())
      return [...elements].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, xml]) => parseText(xml, ''))
    },
    async write(account: Jid, elements: readonly XmlElement[]): Promise<void> {
      await Promise.all(elements.map((element) => store.set(account.toString(), keyOf(element), fromWire(serialize(element, '')))))
    },
  }
}
