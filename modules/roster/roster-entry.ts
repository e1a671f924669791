/** What other modules see of a contact; its own file because the port and the items behind it both need it. */
import type { Jid } from '@rollcall/jid'
import type { Subscription } from './subscription.ts'

/** A contact as it is now. Live: read it, do not keep it. */
export interface RosterEntry {
  /** Bare JID. */
  readonly jid: Jid
  /** '' when the user gave none. */
  readonly name: string
  readonly groups: readonly string[]
  readonly subscription: Subscription
  /** The user's request waits (`ask='subscribe'`). */
  readonly isPendingOut: boolean
  /** The contact's request waits. */
  readonly isPendingIn: boolean
  /** Pre-approved (RFC 6121 §3.4). */
  readonly isApproved: boolean
  /** It was taken out of the roster; if the contact is there again, then as another entry. */
  readonly isGone: boolean
  /** In the roster; false for the mere note of a waiting request. */
  readonly isListed: boolean
  /** The user may see the contact's presence. */
  readonly isTo: boolean
  /** The contact may see the user's presence. */
  readonly isFrom: boolean
}
