/** XEP-0478: Stream Limits Advertisement, version 0.2.0. */
import { childText } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'

export const NS_STREAM_LIMITS = 'urn:xmpp:stream-limits:0'

/** Stream feature: what the sender of it enforces on this stream. */
export const StreamLimits = element(NS_STREAM_LIMITS, 'limits', {
  /** Largest first-level element, in bytes as sent. */
  maxBytes: childText.uint('max-bytes').optional(),
  /** Silence, in seconds, after which the stream is taken for dead. */
  idleSeconds: childText.uint('idle-seconds').optional(),
})
export type StreamLimits = Infer<typeof StreamLimits>
