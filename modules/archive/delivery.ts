/**
 * Gives what waits in an account's log to its sessions (RFC 6121 §8.5.2.2, XEP-0160), and learns what arrived.
 *
 * Order: when a session is to get what waits it is held, so that what comes live while storage is read stands behind it.
 * Sessions of one account that come at the same time are served one after the other, so that each message goes to one of
 * them; all are held until their turn, so that for none of them anything newer overtakes. A session gets what waited when
 * it became available, and nothing later, even if it says meanwhile that it is not available any more: then what came
 * live in between is on its way to it, too.
 *
 * A message is delivered when the core says so (`messageAcked`: acknowledged, or written without stream management). One
 * that was given to a session which ended without acknowledging it waits again.
 */
import type { AckedMessage, Account, Session, SessionHold, UnackedMessage } from '@rollcall/module-api'
import type { ArchiveEntry, Clock, CounterMetric, Log, Metrics } from '@rollcall/ports'
import { Delay, NS_CARBONS, NS_DELAY, NS_FORWARD, NS_MAM, NS_STANZA_IDS } from '@rollcall/protocol'
import { NS_CLIENT, stanzaFromFrame } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { scanFragment } from '@rollcall/xml'
import type { Jid } from '@rollcall/jid'
import type { Blocking } from '../blocking/port.ts'
import type { Carbons } from '../carbons/port.ts'
import { markOf } from './account-log.ts'
import type { AccountLog, LogStores } from './account-log.ts'
import type { Mark } from './delivery-position.ts'
import type { Appended } from './message-log.ts'
import type { PositionWriter } from './position-writer.ts'
import type { SeenMessages } from './seen-messages.ts'
import { stanzaIdOf, withStanzaId } from './stanza-ids.ts'
import { RECEIVED, sizeOf, stanzaOf } from './stored-message.ts'
import type { StoredMessage } from './stored-message.ts'
import { WaitingReader } from './waiting-reader.ts'
import type { Lately, WaitingMessage } from './waiting-reader.ts'

export interface DeliveryPorts {
  readonly stores: LogStores
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly positions: PositionWriter
  readonly blocking: Blocking | undefined
  readonly carbons: Carbons | undefined
  /** ms after which a message is not delivered any more; 0 = never. */
  readonly expiryMs: number
  readonly logOf: (account: Account) => AccountLog
  /** What sessions were sent in another form: the result of a query, a copy. */
  readonly seen: SeenMessages
  /** Number of the last message that the session's client fetches from the archive without being given it. */
  readonly catchesUpTo: (session: Session) => number
}

/** What a member gave to other members and they did not get before it died is not older. Edges know what came for longer. */
const UNDER_WAY_MS = 4_000
/** Between an entry's time and that of the message's delivery; two entries of one account are put apart by a millisecond each. */
const LATELY_MARGIN_MS = 1_000

/** A message that was given to sessions. */
interface Given {
  readonly mark: Mark
  readonly bytes: number
  /** Id of the entry when it is kept only until delivery. */
  readonly transientId: string | undefined
}

export class Delivery {
  readonly #ports: DeliveryPorts
  readonly #delivered: CounterMetric
  /** By the stanza as it was handed over. */
  readonly #given = new WeakMap<Stanza, Given>()
  /** Ids of messages that restored sessions had when their core died. */
  readonly #has = new WeakMap<Session, { readonly unacked: ReadonlySet<string>; readonly received: ReadonlySet<string> }>()
  /** Sessions that went on after a death when their account had no other: what was for it was for them. */
  readonly #alone = new WeakSet<Session>()

  constructor(ports: DeliveryPorts) {
    this.#ports = ports
    this.#delivered = ports.metrics.counter('rollcall_offline_messages_delivered_total', 'Messages that waited and were given to a session.')
  }

  /** The bound of what is too old to be delivered, or undefined when nothing ever is. */
  get expiredUntil(): number | undefined {
    const { clock, expiryMs } = this.#ports
    return expiryMs === 0 ? undefined : clock.now() - expiryMs
  }

