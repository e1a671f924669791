/** Answers queries of an account's history (XEP-0313 §4, §5). */
import type { AccountIqRequest, Session } from '@rollcall/module-api'
import { StorageError } from '@rollcall/ports'
import type { Archive, ArchiveEntry, CounterMetric, HistogramMetric, Clock, Metrics } from '@rollcall/ports'
import { formatDateTime, MamFin, MamMetadata, NS_DELAY, NS_FORWARD, NS_MAM } from '@rollcall/protocol'
import type { MamQuery } from '@rollcall/protocol'
import { NS_CLIENT, StanzaError } from '@rollcall/stanza'
import { escapeAttribute } from '@rollcall/xml'
import type { XmlElement } from '@rollcall/xml'
import type { AccountLog } from './account-log.ts'
import { planQuery } from './query.ts'
import type { QueryLimits, QueryPlan } from './query.ts'
import { SENT, stanzaOf, wireOf } from './stored-message.ts'
import type { StoredMessage } from './stored-message.ts'

/** Queries of one account that are answered at a time. */
const QUERIES_MAX = 16
/** Entries read at a time where some of them may not match. */
const SCAN_SIZE = 250

type Entry = ArchiveEntry<StoredMessage>

export interface ArchiveServicePorts {
  readonly messages: Archive<StoredMessage>
  readonly clock: Clock
  readonly metrics: Metrics
  readonly limits: QueryLimits
  /** Sends a received message that waits, as the result `wire`. */
  readonly sendWaiting: (session: Session, log: AccountLog, entry: ArchiveEntry<StoredMessage>, wire: string) => void
}

interface Page {
  readonly entries: readonly Entry[]
  readonly isComplete: boolean
  /** How many messages match altogether, where that was asked for. */
  readonly count?: number
}

export class ArchiveService {
  readonly #ports: ArchiveServicePorts
  readonly #queries: CounterMetric
  readonly #results: CounterMetric
  readonly #seconds: HistogramMetric

  constructor(ports: ArchiveServicePorts) {
    this.#ports = ports
    const { metrics } = ports
    this.#queries = metrics.counter('rollcall_archive_queries_total', 'Queries of message archives.')
    this.#results = metrics.counter('rollcall_archive_results_total', 'Messages sent as results of queries.')
    this.#seconds = metrics.histogram('rollcall_archive_query_seconds', 'Time from a query to its page.', [0.001, 0.005, 0.02, 0.1, 0.5, 2])
  }

  /** Sends a page of results to the session and gives the end of it. Rejects with `StanzaError`. */
  async query(log: AccountLog, session: Session, query: MamQuery): Promise<XmlElement> {
    const plan = planQuery(query, this.#ports.limits)
    this.#queries.add(1)
    const startMs = this.#ports.clock.monotonic()
    const page = await this.#read(log, () => this.#page(log.owner, plan))
    this.#seconds.observe((this.#ports.clock.monotonic() - startMs) / 1000)
    this.#send(log, session, plan, page.entries)
    const first = page.entries[0]
    const last = page.entries.at(-1)
    return MamFin.encode({
      isComplete: page.isComplete,
      page: {
        ...(first === undefined ? {} : { first: { id: first.id } }), ...(last === undefined ? {} : { last: last.id }),
        ...(page.count === undefined ? {} : { count: page.count }),
      },
    })
  }

  /** What is in the archive (§5). */
  async metadata(log: AccountLog): Promise<XmlElement> {
    const { messages } = this.#ports
    const [first, last] = await this.#read(log, () => Promise.all([
      messages.query(log.owner, { limit: 1 }), messages.query(log.owner, { limit: 1, isBackward: true }),
    ]))
    const [start, end] = [first.entries[0], last.entries[0]]
    return MamMetadata.encode({
      ...(start === undefined ? {} : { start: { id: start.id, at: start.at } }), ...(end === undefined ? {} : { end: { id: end.id, at: end.at } }),
    })
  }

  async #read<T>(log: AccountLog, read: () => Promise<T>): Promise<T> {
    if (log.queries >= QUERIES_MAX) throw new StanzaError('resource-constraint', 'Too many queries at once')
    log.queries++
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      if (error.code === 'item-not-found') throw new StanzaError('item-not-found', 'There is no message with such an id')
      throw new StanzaError('resource-constraint', 'The archive cannot be read now')
    } finally {
      log.queries--
    }
  }

  async #page(owner: string, plan: QueryPlan): Promise<Page> {
    const { messages } = this.#ports
    if (plan.otherIds.length > 0) await messages.query(owner, { ids: plan.otherIds, limit: 0 })
    if (plan.resource !== undefined) return this.#scan(owner, plan, plan.resource.toString())
    if (plan.max > 0) return messages.query(owner, { ...plan.filter, limit: plan.max })
    const count = await messages.count(owner, plan.filter)
    return { entries: [], isComplete: count === 0, count }
  }

  /** The store knows bare addresses only, so what it finds is looked through for the resource. */
  async #scan(owner: string, plan: QueryPlan, resource: string): Promise<Page> {
    const { messages } = this.#ports
    const isBackward = plan.filter.isBackward === true
    const found: Entry[] = []
    let filter = plan.filter
    for (;;) {
      const page = await messages.query(owner, { ...filter, limit: SCAN_SIZE })
      const matching = page.entries.filter((entry) => peerOf(entry.value) === resource)
      if (isBackward) found.unshift(...matching)
      else found.push(...matching)
      const isFull = plan.max > 0 && found.length > plan.max
      if (page.isComplete || isFull) {
        if (plan.max === 0) return { entries: [], isComplete: found.length === 0, count: found.length }
        return { entries: isBackward ? found.slice(-plan.max) : found.slice(0, plan.max), isComplete: !isFull }
      }
      const edge = (isBackward ? page.entries[0] : page.entries.at(-1))?.id ?? ''
      filter = isBackward ? { ...filter, before: edge } : { ...filter, after: edge }
    }
  }

  #send(log: AccountLog, session: Session, plan: QueryPlan, entries: readonly Entry[]): void {
    if (entries.length === 0) return
    this.#results.add(entries.length)
    const queryId = plan.queryId === undefined ? '' : ` queryid='${escapeAttribute(plan.queryId)}'`
    const head = `<message from='${log.account.wire}' to='${session.jid.wire}'><result xmlns='${NS_MAM}'${queryId} id='`
    for (const entry of plan.isFlipped ? entries.toReversed() : entries) {
      const wire = head + resultTail(entry)
      const [direction, number] = entry.value
      if (direction !== SENT && log.position.isWaiting(number)) this.#ports.sendWaiting(session, log, entry, wire)
      else session.sendWire(wire)
    }
  }
}

/** What follows the id of a result. */
function resultTail({ id, at, value }: Entry): string {
  const original = `<message xmlns='${NS_CLIENT}'${wireOf(value).slice('<message'.length)}`
  const delay = `<delay xmlns='${NS_DELAY}' stamp='${formatDateTime(at)}'/>`
  return `${id}'><forwarded xmlns='${NS_FORWARD}'>${delay}${original}</forwarded></result></message>`
}

/** The address on the other side. */
function peerOf(stored: StoredMessage): string | undefined {
  const { from, to } = stanzaOf(stored)
  return (stored[0] === SENT ? to : from)?.toString()
}

/** An iq of the account itself. */
export type OwnRequest<T> = AccountIqRequest<T> & { readonly session: Session }
