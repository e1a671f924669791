/**
 * Service discovery: what hosts and accounts are, support and contain.
 *
 * An account is described only to those who may see its presence, its owner among them. Everybody else gets the very
 * answer that RFC 6121 §8.5.1 gives for an account that does not exist, so that asking finds out nothing.
 */
import { defineModule, ServerInfo } from '@rollcall/module-api'
import type { AccountIqRequest } from '@rollcall/module-api'
import { jidOf } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { DiscoInfo, DiscoItems, NS_DATA_FORM, NS_DISCO_INFO, NS_DISCO_ITEMS } from '@rollcall/protocol'
import type { DiscoItem } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { XmlElement } from '@rollcall/xml'
import { Roster } from '../roster/port.ts'
import { Disco } from './port.ts'
import type { DiscoQuery, DiscoScope } from './port.ts'
import { DiscoRegistry } from './registry.ts'

export default defineModule({
  name: 'disco',
  summary: 'Tells what hosts and accounts are, support and contain.',
  implements: [
    {
      xep: 30, version: '2.5.0', status: 'complete',
      note: 'disco#items of an account that the asker may not see is refused as RFC 6121 §8.5.1 demands, not answered with an empty list',
    },
    { xep: 128, version: '1.0.1', status: 'complete' },
  ],
  features: { host: [NS_DISCO_INFO, NS_DISCO_ITEMS, NS_DATA_FORM], account: [NS_DISCO_INFO, NS_DISCO_ITEMS] },
  // What a client asks about every item of a host it then asks about each of them.
  costly: [NS_DISCO_ITEMS],
  needs: { server: ServerInfo, roster: Roster },
  provides: [Disco],
  setup({ ports: { server, roster }, provide, onIqGet }) {
    const registry = new DiscoRegistry(server)
    registry.addIdentity('host', { category: 'server', type: 'im', name: server.software })
    registry.addItems('host', ({ to }) => componentItems(server, to))
    registry.addIdentity('account', { category: 'account', type: 'registered' })
    registry.addItems('account', ({ account }) => [...(account?.availableSessions() ?? [])].map((session) => ({ jid: session.jid })))
    provide(Disco, registry)

    onIqGet(DiscoInfo, 'host', ({ payload, from, to }) => infoReply(registry, 'host', payload.node, { from, to, account: undefined }))
    onIqGet(DiscoItems, 'host', ({ payload, from, to }) => itemsReply(registry, 'host', payload.node, { from, to, account: undefined }))
    onIqGet(DiscoInfo, 'account', async (request) => {
      await requireSight(roster, request)
      return infoReply(registry, 'account', request.payload.node, request)
    })
    onIqGet(DiscoItems, 'account', async (request) => {
      await requireSight(roster, request)
      return itemsReply(registry, 'account', request.payload.node, request)
    })
  },
})

/** XEP-0030 §8: who may not see the presence learns not even that the account exists. */
async function requireSight(roster: Roster, { account, from }: AccountIqRequest<unknown>): Promise<void> {
  if (!(await roster.maySeePresence(account.jid, from.bare))) throw new StanzaError('service-unavailable')
}

async function infoReply(registry: DiscoRegistry, scope: DiscoScope, node: string | undefined, query: DiscoQuery): Promise<XmlElement> {
  if (node === undefined) return DiscoInfo.encode(registry.info(scope, query.to))
  return DiscoInfo.encode({ ...(await requireNode(registry, scope, node, query)).info(), node })
}

async function itemsReply(registry: DiscoRegistry, scope: DiscoScope, node: string | undefined, query: DiscoQuery): Promise<XmlElement> {
  if (node === undefined) return DiscoItems.encode({ items: await registry.items(scope, query) })
  return DiscoItems.encode({ node, items: (await requireNode(registry, scope, node, query)).items() })
}

async function requireNode(registry: DiscoRegistry, scope: DiscoScope, node: string, query: DiscoQuery) {
  const found = await registry.node(scope, node, query)
  if (found === undefined) throw new StanzaError('item-not-found')
  return found
}

/** A component belongs to the host whose subdomain it is; one that is nobody's subdomain is shown by every host. */
function componentItems(server: ServerInfo, host: Jid): DiscoItem[] {
  const isBelow = (domain: string, parent: string) => domain.endsWith(`.${parent}`)
  return server.components()
    .filter((domain) => isBelow(domain, host.domainpart) || !server.hosts.some((other) => isBelow(domain, other)))
    .sort()
    .map((domain) => ({ jid: jidOf('', domain) }))
}
