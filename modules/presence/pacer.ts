/**
 * When contacts are told of a change: at once, or after a window in which only the last state counts, and never so many in
 * one turn of the event loop that messages wait for them.
 *
 * How it works: the change waits where it is made, not where it is delivered. A resource that changes ten times in a
 * window costs one broadcast instead of ten, whatever the number of contacts; one that went and came back as it was costs
 * none. One record per resource, so memory is bounded by the number of sessions; one timer for all. All that waits is
 * sent together, so that a contact that watches several of them gets it in one write.
 *
 * Each turn has a slice of time for broadcasts. What is left over when it is used up is `due`: it goes on in the next turns, in
 * the order in which it came, before anything newer; a broadcast to very many goes in parts. Between, messages have theirs.
 *
 * Order: whatever else an account's resources send to a contact is preceded by what waits about it for that contact
 * (`settleFor`), and whatever is said about the account by what waits for anybody (`settle`). So a state is never overtaken, and
 * never overtakes. Who was told ahead of the others is noted, and is told again only of what is new then.
 */
import type { Account } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { Clock, CounterMetric, HistogramMetric, Load } from '@rollcall/ports'
import type { Stanza } from '@rollcall/stanza'
import { isSamePresence } from './content.ts'
import type { ShardLaw } from './shard-law.ts'
import { PART_RECEIVERS } from './whereabouts.ts'
import { windowMs } from './window.ts'

/** Broadcasts are expanded for so long in one turn, in ms; then messages have theirs. */
export const SLICE_MS = 1
/** So much of the budget may be used at once, in seconds: short bursts pass without waiting. */
const BURST_SECONDS = 0.25
/** The part of the window that is spent here; the rest is for the edge, which gathers writes. */
const OWN_PART = 0.75
/** Accounts of which a change may wait; a change of a further one is sent at once. */
const WAITING_MAX = 1_000_000

interface Waiting {
  account: Account
  readonly jid: Jid
  /** What contacts were told last; undefined when the resource was not there. */
  readonly known: Stanza | undefined
  latest: Stanza
  readonly sinceMs: number
  /** Who is told, once that has begun: then `latest` does not change any more. */
  targets: readonly Jid[] | undefined
  /** How many of them have been. */
  toldCount: number
  /** Who was told ahead of the others, by bare JID, and of which state; made on first use. */
  ahead: Map<string, Ahead> | undefined
}

interface Ahead {
  readonly contact: Jid
  readonly state: Stanza
}

export interface PacerPorts {
  readonly clock: Clock
  readonly load: Load
  /** Deliveries per second; 0 for no limit. */
  readonly budget: number
  /** Everybody who may know. */
  readonly audience: (account: Account) => readonly Jid[]
  /** Whether the contact is one of them. */
  readonly maySee: (account: Account, contact: Jid) => boolean
  readonly broadcast: (stanza: Stanza, targets: readonly Jid[]) => void
  readonly coalesced: CounterMetric
  readonly damped: CounterMetric
  readonly law: ShardLaw
  /** Seconds from the arrival of a change to the end of its broadcast. */
  readonly seconds: HistogramMetric
}

export class Pacer {
  readonly #ports: PacerPorts
  /** By bare JID, the one that waits longest first: those whose window is not over. */
  readonly #waiting = new Map<string, Waiting[]>()
  /** The same for those whose turn it is. */
  readonly #due = new Map<string, Waiting[]>()
  #isTimerSet = false
  #isTurnOpen = false
  /** Of this turn's slice. */
  #spentMs = 0
  /** The budget is used up, and a timer goes on when it is not. */
  #isDry = false
  #tokens: number
  #refilledAtMs: number

  constructor(ports: PacerPorts) {
    this.#ports = ports
    this.#tokens = ports.budget * BURST_SECONDS
    this.#refilledAtMs = ports.clock.monotonic()
  }

  /** Accounts of which a change waits. */
  get size(): number {
    return this.#waiting.size + this.#due.size
  }

