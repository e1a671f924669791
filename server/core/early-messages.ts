/**
 * Messages that were written to a client which is not available and has not turned on stream management: when they came
 * nobody could know whether they would ever be acknowledged, so "written" is not taken for "delivered" yet.
 *
 * A resource can be addressed by its full JID as soon as it is bound, which is before its client can turn on stream
 * management. A connection that is lost in that moment would take those messages with it. Bounded: what exceeds the limit
 * counts as delivered, as for any client that never acknowledges.
 */
import type { DeliveredStanza } from './unacked-queue.ts'

/** Bytes kept for one session. */
export const EARLY_BYTES_MAX = 1_048_576

export class EarlyMessages {
  #entries: DeliveredStanza[] = []
  #bytes = 0

  /** Keeps one more; gives back what is not kept any longer, oldest first. */
  add(entry: DeliveredStanza): readonly DeliveredStanza[] {
    this.#entries.push(entry)
    this.#bytes += entry.wire.length
    let count = 0
    for (; this.#bytes > EARLY_BYTES_MAX; count++) this.#bytes -= (this.#entries[count] as DeliveredStanza).wire.length
    return count === 0 ? [] : this.#entries.splice(0, count)
  }

  entries(): readonly DeliveredStanza[] {
    return this.#entries
  }

  /** Takes everything out, oldest first. */
  takeAll(): DeliveredStanza[] {
    this.#bytes = 0
    return this.#entries.splice(0)
  }
}
