/**
 * Block lists (XEP-0191): nothing passes between an account and the addresses that it has blocked, and to them it looks
 * as if it were never there. Subscriptions stay as they are ("polite blocking", §4).
 */
import { defineModule, dropped, inbound, keyvalStore, option, outbound, storedIn } from '@rollcall/module-api'
import type { Account } from '@rollcall/module-api'
import { Random } from '@rollcall/ports'
import { attr, Blocklist, children, element, extensions, NS_BLOCKING } from '@rollcall/protocol'
import { tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { StanzaError } from '@rollcall/stanza'
import { Presence } from '../presence/port.ts'
import { Roster } from '../roster/port.ts'
import { BlockList } from './block-list.ts'
import { AccountBlocks, BlockingService } from './blocking-service.ts'
import { Blocking } from './port.ts'
import type { BlockedItem } from './port.ts'

// Looser than the declared elements, so that an address that is none gets the error that says so.
const item = element(NS_BLOCKING, 'item', { jid: attr.string('jid') })
const blockItem = element(NS_BLOCKING, 'item', { jid: attr.string('jid'), extensions: extensions() })
const BlockRequest = element(NS_BLOCKING, 'block', { items: children(blockItem) })
const UnblockRequest = element(NS_BLOCKING, 'unblock', { items: children(item) })

const blockLists = keyvalStore<readonly string[]>('block_list')

export default defineModule({
  name: 'blocking',
  summary: 'Lets people block addresses.',
  implements: [{ xep: 191, version: '1.3', status: 'complete' }],
  features: { host: [NS_BLOCKING], account: [NS_BLOCKING] },
  config: { itemsMax: option.integer(1000, 1, 100_000, 'Addresses on one block list.') },
  stores: { lists: blockLists },
  needs: { presence: Presence, roster: Roster, random: Random },
  provides: [Blocking],
  setup({ config, stores: { lists }, ports, accountSlot, sessionSlot, provide, on, onIqGet, onIqSet }) {
    const slot = accountSlot<AccountBlocks>({
      slotName: 'blocking',
      version: 1,
      ...storedIn(blockLists, (texts = []) => new AccountBlocks(BlockList.fromTexts(texts))),
      exportState: (blocks) => blocks.list.texts,
      importState: (json) => new AccountBlocks(BlockList.fromTexts(json as readonly string[])),
    })
    const askedSlot = sessionSlot<true>({ slotName: 'blocking-asked', version: 1, exportState: () => true, importState: () => true })
    const service = new BlockingService({
      ...ports, store: lists, askedSlot, blocksOf: (account) => account.get(slot), itemsMax: config.itemsMax,
    })
    const handlers: ((account: Account, item: BlockedItem) => void)[] = []
    provide(Blocking, {
      isBlocked: (account, jid) => service.isBlocked(account, jid),
      list: (account) => account.get(slot).list.jids,
      onBlocked: (handler) => { handlers.push(handler) },
    })
    ports.presence.addVeto((account, contact) => service.isBlocked(account, contact))
    on(inbound, 'early', ({ account, stanza }) => (service.refuses(account, stanza) ? dropped : undefined), {
      concerns: (account) => !account.get(slot).list.isEmpty,
    })
    on(outbound, 'early', ({ session, stanza }) => service.checkOutbound(session.account, stanza))
    onIqGet(Blocklist, 'self', ({ session }) => Blocklist.encode({ items: service.list(session).map((jid) => ({ jid })) }))
    onIqSet(BlockRequest, 'self', async ({ account, payload }) => {
      const jids = addresses(payload.items)
      await service.block(account, jids)
      payload.items.forEach(({ extensions: said }, i) => {
        for (const handler of handlers) handler(account, { jid: jids[i] as Jid, extensions: said })
      })
    })
    onIqSet(UnblockRequest, 'self', ({ account, payload }) => service.unblock(account, addresses(payload.items)))
  },
})

function addresses(items: readonly { readonly jid: string }[]): Jid[] {
  return items.map(({ jid }) => {
    const parsed = tryParseJid(jid.trim())
    if (parsed === undefined) throw new StanzaError('jid-malformed', `'${jid}' is not an address`)
    return parsed
  })
}
