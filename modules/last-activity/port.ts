/** When accounts were last connected. Tells everything: whoever asks must know who may know. */
import { definePort } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'

/** The end of an account's last session. A type, not an interface, so that it counts as JSON. */
export type LastSeen = {
  /** ms since the Unix epoch. */
  readonly at: number
  /** Status of the last unavailable presence; absent when there was none. */
  readonly status?: string
}

export interface LastActivity {
  /** Undefined when the account has not been connected since this is recorded. Connected accounts are as of earlier. */
  lastSeen(account: Jid): Promise<LastSeen | undefined>
}
export const LastActivity = definePort<LastActivity>('lastActivity')
