/**
 * Writes the logs: one entry for every message worth keeping in the log of each account that sent or received it.
 *
 * The promise that a write returns is what the sender's acknowledgement waits for (ADR 0010). Delivery to connected
 * sessions does not: a client may see a message a few milliseconds before it is on the disk, but its sender never takes
 * it for safe before.
 */
import { StorageError } from '@rollcall/ports'
import type { ArchiveEntry, Clock, CounterMetric, Log, Metrics, Random } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import { NS_CLIENT, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { AccountLog, LogStores } from './account-log.ts'
import type { Mark } from './delivery-position.ts'
import type { PositionWriter } from './position-writer.ts'
import { RECEIVED, SENT, sizeOf, textOf } from './stored-message.ts'
import type { StoredMessage } from './stored-message.ts'

export interface MessageLogPorts {
  readonly stores: LogStores
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly positions: PositionWriter
  /** Texts are put into the store's index. */
  readonly isSearchable: boolean
}

/** An entry that is being written. */
export interface Appended {
  readonly mark: Mark
  readonly bytes: number
  /** Under which the entry may be queried; undefined when it may not. */
  readonly archiveId: string | undefined
  /** Under which it is stored. */
  readonly id: string
  /** Settles when the entry is on the disk; rejects with a `StanzaError`. Entries of one commit may have the same. */
  readonly committed: Promise<void>
}

/** Entries that are written together: they fail together, too. */
interface Writing {
  /** What storage returned for them. */
  readonly stored: Promise<void>
  readonly committed: Promise<void>
  readonly undo: (() => void)[]
}

export class MessageLog {
  readonly #ports: MessageLogPorts
  readonly #received: CounterMetric
  readonly #sent: CounterMetric
  readonly #failed: CounterMetric
  /** The last one. */
  #writing: Writing | undefined = undefined
  /** The last message that was written, and its text: sender and recipient nearly always have the same. */
  #lastMessage: Stanza | undefined = undefined
  #lastText = ''

  constructor(ports: MessageLogPorts) {
    this.#ports = ports
    const counter = (direction: string) =>
      ports.metrics.counter('rollcall_archive_messages_total', 'Messages written to accounts\' logs, by direction.', { direction })
    this.#received = counter('received')
    this.#sent = counter('sent')
    this.#failed = ports.metrics.counter('rollcall_archive_failures_total', 'Messages that could not be written to a log.')
  }

  /** Appends a message that the account received. `isArchived`: it stays after delivery. */
  receive(log: AccountLog, message: Stanza, isArchived: boolean): Appended {
    const { clock, random, stores } = this.#ports
    const now = clock.now()
    const { last } = log.position
    const bytes = sizeOf(message)
    const id = log.nextId(now, message.stamp === '' ? random.id() : message.stamp)
    if (isArchived) log.lastArchivedId = id
    else log.hasTransient = true
    const mark = { id: log.lastArchivedId, number: last.number + 1, end: last.end + bytes }
    log.position.append(mark)
    const value: StoredMessage = [RECEIVED, mark.number, mark.end, this.#text(message)]
    const entry = this.#entry(id, now, message.from, message, value, isArchived)
    this.#received.add(1)
    const committed = this.#write(isArchived ? stores.messages : stores.waiting, log, entry, () => {
      // Nobody waits for what does not exist.
      if (log.position.settle(mark, bytes)) this.#ports.positions.note(log)
    })
    return { mark, bytes, id, archiveId: isArchived ? id : undefined, committed }
  }

  /** Appends a message that the account sent. */
  send(log: AccountLog, message: Stanza): Pick<Appended, 'id' | 'committed'> {
    const { clock, random, stores } = this.#ports
    const now = clock.now()
    const id = log.nextId(now, message.stamp === '' ? random.id() : message.stamp)
    const { last } = log.position
    log.lastArchivedId = id
    log.position.pass(id)
    const entry = this.#entry(id, now, message.to, message, [SENT, last.number, last.end, this.#text(message)], true)
    this.#sent.add(1)
    return { id, committed: this.#write(stores.messages, log, entry) }
  }

  #entry(
    id: string, at: number, peer: Jid | undefined, message: Stanza, value: StoredMessage, isArchived: boolean,
  ): ArchiveEntry<StoredMessage> {
    const entry = { id, at, with: peer?.bare.toString() ?? '', value }
    if (!this.#ports.isSearchable || !isArchived) return entry
    const body = message.find('body', NS_CLIENT)
    return body === undefined ? entry : { ...entry, text: message.element(body).text() }
  }

  #text(message: Stanza): string {
    if (message !== this.#lastMessage) {
      this.#lastText = textOf(message)
      this.#lastMessage = message
    }
    return this.#lastText
  }

  /** One promise and its handlers for all entries of a commit: they would cost more than the entries. */
  #write(store: LogStores['messages'], log: AccountLog, entry: ArchiveEntry<StoredMessage>, undo?: () => void): Promise<void> {
    const stored = log.written = store.append(log.owner, entry)
    let writing = this.#writing
    if (writing?.stored !== stored) {
      const all: (() => void)[] = []
      writing = this.#writing = { stored, undo: all, committed: stored.catch((error: unknown) => this.#fail(log, all, error)) }
    }
    if (undo !== undefined) writing.undo.push(undo)
    return writing.committed
  }

  #fail(first: AccountLog, undo: readonly (() => void)[], error: unknown): never {
    for (const one of undo) one()
    if (!(error instanceof StorageError)) throw error
    this.#failed.add(1)
    this.#ports.log.error('archive-write-failed', { account: first.owner, error })
    throw new StanzaError('resource-constraint', 'The message cannot be stored now')
  }
}
