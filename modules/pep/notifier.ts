/**
 * Who is told about an event, and how (XEP-0163 §4).
 *
 * Told are: the account's own resources, resources of contacts who may see its presence and read the node, both only if
 * they want to hear of the node; and those who subscribed explicitly. Contacts of this member are found by their
 * sessions; resources of other servers by the presence that came from them.
 */
import type { Account, Accounts, Router, Session, SessionSlot } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { Random } from '@rollcall/ports'
import type { Blocking } from '../blocking/port.ts'
import type { Caps } from '../caps/port.ts'
import type { Roster } from '../roster/port.ts'
import type { AccountNodes } from './account-nodes.ts'
import { isImplicitSubscriber, readRefusal } from './pubsub/access.ts'
import type { Requester } from './pubsub/access.ts'
import { notification, publishedEvent, subscriptionEvent } from './pubsub/events.ts'
import { isExpired } from './pubsub/node.ts'
import type { PubsubNode } from './pubsub/node.ts'
import { Resource, showsCaps } from './resource.ts'

export interface SessionInterest {
  /** The presence that showed what the client supports. */
  readonly presence: NonNullable<Session['presence']>
  readonly resource: Resource
}

export interface NotifierPorts {
  readonly router: Router
  readonly accounts: Accounts
  readonly roster: Roster
  readonly caps: Caps
  readonly random: Random
  readonly blocking: Blocking | undefined
  readonly now: () => number
  /** Null after the session moved here. */
  readonly interestSlot: SessionSlot<SessionInterest | null>
}

export class Notifier {
  readonly #ports: NotifierPorts

  constructor(ports: NotifierPorts) {
    this.#ports = ports
  }

  /** What decides about an entity's access to a node. */
  requester(account: Account, node: PubsubNode, jid: Jid): Requester {
    if (jid.bareEquals(account.jid)) return { affiliation: 'owner', isWatcher: true, groups: [], isSubscribed: true }
    const { roster } = this.#ports
    return {
      affiliation: node.affiliationOf(jid),
      isWatcher: roster.isWatcher(account, jid.bare),
      groups: roster.item(account, jid.bare)?.groups ?? [],
      isSubscribed: node.subscriptionsOf(jid).length > 0,
    }
  }

