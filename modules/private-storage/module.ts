/**
 * Keeps XML elements for the clients of an account, one per name and namespace; nobody else can read or write them.
 *
 * Changes of one account are made one after the other, because each must see what the account already keeps: otherwise
 * many requests at once would pass the limit together.
 */
import { defineModule, mapStore, option } from '@rollcall/module-api'
import { NS_PRIVATE, PrivateQuery } from '@rollcall/protocol'
import { NS_CLIENT, StanzaError } from '@rollcall/stanza'
import { fromWire, parseText, serialize, toWire, XmlElement } from '@rollcall/xml'
import { Turns } from './turns.ts'

/** Changes of one account that wait for each other. */
const SETS_WAITING_MAX = 100

export default defineModule({
  name: 'private-storage',
  summary: 'Keeps XML of clients, such as old-style bookmarks.',
  implements: [{ xep: 49, version: '1.2', status: 'complete' }],
  features: { host: [NS_PRIVATE], account: [NS_PRIVATE] },
  config: {
    bytesMax: option.integer(1_048_576, 1_024, 67_108_864, 'All elements of one account together, in bytes of XML.'),
    elementsMax: option.integer(200, 1, 10_000, 'Elements of one account.'),
  },
  stores: { elements: mapStore<string>('private_xml') },
  setup({ config, stores: { elements }, onIqGet, onIqSet }) {
    const turns = new Turns(SETS_WAITING_MAX)
    onIqGet(PrivateQuery, 'self', async ({ account, payload }) => {
      const asked = checked(payload)
      const owner = account.jid.toString()
      // XEP-0049 §2.3: one get asks for one namespace.
      if (asked.some((element) => element.ns !== asked[0]?.ns)) throw new StanzaError('bad-request', 'A request is about one namespace')
      const found = await Promise.all(asked.map(async (element) => {
        const xml = await elements.get(owner, keyOf(element))
        return xml === undefined ? new XmlElement(element.name, element.ns) : parseText(xml, '')
      }))
      return PrivateQuery.encode({ payload: found })
    })
    onIqSet(PrivateQuery, 'self', ({ account, payload }) => {
      const changed = new Map(checked(payload).map((element) => [keyOf(element), fromWire(serialize(element, ''))]))
      const owner = account.jid.toString()
      return turns.take(owner, async () => {
        const kept = new Map([...(await elements.all(owner)), ...changed])
        requireRoom([...kept.values()], config)
        await Promise.all([...changed].map(([key, xml]) => elements.set(owner, key, xml)))
      })
    })
  },
})

const keyOf = (element: XmlElement) => `{${element.ns}}${element.name}`

/** The elements of a request. XEP-0049 §2.3 and §3: at least one, and none in a namespace that is spoken for. */
function checked(query: PrivateQuery): readonly XmlElement[] {
  if (query.payload.length === 0) throw new StanzaError('not-acceptable', 'There is no element in the query')
  for (const { ns, name } of query.payload) {
    if (ns === '' || ns === NS_CLIENT || ns === NS_PRIVATE) throw new StanzaError('not-acceptable', `<${name}/> has no namespace of its own`)
    if (isReserved(ns)) throw new StanzaError('not-acceptable', `The namespace ${ns} is reserved`)
  }
  return query.payload
}

function isReserved(ns: string): boolean {
  return ns.startsWith('jabber:') || ns.startsWith('http://jabber.org/') || ns === 'vcard-temp'
}

function requireRoom(texts: readonly string[], limits: { readonly bytesMax: number; readonly elementsMax: number }): void {
  if (texts.length > limits.elementsMax) throw new StanzaError('policy-violation', `An account keeps at most ${limits.elementsMax} elements`)
  const bytes = texts.reduce((sum, xml) => sum + toWire(xml).length, 0)
  if (bytes > limits.bytesMax) throw new StanzaError('policy-violation', `An account keeps at most ${limits.bytesMax} bytes`)
}
