/** XEP-0352: Client State Indication, version 1.0.0. */
import { element } from './codec.ts'
import type { Infer } from './codec.ts'

export const NS_CSI = 'urn:xmpp:csi:0'

/** In the stream features (§4.1); in Bind 2 the name under which the state can be told. */
export const CsiFeature = element(NS_CSI, 'csi', {})
export type CsiFeature = Infer<typeof CsiFeature>

/** The user looks at the client (§4.2). No stanza, and never answered. */
export const CsiActive = element(NS_CSI, 'active', {})
export type CsiActive = Infer<typeof CsiActive>

/** The user does not look at the client (§4.2). No stanza, and never answered. */
export const CsiInactive = element(NS_CSI, 'inactive', {})
export type CsiInactive = Infer<typeof CsiInactive>
