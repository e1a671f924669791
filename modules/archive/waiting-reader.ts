/**
 * Reads what waits for an account, in the order of its log, a page at a time: the history after the delivery position,
 * merged with what is kept only until it is delivered.
 */
import { StorageError } from '@rollcall/ports'
import type { Archive, ArchiveEntry, ArchivePage } from '@rollcall/ports'
import { markOf } from './account-log.ts'
import type { AccountLog, LogStores } from './account-log.ts'
import { RECEIVED } from './stored-message.ts'
import type { StoredMessage } from './stored-message.ts'

type Entry = ArchiveEntry<StoredMessage>

/** A received message. */
export interface WaitingMessage {
  readonly entry: Entry
  /** Kept only until it is delivered. */
  readonly isTransient: boolean
}

/** Entries read at a time. */
const PAGE_SIZE = 50

export class WaitingReader {
  readonly #stores: LogStores
  readonly #log: AccountLog
  readonly #until: number
  #transient: Entry[] | undefined = undefined
  #after: string
  #isAtEnd = false

  /** Reads messages up to number `until`. */
  constructor(stores: LogStores, log: AccountLog, until: number) {
    this.#stores = stores
    this.#log = log
    this.#until = until
    this.#after = log.position.reached.id
  }

  /** The last page was the last one. */
  get isAtEnd(): boolean {
    return this.#isAtEnd
  }

  /** The next received messages in order, none of them twice; rejects as storage does. */
  async next(): Promise<WaitingMessage[]> {
    this.#transient ??= this.#log.hasTransient ? await this.#all(this.#stores.waiting) : []
    const page = await this.#page(this.#after)
    const isWanted = (entry: Entry) => entry.value[0] === RECEIVED && entry.value[1] <= this.#until
    const wanted = page.entries.filter(isWanted)
    this.#after = page.entries.at(-1)?.id ?? this.#after
    const last = page.entries.at(-1)?.value[1] ?? 0
    this.#isAtEnd = page.isComplete || last >= this.#until
    // Up to where the page reaches; the rest belongs between later pages.
    const bound = this.#isAtEnd ? this.#until : last
    const between = this.#transient.filter((entry) => entry.value[1] <= bound)
    this.#transient = this.#transient.filter((entry) => entry.value[1] > bound)
    return [
      ...wanted.map((entry) => ({ entry, isTransient: false })), ...between.map((entry) => ({ entry, isTransient: true })),
    ].sort((a, b) => a.entry.value[1] - b.entry.value[1])
  }

  async #page(after: string): Promise<ArchivePage<StoredMessage>> {
    const { owner } = this.#log
    const { messages } = this.#stores
    if (after === '') return messages.query(owner, { limit: PAGE_SIZE })
    try {
      return await messages.query(owner, { limit: PAGE_SIZE, after })
    } catch (error) {
      // The entry is gone: the oldest ones are purged, so that everything that is left comes after it.
      if (!(error instanceof StorageError) || error.code !== 'item-not-found') throw error
      return messages.query(owner, { limit: PAGE_SIZE })
    }
  }

  async #all(store: Archive<StoredMessage>): Promise<Entry[]> {
    const entries: Entry[] = []
    let after: string | undefined
    for (let isComplete = false; !isComplete;) {
      const page = await store.query(this.#log.owner, { limit: PAGE_SIZE * 4, ...(after === undefined ? {} : { after }) })
      entries.push(...page.entries.filter((entry) => markOf(entry).number <= this.#until))
      after = page.entries.at(-1)?.id
      isComplete = page.isComplete
    }
    return entries
  }
}
