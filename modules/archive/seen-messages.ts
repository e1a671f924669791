/** Which waiting messages a session got in another form (results of queries, copies), so that it does not get them again. */
import type { Session, SessionSlot } from '@rollcall/module-api'

export class SeenMessages {
  readonly #slot: SessionSlot<Set<number>>

  constructor(slot: SessionSlot<Set<number>>) {
    this.#slot = slot
  }

  note(session: Session, number: number): void {
    const seen = session.get(this.#slot)
    if (seen === undefined) session.set(this.#slot, new Set([number]))
    else seen.add(number)
  }

  /** What the session got it did not get after all. */
  forget(session: Session): void {
    session.set(this.#slot, undefined)
  }

  has(session: Session, number: number): boolean {
    return session.get(this.#slot)?.has(number) === true
  }
}
