/**
 * Publishes notifications (XEP-0357 §7), as few as will do.
 *
 * Each registration has a line while there is something to tell or to remember. What comes within a short time is told
 * at once with its count, and then a pause follows; only a call waits for neither. A service that fails for a while is
 * tried again ever more rarely, one that refuses is given up. Lines live apart from accounts, which may leave memory
 * before a timer is due. They are bounded; the one that waited longest without anything to do is forgotten first.
 */
import type { Account, IqClient } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { Clock, CounterMetric, Log, Metrics, Random, Timer } from '@rollcall/ports'
import { FORM_PUBLISH_OPTIONS, Pubsub, PushNotification, PushSummary } from '@rollcall/protocol'
import type { PushSummaryInput } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { XmlElement } from '@rollcall/xml'
import { backOffMs, mayPass } from './back-off.ts'
import type { Registration } from './registrations.ts'

/** Notifications under way at a time, so that a slow service takes no requests from others. */
const UNDER_WAY_MAX = 1000
/** Registrations with something to tell or to remember. */
const LINES_MAX = 100_000
/** Contacts remembered for one count of requests. */
const REQUESTERS_MAX = 1000
/** When everything is under way that may be. */
const CROWDED_MS = 1000

export interface NotifierOptions {
  readonly coalesceMs: number
  readonly pauseMs: number
  readonly timeoutMs: number
  readonly failuresMax: number
}

export interface NotifierPorts {
  readonly clock: Clock
  readonly iqClient: IqClient
  readonly log: Log
  readonly metrics: Metrics
  readonly random: Random
  readonly options: NotifierOptions
  /** The service refused for good, or failed too often. */
  readonly giveUp: (account: Jid, registration: Registration) => void
}

/** One thing to tell. */
export interface News {
  readonly messages: number
  /** Who asks to see the account's presence. */
  readonly requester?: Jid
  readonly sender?: Jid
  readonly body?: string
  readonly isUrgent: boolean
}

interface Line {
  readonly account: Jid
  registration: Registration
  /** Since the client was last here. */
  messages: number
  readonly requesters: Set<string>
  sender: Jid | undefined
  body: string | undefined
  isDue: boolean
  /** What is due does not wait. */
  isUrgent: boolean
  isUnderWay: boolean
  failures: number
  /** Monotonic ms before which nothing is sent, calls excepted. */
  pauseUntilMs: number
  timer: Timer | undefined
  timerAtMs: number
}

export class Notifier {
  readonly #ports: NotifierPorts
  readonly #lines = new Map<string, Line>()
  readonly #published: CounterMetric
  readonly #failed: CounterMetric
  readonly #dropped: CounterMetric
  #underWay = 0
  #isStopped = false

