/**
 * Presence of accounts (RFC 6121 §4): what a client's presence sets off, what others' presence and probes set off, and the
 * end of sessions.
 *
 * State is on the session: `presence` is its last undirected available presence, undefined while it is not available. The
 * rosters say who is told. Contacts of this member are asked without any stanza: at login their presence is read from
 * memory, and those who are away cost one failed look-up. Of other members each is asked once, for all contacts there.
 */
import type { Account, Accounts, InboundStanza, OutboundStanza, ProbeAnswer, Router, Session, UnboundSession } from '@rollcall/module-api'
import type { Clock, CounterMetric, Metrics } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import { buildStanza, presence, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { Roster } from '../roster/port.ts'
import { isSamePresence, readPriority } from './content.ts'
import type { AbsentContacts } from './absent-contacts.ts'
import type { DirectedPresence } from './directed.ts'
import type { FanOut } from './fan-out.ts'
import type { LastPresences } from './last-presences.ts'
import type { HidesFrom } from './port.ts'
import type { Pacer } from './pacer.ts'
import { headOf, tailOf } from './presence-wire.ts'
import type { Probes } from './probes.ts'
import { PROBE_ID } from './probes.ts'
import type { ShardLaw } from './shard-law.ts'

export interface PresenceServicePorts {
  readonly router: Router
  readonly accounts: Accounts
  readonly roster: Roster
  readonly clock: Clock
  readonly metrics: Metrics
  readonly directed: DirectedPresence
  readonly absent: AbsentContacts
  readonly fanOut: FanOut
  readonly probes: Probes
  readonly lasts: LastPresences
  readonly pacer: Pacer
  readonly law: ShardLaw
  readonly deliveries: CounterMetric
  /** Bytes of the last unavailable presence that are kept for probes. */
  readonly lastBytesMax: number
  readonly becameAvailable: (session: Session, presence: Stanza) => void
  readonly changedPriority: (session: Session, before: number) => void
  readonly becameUnavailable: (session: Session, presence: Stanza) => void
}

type Handled = boolean | Promise<void>

export class PresenceService {
  readonly #ports: PresenceServicePorts
  readonly #vetoes: HidesFrom[] = []
  readonly #changes: CounterMetric
  readonly #suppressed: CounterMetric
  readonly #predicted: CounterMetric

  constructor(ports: PresenceServicePorts) {
    this.#ports = ports
    const { metrics, roster } = ports
    this.#changes = metrics.counter('rollcall_presence_changes_total', 'Undirected presence of clients: available, changed or unavailable.')
    this.#suppressed = metrics.counter('rollcall_presence_suppressed_total', 'Presence of clients that said nothing new and was not sent on.')
    this.#predicted = metrics.counter(
      'rollcall_presence_predicted_total', 'Deliveries that the changes would cost if every contact were there and every change were sent.',
    )
    metrics.observedGauge('rollcall_presence_available', 'Available resources.', () => this.#countAvailable())
    roster.onWatcherAdded((account, contact) => this.reveal(account, contact))
    roster.onWatcherRemoved((account, contact) => this.conceal(account, contact))
  }

  addVeto(hidesFrom: HidesFrom): void {
    this.#vetoes.push(hidesFrom)
  }

  /** Takes presence of a client, except subscription stanzas: those are the roster's. */
  sent({ session, stanza }: OutboundStanza): Handled {
    const { to, type } = stanza
    switch (type) {
      case '':
        return to === undefined ? this.#available(session, stanza) : this.#directed(session, stanza, to)
      case 'unavailable':
        if (to !== undefined) return this.#directed(session, stanza, to)
        this.#changes.add(1)
        this.#unavailable(session, stanza)
        return true
      case 'probe':
      case 'error':
        // §4.3: a client need not probe, but is not refused for it.
        return to === undefined ? true : this.#ports.router.route(stanza) ?? true
      case 'subscribe':
      case 'subscribed':
      case 'unsubscribe':
      case 'unsubscribed':
        return false
      default:
        throw new StanzaError('bad-request', 'Presence has no such type')
    }
  }

  /** Takes presence that came for an account, except subscription stanzas. */
  came(event: InboundStanza): Handled {
    const { account, stanza } = event
    switch (stanza.type) {
      case '':
      case 'unavailable':
        this.#ports.fanOut.deliverOne(event)
        return true
      case 'error':
        // Of our own probes the client knows nothing.
        if (stanza.id !== PROBE_ID) this.#ports.fanOut.deliverOne(event)
        return true
      case 'probe':
        if (stanza.from !== undefined) this.#ports.pacer.settleFor(account.jid, stanza.from)
        return this.#ports.probes.answer(account, stanza, (contact) => this.#isHidden(account, contact)) ?? true
      case 'subscribe':
      case 'subscribed':
      case 'unsubscribe':
      case 'unsubscribed':
        return false
      default:
        throw new StanzaError('bad-request', 'Presence has no such type')
    }
  }

  /** §4.5.2: a session that ended without saying so is unavailable all the same. */
  ended({ session, reason }: UnboundSession): void {
    if (reason === 'shutdown') this.#ports.pacer.settle(session.jid)
    const gone = presence(session.jid, undefined, 'unavailable')
    if (session.presence !== undefined) this.#changes.add(1)
    // When the server stops, everybody here goes; only others need to be told.
    this.#unavailable(session, gone, reason === 'shutdown')
    // Of an account that is being removed nothing may wait.
    if (reason === 'removed') this.#ports.pacer.settle(session.jid)
  }

  reveal(account: Account, contact: Jid): void {
    if (this.#isHidden(account, contact)) return
    const told = this.#ports.pacer.settle(account.jid)
    for (const session of account.sessions.values()) {
      if (told.some((jid) => jid.equals(session.jid))) continue
      if (session.presence !== undefined) void this.#ports.router.route(session.presence.addressed(session.jid, contact))
    }
  }

  conceal(account: Account, contact: Jid): void {
    const { pacer, roster, router } = this.#ports
    for (const jid of pacer.settle(account.jid)) {
      // It went while its last change waited, and the contact is no watcher any more, so nobody else would tell it.
      const isGone = account.sessions.get(jid.resourcepart)?.presence === undefined
      if (isGone && !roster.isWatcher(account, contact)) void router.route(presence(jid, contact, 'unavailable'))
    }
    for (const session of account.sessions.values()) {
      const isKnown = session.presence !== undefined || this.#ports.directed.hasBare(session, contact)
      if (isKnown) void this.#ports.router.route(presence(session.jid, contact, 'unavailable'))
      this.#ports.directed.removeBare(session, contact)
    }
  }

  /** Whom the account's sessions sent directed presence; each once per session. */
  *told(account: Account): Iterable<Jid> {
    for (const session of account.sessions.values()) yield* this.#ports.directed.all(session)
  }

  ask(account: Account, contact: Jid): void {
    void this.#ports.router.route(buildStanza('presence', { from: account.jid, to: contact, type: 'probe', id: PROBE_ID }))
  }

  #available(session: Session, stanza: Stanza): true {
    const priority = readPriority(stanza)
    const before = session.presence
    const priorityBefore = session.priority
    // Before the resource counts as available: it is to get these states once, with all others.
    if (before === undefined && this.#ports.pacer.size > 0) this.#settleWatched(session.account)
    session.presence = stanza
    session.priority = priority
    this.#changes.add(1)
    const { account } = session
    if (before !== undefined && isSamePresence(before, stanza)) {
      this.#suppressed.add(1)
      this.#ports.law.suppressed(account.jid)
      this.#ports.deliveries.add(1)
      session.sendWire(headOf(stanza) + account.jid.wire + tailOf(stanza))
      return true
    }
    this.#tell(session, before, stanza)
    this.#toOwn(account, stanza, before === undefined ? undefined : session)
    if (before === undefined) this.#greet(session, stanza)
    else if (priority !== priorityBefore) this.#ports.changedPriority(session, priorityBefore)
    return true
  }

  #unavailable(session: Session, stanza: Stanza, isShutdown = false): void {
    const { account } = session
    const before = session.presence
    const wasAvailable = before !== undefined
    session.presence = undefined
    session.priority = 0
    this.#ports.absent.forget(session)
    if (wasAvailable) {
      if (isShutdown) this.#ports.router.broadcast(stanza, this.audience(account).filter((contact) => !this.#ports.router.isHost(contact.domainpart)))
      else this.#tell(session, before, stanza)
      this.#toOwn(account, stanza)
      // §4.5.2: the resource itself is told too; it is not among the available ones any more.
      session.sendWire(headOf(stanza) + account.jid.wire + tailOf(stanza))
      this.#noteLast(account, stanza)
    }
    for (const entity of this.#ports.directed.take(session)) {
      if (wasAvailable && this.#ports.roster.isWatcher(account, entity)) continue
      void this.#ports.router.route(stanza.addressed(session.jid, entity))
    }
    if (wasAvailable) this.#ports.becameUnavailable(session, stanza)
  }

  /** Tells contacts of a change, now or when its window is over. */
  #tell(session: Session, before: Stanza | undefined, stanza: Stanza): void {
    const { law, pacer, roster } = this.#ports
    const { account } = session
    const watcherCount = roster.watcherCount(account)
    this.#predicted.add(watcherCount)
    law.changed(account.jid, watcherCount)
    pacer.changed(account, session.jid, before, stanza)
  }

  /** The account is told what waits about those whom it watches. */
  #settleWatched(account: Account): void {
    for (const contact of this.#ports.roster.watched(account)) this.#ports.pacer.settleFor(contact, account.jid)
  }

  /** Everybody who may see the account now (§4.2.2, §4.4.2, §4.5.2). */
  audience(account: Account): readonly Jid[] {
    const watchers = this.#ports.roster.watchers(account)
    if (this.#vetoes.length === 0) return watchers
    // Nearly always nobody is hidden from, and the list can be used as it is.
    for (const contact of watchers) {
      if (this.#isHidden(account, contact)) return watchers.filter((other) => !this.#isHidden(account, other))
    }
    return watchers
  }

  /** Whether the contact is one of them. */
  maySee(account: Account, contact: Jid): boolean {
    return this.#ports.roster.isWatcher(account, contact) && !this.#isHidden(account, contact)
  }

  /**
   * To the account's own available resources: everybody sees their own presence (§4.2.2). `knower` is a session that waits for nothing
   * that it knows.
   */
  #toOwn(account: Account, stanza: Stanza, knower?: Session): void {
    const wire = headOf(stanza) + account.jid.wire + tailOf(stanza)
    let count = 0
    for (const session of account.sessions.values()) {
      if (session.presence === undefined) continue
      if (session === knower) session.sendEcho(wire)
      else session.sendPresence(wire, stanza.from as Jid)
      count++
    }
    this.#ports.deliveries.add(count)
  }

  /** What a newly available resource is told (§4.2.2, §4.3.1, §3.1.3). */
  #greet(session: Session, stanza: Stanza): void {
    this.#tellOfContacts(session, false)
    this.#ports.roster.greet(session)
    this.#ports.becameAvailable(session, stanza)
  }

  /** A client is back that may not have got all that it was told of its contacts: it is told how everybody is now. */
  refresh(session: Session): void {
    if (session.presence === undefined) return
    this.#settleWatched(session.account)
    this.#tellOfContacts(session, true)
  }

  /** `isComplete`: of those too who are not there (§4.3.2). */
  #tellOfContacts(session: Session, isComplete: boolean): void {
    const { account } = session
    const { absent, accounts, roster, router } = this.#ports
    const own = account.jid
    const elsewhere: Jid[] = []
    for (const other of account.sessions.values()) {
      if (other !== session && other.presence !== undefined) this.#give(other.presence, session)
    }
    for (const contact of roster.watched(account)) {
      if (router.isHere(contact)) {
        const warm = accounts.warm(contact)
        if (warm !== undefined && warm.sessions.size > 0) this.#giveContact(warm, session)
        if (isComplete && !isThere(warm)) this.#giveGone(contact, session)
      } else if (router.isHost(contact.domainpart)) {
        // A host itself has no presence.
        if (contact.localpart !== '') elsewhere.push(contact)
      } else {
        void router.route(buildStanza('presence', { from: own, to: contact, type: 'probe', id: PROBE_ID }))
      }
    }
    if (elsewhere.length > 0) absent.ask(session, elsewhere, isComplete)
  }

  /** A resource on another member asks for contacts here (§4.3.2). */
  probed({ from, id }: Stanza, contacts: readonly Jid[]): void {
    const { accounts, pacer, probes, roster, router } = this.#ports
    const states: Stanza[] = []
    if (from === undefined) return
    for (const jid of contacts) {
      // Of those too who went: they may be back before the other contacts are told, and then nobody is.
      pacer.settleFor(jid, from)
      const contact = accounts.warm(jid)
      if (contact === undefined || contact.sessions.size === 0) continue
      if (!roster.isWatcher(contact, from)) states.push(presence(contact.jid, from.bare, 'unsubscribed'))
      else if (!this.#isHidden(contact, from)) {
        for (const session of contact.sessions.values()) if (session.presence !== undefined) states.push(session.presence)
        probes.answeredToMembers.add(1)
      }
    }
    router.answerProbes(from, { probe: id, states, contactCount: contacts.length })
  }

  /** What contacts on another member answered. */
  answered(to: Jid, answer: ProbeAnswer): void {
    const { absent, accounts, roster, router } = this.#ports
    const session = accounts.warm(to)?.sessions.get(to.resourcepart)
    if (session?.presence === undefined) return
    const { account } = session
    const told = absent.answered(session, answer, (contact) => this.#giveGone(contact, session))
    if (told === undefined) return
    for (const state of answer.states) {
      const from = state.from as Jid
      if (state.type === 'unsubscribed') void router.route(state.addressed(from, account.jid))
      else if (!told.has(from.toString()) && roster.isWatched(account, from) && !this.#isHidden(account, from)) this.#give(state, session)
    }
  }

  /** A contact of this member answers without being asked (§4.3.1), if its own roster says so. */
  #giveContact(contact: Account, session: Session): void {
    const { account } = session
    if (!this.#ports.roster.isWatcher(contact, account.jid)) {
      // §4.3.2: the answer to a probe of somebody who is not subscribed; it mends the asker's roster.
      void this.#ports.router.route(presence(contact.jid, account.jid, 'unsubscribed'))
      return
    }
    if (this.#vetoes.length > 0 && (this.#isHidden(contact, account.jid) || this.#isHidden(account, contact.jid))) return
    for (const other of contact.sessions.values()) {
      // Asked again by resource: one of them alone may be blocked.
      if (other.presence !== undefined && !this.#isHidden(account, other.jid)) this.#give(other.presence, session)
    }
    this.#ports.probes.answeredFromMemory.add(1)
  }

  #giveGone(contact: Jid, session: Session): void {
    if (this.#ports.roster.isWatched(session.account, contact)) this.#give(presence(contact.bare, undefined, 'unavailable'), session)
  }

  #give(stanza: Stanza, session: Session): void {
    session.sendPresence(headOf(stanza) + session.account.jid.wire + tailOf(stanza), stanza.from as Jid)
    this.#ports.deliveries.add(1)
  }

  /** §4.6.3: goes out as it is; who is not subscribed is remembered until told otherwise. */
  #directed(session: Session, stanza: Stanza, to: Jid): Handled {
    const { directed, roster, router } = this.#ports
    if (stanza.type === 'unavailable') directed.remove(session, to)
    else if (session.presence === undefined || !roster.isWatcher(session.account, to)) directed.add(session, to)
    return router.route(stanza) ?? true
  }

  /** Counted when asked for: sessions come and go with their accounts too, from and to other members. */
  #countAvailable(): number {
    let count = 0
    for (const account of this.#ports.accounts.online()) for (const _ of account.availableSessions()) count++
    return count
  }

  #noteLast(account: Account, stanza: Stanza): void {
    for (const _ of account.availableSessions()) return
    const content = stanza.content.length <= this.#ports.lastBytesMax ? stanza.content : ''
    this.#ports.lasts.note(account.jid.toString(), { at: this.#ports.clock.now(), content })
  }

  #isHidden(account: Account, contact: Jid): boolean {
    for (const hidesFrom of this.#vetoes) if (hidesFrom(account, contact)) return true
    return false
  }
}

function isThere(account: Account | undefined): boolean {
  for (const _ of account?.availableSessions() ?? []) return true
  return false
}
