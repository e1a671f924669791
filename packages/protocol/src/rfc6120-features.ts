/** RFC 6120 §4.3.2: stream features. The known ones are named, every other one is kept as it is. */
import { child, extensions } from './child.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'
import { BindFeature, Session } from './rfc6120-bind.ts'
import { SaslChannelBinding, SaslMechanisms } from './rfc6120-sasl.ts'
import { StartTls } from './rfc6120-tls.ts'
import { PreApprovalFeature, RosterVersioningFeature } from './rfc6121-roster.ts'
import { NS_STREAMS, streamPrefixed } from './stream-prefix.ts'
import { RegisterFeature } from './xep0077.ts'
import { Caps } from './xep0115.ts'
import { StreamLimits } from './xep0478.ts'

/** What the receiver offers now; empty when nothing is left to negotiate. `toWire` writes the prefix `stream:`. */
export const StreamFeatures = streamPrefixed(element(NS_STREAMS, 'features', {
  startTls: child(StartTls).optional(),
  mechanisms: child(SaslMechanisms).optional(),
  channelBinding: child(SaslChannelBinding).optional(),
  register: child(RegisterFeature).optional(),
  bind: child(BindFeature).optional(),
  session: child(Session).optional(),
  rosterVersioning: child(RosterVersioningFeature).optional(),
  preApproval: child(PreApprovalFeature).optional(),
  caps: child(Caps).optional(),
  limits: child(StreamLimits).optional(),
  extensions: extensions(),
}))
export type StreamFeatures = Infer<typeof StreamFeatures>
export type StreamFeaturesInput = Input<typeof StreamFeatures>
