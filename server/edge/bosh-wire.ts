/** The `<body/>` of BOSH as wire strings, and the HTTP response that carries one. */
import type { ServerResponse } from 'node:http'
import { answer } from './http-routes.ts'
import { NS_STREAM } from './stream-wire.ts'

export const NS_BOSH = 'http://jabber.org/protocol/httpbind'
export const NS_XBOSH = 'urn:xmpp:xbosh'

/** Terminal conditions of XEP-0124 §17.2 that we send. */
export type BoshCondition = 'bad-request' | 'item-not-found' | 'policy-violation' | 'remote-stream-error' | 'system-shutdown'

/** A body with attributes (each with a leading space) and payloads. */
export function bodyWire(attributes: string, payload: string): string {
  const declarations = payload.includes('<stream:') ? ` xmlns:stream='${NS_STREAM}'` : ''
  const open = `<body xmlns='${NS_BOSH}'${declarations}${attributes}`
  return payload === '' ? `${open}/>` : `${open}>${payload}</body>`
}

/** The body that ends a session, in order when no condition is given. */
export function terminateBody(condition: BoshCondition | undefined, payload = ''): string {
  return bodyWire(condition === undefined ? " type='terminate'" : ` type='terminate' condition='${condition}'`, payload)
}

/** Where the answer to one request goes. */
export interface BoshReply {
  /** Answers with a body; once. */
  send(wire: string): void
  /** Calls back when the request is lost before it was answered. */
  onLost(handler: () => void): void
}

/** The answer to a request that came to this member. */
export function httpReply(response: ServerResponse): BoshReply {
  return {
    send: (wire) => answer(response, 200, 'text/xml; charset=utf-8', Buffer.from(wire, 'latin1'), { 'Access-Control-Allow-Origin': '*' }),
    onLost: (handler) => void response.on('close', () => {
      if (!response.writableEnded) handler()
    }),
  }
}
