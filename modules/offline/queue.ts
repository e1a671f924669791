/**
 * The queue of one account as storage has it, and what memory knows of it: how many messages and bytes there are.
 *
 * Every entry notes where it ends in the flow of bytes of this account, as in a log; so that what the queue holds is known
 * from its first and last entry, without reading it. The front is what goes away, by delivery or by age; that keeps the
 * difference right.
 */
import type { Jid } from '@rollcall/jid'
import type { Archive, ArchiveEntry } from '@rollcall/ports'
import { encodeStanza } from '@rollcall/stanza'
import type { Stanza, StanzaRecord } from '@rollcall/stanza'

/** One stored message. */
export type StoredMessage = {
  readonly stanza: StanzaRecord
  /** Bytes of the message, as counted against the account's limit. */
  readonly bytes: number
  /** Bytes of all messages up to this one. Grows from entry to entry. */
  readonly end: number
}

export interface QueueLimits {
  readonly messagesMax: number
  readonly bytesMax: number
}

/** What a warm account carries: what is in storage, or on its way there. */
export class AccountQueue {
  messages = 0
  bytes = 0
  #end = 0
  /** Deliveries, one after the other. */
  line: Promise<void> = Promise.resolve()

  /** Rejects as storage does. Forgets what is older than `untilMs`. */
  static async load(store: Archive<StoredMessage>, account: Jid, untilMs: number | undefined): Promise<AccountQueue> {
    const queue = new AccountQueue()
    const owner = account.toString()
    let first = await firstOf(store, owner)
    if (first !== undefined && untilMs !== undefined && first.at <= untilMs) {
      await store.clear(owner, untilMs)
      first = await firstOf(store, owner)
    }
    if (first === undefined) return queue
    const [last, messages] = await Promise.all([store.query(owner, { limit: 1, isBackward: true }), store.count(owner)])
    queue.messages = messages
    queue.#end = last.entries[0]?.value.end ?? 0
    queue.bytes = queue.#end - first.value.end + first.value.bytes
    return queue
  }

  /** Where the last entry ends. */
  get end(): number {
    return this.#end
  }

  hasRoom(bytes: number, limits: QueueLimits): boolean {
    return this.messages < limits.messagesMax && this.bytes + bytes <= limits.bytesMax
  }

  /** Counts a message in and makes its entry. */
  add(stanza: Stanza, id: string, at: number): ArchiveEntry<StoredMessage> {
    const bytes = sizeOf(stanza)
    this.messages++
    this.bytes += bytes
    this.#end += bytes
    return { id, at, with: stanza.from?.bare.toString() ?? '', value: { stanza: encodeStanza(stanza), bytes, end: this.#end } }
  }

  /** Counts entries out that were delivered, or could not be stored. */
  remove(entries: readonly ArchiveEntry<StoredMessage>[]): void {
    for (const { value } of entries) {
      this.messages--
      this.bytes -= value.bytes
    }
  }
}

/** Bytes of a message as counted against the limit: about what storage takes. */
export function sizeOf(stanza: Stanza): number {
  return stanza.attrs.length + stanza.content.length + (stanza.from?.wire.length ?? 0) + (stanza.to?.wire.length ?? 0)
}

async function firstOf(store: Archive<StoredMessage>, owner: string): Promise<ArchiveEntry<StoredMessage> | undefined> {
  return (await store.query(owner, { limit: 1 })).entries[0]
}
