/** The port of personal eventing: other modules publish and read as the account itself. */
import type { Account } from '@rollcall/module-api'
import { parseElement, serialize } from '@rollcall/xml'
import type { AccountNodes } from './account-nodes.ts'
import type { Pep, PublishedHandler } from './port.ts'
import { readRefusal } from './pubsub/access.ts'
import type { PepRepository } from './repository.ts'
import type { PepService } from './service.ts'

/** No namespace has this name, so that every payload declares its own. */
const NOWHERE = ' '

export function pepPort(
  service: PepService, repository: PepRepository, stateOf: (account: Account) => AccountNodes, handlers: Map<string, PublishedHandler[]>,
): Pep {
  return {
    async publish(account, node, itemId, payload, options) {
      const wire = { wire: serialize(payload, NOWHERE), ns: payload.ns }
      await service.publish(account, account.jid, { node, itemId, payload: wire, hasItem: true, options })
    },
    async item(account, node, itemId) {
      const state = stateOf(account)
      const found = (await state.load()).get(node)
      if (found === undefined) return undefined
      await state.loadItems()
      const ref = found.items.get(itemId)
      const [item] = ref === undefined ? [] : await repository.items(state.owner, [ref])
      return item === undefined ? undefined : { id: item.id, payload: item.payload === '' ? undefined : parseElement(item.payload, '') }
    },
    async mayRead(account, node, reader) {
      const found = (await stateOf(account).load()).get(node)
      return found !== undefined && readRefusal(found.config, service.requester(account, found, reader)) === undefined
    },
    onPublished(node, handler) {
      handlers.set(node, [...handlers.get(node) ?? [], handler])
    },
  }
}