  constructor(ports: NotifierPorts) {
    this.#ports = ports
    const counter = (result: string) => ports.metrics.counter('rollcall_push_notifications_total', 'Push notifications, by result.', { result })
    this.#published = counter('published')
    this.#failed = counter('failed')
    this.#dropped = counter('dropped')
    ports.metrics.observedGauge('rollcall_push_registrations_active', 'Push registrations with something to tell or to remember.', () => this.#lines.size)
  }

  tell(account: Account, registration: Registration, news: News): void {
    const line = this.#lineOf(account.jid, registration)
    if (line === undefined) return this.#dropped.add(1)
    line.messages += news.messages
    if (news.requester !== undefined && line.requesters.size < REQUESTERS_MAX) line.requesters.add(news.requester.toString())
    if (news.messages > 0) {
      line.sender = news.sender
      line.body = news.body
    }
    line.isDue = true
    line.isUrgent ||= news.isUrgent
    this.#schedule(line, this.#ports.options.coalesceMs)
  }

  /** The client is here: what was counted it sees itself. */
  isBack(account: Jid, registration: Registration): void {
    const key = lineKey(account, registration)
    const line = this.#lines.get(key)
    if (line === undefined) return
    line.timer?.cancel()
    line.timer = undefined
    line.isDue = false
    line.isUrgent = false
    line.messages = 0
    line.requesters.clear()
    line.sender = undefined
    line.body = undefined
    // What remains is when the service may be asked again.
    if (!line.isUnderWay && line.failures === 0 && line.pauseUntilMs <= this.#ports.clock.monotonic()) this.#lines.delete(key)
  }

  /** The registration is gone. */
  forget(account: Jid, registration: Registration): void {
    const key = lineKey(account, registration)
    const line = this.#lines.get(key)
    if (line === undefined) return
    line.timer?.cancel()
    line.isDue = false
    this.#lines.delete(key)
  }

  stop(): void {
    this.#isStopped = true
    for (const line of this.#lines.values()) line.timer?.cancel()
    this.#lines.clear()
  }

  #lineOf(account: Jid, registration: Registration): Line | undefined {
    const key = lineKey(account, registration)
    const known = this.#lines.get(key)
    if (known === undefined && this.#lines.size >= LINES_MAX && !this.#forgetIdle()) return undefined
    const line = known ?? {
      account, registration, messages: 0, requesters: new Set(), sender: undefined, body: undefined,
      isDue: false, isUrgent: false, isUnderWay: false, failures: 0, pauseUntilMs: 0, timer: undefined, timerAtMs: 0,
    }
    line.registration = registration
    // The order of the map is that of use.
    this.#lines.delete(key)
    this.#lines.set(key, line)
    return line
  }

  #forgetIdle(): boolean {
    for (const [key, line] of this.#lines) {
      if (line.isDue || line.isUnderWay) continue
      return this.#lines.delete(key)
    }
    return false
  }

  #schedule(line: Line, delayMs: number): void {
    if (line.isUnderWay || this.#isStopped) return
    const { clock } = this.#ports
    const now = clock.monotonic()
    // A service that fails is left alone even for a call.
    const atMs = line.isUrgent && line.failures === 0 ? now : Math.max(now + delayMs, line.pauseUntilMs)
    if (line.timer !== undefined && line.timerAtMs <= atMs) return
    line.timer?.cancel()
    line.timerAtMs = atMs
    line.timer = clock.after(atMs - now, () => {
      line.timer = undefined
      void this.#publish(line)
    })
  }

  /** Never rejects. */
  async #publish(line: Line): Promise<void> {
    const { clock, options } = this.#ports
    if (this.#underWay >= UNDER_WAY_MAX) {
      line.isUrgent = false
      return this.#schedule(line, CROWDED_MS)
    }
    line.isDue = false
    line.isUrgent = false
    line.isUnderWay = true
    this.#underWay++
    const fault = await this.#request(line)
    this.#underWay--
    line.isUnderWay = false
    if (this.#lines.get(lineKey(line.account, line.registration)) !== line) return
    if (fault === undefined) {
      this.#published.add(1)
      line.failures = 0
      line.pauseUntilMs = clock.monotonic() + options.pauseMs
    } else {
      this.#failed.add(1)
      if (!this.#isToBeTriedAgain(line, fault)) return
    }
    if (line.isDue) this.#schedule(line, 0)
  }

  #isToBeTriedAgain(line: Line, fault: StanzaError): boolean {
    const { clock, giveUp, log, options, random } = this.#ports
    line.failures++
    const isLast = !mayPass(fault) || line.failures >= options.failuresMax
    log.info(isLast ? 'push-given-up' : 'push-failed', {
      account: line.account.toString(), service: line.registration.row.jid, condition: fault.condition, failures: line.failures,
    })
    if (isLast) {
      this.forget(line.account, line.registration)
      giveUp(line.account, line.registration)
      return false
    }
    // Nothing is left to tell when the client came back meanwhile.
    line.isDue ||= line.messages > 0 || line.requesters.size > 0
    line.pauseUntilMs = clock.monotonic() + backOffMs(line.failures, random.fraction())
    return true
  }

  async #request(line: Line): Promise<StanzaError | undefined> {
    const { iqClient, log, options } = this.#ports
    const { registration } = line
    try {
      await iqClient.request(line.account.domain, registration.jid, 'set', publication(line), options.timeoutMs)
      return undefined
    } catch (error) {
      if (error instanceof StanzaError) return error
      log.error('push-defect', { account: line.account.toString(), service: registration.row.jid, error })
      return new StanzaError('internal-server-error')
    }
  }
}

function lineKey(account: Jid, registration: Registration): string {
  return `${account.toString()} ${registration.key}`
}

function publication(line: Line): XmlElement {
  const { node, options } = line.registration.row
  const notification = PushNotification.encode({ summary: PushSummary.write(summaryOf(line)) })
  const fields = [{ var: 'FORM_TYPE', values: [FORM_PUBLISH_OPTIONS] }, ...options]
  return Pubsub.encode({
    publish: { ...(node === '' ? {} : { node }), items: [{ payload: [notification] }] },
    ...(options.length === 0 ? {} : { publishOptions: { form: { type: 'submit', fields } } }),
  })
}

function summaryOf({ messages, requesters, sender, body }: Line): PushSummaryInput {
  return {
    ...(messages === 0 ? {} : { messageCount: messages }),
    ...(requesters.size === 0 ? {} : { pendingSubscriptionCount: requesters.size }),
    ...(sender === undefined ? {} : { lastMessageSender: sender }),
    ...(body === undefined || body === '' ? {} : { lastMessageBody: body }),
  }
}
