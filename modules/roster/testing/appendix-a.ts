/**
 * RFC 6121 Appendix A, cell by cell and written by hand, for the tests of the state machine and of the whole server.
 */
import type { subscriptionState, SubscriptionType } from '../subscription.ts'

export type StateName = keyof typeof subscriptionState

/** One line per state: [state, stanza is routed or delivered, state that follows]. */
export type Cells = readonly (readonly [StateName, boolean, StateName])[]

/** What the user sends (§A.2). */
export const outboundTables: Readonly<Record<SubscriptionType, Cells>> = {
  subscribe: [ // Table 2
    ['none', true, 'nonePendingOut'],
    ['nonePendingOut', true, 'nonePendingOut'],
    ['nonePendingIn', true, 'nonePendingOutIn'],
    ['nonePendingOutIn', true, 'nonePendingOutIn'],
    ['to', true, 'to'],
    ['toPendingIn', true, 'toPendingIn'],
    ['from', true, 'fromPendingOut'],
    ['fromPendingOut', true, 'fromPendingOut'],
    ['both', true, 'both'],
  ],
  unsubscribe: [ // Table 3
    ['none', true, 'none'],
    ['nonePendingOut', true, 'none'],
    ['nonePendingIn', true, 'nonePendingIn'],
    ['nonePendingOutIn', true, 'nonePendingIn'],
    ['to', true, 'none'],
    ['toPendingIn', true, 'nonePendingIn'],
    ['from', true, 'from'],
    ['fromPendingOut', true, 'from'],
    ['both', true, 'from'],
  ],
  subscribed: [ // Table 4
    ['none', false, 'none'],
    ['nonePendingOut', false, 'nonePendingOut'],
    ['nonePendingIn', true, 'from'],
    ['nonePendingOutIn', true, 'fromPendingOut'],
    ['to', false, 'to'],
    ['toPendingIn', true, 'both'],
    ['from', false, 'from'],
    ['fromPendingOut', false, 'fromPendingOut'],
    ['both', false, 'both'],
  ],
  unsubscribed: [ // Table 5
    ['none', false, 'none'],
    ['nonePendingOut', false, 'nonePendingOut'],
    ['nonePendingIn', true, 'none'],
    ['nonePendingOutIn', true, 'nonePendingOut'],
    ['to', false, 'to'],
    ['toPendingIn', true, 'to'],
    ['from', true, 'none'],
    ['fromPendingOut', true, 'nonePendingOut'],
    ['both', true, 'to'],
  ],
}

/** What the contact sends (§A.3). */
export const inboundTables: Readonly<Record<SubscriptionType, Cells>> = {
  subscribe: [ // Table 6
    ['none', true, 'nonePendingIn'],
    ['nonePendingOut', true, 'nonePendingOutIn'],
    ['nonePendingIn', false, 'nonePendingIn'],
    ['nonePendingOutIn', false, 'nonePendingOutIn'],
    ['to', true, 'toPendingIn'],
    ['toPendingIn', false, 'toPendingIn'],
    ['from', false, 'from'],
    ['fromPendingOut', false, 'fromPendingOut'],
    ['both', false, 'both'],
  ],
  unsubscribe: [ // Table 7
    ['none', false, 'none'],
    ['nonePendingOut', false, 'nonePendingOut'],
    ['nonePendingIn', true, 'none'],
    ['nonePendingOutIn', true, 'nonePendingOut'],
    ['to', false, 'to'],
    ['toPendingIn', true, 'to'],
    ['from', true, 'none'],
    ['fromPendingOut', true, 'nonePendingOut'],
    ['both', true, 'to'],
  ],
  subscribed: [ // Table 8
    ['none', false, 'none'],
    ['nonePendingOut', true, 'to'],
    ['nonePendingIn', false, 'nonePendingIn'],
    ['nonePendingOutIn', true, 'toPendingIn'],
    ['to', false, 'to'],
    ['toPendingIn', false, 'toPendingIn'],
    ['from', false, 'from'],
    ['fromPendingOut', true, 'both'],
    ['both', false, 'both'],
  ],
  unsubscribed: [ // Table 9
    ['none', false, 'none'],
    ['nonePendingOut', true, 'none'],
    ['nonePendingIn', false, 'nonePendingIn'],
    ['nonePendingOutIn', true, 'nonePendingIn'],
    ['to', true, 'none'],
    ['toPendingIn', true, 'nonePendingIn'],
    ['from', false, 'from'],
    ['fromPendingOut', true, 'from'],
    ['both', true, 'from'],
  ],
}
