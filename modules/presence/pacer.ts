/**
 * When contacts are told of a change: at once, or after a window in which only the last state counts.
 *
 * How it works: the change waits where it is made, not where it is delivered. A resource that changes ten times in a
 * window costs one broadcast instead of ten, whatever the number of contacts; one that went and came back as it was costs
 * none. One record per resource, so memory is bounded by the number of sessions; one timer for all. All that waits is
 * sent together, so that a contact that watches several of them gets it in one write.
 *
 * Order: whatever else an account's resources send, or is said about the account, is preceded by what waits about it
 * (`settle`). So a state is never overtaken, and never overtakes.
 */
import type { Account } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { Clock, CounterMetric, HistogramMetric, Load } from '@rollcall/ports'
import type { Stanza } from '@rollcall/stanza'
import { isSamePresence } from './content.ts'
import { windowMs } from './window.ts'

/** Broadcasts are expanded for so long in one turn, in ms; then messages have theirs. */
const SLICE_MS = 2
/** So much of the budget may be used at once, in seconds: short bursts pass without waiting. */
const BURST_SECONDS = 0.25
/** The part of the window that is spent here; the rest is for the edge, which gathers writes. */
const OWN_PART = 0.75
/** Accounts of which a change may wait; a change of a further one is sent at once. */
const WAITING_MAX = 1_000_000

interface Waiting {
  account: Account
  readonly jid: Jid
  /** What contacts were told last. */
  readonly known: Stanza
  latest: Stanza
  readonly sinceMs: number
}

export interface PacerPorts {
  readonly clock: Clock
  readonly load: Load
  /** Deliveries per second; 0 for no limit. */
  readonly budget: number
  /** Tells everybody who may know. */
  readonly publish: (account: Account, stanza: Stanza) => void
  readonly coalesced: CounterMetric
  readonly damped: CounterMetric
  /** Seconds from the arrival of a change to the end of its broadcast. */
  readonly seconds: HistogramMetric
}

export class Pacer {
  readonly #ports: PacerPorts
  /** By bare JID, the one that waits longest first. */
  readonly #waiting = new Map<string, Waiting[]>()
  #isScheduled = false
  #isTurnOpen = false
  #turnEndMs = 0
  #tokens: number
  #refilledAtMs: number

  constructor(ports: PacerPorts) {
    this.#ports = ports
    this.#tokens = ports.budget * BURST_SECONDS
    this.#refilledAtMs = ports.clock.monotonic()
  }

  /** Accounts of which a change waits. */
  get size(): number {
    return this.#waiting.size
  }

