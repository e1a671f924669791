/**
 * What was sent to one client and not acknowledged yet (XEP-0198 §4), oldest first.
 *
 * Entries are what was sent anyway: the wire string that all recipients of a broadcast share, or the record of a stanza
 * that must not get lost, one for all its recipients. Counting is modulo 2^32, so positions are compared by distance.
 */
import type { Stanza } from '@rollcall/stanza'

/** What this file needs to know of a session. */
export interface Recipient {
  readonly isEnded: boolean
  readonly jid: { readonly resourcepart: string }
}

/** A message or iq that was given to sessions by the rules of RFC 6121 §8.5: what becomes of it matters to its sender. */
export class DeliveredStanza {
  readonly stanza: Stanza
  readonly wire: string
  /** ms since the Unix epoch. */
  readonly at: number
  /** The record that knows of all who got it; this one, unless this is a copy in another form. */
  readonly original: DeliveredStanza
  /** Everybody who got it, in whatever form. */
  recipients: readonly Recipient[]
  /** It went on to others when all who got it had ended. */
  isHandedOn = false
  /** Nobody was eligible: it waits in a store, and only copies of it were sent. */
  readonly isStored: boolean

  constructor(stanza: Stanza, wire: string, at: number, recipients: readonly Recipient[], original?: DeliveredStanza, isStored = false) {
    this.stanza = stanza
    this.wire = wire
    this.at = at
    this.recipients = recipients
    this.original = original ?? this
    this.isStored = isStored
  }

  /** The same in another form for one more, such as a carbon copy. */
  copyFor(recipient: Recipient, wire: string): DeliveredStanza {
    const { original } = this
    original.recipients = [...original.recipients, recipient]
    return original.inForm(wire)
  }

  /** The record of a copy whose holder is known already. */
  inForm(wire: string): DeliveredStanza {
    return new DeliveredStanza(this.stanza, wire, this.at, [], this.original)
  }
}

export type QueueEntry = string | DeliveredStanza

/** The wire string of an entry. */
export function wireOf(entry: QueueEntry): string {
  return typeof entry === 'string' ? entry : entry.wire
}

/** Acknowledged entries stay in the array until there are this many of them and they are the greater half. */
const COMPACT_AT = 256

export class UnackedQueue {
  /** Bytes of the stanzas in it. */
  bytes = 0
  /** Stanzas acknowledged since the beginning, modulo 2^32. */
  acked: number
  #entries: QueueEntry[] = []
  #head = 0

  constructor(acked = 0) {
    this.acked = acked
  }

  get length(): number {
    return this.#entries.length - this.#head
  }

  /** Stanzas sent since the beginning, modulo 2^32. */
  get sent(): number {
    return (this.acked + this.length) >>> 0
  }

  /**
   * When the oldest message that is not acknowledged was given to the client, ms since the Unix epoch; Infinity when there is none, NaN when
   * it is one of those of which nobody noted that (copies of what other devices sent).
   */
  get oldestMessageAt(): number {
    for (let i = this.#head; i < this.#entries.length; i++) {
      const entry = this.#entries[i] as QueueEntry
      if (typeof entry === 'string' ? entry.startsWith('<message') : entry.stanza.kind === 'message') return typeof entry === 'string' ? NaN : entry.at
    }
    return Infinity
  }

  push(entry: QueueEntry): void {
    this.#entries.push(entry)
    this.bytes += wireOf(entry).length
  }

  /** How many entries the count `h` of a peer acknowledges: negative when it goes back, more than `length` when it is too high. */
  distance(h: number): number {
    return (h - this.acked) | 0
  }

  /** Forgets the oldest `count` entries, telling of each. */
  drop(count: number, tell: (entry: QueueEntry) => void): void {
    for (let i = 0; i < count; i++) {
      const entry = this.#entries[this.#head] as QueueEntry
      this.#entries[this.#head++] = ''
      this.bytes -= wireOf(entry).length
      tell(entry)
    }
    this.acked = (this.acked + count) >>> 0
    if (this.#head === this.#entries.length) {
      this.#entries = []
      this.#head = 0
    } else if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#entries.length) {
      this.#entries.splice(0, this.#head)
      this.#head = 0
    }
  }

  /** The entries, oldest first; the queue must not change meanwhile. */
  *entries(): Iterable<QueueEntry> {
    for (let i = this.#head; i < this.#entries.length; i++) yield this.#entries[i] as QueueEntry
  }

  /** Takes every entry out; the counters stay. */
  takeAll(): QueueEntry[] {
    const entries = this.#entries.slice(this.#head)
    this.#entries = []
    this.#head = 0
    this.bytes = 0
    return entries
  }
}
