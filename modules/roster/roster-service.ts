/**
 * Rosters at work: requests of clients, subscription stanzas in both directions, pushes.
 *
 * How it works: every change is made in memory at once, its row is written, and clients are told, in that order and in
 * one turn; what the caller waits for is the write. The state machine is `subscription.ts`; here its verdicts are carried
 * out. The user's own push goes before the routed stanza, because a contact of the same server may answer within the
 * call, and pushes must leave in the order of their versions (RFC 6121 §2.6.3).
 */
import { storedIn } from '@rollcall/module-api'
import type { Account, AccountSlot, Accounts, InboundStanza, OutboundStanza, Router, Session } from '@rollcall/module-api'
import type { AccountIqRequest } from '@rollcall/module-api'
import type { Clock, CounterMetric, Log, MapStore, Metrics, Rows } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import { buildStanza, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { escapeAttribute } from '@rollcall/xml'
import type { AccountRoster } from './account-roster.ts'
import { allDurable } from './durable.ts'
import { RosterItem } from './roster-item.ts'
import { RosterWriter } from './roster-writer.ts'
import type { WatcherHandler } from './port.ts'
import { readUpdate, requestedVersion } from './request.ts'
import type { ContactUpdate, RosterLimits, RosterRequest } from './request.ts'
import { fromRows, internGroups, removalKey, removalRow, rosterStore, toRow } from './rows.ts'
import type { RosterRow } from './rows.ts'
import { inboundChange, isFrom, isPendingIn, isPendingOut, isSubscriptionType, isTo, outboundChange, subscriptionState } from './subscription.ts'
import type { InboundChange, OutboundChange, SubscriptionType } from './subscription.ts'
import { itemWire, pushParts, removalWire, rosterResult } from './wire.ts'

type SelfRequest = AccountIqRequest<RosterRequest> & { readonly session: Session }

export interface RosterServicePorts {
  readonly router: Router
  readonly accounts: Accounts
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly store: MapStore<RosterRow>
  readonly limits: RosterLimits
}

export class RosterService {
  readonly #ports: RosterServicePorts
  readonly #slot: AccountSlot<AccountRoster>
  readonly #writer: RosterWriter
  readonly #added: WatcherHandler[] = []
  readonly #removed: WatcherHandler[] = []
  readonly #pushes: CounterMetric
  readonly #ignoredRequests: CounterMetric

  constructor(ports: RosterServicePorts, register: (slot: AccountSlot<AccountRoster>) => AccountSlot<AccountRoster>) {
    const { clock, log, metrics, store } = ports
    this.#ports = ports
    this.#writer = new RosterWriter(store, clock, log)
    this.#slot = register({
      slotName: 'roster',
      version: 1,
      ...storedIn(rosterStore, (rows, account) => this.#fromRows(rows, account)),
      exportState: (roster) => Object.fromEntries([...rowsOf(roster)].map(([key, row]) => [key, { ...row }])),
      importState: (json) => fromRows(new Map(Object.entries(json as unknown as Record<string, RosterRow>))).roster,
    })
    this.#pushes = metrics.counter('rollcall_roster_pushes_total', 'Roster pushes sent to clients.')
    this.#ignoredRequests = metrics.counter('rollcall_subscription_requests_ignored_total', 'Subscription requests ignored because too many waited.')
    metrics.observedGauge('rollcall_roster_writes_failed', 'Roster rows that wait to be written again.', () => this.#writer.failedCount)
  }

  stop(): void {
    this.#writer.stop()
  }

  rosterOf(account: Account): AccountRoster {
    return account.get(this.#slot)
  }

  onWatcherAdded(handler: WatcherHandler): void {
    this.#added.push(handler)
  }

  onWatcherRemoved(handler: WatcherHandler): void {
    this.#removed.push(handler)
  }

  /** The roster as storage has it; what a crash left half done is finished. */
  async load(account: Jid): Promise<AccountRoster> {
    return this.#fromRows(await this.#ports.store.all(account.toString()), account)
  }

  #fromRows(rows: Rows<RosterRow>, account: Jid): AccountRoster {
    const owner = account.toString()
    const { roster, tombstones, badKeys } = fromRows(rows)
    for (const key of badKeys) this.#ports.log.warn('roster-row-ignored', { account: owner, contact: key })
    if (tombstones.length > 0) this.#sweep(owner, roster.removedVersion, tombstones)
    return roster
  }

  /** Answers a roster get (RFC 6121 §2.2, §2.6). */
  get(request: SelfRequest): Stanza | void {
    const { account, payload, session, stanza } = request
    if (payload.items.length > 0) throw new StanzaError('bad-request', 'A roster get has no items')
    const roster = this.rosterOf(account)
    const version = requestedVersion(payload)
    const changes = version === undefined || version === 0 ? undefined : roster.changesSince(version)
    session.isInterested = true
    // §2.6.3: pushes, unless the whole roster is less to send; one changed contact costs about as much as two in a result.
    if (changes === undefined || changes.length > roster.listedCount / 2) return rosterResult(stanza, roster)
    // The pushes follow the empty result, which is sent when this returns.
    if (changes.length > 0) queueMicrotask(() => this.#pushChanges(session, roster, changes))
  }

  /** Answers a roster set (§2.3 to §2.5). */
  async set(request: SelfRequest): Promise<void> {
    const { account, payload } = request
    const update = readUpdate(payload, account.jid, this.#ports.limits)
    const work = update.isRemoval ? this.remove(account, update.contact) : this.#update(account, update)
    if (work === undefined) throw new StanzaError('item-not-found', 'There is no such contact')
    await work
  }

  /** Removes a contact and ends both subscriptions (§2.5.2). Undefined when it is not in the roster. */
  remove(account: Account, contact: Jid): Promise<unknown> | undefined {
    const roster = this.rosterOf(account)
    const item = roster.find(contact)
    if (item === undefined || !item.isListed) return undefined
    const owner = account.jid.toString()
    const key = item.jid.toString()
    const version = roster.advance(this.#ports.clock.now())
    roster.remove(item, version)
    const writes = [
      this.#writer.write(owner, key, removalRow(version)),
      this.#writer.write(owner, removalKey, removalRow(version)),
      this.#writer.write(owner, key, undefined),
    ]
    this.#push(account, removalWire(item.jid), version)
    return Promise.all([...writes, ...this.#endSubscriptions(account, item)])
  }

  /** Ends every subscription of an account that is being deleted; its own rows are deleted by the core. */
  endAccount(account: Account): void {
    const roster = this.rosterOf(account)
    const { items } = roster
    // First, so that answers of contacts on this member meet an empty roster and write nothing.
    for (const item of items) roster.remove(item, undefined)
    this.#writer.forget(account.jid.toString())
    for (const item of items) void allDurable(this.#endSubscriptions(account, item))
  }

  /** Takes a subscription stanza of a client (§3, §A.2); false when it is another kind of presence. */
  sent({ session, stanza }: OutboundStanza): boolean | Promise<void> {
    const { type } = stanza
    if (!isSubscriptionType(type)) return false
    if (stanza.to === undefined) throw new StanzaError('bad-request', 'A subscription stanza is addressed to a contact')
    const { account } = session
    // §3.1.2: a full JID means the contact's bare JID.
    const contact = stanza.to.bare
    if (contact.equals(account.jid)) throw new StanzaError('not-allowed', 'Nobody subscribes to themselves')
    return this.#sent(account, contact, type, stanza.addressed(account.jid, contact)) ?? true
  }

  /** Takes a subscription stanza that came for an account (§3, §A.3); false when it is another kind of presence. */
  came({ account, stanza }: InboundStanza): boolean | Promise<void> {
    const { from, to, type } = stanza
    if (!isSubscriptionType(type)) return false
    if (from === undefined || to === undefined || from.bareEquals(account.jid)) return true
    // §8.5.3.2.2: only a request reaches an account by way of a resource that is not there.
    if (to.isFull && type !== 'subscribe' && !account.sessions.has(to.resourcepart)) return true
    return this.#came(account, from.bare, type, stanza.addressed(from.bare, account.jid)) ?? true
  }

  /** Gives a newly available session the requests that wait, and repeats unanswered ones to other domains. */
  greet(session: Session): void {
    const { account } = session
    const roster = this.rosterOf(account)
    if (!roster.hasPending) return
    let availableCount = 0
    for (const _ of account.availableSessions()) availableCount++
    for (const item of roster.items) {
      if (item.isPendingIn) {
        session.sendWire(`<presence from='${item.jid.wire}' to='${account.jid.wire}'${roster.requestOf(item) ?? ` type='subscribe'/>`}`)
      } else if (item.isPendingOut && availableCount === 1 && !this.#ports.router.isHost(item.jid.domainpart)) {
        const id = `again-${roster.version}`
        void this.#ports.router.route(buildStanza('presence', { from: account.jid, to: item.jid, type: 'subscribe', id }))
      }
    }
  }

  #update(account: Account, { contact, name, groups }: ContactUpdate): Promise<void> {
    const roster = this.rosterOf(account)
    const item = roster.find(contact) ?? new RosterItem(contact)
    this.#requireRoom(roster, item)
    const version = roster.advance(this.#ports.clock.now())
    this.#change(roster, item, () => {
      item.isListed = true
      item.name = name
      item.groups = internGroups(groups)
      item.version = version
    })
    const written = this.#write(account, roster, item)
    this.#push(account, itemWire(item), version)
    return written
  }

  #sent(account: Account, contact: Jid, type: SubscriptionType, stanza: Stanza): void | Promise<void> {
    const roster = this.rosterOf(account)
    const item = roster.find(contact) ?? new RosterItem(contact)
    const before = item.state
    const change = outboundChange(type, before, item.isApproved)
    if (change.isPushed) this.#requireRoom(roster, item)
    const written = this.#apply(account, roster, item, change)
    if (isFrom(before) && !isFrom(change.state)) this.#tell(this.#removed, account, contact)
    const routed = change.isRouted ? this.#ports.router.route(stanza) : undefined
    if (!isFrom(before) && isFrom(change.state)) this.#tell(this.#added, account, contact)
    return allDurable([written, routed])
  }

  #came(account: Account, contact: Jid, type: SubscriptionType, stanza: Stanza): void | Promise<void> {
    const roster = this.rosterOf(account)
    const item = roster.find(contact) ?? new RosterItem(contact)
    const before = item.state
    const change = inboundChange(type, before, item.isApproved)
    const isNewRequest = isPendingIn(change.state) && !isPendingIn(before)
    if (isNewRequest && roster.pendingInCount >= this.#ports.limits.requestsMax) {
      this.#ignoredRequests.add(1)
      return
    }
    if (change.isDelivered) this.#deliver(account, type, stanza)
    const written = this.#apply(account, roster, item, change, isNewRequest ? this.#kept(stanza) : undefined)
    if (isFrom(before) && !isFrom(change.state)) this.#tell(this.#removed, account, contact)
    const { reply } = change
    const routed = reply === undefined ? undefined : this.#route(account, contact, reply, stanza.id)
    // A contact that asks again has lost what it was told, presence included.
    if (reply === 'subscribed') this.#tell(this.#added, account, contact)
    return allDurable([written, routed])
  }

  /** Makes a change of the state machine in memory and storage, and pushes it when clients can see it. */
  #apply(
    account: Account, roster: AccountRoster, item: RosterItem, change: OutboundChange | InboundChange, request?: string,
  ): void | Promise<void> {
    if (!change.isPushed && change.state === item.state) return
    if (!change.isPushed && !item.isListed && change.state === subscriptionState.none) {
      roster.remove(item, undefined)
      return this.#writer.write(account.jid.toString(), item.jid.toString(), undefined)
    }
    const version = change.isPushed ? roster.advance(this.#ports.clock.now()) : item.version
    this.#change(roster, item, () => {
      item.state = change.state
      item.isApproved = change.isApproved
      item.isListed ||= change.isPushed
      item.version = version
    })
    if (request !== undefined) roster.setRequest(item, request)
    const written = this.#write(account, roster, item)
    if (change.isPushed) this.#push(account, itemWire(item), version)
    return written
  }

  #change(roster: AccountRoster, item: RosterItem, change: () => void): void {
    if (roster.find(item.jid) === item) return roster.update(item, change)
    change()
    roster.add(item)
  }

  #requireRoom(roster: AccountRoster, item: RosterItem): void {
    if (!item.isListed && roster.listedCount >= this.#ports.limits.itemsMax) throw new StanzaError('resource-constraint', 'The roster is full')
  }

  /** What a contact that is no longer in the roster is told. The parts that are durable come back. */
  #endSubscriptions(account: Account, { jid, state }: RosterItem): (void | Promise<void>)[] {
    const work: (void | Promise<void>)[] = []
    if (isTo(state) || isPendingOut(state)) work.push(this.#route(account, jid, 'unsubscribe'))
    if (isFrom(state)) this.#tell(this.#removed, account, jid)
    if (isFrom(state) || isPendingIn(state)) work.push(this.#route(account, jid, 'unsubscribed'))
    return work
  }

  #route(account: Account, to: Jid, type: SubscriptionType, id = ''): void | Promise<void> {
    return this.#ports.router.route(buildStanza('presence', { from: account.jid, to, type, id }))
  }

  /** §3.1.3: requests go to available resources; §3.1.6, §3.2.3 and §3.3.3: the rest to interested ones. */
  #deliver(account: Account, type: SubscriptionType, stanza: Stanza): void {
    const wire = stanza.toWire()
    for (const session of account.sessions.values()) {
      if (type === 'subscribe' ? session.presence !== undefined : session.isInterested) session.sendWire(wire)
    }
  }

  /** What is kept of a request until it is answered: all that follows its addresses, if it is not too much. */
  #kept(stanza: Stanza): string {
    if (stanza.tail.length <= this.#ports.limits.requestBytesMax) return stanza.tail
    const id = escapeAttribute(stanza.id)
    return id === '' || id.length > this.#ports.limits.requestBytesMax ? ` type='subscribe'/>` : ` type='subscribe' id='${id}'/>`
  }

  #write(account: Account, roster: AccountRoster, item: RosterItem): Promise<void> {
    return this.#writer.write(account.jid.toString(), item.jid.toString(), toRow(roster, item))
  }

  #push(account: Account, item: string, version: number): void {
    this.#pushTo(account.sessions.values(), item, version)
  }

  #pushTo(sessions: Iterable<Session>, item: string, version: number): void {
    const [head, tail] = pushParts(item, version)
    for (const session of sessions) {
      if (!session.isInterested) continue
      session.sendWire(head + session.jid.wire + tail)
      this.#pushes.add(1)
    }
  }

  #pushChanges(session: Session, roster: AccountRoster, changes: readonly RosterItem[]): void {
    for (const item of changes) {
      if (roster.find(item.jid) === item) this.#pushTo([session], itemWire(item), item.version)
    }
  }

  #tell(handlers: readonly WatcherHandler[], account: Account, contact: Jid): void {
    for (const handler of handlers) handler(account, contact)
  }

  #sweep(owner: string, version: number, tombstones: readonly string[]): void {
    const writes = [this.#writer.write(owner, removalKey, removalRow(version))]
    for (const key of tombstones) writes.push(this.#writer.write(owner, key, undefined))
    // Failures are logged and repeated by the writer; the next load would sweep again.
    Promise.all(writes).catch(() => {})
  }
}

/** Everything of a roster as rows. */
export function* rowsOf(roster: AccountRoster): Iterable<[string, RosterRow]> {
  for (const item of roster.items) yield [item.jid.toString(), toRow(roster, item)]
  if (roster.removedVersion > 0) yield [removalKey, removalRow(roster.removedVersion)]
}
