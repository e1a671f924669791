/** The Web Push port over HTTPS and Node's own cryptography. */
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import type { IncomingMessage, RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { WebPushError, WEB_PUSH_BYTES_MAX } from '@rollcall/ports'
import type { BrowserSubscription, Clock, Random, WebPushAnswer, WebPushMessage, WebPushSender } from '@rollcall/ports'
import { encrypt, oneTimeKeys } from './encryption.ts'
import type { Recipient } from './encryption.ts'
import { publicLookup, readEndpoint } from './endpoint.ts'
import { makeVapidKeys, vapidHeader } from './vapid.ts'

/** Connections to one push service, and to all. */
const agentOptions = { keepAlive: true, maxSockets: 16, maxTotalSockets: 128 }
/** What is read of an answer that nobody needs. */
const ANSWER_BYTES_MAX = 65_536
const POINT_BYTES = 65
const AUTH_BYTES = 16
const SALT_BYTES = 16
/** No push service means longer than a day. */
const RETRY_AFTER_MS_MAX = 86_400_000

export interface WebPushOptions {
  readonly clock: Clock
  readonly random: Random
}

export function createWebPushSender({ clock, random }: WebPushOptions): WebPushSender {
  const agents = { 'http:': new HttpAgent(agentOptions), 'https:': new HttpsAgent(agentOptions) }
  return {
    makeKeys: makeVapidKeys,
    check(subscription, mayReachPrivate) {
      readEndpoint(subscription.endpoint, mayReachPrivate)
      // The key is used, since only that shows whether it is on the curve.
      seal(new Uint8Array(), readRecipient(subscription), random)
    },
    async send(message) {
      if (message.payload.length > WEB_PUSH_BYTES_MAX) throw new RangeError(`A Web Push payload has at most ${WEB_PUSH_BYTES_MAX} bytes`)
      const url = readEndpoint(message.subscription.endpoint, message.mayReachPrivate)
      const body = seal(message.payload, readRecipient(message.subscription), random)
      const agent = url.protocol === 'http:' ? agents['http:'] : agents['https:']
      const lookup = message.mayReachPrivate ? {} : { lookup: publicLookup }
      return post(url, { method: 'POST', agent, headers: headersOf(message, url, body, clock), ...lookup }, body, message.timeoutMs, clock)
    },
  }
}

function headersOf({ keys, subject, topic, ttlSeconds, urgency }: WebPushMessage, url: URL, body: Uint8Array, clock: Clock): Record<string, string> {
  return {
    'Authorization': vapidHeader(keys, { audience: url.origin, subject, now: clock.now() }),
    'Content-Encoding': 'aes128gcm',
    'Content-Length': String(body.length),
    'Content-Type': 'application/octet-stream',
    'TTL': String(ttlSeconds),
    'Topic': topic,
    'Urgency': urgency,
  }
}

function readRecipient({ auth, p256dh }: BrowserSubscription): Recipient {
  const recipient = { p256dh: Buffer.from(p256dh, 'base64url'), auth: Buffer.from(auth, 'base64url') }
  if (recipient.p256dh.length !== POINT_BYTES || recipient.auth.length !== AUTH_BYTES) {
    throw new WebPushError('refused', 'The keys of the subscription are not of their length')
  }
  return recipient
}

function seal(payload: Uint8Array, recipient: Recipient, random: Random): Buffer {
  try {
    return encrypt(payload, recipient, { keys: oneTimeKeys(), salt: random.bytes(SALT_BYTES) })
  } catch (cause) {
    throw new WebPushError('refused', 'The key of the subscription is no point of P-256', { cause })
  }
}

function post(url: URL, options: RequestOptions, body: Uint8Array, timeoutMs: number, clock: Clock): Promise<WebPushAnswer> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'http:' ? httpRequest(url, options) : httpsRequest(url, options)
    const timer = clock.after(timeoutMs, () => request.destroy(new WebPushError('unreachable', 'The push service did not answer in time')))
    request.on('response', (response) => {
      timer.cancel()
      discard(response)
      resolve({ status: response.statusCode ?? 0, retryAfterMs: retryAfterMs(response.headers['retry-after'], clock.now()) })
    })
    request.on('error', (cause) => {
      timer.cancel()
      reject(cause instanceof WebPushError ? cause : new WebPushError('unreachable', 'The push service could not be reached', { cause }))
    })
    request.end(body)
  })
}

/** Reads what is left, so that the connection can be used again; not without end. */
function discard(response: IncomingMessage): void {
  let bytes = 0
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > ANSWER_BYTES_MAX) response.destroy()
  })
  // It was answered already.
  response.on('error', () => {})
}

/** `Retry-After` (RFC 9110 §10.2.3): seconds or a date. */
export function retryAfterMs(header: string | undefined, now: number): number {
  if (header === undefined) return 0
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX)
}
