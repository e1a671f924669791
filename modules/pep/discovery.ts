/** What service discovery tells about the nodes of an account (XEP-0060 §5.2 to §5.5): only those that the asker may read. */
import { FORM_NODE_METADATA, formatDateTime, NS_PUBSUB } from '@rollcall/protocol'
import type { DataForm, DiscoItem } from '@rollcall/protocol'
import { DataForm as Form } from '@rollcall/protocol'
import type { DiscoNode, DiscoQuery } from '../disco/port.ts'
import type { AccountNodes } from './account-nodes.ts'
import { readRefusal } from './pubsub/access.ts'
import { publicFields } from './pubsub/config.ts'
import type { PubsubNode } from './pubsub/node.ts'
import type { PepService } from './service.ts'

type StateOf = (account: NonNullable<DiscoQuery['account']>) => AccountNodes

export async function discoItems(stateOf: StateOf, service: PepService, { account, from, to }: DiscoQuery): Promise<DiscoItem[]> {
  if (account === undefined) return []
  const nodes = [...(await stateOf(account).load()).values()]
  return nodes.filter((node) => readRefusal(node.config, service.requester(account, node, from)) === undefined)
    .map(({ name: node, config: { title } }) => (title === '' ? { jid: to, node } : { jid: to, node, name: title }))
}

export async function discoNode(stateOf: StateOf, service: PepService, name: string, { account, from, to }: DiscoQuery): Promise<DiscoNode | undefined> {
  if (account === undefined) return undefined
  const state = stateOf(account)
  const node = (await state.load()).get(name)
  if (node === undefined) return undefined
  service.requireReadable(account, node, from)
  await state.loadItems()
  return {
    info: () => ({
      identities: [{ category: 'pubsub', type: 'leaf' }], features: [{ var: NS_PUBSUB }], forms: [metadata(node, account.jid.toString())],
    }),
    items: () => [...node.items.values()].map((item) => ({ jid: to, name: item.id })),
  }
}

function metadata(node: PubsubNode, owner: string): DataForm {
  const field = (name: string, type: 'jid-single' | 'jid-multi' | 'text-single', value: string) => ({ var: name, type, values: [value] })
  return Form.decode(Form.encode({
    type: 'result',
    fields: [
      { var: 'FORM_TYPE', type: 'hidden', values: [FORM_NODE_METADATA] },
      ...publicFields(node.config),
      field('pubsub#creator', 'jid-single', owner), field('pubsub#owner', 'jid-multi', owner),
      field('pubsub#creation_date', 'text-single', formatDateTime(node.createdAt)),
    ],
  }))
}
