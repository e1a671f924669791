/** XEP-0124: BOSH, version 1.11.2, with the attributes of XEP-0206: XMPP Over BOSH, version 1.4. */
import { attr } from './attr.ts'
import { childText, extensions } from './child.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'

export const NS_BOSH = 'http://jabber.org/protocol/httpbind'
export const NS_XBOSH = 'urn:xmpp:xbosh'

/** XEP-0124 §17.2: why a session ends. */
export const boshConditions = [
  'bad-request', 'host-gone', 'host-unknown', 'improper-addressing', 'internal-server-error', 'item-not-found',
  'other-request', 'policy-violation', 'remote-connection-failed', 'remote-stream-error', 'see-other-uri',
  'system-shutdown', 'undefined-condition',
] as const
export type BoshCondition = (typeof boshConditions)[number]

/** One request or response. Times are seconds; the protocol says so and its names are kept. */
export const BoshBody = element(NS_BOSH, 'body', {
  rid: attr.uint('rid').optional(),
  sid: attr.string('sid').optional(),
  to: attr.string('to').optional(),
  from: attr.string('from').optional(),
  lang: attr.string('xml:lang').optional(),
  ver: attr.string('ver').optional(),
  wait: attr.uint('wait').optional(),
  hold: attr.uint('hold').optional(),
  requests: attr.uint('requests').optional(),
  inactivity: attr.uint('inactivity').optional(),
  polling: attr.uint('polling').optional(),
  pause: attr.uint('pause').optional(),
  maxpause: attr.uint('maxpause').optional(),
  ack: attr.uint('ack').optional(),
  report: attr.uint('report').optional(),
  /** Milliseconds since the reported request arrived, unlike the other times (§9.2). */
  time: attr.uint('time').optional(),
  key: attr.string('key').optional(),
  newkey: attr.string('newkey').optional(),
  route: attr.string('route').optional(),
  accept: attr.string('accept').optional(),
  charsets: attr.string('charsets').optional(),
  content: attr.string('content').optional(),
  authid: attr.string('authid').optional(),
  stream: attr.string('stream').optional(),
  type: attr.enum('type', ['error', 'terminate']).optional(),
  condition: attr.enum('condition', boshConditions).optional(),
  /** XEP-0206 §4: the XMPP version of the stream. */
  version: attr.string(`{${NS_XBOSH}}version`).optional(),
  /** XEP-0206 §5: asks for a stream restart. */
  restart: attr.bool(`{${NS_XBOSH}}restart`).default(false),
  /** XEP-0206 §4: the server can restart streams. */
  restartlogic: attr.bool(`{${NS_XBOSH}}restartlogic`).default(false),
  /** Where to go, with the condition `see-other-uri`. */
  uri: childText('uri').optional(),
  /** Stanzas and stream features. */
  payload: extensions(),
})
export type BoshBody = Infer<typeof BoshBody>
export type BoshBodyInput = Input<typeof BoshBody>
