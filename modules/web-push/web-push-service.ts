/**
 * The push service that browsers are told through: takes what XEP-0357 publishes and hands it, encrypted for the browser,
 * to the push service of the browser's maker.
 *
 * It knows no repetition: it answers the publisher with an error that may pass, or with one that does not, and the
 * publisher does the rest. Only what a browser's push service asks for, to be left alone for a while, is kept here.
 */
import type { Jid } from '@rollcall/jid'
import type { IqRequest, ServerInfo } from '@rollcall/module-api'
import { WebPushError } from '@rollcall/ports'
import type { BrowserSubscription, Clock, CounterMetric, Keyval, Log, Metrics, VapidKeys, WebPushSender } from '@rollcall/ports'
import { PushNotification, PushSummary } from '@rollcall/protocol'
import type { Pubsub } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import { payloadOf } from './payload.ts'
import { nodeOf } from './subscriptions.ts'
import type { Subscription, Subscriptions } from './subscriptions.ts'

/** Push services that asked to be left alone; of more, the earliest are asked again too soon. */
const PAUSED_MAX = 10_000
/** Where a push service that is in trouble does not say for how long. */
const PAUSE_MS = 60_000

export type StoredKeys = { readonly publicKey: string; readonly privateKey: string }

export interface WebPushServicePorts {
  readonly sender: WebPushSender
  readonly server: ServerInfo
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly keys: Keyval<StoredKeys>
  readonly subscriptions: Subscriptions
  readonly options: {
    readonly subject: string
    readonly ttlSeconds: number
    readonly timeoutMs: number
    readonly mayReachPrivate: boolean
    /** Hosts of push services, with those below; empty for any. */
    readonly services: readonly string[]
  }
}

export class WebPushService {
  readonly #ports: WebPushServicePorts
  readonly #keys = new Map<string, Promise<VapidKeys>>()
  /** Monotonic ms until which an origin is left alone. */
  readonly #pausedUntilMs = new Map<string, number>()
  readonly #sent: CounterMetric
  readonly #failed: CounterMetric
  readonly #gone: CounterMetric

  constructor(ports: WebPushServicePorts) {
    this.#ports = ports
    const counter = (result: string) => ports.metrics.counter('rollcall_web_push_total', 'Messages to push services of browsers, by result.', { result })
    this.#sent = counter('sent')
    this.#failed = counter('failed')
    this.#gone = counter('gone')
  }

