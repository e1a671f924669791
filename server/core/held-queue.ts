/**
 * What waits for a held session.
 *
 * Holds may overlap, and each stands for a point in the flow: what was kept back before it began goes before what its
 * holder sends, and that goes before what is kept back after it. So this is a line of sections, one per hold; the first
 * one's holder sends straight on, and a section leaves when its hold is released and it has come to the front.
 */
import type { SessionHold } from '@rollcall/module-api'
import type { Stanza } from '@rollcall/stanza'

/** Bytes kept back for one session; beyond it the client is disconnected and finds the rest in storage. */
export const HELD_BYTES_MAX = 4 * 1024 * 1024

interface Section {
  /** Sent by the holder before the section came to the front. */
  readonly own: string[]
  /** Kept back since the hold began, until the next one did. */
  readonly after: string[]
  isReleased: boolean
}

export class HeldQueue {
  readonly #deliver: (wire: string) => void
  readonly #overflow: () => void
  readonly #sections: Section[] = []
  #bytes = 0

  constructor(deliver: (wire: string) => void, overflow: () => void) {
    this.#deliver = deliver
    this.#overflow = overflow
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

  /** Keeps a wire string back; there must be a hold. */
  keep(wire: string): void {
    const last = this.#sections.at(-1)
    if (last !== undefined) this.#put(last.after, wire)
  }

  releaseAll(): void {
    for (const section of this.#sections) section.isReleased = true
    this.#advance()
  }

  #sendPast(section: Section, stanza: Stanza): void {
    const isWaiting = this.#sections.indexOf(section) > 0
    if (isWaiting) this.#put(section.own, stanza.toWire())
    else this.#deliver(stanza.toWire())
  }

  #put(list: string[], wire: string): void {
    if (this.#bytes > HELD_BYTES_MAX) return
    this.#bytes += wire.length
    if (this.#bytes > HELD_BYTES_MAX) this.#overflow()
    else list.push(wire)
  }

  #advance(): void {
    for (let first = this.#sections[0]; first !== undefined; first = this.#sections[0]) {
      this.#flush(first.own)
      if (!first.isReleased) return
      this.#flush(first.after)
      this.#sections.shift()
    }
  }

  #flush(wires: string[]): void {
    for (const wire of wires.splice(0)) {
      this.#bytes -= wire.length
      this.#deliver(wire)
    }
  }
}
