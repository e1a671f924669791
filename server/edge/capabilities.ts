/** What only some kinds of connections can; streams ask before they offer it. */
import type { Connection } from './connection.ts'

/** A connection that TLS can be started on; others never offer it. */
export interface Upgradable {
  readonly mayUpgrade: boolean
  upgrade(): void
}

/** What a connection knows about its TLS, for SASL. */
export interface Secured {
  channelBindings(): ReadonlyMap<string, Uint8Array>
  certificateIdentities(): readonly string[]
  /** As XEP-0515 writes it. */
  tlsVersion(): string | undefined
}

/** Whether TLS may ever be started on the connection. */
export function isUpgradable(connection: Connection): connection is Connection & Upgradable {
  return 'upgrade' in connection
}

/** Whether the connection can tell what its TLS is. */
export function isSecured(connection: Connection): connection is Connection & Secured {
  return 'channelBindings' in connection
}
