/** XEP-0509: Initial Authentication Pipelining, version 0.2.0. */
import { attr } from './attr.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'

export const NS_AUTH_PIPELINING = 'urn:xmpp:iap:0'

/** Stands for the features on offer: as a stream feature, and in `<authenticate/>` as what a client goes by (§2). */
export const ConfigVersion = element(NS_AUTH_PIPELINING, 'config-version', {
  scheme: attr.string('scheme').optional(),
  value: attr.string('value'),
})
export type ConfigVersion = Infer<typeof ConfigVersion>

/** In a failure: the client goes by features that are not these any more (§2.2). */
export const ConfigVersionMismatch = element(NS_AUTH_PIPELINING, 'config-version-mismatch', {})
export type ConfigVersionMismatch = Infer<typeof ConfigVersionMismatch>
