/**
 * Reports of spam and abuse as they are kept for the operators: one log per host, bounded in number and age.
 *
 * Who reports is limited per account, in memory: a member that starts anew starts counting anew, and the log is bounded
 * anyway.
 */
import type { Archive, ArchiveEntry, Clock, Random } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import type { Report } from '@rollcall/protocol'

export interface StoredReport {
  readonly reporter: string
  readonly reported: string
  readonly reason: string
  readonly texts: readonly string[]
  /** Archive ids of messages that the report is about. */
  readonly stanzaIds: readonly string[]
  readonly mayGoToOrigin: boolean
  readonly mayGoToThirdParty: boolean
}

export interface ReportLimits {
  readonly reportsMax: number
  readonly keepDays: number
  readonly textMax: number
}

const DAY_MS = 86_400_000
/** Messages that one report may name; further ones are not kept. */
const STANZA_IDS_MAX = 20
/** Characters of a reason, which is a URN. */
const REASON_MAX = 200

export class ReportLog {
  readonly #store: Archive<StoredReport>
  readonly #clock: Clock
  readonly #random: Random
  readonly #limits: ReportLimits

  constructor(store: Archive<StoredReport>, clock: Clock, random: Random, limits: ReportLimits) {
    this.#store = store
    this.#clock = clock
    this.#random = random
    this.#limits = limits
  }

  /** What is kept of a report. */
  readable(reporter: Jid, reported: Jid, report: Report): StoredReport {
    return {
      reporter: reporter.bare.toString(), reported: reported.toString(), reason: report.reason.slice(0, REASON_MAX),
      texts: report.texts.slice(0, 3).map(({ text }) => text.slice(0, this.#limits.textMax)),
      stanzaIds: report.stanzaIds.slice(0, STANZA_IDS_MAX).map(({ id }) => id.slice(0, this.#limits.textMax)),
      mayGoToOrigin: report.mayGoToOrigin, mayGoToThirdParty: report.mayGoToThirdParty,
    }
  }

  /** Settles when it is stored; older ones beyond the limits go. */
  async add(host: string, report: StoredReport): Promise<void> {
    const now = this.#clock.now()
    const reported = report.reported.split('/')[0] ?? ''
    await this.#store.append(host, { id: this.#random.id(), at: now, with: reported, value: report })
    if (this.#limits.keepDays > 0) await this.#store.clear(host, now - this.#limits.keepDays * DAY_MS)
    const surplus = await this.#store.count(host) - this.#limits.reportsMax
    if (surplus <= 0) return
    const oldest = await this.#store.query(host, { limit: surplus })
    await this.#store.delete(host, oldest.entries.map(({ id }) => id))
  }

  /** The newest, newest first; about one account or domain, or all. */
  async newest(host: string, about: string | undefined, limit: number): Promise<readonly ArchiveEntry<StoredReport>[]> {
    const page = await this.#store.query(host, { limit, isBackward: true, ...(about !== undefined && { with: about }) })
    return page.entries.toReversed()
  }

  clear(host: string): Promise<void> {
    return this.#store.clear(host)
  }
}

/** How many reports of each account count: `perHour` within any window of an hour that begins with its first. */
export class ReportRate {
  readonly #perHour: number
  readonly #windows = new Map<string, { readonly since: number; count: number }>()

  constructor(perHour: number) {
    this.#perHour = perHour
  }

  /** Whether one more counts. `now` is monotonic ms. */
  take(account: string, now: number): boolean {
    const window = this.#windows.get(account)
    if (window === undefined || now - window.since >= HOUR_MS) {
      this.#forget(now)
      this.#windows.set(account, { since: now, count: 1 })
      return true
    }
    window.count++
    return window.count <= this.#perHour
  }

  /** Windows are in the order of their beginning, so that those that are over come first. */
  #forget(now: number): void {
    for (const [account, { since }] of this.#windows) {
      if (now - since < HOUR_MS && this.#windows.size < ACCOUNTS_MAX) return
      this.#windows.delete(account)
    }
  }
}

const HOUR_MS = 3_600_000
const ACCOUNTS_MAX = 10_000
