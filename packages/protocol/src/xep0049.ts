/** XEP-0049: Private XML Storage, version 1.2. */
import { extensions } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'

export const NS_PRIVATE = 'jabber:iq:private'

/** The elements that a client keeps for itself; in a get, empty elements that name what it wants. */
export const PrivateQuery = element(NS_PRIVATE, 'query', { payload: extensions() })
export type PrivateQuery = Infer<typeof PrivateQuery>
