/** What everybody may ask of an account's nodes (XEP-0060 §5 to §7, §8.1), from the element to the answer. */
import type { AccountIqRequest, IqReply } from '@rollcall/module-api'
import { tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { FORM_PUBLISH_OPTIONS, formTypeOf, FORM_NODE_CONFIG, NS_PUBSUB, Pubsub, ResultSet } from '@rollcall/protocol'
import type { DataForm, PubsubItem, PubsubPublish } from '@rollcall/protocol'
import { Stanza, StanzaError } from '@rollcall/stanza'
import { escapeAttribute, serialize } from '@rollcall/xml'
import type { AccountNodes } from './account-nodes.ts'
import { readRefusal } from './pubsub/access.ts'
import { pubsubError, unsupported } from './pubsub/errors.ts'
import { itemWire } from './pubsub/events.ts'
import { isExpired } from './pubsub/node.ts'
import type { Item, ItemRef, PubsubNode } from './pubsub/node.ts'
import { pageOf } from './pubsub/page.ts'
import type { PepRepository } from './repository.ts'
import type { PepService, Publication } from './service.ts'

type Request = AccountIqRequest<Pubsub>
type Nodes = ReadonlyMap<string, PubsubNode>

export interface RequestPorts {
  readonly service: PepService
  readonly repository: PepRepository
  readonly now: () => number
  /** Payload bytes of one answer. */
  readonly answerBytesMax: number
  readonly stateOf: (account: Request['account']) => AccountNodes
}

/** No namespace has this name, so that every payload declares its own. */
const NOWHERE = ' '

export class PepRequests {
  readonly #ports: RequestPorts

  constructor(ports: RequestPorts) {
    this.#ports = ports
  }

  set(request: Request): Promise<IqReply> {
    const { payload } = request
    if (payload.publish !== undefined) return this.#publish(request, payload.publish)
    if (payload.retract !== undefined) return this.#retract(request)
    if (payload.create !== undefined) return this.#create(request, payload.create.node ?? '')
    if (payload.subscribe !== undefined) return this.#subscribe(request)
    if (payload.unsubscribe !== undefined) return this.#unsubscribe(request)
    if (payload.options !== undefined) throw unsupported('subscription-options')
    throw new StanzaError('bad-request', 'Nothing that can be done is asked for')
  }

  get(request: Request): Promise<IqReply> {
    const { payload } = request
    if (payload.items !== undefined) return this.#items(request)
    if (payload.subscriptions !== undefined) return this.#subscriptions(request)
    if (payload.affiliations !== undefined) return this.#affiliations(request)
    if (payload.options !== undefined) throw unsupported('subscription-options')
    if (payload.default !== undefined) throw unsupported('retrieve-default-sub')
    throw new StanzaError('bad-request', 'Nothing that can be told is asked for')
  }

  async #publish({ account, from, payload }: Request, publish: PubsubPublish): Promise<IqReply> {
    const node = requiredNode(publish.node)
    // §7.1.1: one item at most.
    if (publish.items.length > 1) throw new StanzaError('bad-request', 'Items are published one by one')
    const options = payload.publishOptions?.form
    if (payload.publishOptions !== undefined) requireForm(options, FORM_PUBLISH_OPTIONS)
    const id = await this.#ports.service.publish(account, from, publicationOf(node, publish.items[0], options))
    return Pubsub.encode({ publish: { node, items: id === undefined ? [] : [{ id }] } })
  }

  async #retract({ account, from, payload: { retract } }: Request): Promise<IqReply> {
    const node = requiredNode(retract?.node)
    const id = retract?.items[0]?.id ?? ''
    if (id === '') throw pubsubError('bad-request', 'item-required')
    if (retract !== undefined && retract.items.length > 1) throw new StanzaError('bad-request', 'Items are deleted one by one')
    await this.#ports.service.retract(account, from, node, id, retract?.notify ?? false)
  }

  async #create({ account, from, payload }: Request, asked: string): Promise<IqReply> {
    const form = payload.configure?.form
    if (form !== undefined) requireForm(form, FORM_NODE_CONFIG)
    const node = await this.#ports.service.create(account, from, asked, form)
    return Pubsub.encode({ create: { node } })
  }

  async #subscribe({ account, from, payload: { subscribe, options } }: Request): Promise<IqReply> {
    const node = requiredNode(subscribe?.node)
    const jid = tryParseJid(subscribe?.jid ?? '')
    if (jid === undefined || !jid.bareEquals(from)) throw pubsubError('bad-request', 'invalid-jid')
    if (options?.form !== undefined) throw unsupported('subscription-options')
    await this.#ports.service.subscribe(account, from, node, jid)
    return Pubsub.encode({ subscription: { node, jid, state: 'subscribed' } })
  }

  async #unsubscribe({ account, from, payload: { unsubscribe } }: Request): Promise<IqReply> {
    const node = requiredNode(unsubscribe?.node)
    const jid = tryParseJid(unsubscribe?.jid ?? '')
    if (jid === undefined) throw pubsubError('bad-request', 'invalid-jid')
    if (!jid.bareEquals(from)) throw new StanzaError('forbidden')
    await this.#ports.service.unsubscribe(account, from, node, jid)
  }

  async #items(request: Request): Promise<IqReply> {
    const { account, from, stanza, payload } = request
    const asked = payload.items
    const { service } = this.#ports
    const state = this.#ports.stateOf(account)
    const name = requiredNode(asked?.node)
    const node = service.required(account, await state.load(), from, name)
    service.requireReadable(account, node, from)
    if (asked === undefined) throw new StanzaError('bad-request')
    if (!node.config.persistItems) return itemsReply(stanza, name, [lastOf(node)], undefined)
    await state.loadItems()
    const refs = [...node.items.values()].filter((ref) => !isExpired(ref, node.config, this.#ports.now()))
    const page = pageOf(refs, asked, payload.page, this.#ports.answerBytesMax)
    const items = await this.#payloads(state, node, page.items)
    return itemsReply(stanza, name, items, page.position === undefined ? undefined : serialize(ResultSet.encode(page.position), NS_PUBSUB))
  }

  /** The last item is in memory, where it is what is asked for most. */
  #payloads(state: AccountNodes, node: PubsubNode, refs: readonly ItemRef[]): Promise<Item[]> | Item[] {
    const { last } = node
    if (last && refs.length === 1 && refs[0]?.id === last.id) return [last]
    return this.#ports.repository.items(state.owner, refs)
  }

  async #subscriptions({ account, from, payload: { subscriptions } }: Request): Promise<IqReply> {
    const nodes = await this.#nodesFor(account, from, subscriptions?.node)
    const list = nodes.flatMap((node) => node.subscriptionsOf(from).map((jid) => ({ node: node.name, jid, state: 'subscribed' as const })))
    return Pubsub.encode({ subscriptions: { ...(subscriptions?.node !== undefined && { node: subscriptions.node }), list } })
  }

  async #affiliations({ account, from, payload: { affiliations } }: Request): Promise<IqReply> {
    const nodes = await this.#nodesFor(account, from, affiliations?.node)
    const list = nodes.map((node) => ({ node: node.name, affiliation: this.#ports.service.requester(account, node, from).affiliation }))
    return Pubsub.encode({
      affiliations: { ...(affiliations?.node !== undefined && { node: affiliations.node }), list: list.filter(({ affiliation }) => affiliation !== 'none') },
    })
  }

  /** The nodes that a list is about. Strangers who have nothing to do with any of them are told what nobody is told. */
  async #nodesFor(account: Request['account'], from: Jid, name: string | undefined): Promise<PubsubNode[]> {
    const nodes: Nodes = await this.#ports.stateOf(account).load()
    const { service } = this.#ports
    const chosen = name === undefined ? [...nodes.values()] : [service.required(account, nodes, from, name)]
    const isKnown = chosen.some((node) => {
      const requester = service.requester(account, node, from)
      return requester.affiliation !== 'none' || requester.isSubscribed || readRefusal(node.config, requester) === undefined
    })
    const refusal = service.missing(account, from)
    if (!isKnown && refusal.condition === 'service-unavailable') throw refusal
    return chosen
  }
}

