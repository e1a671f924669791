/** What clients support, as far as their capabilities say, or as they say when they are asked. */
import { definePort } from '@rollcall/ports'
import type { Session } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { Stanza } from '@rollcall/stanza'

/** Feature names of disco#info; empty for a client that refuses to tell. */
export type FeatureSet = ReadonlySet<string>

export interface Caps {
  /**
   * Features of one of our clients. A promise only when they are not known yet and the client is asked; several callers
   * share one question. Undefined when it does not answer in time or is not available; a later call asks again.
   */
  featuresOf(session: Session): FeatureSet | undefined | Promise<FeatureSet | undefined>
  /** The same for whoever sent an available presence from a full JID; `asker` is the host or account that asks. */
  featuresIn(presence: Stanza, asker: Jid): FeatureSet | undefined | Promise<FeatureSet | undefined>
}
export const Caps = definePort<Caps>('caps')