  /** What a session of ours wants; undefined when it does not say. Follows its presence. */
  resourceOf(session: Session): Resource | undefined {
    const { presence } = session
    if (presence === undefined) return undefined
    const known = session.get(this.#ports.interestSlot)
    if (known && (known.presence === presence || known.resource.wants === undefined)) return known.resource
    if (!showsCaps(presence)) return undefined
    const resource = new Resource(session.jid, this.#ports.caps.featuresOf(session))
    session.set(this.#ports.interestSlot, { presence, resource })
    return resource
  }

  /** Tells everybody about an event. */
  tell(account: Account, state: AccountNodes, node: PubsubNode, eventWire: string): void {
    if (!node.config.deliverNotifications) return
    const stanza = notification({ from: account.jid, id: this.#ports.random.id(), type: node.config.notificationType }, eventWire)
    const targets: Jid[] = []
    const { router } = this.#ports
    let isCollecting = true
    const add = (resource: Resource) => resource.when(topicOf(account, node), (wants) => {
      if (!wants.has(node.name)) return
      if (isCollecting) targets.push(resource.jid)
      else if (this.#mayTell(account, node, resource.jid)) void router.route(stanza.addressed(account.jid, resource.jid))
    })
    for (const resource of this.#resources(account, state, node)) add(resource)
    isCollecting = false
    targets.push(...this.#explicit(account, node, new Set(targets.map((jid) => jid.toString()))))
    router.broadcast(stanza, targets)
  }

  /** To one entity; for subscriptions and answers. */
  tellOne(account: Account, to: Jid, eventWire: string, type: 'headline' | 'normal' = 'headline', delayedSince?: number): void {
    if (this.#isBlocked(account, to)) return
    const head = { from: account.jid, id: this.#ports.random.id(), type, ...(delayedSince !== undefined && { delayedSince }) }
    void this.#ports.router.route(notification(head, eventWire).addressed(account.jid, to))
  }

  /** The subscription of an entity changed without its doing (§12.11). */
  tellSubscription(account: Account, node: PubsubNode, jid: Jid, state: 'none' | 'subscribed'): void {
    this.tellOne(account, jid, subscriptionEvent(node.name, jid, state))
  }

  /** Sends the last items of the nodes that the resource wants and may read (XEP-0163 §4.3.4). */
  async sendLast(account: Account, state: AccountNodes, resource: Resource, wants: ReadonlySet<string>): Promise<void> {
    for (const node of [...(await state.load()).values()]) {
      const isDue = node.config.sendLast === 'on_sub_and_presence' && wants.has(node.name)
      // What waits for the resource is newer.
      if (!isDue || resource.isWaiting(topicOf(account, node)) || !this.#mayTell(account, node, resource.jid)) continue
      await this.sendLastOf(account, state, node, resource.jid)
    }
  }

  async sendLastOf(account: Account, state: AccountNodes, node: PubsubNode, to: Jid): Promise<void> {
    if (!node.config.deliverNotifications) return
    const item = await state.lastItem(node)
    if (item === undefined || isExpired(item, node.config, this.#ports.now())) return
    this.tellOne(account, to, publishedEvent(node.name, node.config, item), node.config.notificationType, item.at)
  }

  /** Explicit subscribers that may not read the node any more (XEP-0163 §7.1). */
  lostSubscribers(account: Account, node: PubsubNode): Jid[] {
    return [...node.subscribers.values()].filter((jid) => readRefusal(node.config, this.requester(account, node, jid)) !== undefined)
  }

  /** Whether an implicit subscriber is to hear of the node. */
  #mayTell(account: Account, node: PubsubNode, jid: Jid): boolean {
    return isImplicitSubscriber(node.config, this.requester(account, node, jid)) && !this.#isBlocked(account, jid)
  }

  *#resources(account: Account, state: AccountNodes, node: PubsubNode): Iterable<Resource> {
    yield* this.#sessions(account)
    const { accounts, roster } = this.#ports
    // Only members get to know of a node with a list of members, so the contacts need not be walked.
    const contacts = node.config.accessModel === 'whitelist' && node.affiliations.size === 0 ? [] : roster.watchers(account)
    for (const contact of contacts) {
      const warm = accounts.warm(contact)
      if (warm === undefined || warm.sessions.size === 0 || !this.#mayTell(account, node, contact)) continue
      for (const resource of this.#sessions(warm)) if (!this.#isBlocked(account, resource.jid)) yield resource
    }
    for (const resource of state.remote.all()) if (this.#mayTell(account, node, resource.jid)) yield resource
  }

  *#sessions(account: Account): Iterable<Resource> {
    for (const session of account.sessions.values()) {
      const resource = this.resourceOf(session)
      if (resource !== undefined) yield resource
    }
  }

  /** XEP-0163 §4.3.2: who has subscribed, less those who hear of it by what their clients want. */
  *#explicit(account: Account, node: PubsubNode, told: ReadonlySet<string>): Iterable<Jid> {
    for (const jid of node.subscribers.values()) {
      if (told.has(jid.toString()) || this.#isBlocked(account, jid)) continue
      const requester = this.requester(account, node, jid)
      if (readRefusal(node.config, requester) !== undefined) continue
      // The presence of a contact is known here, and what its clients do not want they do not get.
      const isFiltered = jid.isBare && requester.isWatcher && this.#ports.router.isHere(jid)
      if (!isFiltered) yield jid
    }
  }

  #isBlocked(account: Account, jid: Jid): boolean {
    return this.#ports.blocking?.isBlocked(account, jid) ?? false
  }
}

function topicOf(account: Account, node: PubsubNode): string {
  return `${account.jid.toString()} ${node.name}`
}
