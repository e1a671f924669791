/** Keeps one card per account as it was published: everybody may read it, its owner alone may write it. */
import { defineModule, keyvalStore, option } from '@rollcall/module-api'
import type { AccountIqRequest } from '@rollcall/module-api'
import type { Keyval } from '@rollcall/ports'
import { NS_VCARD, VcardTemp } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import { fromWire, parseText, serialize } from '@rollcall/xml'
import type { XmlElement } from '@rollcall/xml'
import { Vcards } from './port.ts'

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
    const vcards = vcardsOf(stores.cards, config.bytesMax)
    provide(Vcards, vcards)
    onIqGet(VcardTemp, 'account', (request) => read(vcards, request))
    onIqSet(VcardTemp, 'self', ({ account, payload }) => vcards.set(account.jid, payload))
  },
})

function vcardsOf(cards: Keyval<string>, bytesMax: number): Vcards {
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

async function read(vcards: Vcards, { account, from }: AccountIqRequest<XmlElement>): Promise<XmlElement> {
  const card = await vcards.get(account.jid)
  if (card !== undefined) return card
  // XEP-0054 §3.3: to others, no card and no account are the same; only the owner is told which it is.
  throw new StanzaError(from.bareEquals(account.jid) ? 'item-not-found' : 'service-unavailable')
}
