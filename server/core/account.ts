/** A warm account: its sessions and the modules' loaded state. */
import type { Jid } from '@rollcall/jid'
import type { Account, AccountSlot } from '@rollcall/module-api'
import type { LocalSession } from './session.ts'

/** A slot token after registration: `index` is its place in every account's state array. */
export interface RegisteredSlot<T> extends AccountSlot<T> {
  readonly index: number
}

export class LocalAccount implements Account {
  readonly jid: Jid
  readonly sessions = new Map<string, LocalSession>()
  readonly states: unknown[]
  /** Monotonic ms of the last use without a session; drives unloading. */
  lastUsedAt = 0

  constructor(jid: Jid, states: unknown[]) {
    this.jid = jid
    this.states = states
  }

  get<T>(slot: AccountSlot<T>): T {
    return this.states[(slot as RegisteredSlot<T>).index] as T
  }

  *availableSessions(): Iterable<LocalSession> {
    for (const session of this.sessions.values()) if (session.presence !== undefined) yield session
  }
}