  /** A message that was just appended is about to be given to sessions. */
  give(log: AccountLog, appended: Appended, message: Stanza): void {
    const { mark, bytes, archiveId, id } = appended
    log.position.give(mark, bytes)
    this.#given.set(message, { mark, bytes, transientId: archiveId === undefined ? id : undefined })
  }

  /** A message was appended that waits for somebody to come. */
  keep({ mark, bytes, archiveId, id }: Appended, message: Stanza): void {
    this.#given.set(message, { mark, bytes, transientId: archiveId === undefined ? id : undefined })
  }

  /** Sessions that are not available yet were given a copy of a message that waits. */
  copied(account: Account, message: Stanza, holders: readonly Session[]): void {
    const given = this.#given.get(message)
    if (given === undefined || !this.#ports.logOf(account).position.isWaiting(given.mark.number)) return
    for (const holder of holders) this.#ports.seen.note(holder, given.mark.number)
  }

  /** A message is with its client. */
  acked({ session, stanza }: AckedMessage): void {
    const log = this.#ports.logOf(session.account)
    const given = this.#find(log, session.account, stanza)
    if (given !== undefined) this.#settle(log, given)
  }

  /** A message did not reach its client: it waits for another. False when it is not in the log. */
  unacked({ account, stanza }: UnackedMessage): boolean {
    const log = this.#ports.logOf(account)
    const given = this.#find(log, account, stanza)
    // The result of a query was for its session alone.
    if (given === undefined) return stanza.has('result', NS_MAM)
    if (log.position.takeBack(given.mark.number)) this.#deliverToNext(account)
    return true
  }

  /** Sends a waiting message as the result of a query (`wire`): once that is acknowledged, the message is delivered. */
  sendResult(session: Session, log: AccountLog, entry: ArchiveEntry<StoredMessage>, wire: string): void {
    const result = stanzaFromFrame(scanFragment(wire, NS_CLIENT), log.account, session.jid)
    this.#given.set(result, { mark: markOf(entry), bytes: sizeOf(stanzaOf(entry.value)), transientId: undefined })
    this.#ports.seen.note(session, entry.value[1])
    const hold = session.hold()
    hold.send(result)
    hold.release()
  }

  /** What waits goes to the best session there is. */
  #deliverToNext(account: Account): void {
    const next = mostAvailable(account)
    if (next !== undefined) this.deliverTo(next)
  }

  /** To be called when a session has become one that gets messages for the account. */
  deliverTo(session: Session): void {
    const log = this.#ports.logOf(session.account)
    const until = log.position.last.number
    // One in line that reads less far does not do: what it leaves may have come while the session was not available.
    if (log.position.waiting === 0 || log.inLine.get(session) === until) return
    const hold = session.hold()
    log.inLine.set(session, until)
    log.line = log.line.then(() => this.#deliver(log, session, hold, until))
  }

  /**
   * The session goes on after the death of the member that had its account. What its client has, or will acknowledge, is not
   * delivered again; what was on its way to it is.
   */
  restored(session: Session, unacked: readonly Stanza[], received: readonly Stanza[]): void {
    const ids = (messages: readonly Stanza[]) =>
      new Set(messages.map((message) => givenIdOf(message, session.account.jid)).filter((id) => id !== undefined))
    this.#has.set(session, { unacked: ids(unacked), received: ids(received) })
    if (session.account.sessions.size > 1) {
      this.#withOthers(session.account)
      this.#deliverLately(session, this.#ports.clock.now() - UNDER_WAY_MS)
      return
    }
    this.#alone.add(session)
    if (session.presence !== undefined && session.priority >= 0) this.deliverTo(session)
  }

  /** The account had other sessions: some of what was for all of them may have reached some. */
  #withOthers(account: Account): void {
    for (const session of account.sessions.values()) {
      if (this.#alone.delete(session)) this.#deliverLately(session, this.#ports.clock.now() - UNDER_WAY_MS)
    }
  }

  /**
   * The session goes on whose member died, and all that was on its way to it is lost: it gets whatever came for it from `since` on
   * once more, and what waits. What it has it knows by its id.
   */
  adopted(session: Session, since: number): void {
    // It was on its way with all the rest.
    this.#ports.seen.forget(session)
    this.#withOthers(session.account)
    this.#deliverLately(session, since - LATELY_MARGIN_MS)
  }

  #deliverLately(session: Session, start: number): void {
    const log = this.#ports.logOf(session.account)
    const until = log.position.last.number
    const lately: Lately = { start, lastId: log.lastArchivedId }
    const hold = session.hold()
    log.line = log.line.then(() => this.#deliverAgain(log, session, hold, until, lately))
  }

  /** Never rejects. */
  async #deliverAgain(log: AccountLog, session: Session, hold: SessionHold, until: number, lately: Lately): Promise<void> {
    const reader = new WaitingReader(this.#ports.stores, log, until, lately)
    let before = log.position.reached.number
    try {
      while (!reader.isAtEnd) {
        const entries = await reader.next()
        if (!isThere(session)) return this.#deliverToNext(session.account)
        before = this.#handAll(log, entries, before, (message) => this.#handAgain(log, session, hold, message, lately))
        if (reader.isAtEnd) this.#skipMissing(log, before, until + 1)
      }
    } catch (error) {
      this.#ports.log.error('redelivery-after-death-failed', { account: log.owner, error })
      // What it lacks it finds in the archive, as it would had it not been resumed.
      session.close('reset', 'What was on its way cannot be read')
    } finally {
      hold.release()
    }
  }

  /** Hands each message on, in order; what is missing between them counts as done. Returns the number of the last, `before` at least. */
  #handAll(log: AccountLog, messages: readonly WaitingMessage[], before: number, hand: (message: WaitingMessage) => void): number {
    let last = before
    for (const message of messages) {
      const { number } = markOf(message.entry)
      this.#skipMissing(log, last, number)
      last = Math.max(last, number)
      hand(message)
    }
    return last
  }