/** The name of the node, which must be there (§7.2.3.3 and the like). */
export function requiredNode(name: string | undefined): string {
  if (name === undefined || name === '') throw pubsubError('bad-request', 'nodeid-required')
  return name
}

/** A submitted form, which must be of that kind. */
export function requireForm(form: DataForm | undefined, formType: string): DataForm {
  if (form === undefined || form.type !== 'submit') throw new StanzaError('bad-request', 'There is no submitted form')
  const declared = formTypeOf(form)
  if (declared !== undefined && declared !== formType) throw new StanzaError('bad-request', `The form is not of type ${formType}`)
  return form
}

function publicationOf(node: string, item: PubsubItem | undefined, options: DataForm | undefined): Publication {
  if (item !== undefined && item.payload.length > 1) throw pubsubError('bad-request', 'invalid-payload')
  const element = item?.payload[0]
  const payload = element === undefined ? undefined : { wire: serialize(element, NOWHERE), ns: element.ns }
  return { node, itemId: item?.id ?? '', payload, hasItem: item !== undefined, options }
}

function lastOf(node: PubsubNode): Item {
  // §6.5.9.4: what is not kept can be told only while it is remembered.
  if (!node.last) throw unsupported('persistent-items')
  return node.last
}

function itemsReply(request: Stanza, node: string, items: readonly Item[], set = ''): Stanza {
  const content = items.map((item) => itemWire(item)).join('')
  const wire = `<pubsub xmlns='${NS_PUBSUB}'><items node='${escapeAttribute(node)}'${content === '' ? '/>' : `>${content}</items>`}${set}</pubsub>`
  const id = request.id === '' ? '' : ` id='${escapeAttribute(request.id)}'`
  const child = { name: 'pubsub', ns: NS_PUBSUB, start: 0, end: wire.length }
  return new Stanza('iq', request.to, request.from, 'result', request.id, ` type='result'${id}`, wire, [child])
}
