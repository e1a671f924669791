/**
 * Deletes what is too old or too much (XEP-0313 §3.2): always the oldest entries, so that there are never holes.
 *
 * A round goes through all accounts of this server's hosts, a few entries at a time with a pause after each slice, so that
 * messages never wait for it. A round that a stop or a fault interrupts is simply begun anew.
 */
import type { AccountAdmin } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { Archive, Clock, CounterMetric, Log, Metrics, Timer } from '@rollcall/ports'
import type { StoredMessage } from './stored-message.ts'

export interface PurgeLimits {
  /** 0 = never too old. */
  readonly retentionMs: number
  /** 0 = never too many. */
  readonly messagesMax: number
  readonly periodMs: number
}

export interface PurgePorts {
  readonly messages: Archive<StoredMessage>
  readonly waiting: Archive<StoredMessage>
  readonly accounts: Pick<AccountAdmin, 'list'>
  readonly hosts: readonly string[]
  /** Whether the account is this member's: each member purges its own. */
  readonly isHere: (account: Jid) => boolean
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly limits: PurgeLimits
}

/** Entries deleted at a time: about 2 ms of the database's time. */
const SLICE_SIZE = 100
/** Accounts looked at before a pause. */
const ACCOUNTS_AT_A_TIME = 50
const PAUSE_MS = 20

export class Purge {
  readonly #ports: PurgePorts
  readonly #deleted: CounterMetric
  #timer: Timer | undefined = undefined
  #isStopped = false
  #isRunning = false

  constructor(ports: PurgePorts) {
    this.#ports = ports
    this.#deleted = ports.metrics.counter('rollcall_archive_purged_total', 'Messages deleted from archives because of their age or number.')
  }

  /** Begins the rounds, the first after one period; nothing when there is no limit. */
  start(): void {
    const { clock, limits } = this.#ports
    if (limits.retentionMs === 0 && limits.messagesMax === 0) return
    this.#timer = clock.every(limits.periodMs, () => void this.round())
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  /** One round; never rejects. A round that is asked for while another runs is left out. */
  async round(): Promise<void> {
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      for (const host of this.#ports.hosts) await this.#host(host)
    } catch (error) {
      this.#ports.log.error('archive-purge-failed', { error })
    } finally {
      this.#isRunning = false
    }
  }

  async #host(host: string): Promise<void> {
    let after: Jid | undefined
    while (!this.#isStopped) {
      const accounts = await this.#ports.accounts.list(host, after, ACCOUNTS_AT_A_TIME)
      for (const account of accounts) if (this.#ports.isHere(account)) await this.#account(account.toString())
      if (accounts.length < ACCOUNTS_AT_A_TIME) return
      after = accounts.at(-1)
      await this.#pause()
    }
  }

  async #account(owner: string): Promise<void> {
    const { clock, limits, messages, waiting } = this.#ports
    if (limits.retentionMs > 0) {
      const end = clock.now() - limits.retentionMs
      for (const store of [messages, waiting]) await this.#oldest(store, owner, Infinity, end)
    }
    if (limits.messagesMax > 0) await this.#oldest(messages, owner, (await messages.count(owner)) - limits.messagesMax)
  }

  /** Deletes the oldest entries, at most `max`, and not beyond the first one that is later than `end`. */
  async #oldest(store: Archive<StoredMessage>, owner: string, max: number, end = Infinity): Promise<void> {
    let left = max
    while (left > 0 && !this.#isStopped) {
      const page = await store.query(owner, { limit: Math.min(SLICE_SIZE, left) })
      const later = page.entries.findIndex((entry) => entry.at > end)
      const old = later === -1 ? page.entries : page.entries.slice(0, later)
      if (old.length === 0) return
      await store.delete(owner, old.map((entry) => entry.id))
      this.#deleted.add(old.length)
      left -= old.length
      if (later !== -1 || page.isComplete) return
      await this.#pause()
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#ports.clock.after(PAUSE_MS, resolve))
  }
}
