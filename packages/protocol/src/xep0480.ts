/** XEP-0480: SASL Upgrade Tasks, version 0.2.0. The names of tasks stand in the elements of XEP-0388. */
import { attr } from './attr.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'
import { text } from './text.ts'

export const NS_SASL_UPGRADE = 'urn:xmpp:sasl:upgrade:0'
export const NS_SCRAM_UPGRADE = 'urn:xmpp:scram-upgrade:0'

/** What the client needs to salt its password (XEP-0480 §3). */
export const ScramUpgradeSalt = element(NS_SCRAM_UPGRADE, 'salt', {
  iterations: attr.uint('iterations'),
  salt: text.base64(),
})
export type ScramUpgradeSalt = Infer<typeof ScramUpgradeSalt>

/** The client's `SaltedPassword` (RFC 5802 §3, XEP-0480 §3). */
export const ScramUpgradeHash = element(NS_SCRAM_UPGRADE, 'hash', { saltedPassword: text.base64() })
export type ScramUpgradeHash = Infer<typeof ScramUpgradeHash>
