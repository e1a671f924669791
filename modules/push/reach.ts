/**
 * Which clients are there, and what was given to them that they never confirmed.
 *
 * A client that is connected needs no notification. One whose connection is lost but may be resumed (XEP-0198) gets what
 * comes into its queue, where nobody sees it: it is notified of what comes from then on, and of what it had not confirmed
 * before. The same holds for one that ends without confirming.
 */
import type { Account, Session, SessionSlot } from '@rollcall/module-api'
import type { Stanza } from '@rollcall/stanza'
import type { Registration } from './registrations.ts'

/** Messages remembered for one session; of more, only this many are counted. */
const UNCONFIRMED_MAX = 1000

export interface ReachState {
  isDetached: boolean
  /** Messages worth telling that the client has not acknowledged, oldest first. */
  readonly unconfirmed: Set<Stanza>
  /** The last one that was confirmed: where nothing is confirmed later, that is before the delivery is told. */
  lastConfirmed: Stanza | undefined
}

export type ReachSlot = SessionSlot<ReachState>

/** What moves with a session: what is unconfirmed is told of again by whoever ends or detaches it, not after a move. */
export const reachSlot: ReachSlot = {
  slotName: 'push-reach',
  version: 1,
  exportState: ({ isDetached }) => ({ isDetached }),
  importState: (json) => newState((json as { readonly isDetached: boolean }).isDetached),
}

function newState(isDetached = false): ReachState {
  return { isDetached, unconfirmed: new Set(), lastConfirmed: undefined }
}

function stateOf(session: Session, slot: ReachSlot): ReachState {
  const known = session.get(slot)
  if (known !== undefined) return known
  const state = newState()
  session.set(slot, state)
  return state
}

export class Reach {
  readonly #slot: ReachSlot

  constructor(slot: ReachSlot) {
    this.#slot = slot
  }

  /** A client that enabled this is connected. */
  isThere(account: Account, registration: Registration): boolean {
    for (const session of account.sessions.values()) {
      if (registration.isOf(session) && session.get(this.#slot)?.isDetached !== true) return true
    }
    return false
  }

  given(session: Session, message: Stanza): void {
    const state = stateOf(session, this.#slot)
    if (state.lastConfirmed !== message && state.unconfirmed.size < UNCONFIRMED_MAX) state.unconfirmed.add(message)
  }

  confirmed(session: Session, message: Stanza): void {
    const state = session.get(this.#slot)
    if (state === undefined) return
    state.unconfirmed.delete(message)
    state.lastConfirmed = message
  }

  /** Turns to lost what is unconfirmed of a session, once; empty when it was told of before. */
  lose(session: Session): readonly Stanza[] {
    const state = stateOf(session, this.#slot)
    const lost = state.isDetached ? [] : [...state.unconfirmed]
    state.isDetached = true
    return lost
  }

  isBack(session: Session): void {
    stateOf(session, this.#slot).isDetached = false
  }
}
