/**
 * Stores messages and delivers them.
 *
 * Order: when a session is to get the stored messages it is held, so that what comes live while storage is read waits
 * behind them. Sessions of one account that come at the same time are served one after the other, so that each message
 * goes to one of them; all are held until their turn, so that for none of them anything newer overtakes. A session gets
 * what was stored when it became available, and nothing later, even if it says meanwhile that it is not available any
 * more: then what came live in between is on its way to it, too.
 *
 * Durability: a message is stored when the promise that its sender's server waits for settles. It is deleted after it was
 * handed to the session, a page at a time. A crash in between delivers a page again; a connection that is dead without
 * anybody knowing takes what it was handed with it, and what was kept back for it. Both end with acknowledged delivery (XEP-0198).
 */
import type { Account, Session, SessionHold } from '@rollcall/module-api'
import { StorageError } from '@rollcall/ports'
import type { Archive, ArchiveEntry, Clock, CounterMetric, Log, Metrics, Random } from '@rollcall/ports'
import { Delay, NS_DELAY } from '@rollcall/protocol'
import { jidOf } from '@rollcall/jid'
import { decodeStanza, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { Blocking } from '../blocking/port.ts'
import { sizeOf } from './queue.ts'
import type { AccountQueue, QueueLimits, StoredMessage } from './queue.ts'
import { worthOf } from './worth.ts'

/** Messages read, handed over and deleted at a time. */
const PAGE_SIZE = 50

export interface OfflineServicePorts {
  readonly store: Archive<StoredMessage>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly blocking: Blocking | undefined
  readonly limits: QueueLimits
  /** ms after which a message is forgotten; 0 = never. */
  readonly expiryMs: number
  readonly queueOf: (account: Account) => AccountQueue
}

export class OfflineService {
  readonly #ports: OfflineServicePorts
  readonly #stored: CounterMetric
  readonly #delivered: CounterMetric
  readonly #refused: CounterMetric

  constructor(ports: OfflineServicePorts) {
    this.#ports = ports
    this.#stored = ports.metrics.counter('rollcall_offline_messages_stored_total', 'Messages stored for accounts without an eligible session.')
    this.#delivered = ports.metrics.counter('rollcall_offline_messages_delivered_total', 'Stored messages given to a session.')
    this.#refused = ports.metrics.counter('rollcall_offline_messages_refused_total', 'Messages refused because an account\'s offline storage was full.')
  }

  /** The bound of what is too old, or undefined when nothing ever is. */
  get expiredUntil(): number | undefined {
    const { clock, expiryMs } = this.#ports
    return expiryMs === 0 ? undefined : clock.now() - expiryMs
  }

  /** Takes a message that nobody can receive; false when it is not to be stored. Throws `service-unavailable` when full. */
  take(account: Account, message: Stanza): boolean | Promise<void> {
    const worth = worthOf(message)
    if (worth !== 'kept') return worth === 'ephemeral'
    const queue = this.#ports.queueOf(account)
    if (!queue.hasRoom(sizeOf(message), this.#ports.limits)) {
      this.#refused.add(1)
      // XEP-0160 §2, step 3: the same as without any storage.
      throw new StanzaError('service-unavailable')
    }
    return this.#store(account, queue, message)
  }

  async #store(account: Account, queue: AccountQueue, message: Stanza): Promise<void> {
    const { clock, random, store } = this.#ports
    const entry = queue.add(message, random.id(), clock.now())
    try {
      await store.append(account.jid.toString(), entry)
      this.#stored.add(1)
    } catch (error) {
      queue.remove([entry])
      if (!(error instanceof StorageError)) throw error
      this.#ports.log.error('offline-store-failed', { account: account.jid.toString(), trace: message.trace, error })
      throw new StanzaError('resource-constraint')
    }
  }

  /** To be called when a session has become one that gets messages for the account. */
  deliverTo(session: Session): void {
    const { account } = session
    const queue = this.#ports.queueOf(account)
    if (queue.messages === 0) return
    const hold = session.hold()
    const { end } = queue
    queue.line = queue.line.then(() => this.#deliver(queue, session, hold, end))
  }

  /** Delivers the messages up to `end`; never rejects. */
  async #deliver(queue: AccountQueue, session: Session, hold: SessionHold, end: number): Promise<void> {
    const { log, store } = this.#ports
    const { account } = session
    const owner = account.jid.toString()
    try {
      let isComplete = false
      while (!isComplete && queue.messages > 0) {
        const page = await store.query(owner, { limit: PAGE_SIZE })
        if (!isConnected(session)) return
        const entries = page.entries.filter((entry) => entry.value.end <= end)
        for (const entry of entries) this.#handOver(account, entry, hold)
        isComplete = page.isComplete || entries.length < page.entries.length
        // The last ones are with the client now; it need not wait for the deletion.
        if (isComplete) hold.release()
        if (entries.length > 0) await store.delete(owner, entries.map((entry) => entry.id))
        queue.remove(entries)
      }
    } catch (error) {
      // What was not deleted comes again at the next login.
      log.error('offline-delivery-failed', { account: owner, error })
    } finally {
      hold.release()
    }
  }

  #handOver(account: Account, entry: ArchiveEntry<StoredMessage>, hold: SessionHold): void {
    const until = this.expiredUntil
    if (until !== undefined && entry.at <= until) return
    const message = decodeStanza(entry.value.stanza)
    // XEP-0191 §3.3: once an address is blocked, nothing of it is delivered any more.
    if (message.from !== undefined && this.#ports.blocking?.isBlocked(account, message.from) === true) return
    hold.send(delayed(message, account.jid.domainpart, entry.at))
    this.#delivered.add(1)
  }
}

function isConnected(session: Session): boolean {
  return session.account.sessions.get(session.jid.resourcepart) === session
}

/** XEP-0203: says since when the host had the message. */
function delayed(message: Stanza, host: string, at: number): Stanza {
  return message.withChild('delay', NS_DELAY, Delay.toWire({ from: jidOf('', host), stamp: at, reason: 'Offline Storage' }))
}
