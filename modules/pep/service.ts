/**
 * What is done to the nodes of accounts: checks, storage, memory, notifications, in this order and one change after the
 * other per account.
 */
import type { Account, Router } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { Random } from '@rollcall/ports'
import { FORM_NODE_CONFIG } from '@rollcall/protocol'
import type { DataForm, PubsubAffiliationName } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { Presence } from '../presence/port.ts'
import type { Roster } from '../roster/port.ts'
import type { AccountNodes } from './account-nodes.ts'
import type { Directory } from './directory.ts'
import type { Notifier } from './notifier.ts'
import { mayPublish, readError, readRefusal } from './pubsub/access.ts'
import type { Requester } from './pubsub/access.ts'
import { configForm, ConfigProblem, configured, itemLimit, meets, pepDefaults, preconditions } from './pubsub/config.ts'
import type { CountLimits, NodeConfig } from './pubsub/config.ts'
import { pubsubError, unsupported } from './pubsub/errors.ts'
import { configuredEvent, deletedEvent, publishedEvent, purgedEvent, retractedEvent } from './pubsub/events.ts'
import { displaced, PubsubNode } from './pubsub/node.ts'
import type { Item, NodeRecord } from './pubsub/node.ts'
import type { PepRepository } from './repository.ts'

export interface PepLimits extends CountLimits {
  readonly nodesMax: number
  readonly accountBytesMax: number
  readonly subscribersMax: number
}

export interface ServicePorts {
  readonly repository: PepRepository
  readonly notifier: Notifier
  readonly directory: Directory
  readonly roster: Roster
  readonly router: Router
  readonly presence: Presence | undefined
  readonly random: Random
  readonly now: () => number
  readonly limits: PepLimits
  readonly stateOf: (account: Account) => AccountNodes
  /** After an item was published and told. */
  readonly published: (account: Account, node: string, item: Item) => Promise<void>
}

/** What is asked to be published. */
export interface Publication {
  readonly node: string
  /** '' when the service is to find one. */
  readonly itemId: string
  /** Payload as wire string with its namespace, and that namespace; undefined when there is none. */
  readonly payload: { readonly wire: string; readonly ns: string } | undefined
  /** Undefined: there was no `<item/>` at all. */
  readonly hasItem: boolean
  readonly options: DataForm | undefined
}

/** Longest name of a node and longest item id, in characters. */
const NAME_MAX = 1023
/** The id of the only item of a node (XEP-0060 §12.20). */
const SINGLETON_ID = 'current'

export class PepService {
  readonly #ports: ServicePorts

  constructor(ports: ServicePorts) {
    this.#ports = ports
  }

