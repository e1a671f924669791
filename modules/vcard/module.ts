/** Keeps one card per account as it was published: everybody may read it, its owner alone may write it. */
import { defineModule, keyvalStore, option } from '@rollcall/module-api'
import type { Account } from '@rollcall/module-api'
import type { Keyval } from '@rollcall/ports'
import { NS_VCARD, VcardTemp } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import { fromWire, parseText, serialize } from '@rollcall/xml'
import type { XmlElement } from '@rollcall/xml'
import { Vcards } from './port.ts'
import type { CardReader } from './port.ts'

export default defineModule({
  name: 'vcard',
  summary: 'Keeps a card of personal data per account.',
  implements: [{ xep: 54, version: '1.3.0', status: 'complete' }],
  features: { host: [NS_VCARD], account: [NS_VCARD] },
  costly: [NS_VCARD],
  config: { bytesMax: option.integer(262_144, 1_024, 16_777_216, 'Largest card, in bytes of XML.') },
  stores: { cards: keyvalStore<string>('vcard') },
  provides: [Vcards],
  setup({ config, stores, provide, onIqGet, onIqSet }) {
    const vcards = cardsIn(stores.cards, config.bytesMax)
    const readers: CardReader[] = []
    const published: ((account: Account, card: XmlElement) => Promise<void>)[] = []
    provide(Vcards, { ...vcards, onRead: (handler) => void readers.push(handler), onPublished: (handler) => void published.push(handler) })
    onIqGet(VcardTemp, 'account', async ({ account, from }) => {
      let card = await vcards.get(account.jid)
      for (const reader of readers) card = await reader(account, from, card)
      if (card !== undefined) return card
      // XEP-0054 §3.3: to others, no card and no account are the same; only the owner is told which it is.
      throw new StanzaError(from.bareEquals(account.jid) ? 'item-not-found' : 'service-unavailable')
    })
    onIqSet(VcardTemp, 'self', async ({ account, payload }) => {
      await vcards.set(account.jid, payload)
      for (const handler of published) await handler(account, payload)
    })
  },
})

function cardsIn(cards: Keyval<string>, bytesMax: number): Pick<Vcards, 'get' | 'set'> {
  return {
    async get(account) {
      const xml = await cards.get(account.bare.toString())
      return xml === undefined ? undefined : parseText(xml, '')
    },
    async set(account, card) {
      const wire = serialize(card, '')
      if (wire.length > bytesMax) throw new StanzaError('policy-violation', `A card has at most ${bytesMax} bytes`)
      await cards.set(account.bare.toString(), fromWire(wire))
    },
  }
}