  /** How long changes wait now, in ms. */
  get windowMs(): number {
    const nowMs = this.#ports.clock.monotonic()
    let ms = this.#wantedMs()
    for (const map of [this.#due, this.#waiting]) {
      for (const [oldest] of map.values()) {
        if (oldest !== undefined) ms = Math.max(ms, nowMs - oldest.sinceMs)
        break
      }
    }
    return ms
  }

  /** The state of a resource changed. `known` is what it was: undefined when it was not there. */
  changed(account: Account, jid: Jid, known: Stanza | undefined, latest: Stanza): void {
    // The wall clock is what members share.
    latest.changedAt = this.#ports.clock.now()
    const key = account.jid.toString()
    for (const map of this.size > 0 ? [this.#waiting, this.#due] : []) {
      // Of what is under way some have been told already.
      const entry = map.get(key)?.find((other) => other.targets === undefined && other.jid.equals(jid))
      if (entry !== undefined) return this.#supersede(map, entry, account, latest)
    }
    const change: Waiting = { account, jid, known, latest, sinceMs: this.#ports.clock.monotonic(), targets: undefined, toldCount: 0, ahead: undefined }
    // Who comes is announced without a window: contacts know nothing yet that could be the same.
    const delayMs = known === undefined ? 0 : this.#wantedMs() * OWN_PART
    if (this.size >= WAITING_MAX) {
      this.settle(account.jid)
      this.#tellAll(change)
    } else if (delayMs >= 1) {
      keep(this.#waiting, key, change)
      if (!this.#isTimerSet) this.#setTimer(delayMs)
    } else if (this.#due.size > 0 || !this.#tell(change)) {
      keep(this.#due, key, change)
    }
  }

  /**
   * Sends what waits about an account (a bare JID), of resources that are gone too; returns the resources of which
   * everybody was told who may know now.
   */
  settle(account: Jid): readonly Jid[] {
    if (this.size === 0) return []
    const key = account.bare.toString()
    const entries = [...this.#due.get(key) ?? [], ...this.#waiting.get(key) ?? []]
    // First forgotten: what publishing sets off may ask again.
    this.#due.delete(key)
    this.#waiting.delete(key)
    const fresh = entries.filter(({ targets }) => targets === undefined).map(({ jid }) => jid)
    for (const entry of entries) this.#tellAll(entry)
    return fresh
  }

  /** Tells one contact what waits about an account, of resources that are gone too, and the others when it is their turn (both bare JIDs). */
  settleFor(account: Jid, contact: Jid): void {
    if (this.size === 0) return
    const key = account.bare.toString()
    const due = this.#due.get(key)
    const waiting = this.#waiting.get(key)
    // Who logs in asks for all contacts, and of nearly all nothing waits.
    if (due === undefined && waiting === undefined) return
    for (const entry of [...due ?? [], ...waiting ?? []]) this.#tellAhead(entry, contact)
  }

  /** Sends everything that waits. */
  settleAll(): void {
    for (const entries of [...this.#due.values(), ...this.#waiting.values()]) for (const { jid } of [...entries]) this.settle(jid)
  }

  /** Takes deliveries off the budget. */
  spend(deliveries: number): void {
    this.#tokens -= deliveries
  }

  /** Only the last state counts, and none at all when it is what contacts know. */
  #supersede(map: Map<string, Waiting[]>, entry: Waiting, account: Account, latest: Stanza): void {
    const { coalesced, damped, law } = this.#ports
    coalesced.add(1)
    law.coalesced(account.jid)
    entry.latest = latest
    // After a new login the account may be another object.
    entry.account = account
    const isAsKnown = entry.known === undefined ? latest.type === 'unavailable' : isSamePresence(entry.known, latest)
    if (!isAsKnown) return
    damped.add(1)
    drop(map, account.jid.toString(), entry)
    const misled = [...entry.ahead?.values() ?? []].filter(({ state }) => !isSamePresence(state, latest))
    if (misled.length > 0) this.#ports.broadcast(latest, misled.map(({ contact }) => contact))
  }

  // ------------------------------------------------------------------------------------ slices

  #openTurn(): void {
    if (this.#isTurnOpen || this.#isDry) return
    this.#isTurnOpen = true
    this.#ports.clock.soon(this.#endTurn)
  }

  /** What is due gets what is left of the slice; the rest goes on in the next turn. */
  readonly #endTurn = (): void => {
    let dryMs = 0
    while (this.#due.size > 0 && this.#spentMs < SLICE_MS && (dryMs = this.#dryMs()) === 0) this.#goOn()
    this.#isTurnOpen = false
    this.#spentMs = 0
    if (this.#due.size === 0) return
    if (dryMs === 0) return this.#openTurn()
    this.#isDry = true
    this.#ports.clock.after(Math.max(1, dryMs), () => {
      this.#isDry = false
      this.#openTurn()
    })
  }

  /** Tells of the first that is due, as far as the slice goes. */
  #goOn(): void {
    for (const [key, entries] of this.#due) {
      const entry = entries[0] as Waiting
      // What telling sets off may settle the account: then it is not due any more.
      if (this.#tell(entry) && this.#due.get(key) === entries) drop(this.#due, key, entry)
      return
    }
  }

  /** Tells contacts, in parts while the slice lasts; false when some are left. */
  #tell(entry: Waiting): boolean {
    this.#openTurn()
    // Until it begins it may still be superseded.
    if (this.#spentMs >= SLICE_MS) return false
    entry.targets ??= this.#audienceOf(entry)
    do this.#tellPart(entry, entry.targets)
    while (entry.toldCount < entry.targets.length && this.#spentMs < SLICE_MS)
    return entry.toldCount === entry.targets.length
  }

  /** Tells everybody now. */
  #tellAll(entry: Waiting): void {
    entry.targets ??= this.#audienceOf(entry)
    while (entry.toldCount < entry.targets.length) this.#tellPart(entry, entry.targets)
  }

  /** Everybody who does not know yet. */
  #audienceOf({ account, ahead, latest }: Waiting): readonly Jid[] {
    const all = this.#ports.audience(account)
    if (ahead === undefined) return all
    return all.filter((contact) => {
      const told = ahead.get(contact.toString())
      return told === undefined || !isSamePresence(told.state, latest)
    })
  }

  /** Tells one contact, if it does not know yet. */
  #tellAhead(entry: Waiting, contact: Jid): void {
    const { latest, targets } = entry
    const key = contact.bare.toString()
    if (targets !== undefined) {
      const at = targets.findIndex((target, place) => place >= entry.toldCount && target.equals(contact.bare))
      if (at < 0) return
      entry.targets = targets.toSpliced(at, 1)
    } else {
      const told = entry.ahead?.get(key)
      if (told !== undefined && isSamePresence(told.state, latest)) return
      if (!this.#ports.maySee(entry.account, contact)) return
      entry.ahead ??= new Map()
      entry.ahead.set(key, { contact: contact.bare, state: latest })
    }
    this.#ports.broadcast(latest, [contact.bare])
  }

  #tellPart(entry: Waiting, targets: readonly Jid[]): void {
    const { broadcast, clock, law, seconds } = this.#ports
    const startMs = clock.monotonic()
    const from = entry.toldCount
    const until = Math.min(targets.length, from + PART_RECEIVERS)
    // First noted: what the broadcast sets off may settle the account.
    entry.toldCount = until
    broadcast(entry.latest, until - from === targets.length ? targets : targets.slice(from, until))
    const endMs = clock.monotonic()
    this.#spentMs += endMs - startMs
    if (until < targets.length) return
    const tookSeconds = (endMs - entry.sinceMs) / 1000
    seconds.observe(tookSeconds)
    law.told(entry.account.jid, tookSeconds)
  }

  // ------------------------------------------------------------------------------------ windows

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

  #setTimer(delayMs: number): void {
    this.#isTimerSet = true
    const untilMs = this.#ports.clock.monotonic() + delayMs
    this.#ports.clock.after(Math.max(1, delayMs), () => this.#windowOver(untilMs))
  }

  /** What waited when the window began is due now. */
  #windowOver(untilMs: number): void {
    this.#isTimerSet = false
    for (const [key, entries] of this.#waiting) {
      if ((entries[0] as Waiting).sinceMs > untilMs) break
      this.#waiting.delete(key)
      for (const entry of entries) keep(this.#due, key, entry)
    }
    if (this.#due.size > 0) this.#openTurn()
    if (this.#waiting.size > 0) this.#setTimer(Math.max(1, this.#wantedMs() * OWN_PART))
  }
}

function keep(map: Map<string, Waiting[]>, key: string, entry: Waiting): void {
  const entries = map.get(key)
  if (entries === undefined) map.set(key, [entry])
  else entries.push(entry)
}

function drop(map: Map<string, Waiting[]>, key: string, entry: Waiting): void {
  const entries = map.get(key)
  if (entries === undefined) return
  entries.splice(entries.indexOf(entry), 1)
  if (entries.length === 0) map.delete(key)
}
