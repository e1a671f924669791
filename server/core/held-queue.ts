/**
 * What waits for a held session.
 *
 * Holds may overlap, and each stands for a point in the flow: what was kept back before it began goes before what its
 * holder sends, and that goes before what is kept back after it. So this is a line of sections, one per hold; the first
 * one's holder sends straight on, and a section leaves when its hold is released and it has come to the front.
 */
import type { SessionHold } from '@rollcall/module-api'
import type { Stanza } from '@rollcall/stanza'
import { wireOf } from './unacked-queue.ts'
import type { QueueEntry } from './unacked-queue.ts'

/** Bytes kept back for one session; beyond it the client is disconnected and finds the rest in storage. */
export const HELD_BYTES_MAX = 4 * 1024 * 1024

interface Section {
  /** Sent by the holder before the section came to the front. */
  readonly own: QueueEntry[]
  /** Kept back since the hold began, until the next one did. */
  readonly after: QueueEntry[]
  isReleased: boolean
}

/** The session as its queue needs it. */
export interface HeldSession {
  /** Sends an entry on. */
  deliver(entry: QueueEntry): void
  /** The entry for a stanza that a holder sends. */
  entryOf(stanza: Stanza): QueueEntry
  /** Too much is kept back; called once. */
  overflow(): void
}

export class HeldQueue {
  readonly #session: HeldSession
  readonly #sections: Section[] = []
  #bytes = 0

  constructor(session: HeldSession) {
    this.#session = session
  }

  get isEmpty(): boolean {
    return this.#sections.length === 0
  }

  hold(): SessionHold {
    const section: Section = { own: [], after: [], isReleased: false }
    this.#sections.push(section)
    return {
      send: (stanza) => this.#sendPast(section, stanza),
      release: () => {
        section.isReleased = true
        this.#advance()
      },
    }
  }

  /** Keeps an entry back; there must be a hold. */
  keep(entry: QueueEntry): void {
    const last = this.#sections.at(-1)
    if (last !== undefined) this.#put(last.after, entry)
  }

  /** Takes out what was kept back, in order; holders may still release. */
  takeAll(): QueueEntry[] {
    this.#bytes = 0
    return this.#sections.flatMap(({ own, after }) => [...own.splice(0), ...after.splice(0)])
  }

  releaseAll(): void {
    for (const section of this.#sections) section.isReleased = true
    this.#advance()
  }

  #sendPast(section: Section, stanza: Stanza): void {
    const isWaiting = this.#sections.indexOf(section) > 0
    const entry = this.#session.entryOf(stanza)
    if (isWaiting) this.#put(section.own, entry)
    else this.#session.deliver(entry)
  }

  #put(list: QueueEntry[], entry: QueueEntry): void {
    const isFull = this.#bytes > HELD_BYTES_MAX
    // Until the session ends, at the end of this turn, only what others may get instead is kept.
    if (isFull && typeof entry === 'string') return
    this.#bytes += wireOf(entry).length
    list.push(entry)
    if (!isFull && this.#bytes > HELD_BYTES_MAX) this.#session.overflow()
  }

  #advance(): void {
    for (let first = this.#sections[0]; first !== undefined; first = this.#sections[0]) {
      this.#flush(first.own)
      if (!first.isReleased) return
      this.#flush(first.after)
      this.#sections.shift()
    }
  }

  #flush(entries: QueueEntry[]): void {
    for (const entry of entries.splice(0)) {
      this.#bytes -= wireOf(entry).length
      this.#session.deliver(entry)
    }
  }
}