  /** How long changes wait now, in ms. */
  get windowMs(): number {
    const wantedMs = this.#wantedMs()
    for (const [oldest] of this.#waiting.values()) {
      return Math.max(wantedMs, oldest === undefined ? 0 : this.#ports.clock.monotonic() - oldest.sinceMs)
    }
    return wantedMs
  }

  /** The state of a resource changed. `known` is what it was: undefined when it was not there. True when it waits now. */
  changed(account: Account, jid: Jid, known: Stanza | undefined, latest: Stanza): boolean {
    const nowMs = this.#ports.clock.monotonic()
    if (this.#waiting.size > 0) {
      const entries = this.#waiting.get(account.jid.toString())
      const entry = entries?.find((other) => other.jid.equals(jid))
      if (entry !== undefined) {
        this.#supersede(entry, account, latest)
        return true
      }
    }
    // Who comes is announced at once: contacts know nothing yet that could be the same.
    const delayMs = known === undefined || this.#waiting.size >= WAITING_MAX ? 0 : this.#wantedMs() * OWN_PART
    if (known === undefined || (delayMs < 1 && !this.#isTurnSpent(nowMs))) {
      this.#publish(account, latest, nowMs)
      return false
    }
    const key = account.jid.toString()
    const entry = { account, jid, known, latest, sinceMs: nowMs }
    const entries = this.#waiting.get(key)
    if (entries === undefined) this.#waiting.set(key, [entry])
    else entries.push(entry)
    if (!this.#isScheduled) this.#schedule(Math.max(1, delayMs))
    return true
  }

  /** Sends what waits about an account (a bare JID), of resources that are gone too; returns the resources told about. */
  settle(account: Jid): readonly Jid[] {
    if (this.#waiting.size === 0) return []
    const key = account.bare.toString()
    const entries = this.#waiting.get(key)
    if (entries === undefined) return []
    // First forgotten: what publishing sets off may ask again.
    this.#waiting.delete(key)
    for (const entry of entries) this.#publish(entry.account, entry.latest, entry.sinceMs)
    return entries.map((entry) => entry.jid)
  }

  /** Sends everything that waits. */
  settleAll(): void {
    for (const entries of [...this.#waiting.values()]) for (const entry of [...entries]) this.settle(entry.jid)
  }

  /** Takes deliveries off the budget. */
  spend(deliveries: number): void {
    this.#tokens -= deliveries
  }

  /** Whether broadcasts have had their share of this turn of the event loop. */
  #isTurnSpent(nowMs: number): boolean {
    if (this.#isTurnOpen) return nowMs >= this.#turnEndMs
    this.#isTurnOpen = true
    this.#turnEndMs = nowMs + SLICE_MS
    this.#ports.clock.soon(this.#endTurn)
    return false
  }

  readonly #endTurn = (): void => {
    this.#isTurnOpen = false
  }

  /** Only the last state counts, and none at all when it is what contacts know. */
  #supersede(entry: Waiting, account: Account, latest: Stanza): void {
    const { coalesced, damped } = this.#ports
    coalesced.add(1)
    entry.latest = latest
    // After a new login the account may be another object.
    entry.account = account
    if (!isSamePresence(entry.known, latest)) return
    damped.add(1)
    const key = account.jid.toString()
    const others = this.#waiting.get(key)?.filter((other) => other !== entry) ?? []
    if (others.length === 0) this.#waiting.delete(key)
    else this.#waiting.set(key, others)
  }

  #publish(account: Account, stanza: Stanza, sinceMs: number): void {
    const { clock, publish, seconds } = this.#ports
    publish(account, stanza)
    seconds.observe((clock.monotonic() - sinceMs) / 1000)
  }

  /** How long a change should wait, by load and budget, in ms. */
  #wantedMs(): number {
    const loadMs = windowMs(this.#ports.load)
    return Math.max(loadMs, this.#dryMs())
  }

  /** Until the budget allows something again, in ms. */
  #dryMs(): number {
    const { budget, clock } = this.#ports
    if (budget === 0) return 0
    const nowMs = clock.monotonic()
    this.#tokens = Math.min(budget * BURST_SECONDS, this.#tokens + ((nowMs - this.#refilledAtMs) / 1000) * budget)
    this.#refilledAtMs = nowMs
    return this.#tokens >= 0 ? 0 : (-this.#tokens / budget) * 1000
  }

  #schedule(delayMs: number): void {
    this.#isScheduled = true
    const dueMs = this.#ports.clock.monotonic()
    this.#ports.clock.after(delayMs, () => this.#send(dueMs + delayMs))
  }

  /** Sends what was waiting at `untilMs`, in slices of a turn and within the budget. */
  #send(untilMs: number): void {
    const { clock } = this.#ports
    const endMs = clock.monotonic() + SLICE_MS
    for (const [oldest] of this.#waiting.values()) {
      if (oldest === undefined || oldest.sinceMs > untilMs) break
      const dryMs = this.#dryMs()
      if (dryMs > 0) {
        clock.after(Math.max(1, dryMs), () => this.#send(clock.monotonic()))
        return
      }
      if (clock.monotonic() >= endMs) {
        clock.soon(() => this.#send(untilMs))
        return
      }
      this.settle(oldest.jid)
    }
    this.#isScheduled = false
    if (this.#waiting.size > 0) this.#schedule(Math.max(1, this.#wantedMs() * OWN_PART))
  }
}