  /** Publishes; the id of the item, undefined where there is none. */
  publish(account: Account, from: Jid, publication: Publication): Promise<string | undefined> {
    return this.#state(account).turn(async (nodes) => {
      const state = this.#state(account)
      const existing = nodes.get(publication.node)
      if (existing !== undefined && !mayPublish(existing.config, this.requester(account, existing, from))) throw new StanzaError('forbidden')
      if (existing === undefined && !from.bareEquals(account.jid)) throw this.missing(account, from)
      const config = this.#checkedConfig(existing, publication.options)
      this.#checkContent(config, publication)
      await state.loadItems()
      const id = this.#itemId(config, publication)
      if (existing !== undefined) this.#checkRoom(state, existing, id, publication)
      else this.#checkAccountRoom(state, 0, publication)
      const node = existing ?? await this.#create(account, state, publication.node, config)
      const publisher = from.bareEquals(account.jid) ? '' : from.bare.toString()
      const item = publication.hasItem ? { id, at: this.#ports.now(), publisher, payload: publication.payload?.wire ?? '' } : undefined
      const retracted = item === undefined ? [] : await this.#keep(state, node, item)
      if (retracted.length > 0) this.#ports.notifier.tell(account, state, node, retractedEvent(node.name, retracted))
      this.#ports.notifier.tell(account, state, node, publishedEvent(node.name, node.config, item))
      await this.#dropLost(account, state, node)
      if (item !== undefined) await this.#ports.published(account, node.name, item)
      return item === undefined ? undefined : id
    })
  }

  retract(account: Account, from: Jid, name: string, itemId: string, isNotifying: boolean): Promise<void> {
    return this.#change(account, from, name, async (state, node) => {
      const requester = this.requester(account, node, from)
      if (!mayPublish(node.config, requester) || requester.affiliation === 'publish-only') throw new StanzaError('forbidden')
      if (!node.config.persistItems) throw unsupported('persistent-items')
      await state.loadItems()
      const item = node.items.get(itemId)
      if (item === undefined) throw new StanzaError('item-not-found')
      // §4.1: what others have published is the owner's business.
      if (requester.affiliation !== 'owner' && item.publisher !== from.bare.toString()) throw new StanzaError('forbidden')
      await this.#ports.repository.deleteItems(state.owner, [item.entryId])
      state.removeItems(node, [itemId])
      if (isNotifying || node.config.notifyRetract) this.#ports.notifier.tell(account, state, node, retractedEvent(name, [itemId]))
    })
  }

  purge(account: Account, from: Jid, name: string): Promise<void> {
    return this.#ownerChange(account, from, name, async (state, node) => {
      if (!node.config.persistItems) throw unsupported('persistent-items')
      await state.loadItems()
      await this.#ports.repository.deleteItems(state.owner, [...node.items.values()].map((item) => item.entryId))
      state.removeItems(node, [...node.items.keys()])
      this.#ports.notifier.tell(account, state, node, purgedEvent(name))
    })
  }

  /** `redirectUri` '' when the node is not continued. */
  delete(account: Account, from: Jid, name: string, redirectUri: string): Promise<void> {
    return this.#ownerChange(account, from, name, async (state, node) => {
      await state.loadItems()
      await this.#ports.repository.deleteNode(state.owner, name, [...node.items.values()].map((item) => item.entryId))
      state.removeNode(node)
      this.#noteNodes(account, state)
      if (node.config.notifyDelete) this.#ports.notifier.tell(account, state, node, deletedEvent(name, redirectUri))
    })
  }

  /** Makes a node; its name. */
  create(account: Account, from: Jid, asked: string, form: DataForm | undefined): Promise<string> {
    return this.#state(account).turn(async (nodes) => {
      if (!from.bareEquals(account.jid)) throw this.#isStranger(account, from) ? new StanzaError('service-unavailable') : new StanzaError('forbidden')
      if (nodes.has(asked)) throw new StanzaError('conflict')
      const name = asked === '' ? this.#ports.random.uuid() : asked
      const config = form === undefined ? pepDefaults : acceptable(() => configured(pepDefaults, form))
      await this.#create(account, this.#state(account), name, config)
      return name
    })
  }

  configure(account: Account, from: Jid, name: string, form: DataForm): Promise<void> {
    return this.#ownerChange(account, from, name, async (state, node) => {
      if (form.type === 'cancel') return
      const config = acceptable(() => configured(node.config, form))
      await state.loadItems()
      const limit = config.persistItems ? itemLimit(config, this.#ports.limits) : 0
      const refs = [...node.items.values()]
      const surplus = refs.slice(0, Math.max(0, refs.length - limit))
      await this.#ports.repository.saveNode(state.owner, name, node.record({ config }))
      await this.#ports.repository.deleteItems(state.owner, surplus.map((item) => item.entryId))
      node.config = config
      state.removeItems(node, surplus.map((item) => item.id))
      this.#noteNodes(account, state)
      await this.#dropLost(account, state, node)
      const shown = config.deliverPayloads ? configForm(config, FORM_NODE_CONFIG, 'result') : undefined
      if (config.notifyConfig) this.#ports.notifier.tell(account, state, node, configuredEvent(name, shown))
    })
  }

  subscribe(account: Account, from: Jid, name: string, jid: Jid): Promise<void> {
    return this.#change(account, from, name, async (state, node) => {
      this.requireReadable(account, node, from)
      if (!node.subscribers.has(jid.toString()) && !jid.bareEquals(account.jid)) {
        if (node.subscribers.size >= this.#ports.limits.subscribersMax) throw pubsubError('policy-violation', 'too-many-subscriptions', { type: 'wait' })
        await this.#saveSubscribers(state, node, new Map([...node.subscribers, [jid.toString(), jid]]))
      }
      if (node.config.sendLast !== 'never') await this.#ports.notifier.sendLastOf(account, state, node, jid)
    })
  }

  unsubscribe(account: Account, from: Jid, name: string, jid: Jid): Promise<void> {
    return this.#change(account, from, name, async (state, node) => {
      if (!node.subscribers.has(jid.toString())) throw pubsubError('unexpected-request', 'not-subscribed', { type: 'cancel' })
      await this.#saveSubscribers(state, node, without(node.subscribers, [jid]))
    })
  }

  /** Changes subscriptions of others (§8.8.2); they are told. */
  setSubscriptions(account: Account, from: Jid, name: string, changes: readonly { readonly jid: Jid; readonly isSubscribed: boolean }[]): Promise<void> {
    return this.#ownerChange(account, from, name, async (state, node) => {
      const next = new Map(node.subscribers)
      for (const { jid, isSubscribed } of changes) {
        if (isSubscribed) next.set(jid.toString(), jid)
        else next.delete(jid.toString())
      }
      if (next.size > this.#ports.limits.subscribersMax) throw pubsubError('policy-violation', 'too-many-subscriptions', { type: 'wait' })
      const changed = changes.filter(({ jid, isSubscribed }) => node.subscribers.has(jid.toString()) !== isSubscribed)
      await this.#saveSubscribers(state, node, next)
      for (const { jid, isSubscribed } of changed) this.#ports.notifier.tellSubscription(account, node, jid, isSubscribed ? 'subscribed' : 'none')
    })
  }

  setAffiliations(account: Account, from: Jid, name: string, changes: ReadonlyMap<string, PubsubAffiliationName>): Promise<void> {
    return this.#ownerChange(account, from, name, async (state, node) => {
      const next = new Map(node.affiliations)
      for (const [jid, affiliation] of changes) {
        if (affiliation === 'none') next.delete(jid)
        else next.set(jid, affiliation)
      }
      if (next.size > this.#ports.limits.subscribersMax) throw new StanzaError('policy-violation', 'Too many affiliations')
      await this.#ports.repository.saveNode(state.owner, name, node.record({ affiliations: next }))
      node.affiliations = next
      await this.#dropLost(account, state, node)
    })
  }

  /** XEP-0163 §7.1: a contact lost sight of the presence; its subscriptions end where they hang on it. */
  async lostWatcher(account: Account, contact: Jid): Promise<void> {
    const state = this.#state(account)
    state.remote.deleteBare(contact)
    await state.turn(async (nodes) => {
      for (const node of nodes.values()) await this.#dropLost(account, state, node)
    })
  }

  requester(account: Account, node: PubsubNode, from: Jid): Requester {
    return this.#ports.notifier.requester(account, node, from)
  }

  /** Throws what is told to those who may not read. */
  requireReadable(account: Account, node: PubsubNode, from: Jid): void {
    const refusal = readRefusal(node.config, this.requester(account, node, from))
    if (refusal !== undefined) throw readError(refusal)
  }

  /** The node, or the error that it is not there. */
  required(account: Account, nodes: ReadonlyMap<string, PubsubNode>, from: Jid, name: string): PubsubNode {
    const node = nodes.get(name)
    if (node === undefined) throw this.missing(account, from)
    return node
  }

  /** Who may not see the presence is told what is told where there is no account (RFC 6121 §8.5.1). */
  missing(account: Account, from: Jid): StanzaError {
    return new StanzaError(this.#isStranger(account, from) ? 'service-unavailable' : 'item-not-found')
  }

  #isStranger(account: Account, from: Jid): boolean {
    return !from.bareEquals(account.jid) && !this.#ports.roster.isWatcher(account, from.bare)
  }

  #state(account: Account): AccountNodes {
    return this.#ports.stateOf(account)
  }

  #change(account: Account, from: Jid, name: string, change: (state: AccountNodes, node: PubsubNode) => Promise<void>): Promise<void> {
    const state = this.#state(account)
    return state.turn((nodes) => change(state, this.required(account, nodes, from, name)))
  }

  #ownerChange(account: Account, from: Jid, name: string, change: (state: AccountNodes, node: PubsubNode) => Promise<void>): Promise<void> {
    return this.#change(account, from, name, (state, node) => {
      if (!from.bareEquals(account.jid)) throw new StanzaError('forbidden')
      return change(state, node)
    })
  }

  /** §7.1.5: the configuration of the node that is published at, which may have to be made. */
  #checkedConfig(node: PubsubNode | undefined, options: DataForm | undefined): NodeConfig {
    if (options === undefined) return node?.config ?? pepDefaults
    let asked: Partial<NodeConfig>
    try {
      asked = preconditions(options)
    } catch (error) {
      if (error instanceof ConfigProblem) throw pubsubError('conflict', 'precondition-not-met', { text: error.message })
      throw error
    }
    if (node === undefined) return { ...pepDefaults, ...asked }
    if (!meets(node.config, asked, this.#ports.limits)) throw pubsubError('conflict', 'precondition-not-met')
    return node.config
  }

  /** §7.1.3.5 to §7.1.3.7 with the table of §4.3. */
  #checkContent(config: NodeConfig, { hasItem, itemId, payload }: Publication): void {
    const { itemBytesMax } = this.#ports.limits
    if (!config.persistItems && !config.deliverPayloads) {
      if (hasItem) throw pubsubError('bad-request', 'item-forbidden')
      return
    }
    if (!hasItem) throw pubsubError('bad-request', 'item-required')
    if (payload === undefined && config.deliverPayloads) throw pubsubError('bad-request', 'payload-required')
    if (payload !== undefined && config.type !== '' && payload.ns !== config.type) throw pubsubError('bad-request', 'invalid-payload')
    const bytesMax = config.maxPayloadSize === 'max' ? itemBytesMax : Math.min(config.maxPayloadSize, itemBytesMax)
    if (payload !== undefined && payload.wire.length > bytesMax) throw pubsubError('not-acceptable', 'payload-too-big')
    if (itemId.length > NAME_MAX) throw new StanzaError('not-acceptable', 'The id of the item is too long')
  }

  #itemId(config: NodeConfig, { itemId }: Publication): string {
    if (itemId !== '') return itemId
    return itemLimit(config, this.#ports.limits) === 1 ? SINGLETON_ID : this.#ports.random.uuid()
  }

  #checkRoom(state: AccountNodes, node: PubsubNode, id: string, publication: Publication): void {
    const { expired, oldest } = displaced(node, id, itemLimit(node.config, this.#ports.limits), this.#ports.now())
    if (oldest.length > 0 && node.config.whenFull === 'reject') throw pubsubError('conflict', 'node-full')
    const freed = [...expired, ...oldest].reduce((sum, item) => sum + item.bytes, node.items.get(id)?.bytes ?? 0)
    this.#checkAccountRoom(state, freed, publication)
  }

  #checkAccountRoom(state: AccountNodes, freed: number, { payload }: Publication): void {
    if (state.bytes - freed + (payload?.wire.length ?? 0) <= this.#ports.limits.accountBytesMax) return
    throw new StanzaError('resource-constraint', `An account keeps at most ${this.#ports.limits.accountBytesMax} bytes of items`)
  }

  async #create(account: Account, state: AccountNodes, name: string, config: NodeConfig): Promise<PubsubNode> {
    if (name.length > NAME_MAX) throw new StanzaError('not-acceptable', 'The name of the node is too long')
    const isFirst = state.known?.size === 0
    if ((state.known?.size ?? 0) >= this.#ports.limits.nodesMax) {
      throw pubsubError('conflict', 'max-nodes-exceeded', { text: `An account has at most ${this.#ports.limits.nodesMax} nodes` })
    }
    const record: NodeRecord = { config: {}, affiliations: {}, subscribers: [], createdAt: this.#ports.now() }
    const stored = new PubsubNode(name, record, null).record({ config })
    await this.#ports.repository.saveNode(state.owner, name, stored)
    const node = state.addNode(name, stored)
    this.#noteNodes(account, state)
    if (isFirst) this.#lookAround(account)
    return node
  }

  /** Until now it did not matter who is there elsewhere: contacts of other servers are asked once. */
  #lookAround(account: Account): void {
    const { presence, roster, router } = this.#ports
    if (presence === undefined) return
    for (const contact of [...roster.watched(account)]) {
      if (!router.isHere(contact) && roster.isWatcher(account, contact)) presence.ask(account, contact)
    }
  }

  /** Stores the item and makes room; the ids of the items that went and that subscribers are told of. */
  async #keep(state: AccountNodes, node: PubsubNode, item: Item): Promise<readonly string[]> {
    if (!node.config.persistItems) {
      state.passItem(node, item)
      return []
    }
    const limit = itemLimit(node.config, this.#ports.limits)
    const { expired, oldest } = displaced(node, item.id, limit, this.#ports.now())
    const replaced = node.items.get(item.id)
    const gone = [...expired, ...oldest, ...(replaced === undefined ? [] : [replaced])]
    const entryId = this.#ports.random.id()
    await this.#ports.repository.addItem(state.owner, node.name, entryId, item, gone.map((ref) => ref.entryId))
    state.removeItems(node, gone.map((ref) => ref.id))
    state.addItem(node, item, entryId)
    // The new item of a node with a single one takes the place of the old: that is no news of its own.
    const isTold = node.config.whenFull === 'retract-oldest' && node.config.notifyRetract && limit > 1
    return isTold ? oldest.map((ref) => ref.id) : []
  }

  async #saveSubscribers(state: AccountNodes, node: PubsubNode, subscribers: ReadonlyMap<string, Jid>): Promise<void> {
    await this.#ports.repository.saveNode(state.owner, node.name, node.record({ subscribers }))
    node.subscribers = subscribers
  }

  /** Ends subscriptions of those who lost access (XEP-0163 §7.1). */
  async #dropLost(account: Account, state: AccountNodes, node: PubsubNode): Promise<void> {
    if (node.subscribers.size === 0) return
    const lost = this.#ports.notifier.lostSubscribers(account, node)
    if (lost.length === 0) return
    await this.#saveSubscribers(state, node, without(node.subscribers, lost))
    for (const jid of lost) this.#ports.notifier.tellSubscription(account, node, jid, 'none')
  }

  #noteNodes(account: Account, state: AccountNodes): void {
    this.#ports.directory.note(account.jid.toString(), state.known?.values() ?? [])
  }
}

function without(subscribers: ReadonlyMap<string, Jid>, jids: readonly Jid[]): Map<string, Jid> {
  const next = new Map(subscribers)
  for (const jid of jids) next.delete(jid.toString())
  return next
}

/** §8.2.5.2: values that are none. */
function acceptable<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof ConfigProblem) throw new StanzaError('not-acceptable', error.message)
    throw error
  }
}
