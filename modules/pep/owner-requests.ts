/** What only the owner may ask (XEP-0060 §8.2 to §8.9), from the element to the answer. */
import type { AccountIqRequest, IqReply } from '@rollcall/module-api'
import { parseJid } from '@rollcall/jid'
import { FORM_NODE_CONFIG, PubsubOwner } from '@rollcall/protocol'
import type { NodeAffiliations, NodeSubscriptions, PubsubOwnerInput } from '@rollcall/protocol'
import { errorElement, NS_CLIENT, Stanza, StanzaError } from '@rollcall/stanza'
import { escapeAttribute, serialize } from '@rollcall/xml'
import type { AccountNodes } from './account-nodes.ts'
import { configForm, pepDefaults } from './pubsub/config.ts'
import type { PubsubNode } from './pubsub/node.ts'
import { requiredNode, requireForm } from './requests.ts'
import type { PepService } from './service.ts'

type Request = AccountIqRequest<PubsubOwner>

export class PepOwnerRequests {
  readonly #service: PepService
  readonly #stateOf: (account: Request['account']) => AccountNodes

  constructor(service: PepService, stateOf: (account: Request['account']) => AccountNodes) {
    this.#service = service
    this.#stateOf = stateOf
  }

  async set(request: Request): Promise<IqReply> {
    const { account, from, payload } = request
    if (payload.configure !== undefined) {
      const node = requiredNode(payload.configure.node)
      const { form } = payload.configure
      const checked = form?.type === 'cancel' ? form : requireForm(form, FORM_NODE_CONFIG)
      return this.#service.configure(account, from, node, checked)
    }
    if (payload.delete !== undefined) return this.#service.delete(account, from, requiredNode(payload.delete.node), payload.delete.redirect?.uri ?? '')
    if (payload.purge !== undefined) return this.#service.purge(account, from, requiredNode(payload.purge.node))
    if (payload.affiliations !== undefined) return this.#setAffiliations(request, payload.affiliations)
    if (payload.subscriptions !== undefined) return this.#setSubscriptions(request, payload.subscriptions)
    throw new StanzaError('bad-request', 'Nothing that can be done is asked for')
  }

  async get(request: Request): Promise<IqReply> {
    const { payload } = request
    if (payload.configure !== undefined) {
      const node = await this.#owned(request, payload.configure.node)
      return PubsubOwner.encode({ configure: { node: node.name, form: configForm(node.config, FORM_NODE_CONFIG, 'form') } })
    }
    if (payload.default !== undefined) {
      if (!request.from.bareEquals(request.account.jid)) throw new StanzaError('forbidden')
      return PubsubOwner.encode({ default: { form: configForm(pepDefaults, FORM_NODE_CONFIG, 'form') } })
    }
    if (payload.affiliations !== undefined) {
      const node = await this.#owned(request, payload.affiliations.node)
      return PubsubOwner.encode({ affiliations: { node: node.name, list: affiliationsOf(request, node) } })
    }
    if (payload.subscriptions !== undefined) {
      const node = await this.#owned(request, payload.subscriptions.node)
      const list = [...node.subscribers.values()].map((jid) => ({ jid, state: 'subscribed' as const }))
      return PubsubOwner.encode({ subscriptions: { node: node.name, list } })
    }
    throw new StanzaError('bad-request', 'Nothing that can be told is asked for')
  }

  async #owned({ account, from }: Request, name: string | undefined): Promise<PubsubNode> {
    const asked = requiredNode(name)
    const node = this.#service.required(account, await this.#stateOf(account).load(), from, asked)
    if (!from.bareEquals(account.jid)) throw new StanzaError('forbidden')
    return node
  }

  /** §8.9.2: a change of the owner's own affiliation is answered with what it stays, and the others are made. */
  async #setAffiliations(request: Request, asked: NodeAffiliations): Promise<IqReply> {
    const { account, from } = request
    const node = requiredNode(asked.node)
    const named = new Set(asked.list.map(({ jid }) => jid.bare.toString()))
    if (named.size < asked.list.length) throw new StanzaError('bad-request', 'An entity is named twice')
    const isRefused = ({ jid, affiliation }: NodeAffiliations['list'][number]) => jid.bareEquals(account.jid) || affiliation === 'owner'
    const changes = asked.list.filter((change) => !isRefused(change))
      .flatMap(({ jid, affiliation }) => (affiliation === undefined ? [] : [[jid.bare.toString(), affiliation] as const]))
    await this.#service.setAffiliations(account, from, node, new Map(changes))
    const refused = asked.list.filter(isRefused)
    if (refused.every(({ jid, affiliation }) => jid.bareEquals(account.jid) && affiliation === 'owner')) return undefined
    const kept = await this.#owned(request, node)
    const list = refused.map(({ jid }) => ({ jid, affiliation: this.#service.requester(account, kept, jid).affiliation }))
    return partlyRefused(request.stanza, { affiliations: { node, list } })
  }

  /** §8.8.2: states that this service does not have are answered with what they stay, and the others are made. */
  async #setSubscriptions(request: Request, asked: NodeSubscriptions): Promise<IqReply> {
    const { account, from } = request
    const name = requiredNode(asked.node)
    const isRefused = ({ state }: NodeSubscriptions['list'][number]) => state === 'pending' || state === 'unconfigured'
    const changes = asked.list.filter(({ state }) => state === 'none' || state === 'subscribed')
      .map(({ jid, state }) => ({ jid, isSubscribed: state === 'subscribed' }))
    await this.#service.setSubscriptions(account, from, name, changes)
    const refused = asked.list.filter(isRefused)
    if (refused.length === 0) return undefined
    const node = await this.#owned(request, name)
    const list = refused.map(({ jid }) => ({ jid, state: node.subscribers.has(jid.toString()) ? 'subscribed' as const : 'none' as const }))
    return partlyRefused(request.stanza, { subscriptions: { node: name, list } })
  }
}

function affiliationsOf({ account }: Request, node: PubsubNode) {
  const others = [...node.affiliations].map(([text, affiliation]) => ({ jid: parseJid(text), affiliation }))
  return [{ jid: account.jid, affiliation: 'owner' as const }, ...others]
}

/** `not-acceptable` with the entries that stay as they are. */
function partlyRefused(request: Stanza, entries: PubsubOwnerInput): Stanza {
  const element = PubsubOwner.encode(entries)
  const wire = serialize(element, NS_CLIENT)
  const error = errorElement(new StanzaError('not-acceptable'))
  const children = [
    { name: element.name, ns: element.ns, start: 0, end: wire.length },
    { name: 'error', ns: NS_CLIENT, start: wire.length, end: wire.length + error.length },
  ]
  const id = request.id === '' ? '' : ` id='${escapeAttribute(request.id)}'`
  return new Stanza('iq', request.to, request.from, 'error', request.id, ` type='error'${id}`, wire + error, children)
}
