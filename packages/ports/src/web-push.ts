/**
 * Web Push as a port: a message, encrypted for one browser, handed to that browser's push service.
 *
 * At most once per call: whether to try again is the caller's decision. Nothing is followed: no redirection, no proxy.
 */
import { definePort } from './token.ts'

/** The key pair that push services know a server by (RFC 8292 §3.2): P-256, both parts in base64url. */
export interface VapidKeys {
  /** The uncompressed point, 65 bytes. */
  readonly publicKey: string
  /** 32 bytes. */
  readonly privateKey: string
}

/** What a browser gives out for its subscription (Push API §9); keys in base64url. */
export interface BrowserSubscription {
  readonly endpoint: string
  /** The browser's public key (RFC 8291 §3.1). */
  readonly p256dh: string
  /** Its authentication secret (RFC 8291 §3.2), 16 bytes. */
  readonly auth: string
}

export interface WebPushMessage {
  readonly subscription: BrowserSubscription
  readonly keys: VapidKeys
  /** Whom the push service may write to: `mailto:` or `https:` (RFC 8292 §2.1); '' for nobody. */
  readonly subject: string
  /** At most `WEB_PUSH_BYTES_MAX` bytes. */
  readonly payload: Uint8Array
  /** How long the push service keeps it for a browser that is away. */
  readonly ttlSeconds: number
  readonly urgency: 'normal' | 'high'
  /** Replaces what waits under the same topic: at most 32 characters of base64url (RFC 8030 §5.4). */
  readonly topic: string
  readonly timeoutMs: number
  /** Endpoints in private networks too, and on loopback without TLS: for trying out. */
  readonly mayReachPrivate: boolean
}

/** What still fits into the 4096 bytes that every push service takes (RFC 8291 §4), padding included. */
export const WEB_PUSH_BYTES_MAX = 3840

export interface WebPushAnswer {
  /** HTTP status of the push service. */
  readonly status: number
  /** How long it wants to be left alone; 0 when it did not say. */
  readonly retryAfterMs: number
}

/**
 * Why nothing was sent. `refused`: the endpoint may never be contacted (its scheme, its address, its keys). `unreachable`:
 * the push service could not be reached or did not answer in time.
 */
export class WebPushError extends Error {
  readonly code: 'refused' | 'unreachable'
  constructor(code: 'refused' | 'unreachable', message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.name = 'WebPushError'
    this.code = code
  }
}

export interface WebPushSender {
  makeKeys(): VapidKeys
  /** Throws `WebPushError('refused')` for a subscription that could never be served. Names are not resolved here. */
  check(subscription: BrowserSubscription, mayReachPrivate: boolean): void
  /** Rejects with `WebPushError`. */
  send(message: WebPushMessage): Promise<WebPushAnswer>
}
export const WebPushSender = definePort<WebPushSender>('webPushSender')