  #handAgain(log: AccountLog, session: Session, hold: SessionHold, message: WaitingMessage, { start }: Lately): void {
    const { entry: { at, id, value }, isTransient } = message
    const isTaking = session.presence !== undefined && session.priority >= 0
    const isReceived = value[0] === RECEIVED
    if (isReceived && isTaking && log.position.isWaiting(value[1])) return this.#handOver(log, session, hold, message)
    const has = this.#has.get(session)
    if (at < start || isTransient || has?.received.has(id) === true || has?.unacked.has(id) === true) return
    const stored = stanzaOf(value)
    if (this.#isBlocked(session.account, stored)) return
    const again = withStanzaId(stored, log.account, id)
    const { from, to } = stored
    const isOwn = isReceived && (to?.isFull === true ? to.equals(session.jid) : isTaking)
    if (isOwn) return hold.send(delayed(again, log.account.domain, at))
    // Those who took it themselves got no copy.
    const isCopy = from?.equals(session.jid) !== true
    const copy = isCopy ? this.#ports.carbons?.copyFor(session, again, isReceived ? 'received' : 'sent') : undefined
    if (copy !== undefined) hold.send(copy)
  }

  /** Delivers messages up to number `until`; never rejects. */
  async #deliver(log: AccountLog, session: Session, hold: SessionHold, until: number): Promise<void> {
    if (log.inLine.get(session) === until) log.inLine.delete(session)
    const reader = new WaitingReader(this.#ports.stores, log, until)
    let before = log.position.reached.number
    try {
      while (!reader.isAtEnd && log.position.waiting > 0) {
        const entries = await reader.next()
        if (!isThere(session)) return this.#deliverToNext(session.account)
        before = this.#handAll(log, entries, before, (message) => this.#handOver(log, session, hold, message))
        if (reader.isAtEnd) this.#skipMissing(log, before, until + 1)
      }
    } catch (error) {
      // What was not handed over comes at the next login.
      this.#ports.log.error('offline-delivery-failed', { account: log.owner, error })
    } finally {
      hold.release()
    }
  }