  /** The host's keys: made once, then kept, because every subscription is bound to them (RFC 8292 §4). */
  keysOf(host: string): Promise<VapidKeys> {
    const known = this.#keys.get(host)
    if (known !== undefined) return known
    const keys = this.#loadKeys(host)
    this.#keys.set(host, keys)
    // What failed is tried again by the next who asks.
    keys.catch(() => this.#keys.delete(host))
    return keys
  }

  async subscribe(owner: Jid, subscription: BrowserSubscription): Promise<{ readonly node: string; readonly secret: string }> {
    const { options, sender, subscriptions } = this.#ports
    try {
      sender.check(subscription, options.mayReachPrivate)
    } catch (error) {
      if (error instanceof WebPushError) throw new StanzaError('not-acceptable', error.message)
      throw error
    }
    const { hostname } = new URL(subscription.endpoint)
    const isAllowed = options.services.length === 0 || options.services.some((service) => hostname === service || hostname.endsWith(`.${service}`))
    if (!isAllowed) throw new StanzaError('not-acceptable', 'This server does not use the push service of this browser')
    const added = await subscriptions.put(owner, subscription)
    return { node: nodeOf(added), secret: added.secret }
  }

  /** XEP-0357 §3.2: only servers publish, and here only this one. */
  async publish({ from, to, payload }: IqRequest<Pubsub>): Promise<void> {
    if (from.localpart !== '' || from.isFull || !this.#ports.server.hosts.includes(from.domainpart)) throw new StanzaError('forbidden')
    const { publish, publishOptions } = payload
    const content = publish?.items[0]?.payload.find((one) => PushNotification.matches(one))
    if (publish === undefined || content === undefined) throw new StanzaError('bad-request', 'Only notifications of XEP-0357 are published here')
    const subscription = await this.#ports.subscriptions.find(to.domainpart, publish.node ?? '')
    const secret = publishOptions?.form?.fields.find((field) => field.var === 'secret')?.values[0]
    if (subscription === undefined || subscription.owner.domainpart !== from.domainpart) throw new StanzaError('item-not-found')
    if (subscription.secret !== secret) throw new StanzaError('forbidden')
    const { summary } = PushNotification.decode(content)
    await this.#send(subscription, payloadOf(subscription.owner, summary === undefined ? {} : PushSummary.read(summary)))
  }

  async #loadKeys(host: string): Promise<VapidKeys> {
    const { keys, sender } = this.#ports
    const known = await keys.get(host)
    if (known !== undefined) return known
    const made = sender.makeKeys()
    await keys.set(host, { publicKey: made.publicKey, privateKey: made.privateKey })
    return made
  }

  async #send(subscription: Subscription, payload: Uint8Array): Promise<void> {
    const { clock, options, sender, server } = this.#ports
    const { origin } = new URL(subscription.endpoint)
    if (clock.monotonic() < (this.#pausedUntilMs.get(origin) ?? 0)) throw new StanzaError('resource-constraint')
    const keys = await this.keysOf(subscription.owner.domainpart)
    const subject = options.subject !== '' ? options.subject : server.contacts['admin']?.find((one) => /^(?:mailto|https):/.test(one)) ?? ''
    try {
      const { status, retryAfterMs } = await sender.send({
        subscription, keys, subject, payload, ttlSeconds: options.ttlSeconds, urgency: 'high', topic: subscription.id.slice(0, 32),
        timeoutMs: options.timeoutMs, mayReachPrivate: options.mayReachPrivate,
      })
      await this.#judge(subscription, origin, status, retryAfterMs)
    } catch (error) {
      if (!(error instanceof WebPushError)) throw error
      if (error.code === 'refused') return await this.#end(subscription, error.message)
      this.#failed.add(1)
      this.#ports.log.info('web-push-failed', { account: subscription.owner.toString(), origin, error })
      throw new StanzaError('remote-server-timeout')
    }
  }

  /** RFC 8030 §5, §7.2 and §7.3, RFC 8292 §4.2. */
  async #judge(subscription: Subscription, origin: string, status: number, retryAfterMs: number): Promise<void> {
    if (status >= 200 && status < 300) return this.#sent.add(1)
    const isPassing = status === 429 || status >= 500
    if (!isPassing) return await this.#end(subscription, `status ${status}`)
    this.#failed.add(1)
    this.#ports.log.info('web-push-failed', { account: subscription.owner.toString(), origin, status })
    this.#pause(origin, retryAfterMs > 0 ? retryAfterMs : PAUSE_MS)
    throw new StanzaError('resource-constraint')
  }

  /** The browser is gone, or nothing that is sent to it will ever be taken. */
  async #end(subscription: Subscription, reason: string): Promise<never> {
    this.#gone.add(1)
    this.#ports.log.info('web-push-ended', { account: subscription.owner.toString(), reason })
    await this.#ports.subscriptions.remove(subscription.owner, nodeOf(subscription))
    throw new StanzaError('item-not-found')
  }

  #pause(origin: string, ms: number): void {
    const [earliest] = this.#pausedUntilMs.keys()
    if (this.#pausedUntilMs.size >= PAUSED_MAX && earliest !== undefined) this.#pausedUntilMs.delete(earliest)
    this.#pausedUntilMs.delete(origin)
    this.#pausedUntilMs.set(origin, this.#ports.clock.monotonic() + ms)
  }
}
