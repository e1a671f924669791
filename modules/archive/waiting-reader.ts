/**
 * Reads what waits for an account, in the order of its log, a page at a time: the history after the delivery position,
 * merged with what is kept only until it is delivered. Where what was delivered lately is wanted too, it begins earlier, and has
 * what the account sent.
 */
import { StorageError } from '@rollcall/ports'
import type { Archive, ArchiveEntry, ArchivePage } from '@rollcall/ports'
import { markOf } from './account-log.ts'
import type { AccountLog, LogStores } from './account-log.ts'
import { RECEIVED } from './stored-message.ts'
import type { StoredMessage } from './stored-message.ts'

type Entry = ArchiveEntry<StoredMessage>

/** A received message, or one that the account sent. */
export interface WaitingMessage {
  readonly entry: Entry
  /** Kept only until it is delivered. */
  readonly isTransient: boolean
}

/** What was delivered lately. */
export interface Lately {
  /** Entries from then on, ms since the Unix epoch. */
  readonly start: number
  /** Up to that entry. */
  readonly lastId: string
}

type Start = { readonly after: string } | { readonly start: number }

/** Entries read at a time. */
const PAGE_SIZE = 50
/** The same, where a client waits that was connected a moment ago. */
const LATELY_PAGE_SIZE = 200

export class WaitingReader {
  readonly #stores: LogStores
  readonly #log: AccountLog
  readonly #until: number
  readonly #lately: Lately | undefined
  #transient: Entry[] | undefined = undefined
  #after: string
  #isAtEnd = false

  /** Reads messages up to number `until`; with `lately`, whatever it names too. */
  constructor(stores: LogStores, log: AccountLog, until: number, lately?: Lately) {
    this.#stores = stores
    this.#log = log
    this.#until = until
    this.#lately = lately
    this.#after = log.position.reached.id
  }

  /** The last page was the last one. */
  get isAtEnd(): boolean {
    return this.#isAtEnd
  }

  /** The next messages in order, none of them twice; rejects as storage does. */
  async next(): Promise<WaitingMessage[]> {
    const isFirst = this.#transient === undefined
    this.#transient ??= this.#log.hasTransient ? await this.#all(this.#stores.waiting) : []
    const page = await this.#page(isFirst ? await this.#begin() : { after: this.#after })
    const lately = this.#lately
    const isWanted = ({ id, value: [direction, number] }: Entry) =>
      number <= this.#until && (lately === undefined ? direction === RECEIVED : id <= lately.lastId)
    const wanted = page.entries.filter(isWanted)
    this.#after = page.entries.at(-1)?.id ?? this.#after
    const last = page.entries.at(-1)?.value[1] ?? 0
    this.#isAtEnd = page.isComplete || (lately === undefined ? last >= this.#until : this.#after >= lately.lastId)
    // Up to where the page reaches; the rest belongs between later pages.
    const bound = this.#isAtEnd ? this.#until : last
    const between = this.#transient.filter((entry) => entry.value[1] <= bound)
    this.#transient = this.#transient.filter((entry) => entry.value[1] > bound)
    return [
      ...wanted.map((entry) => ({ entry, isTransient: false })), ...between.map((entry) => ({ entry, isTransient: true })),
    ].sort((a, b) => a.entry.value[1] - b.entry.value[1])
  }

  /** Where reading begins: what waits may be older than what was delivered lately. */
  async #begin(): Promise<Start> {
    if (this.#lately === undefined) return { after: this.#after }
    const { start } = this.#lately
    const [oldest] = (await this.#stores.messages.query(this.#log.owner, { limit: 1, start })).entries
    return oldest !== undefined && oldest.value[1] <= this.#log.position.reached.number ? { start } : { after: this.#after }
  }

  async #page(from: Start): Promise<ArchivePage<StoredMessage>> {
    const { owner } = this.#log
    const { messages } = this.#stores
    const limit = this.#lately === undefined ? PAGE_SIZE : LATELY_PAGE_SIZE
    if ('after' in from && from.after === '') return messages.query(owner, { limit })
    try {
      return await messages.query(owner, { limit, ...from })
    } catch (error) {
      // The entry is gone: the oldest ones are purged, so that everything that is left comes after it.
      if (!(error instanceof StorageError) || error.code !== 'item-not-found') throw error
      return messages.query(owner, { limit })
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