  #handOver(log: AccountLog, session: Session, hold: SessionHold, { entry, isTransient }: WaitingMessage): void {
    const { number, end, id } = markOf(entry)
    const { position } = log
    if (!position.isWaiting(number)) {
      // Delivered before a crash that came before its deletion.
      if (isTransient && number <= position.reached.number) this.#done(log, id)
      return
    }
    const message = stanzaOf(entry.value)
    const given: Given = {
      // Reading goes on in the history, where what is kept elsewhere has no place.
      mark: { id: isTransient ? position.reached.id : id, number, end }, bytes: sizeOf(message), transientId: isTransient ? id : undefined,
    }
    const has = this.#has.get(session)
    if (has?.received.has(id) === true) return this.#settle(log, given)
    if (has?.unacked.has(id) === true) return position.give(given.mark, given.bytes)
    const until = this.expiredUntil
    const isExpired = until !== undefined && entry.at <= until
    if (isExpired || this.#isBlocked(session.account, message)) return this.#settle(log, given)
    // XEP-0386 §3.2: what is in the archive waits no more, without being sent. What is only kept until delivery is not there.
    if (!isTransient && number <= this.#ports.catchesUpTo(session)) return this.#settle(log, given)
    // Its client has it, or will; when neither comes true, it comes back unacknowledged.
    if (this.#ports.seen.has(session, number)) return position.give(given.mark, given.bytes)
    const stamped = delayed(isTransient ? message : withStanzaId(message, log.account, id), log.account.domain, entry.at)
    position.give(given.mark, given.bytes)
    this.#given.set(stamped, given)
    this.#delivered.add(1)
    hold.send(stamped)
  }

  /** XEP-0191 §3.3: once an address is blocked, nothing of it is delivered any more. */
  #isBlocked(account: Account, { from }: Stanza): boolean {
    return from !== undefined && this.#ports.blocking?.isBlocked(account, from) === true
  }

  /** Messages between two numbers that are not in the log any more: purged before anybody came. */
  #skipMissing(log: AccountLog, after: number, before: number): void {
    for (let number = after + 1; number < before; number++) {
      if (!log.position.isWaiting(number)) continue
      const { id, end } = log.position.reached
      this.#settle(log, { mark: { id, number, end }, bytes: 0, transientId: undefined })
    }
  }

  #settle(log: AccountLog, { mark, bytes, transientId }: Given): void {
    if (!log.position.settle(mark, bytes)) return
    if (transientId === undefined) this.#ports.positions.note(log)
    else this.#done(log, transientId)
  }

  #done(log: AccountLog, transientId: string): void {
    log.doneTransient.push(transientId)
    this.#ports.positions.note(log)
  }

  #find(log: AccountLog, account: Account, stanza: Stanza): Given | undefined {
    const given = this.#given.get(stanza)
    if (given !== undefined) return given
    // Given while the account was somewhere else.
    const id = stanza.has('result', NS_MAM) ? resultIdOf(stanza) : stanzaIdOf(stanza, account.jid)
    const found = id === undefined ? undefined : log.position.find(id)
    return found === undefined ? undefined : { ...found, transientId: undefined }
  }
}

/** Id in the account's log of a message, or of one that a copy has in it. */
function givenIdOf(message: Stanza, account: Jid): string | undefined {
  const copy = message.findNs(NS_CARBONS)
  const copied = copy === undefined ? undefined : message.element(copy).child('forwarded', NS_FORWARD)?.child('message', NS_CLIENT)
  if (copied === undefined) return stanzaIdOf(message, account)
  return copied.elements('stanza-id', NS_STANZA_IDS).find((id) => id.attribute('by') === account.toString())?.attribute('id')
}

/** Id of the message in the result of a query. */
function resultIdOf(stanza: Stanza): string | undefined {
  const result = stanza.find('result', NS_MAM)
  return result === undefined ? undefined : stanza.element(result).attribute('id')
}

/** XEP-0203: says since when the host had the message. */
function delayed(message: Stanza, host: Jid, at: number): Stanza {
  return message.withChild('delay', NS_DELAY, Delay.toWire({ from: host, stamp: at, reason: 'Offline Storage' }))
}

/** The available resource of the highest non-negative priority. */
function mostAvailable(account: Account): Session | undefined {
  let best: Session | undefined
  for (const session of account.availableSessions()) {
    if (session.priority >= 0 && (best === undefined || session.priority > best.priority)) best = session
  }
  return best
}

function isThere(session: Session): boolean {
  return session.account.sessions.get(session.jid.resourcepart) === session
}
