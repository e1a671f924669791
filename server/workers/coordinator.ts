/**
 * Decides who owns what: one per deployment, in the process that supervises the members (ADR 0012).
 *
 * It knows who is there, computes the shard map anew when somebody comes or goes, and leads one change at a time. It also
 * keeps the ledger: sessions whose connection and core are on the same member, so that when it dies others can go on with those
 * that their clients may resume (ADR 0019), and somebody knows whose contacts must be told of the rest.
 */
import { parseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Bus, Clock, Log, MemberId, Timer } from '@rollcall/ports'
import type { AdoptSessions, LedgerCounts, LedgerEntry, MapChange } from '../protocol/member-messages.ts'
import type { ServerMessage } from '../protocol/messages.ts'
import { shardOf } from '../protocol/placement.ts'
import { rendezvous } from './shard-table.ts'

export interface CoordinatorPorts {
  readonly bus: Bus<ServerMessage>
  readonly clock: Clock
  readonly log: Log
  /** A member does not do its part in a change: whoever supervises it ends it, and then calls `leave`. */
  readonly stuck: (member: MemberId) => void
  /** A change is over. */
  readonly active?: (epoch: number, members: readonly MemberId[]) => void
}

/** A member that takes longer over a change is stuck. */
export const CHANGE_MS_MAX = 30_000
/** Deaths that are remembered: until who was away then is back, or is not expected any more. */
const DEATHS_MAX = 8
/** Sessions in one message. */
const BATCH = 200

interface LedgerRow {
  readonly record: string
  /** Undefined when no client can resume it. */
  stream: LedgerEntry['stream']
}

interface Change {
  readonly message: MapChange
  readonly waiting: Set<MemberId>
  readonly timer: Timer
}

export class Coordinator {
  readonly #ports: CoordinatorPorts
  readonly #live = new Set<MemberId>()
  readonly #ledger = new Map<MemberId, Map<string, LedgerRow>>()
  /** Sessions that somebody gave away in this change, and who. */
  readonly #given = new Map<string, MemberId>()
  #mapped: readonly MemberId[] = []
  #owners: readonly number[] = []
  #epoch = 0
  #gone: MemberId[] = []
  #deaths: number[] = []
  #isDue = false
  #change: Change | undefined

  constructor(ports: CoordinatorPorts) {
    this.#ports = ports
  }

  get members(): readonly MemberId[] {
    return [...this.#live]
  }

  /** By the latest map; undefined before the first. */
  ownerOf(account: Jid): MemberId | undefined {
    const owner = this.#owners[shardOf(account)]
    return owner === undefined ? undefined : this.#mapped[owner]
  }

  /** Sessions in the ledger. */
  get ledgerSize(): number {
    let size = 0
    for (const entries of this.#ledger.values()) size += entries.size
    return size
  }

  /** A member is there, and reaches all others over the bus. */
  join(member: MemberId): void {
    this.#live.add(member)
    this.#isDue = true
    this.#next()
  }

  /** A member died: nothing that it sent is under way any more. */
  leave(member: MemberId): void {
    if (!this.#live.delete(member)) return
    this.#gone.push(member)
    this.#deaths = [...this.#deaths, this.#ports.clock.now()].slice(-DEATHS_MAX)
    this.#isDue = true
    const change = this.#change
    if (change !== undefined) {
      for (const other of this.#live) this.#ports.bus.send(other, { kind: 'member-gone', member })
      change.waiting.delete(member)
      this.#finishIfReady(change)
    }
    this.#next()
  }

  /** Takes a message; false when it is not for the coordinator. */
  receive(from: MemberId, message: ServerMessage): boolean {
    if (message.kind === 'map-ready') {
      const change = this.#change
      if (change?.message.epoch !== message.epoch) return true
      change.waiting.delete(from)
      this.#finishIfReady(change)
      return true
    }
    if (message.kind === 'ledger') this.#enter(from, message)
    else if (message.kind === 'ledger-counts') this.#count(from, message)
    else return false
    return true
  }

  #enter(from: MemberId, { heir, key, record, stream }: LedgerEntry): void {
    const rows = this.#rowsOf(from)
    if (heir !== undefined) this.#bequeath(from, heir, key, { record, stream })
    else if (record !== '') rows.set(key, { record, stream })
    else {
      rows.delete(key)
      // Over: whoever had it before has nothing to leave behind.
      const giver = this.#given.get(key)
      if (giver !== undefined) this.#rowsOf(giver).delete(key)
    }
  }

  /** Whoever of the two dies in this change, the session can be gone on with. Of what nobody can resume contacts are told once. */
  #bequeath(giver: MemberId, heir: MemberId, key: string, row: LedgerRow): void {
    const [own, heirs] = [this.#rowsOf(giver), this.#rowsOf(heir)]
    if (own.get(key)?.stream === undefined) own.delete(key)
    else this.#given.set(key, giver)
    // What the heir says itself is newer.
    if (row.record !== '' && !heirs.has(key)) heirs.set(key, row)
  }

  /** Of givers that live their heirs have everything now. */
  #forgetGiven(): void {
    for (const [key, giver] of this.#given) if (this.#live.has(giver)) this.#rowsOf(giver).delete(key)
    this.#given.clear()
  }

  #count(from: MemberId, { counts }: LedgerCounts): void {
    const rows = this.#rowsOf(from)
    for (const { key, handled, since } of counts) {
      const row = rows.get(key)
      if (row !== undefined) row.stream = { handled, since }
    }
  }

  #rowsOf(member: MemberId): Map<string, LedgerRow> {
    let rows = this.#ledger.get(member)
    if (rows === undefined) this.#ledger.set(member, rows = new Map())
    return rows
  }

  stop(): void {
    this.#change?.timer.cancel()
    this.#change = undefined
    this.#isDue = false
  }

  #next(): void {
    if (!this.#isDue || this.#change !== undefined || this.#live.size === 0) return
    this.#isDue = false
    const { bus, clock, log, stuck } = this.#ports
    const members = [...this.#live]
    const message: MapChange = { kind: 'map-change', epoch: ++this.#epoch, members, owners: rendezvous(members), gone: this.#gone, deaths: this.#deaths }
    this.#gone = []
    this.#mapped = members
    this.#owners = message.owners
    const waiting = new Set(members)
    const timer = clock.after(CHANGE_MS_MAX, () => {
      log.error('members-stuck', { epoch: message.epoch, members: [...waiting] })
      for (const member of [...waiting]) stuck(member)
    })
    this.#change = { message, waiting, timer }
    log.info('shard-map', { epoch: message.epoch, members, gone: message.gone })
    for (const member of members) bus.send(member, message)
    for (const member of message.gone) this.#giveUpForAdoption(member, message)
  }

  /**
   * Hands what others can go on with to the new owners, which have it before the map holds. From now on it dies with them, whether
   * they have said so or not.
   */
  #giveUpForAdoption(dead: MemberId, change: MapChange): void {
    const rows = this.#ledger.get(dead)
    const resumable: AdoptSessions['sessions'][number][] = []
    for (const [key, { record, stream }] of rows ?? []) if (stream !== undefined) resumable.push({ key, record, ...stream })
    for (const [owner, sessions] of byOwner(resumable, change)) {
      for (const { key, record, handled, since } of sessions) {
        rows?.delete(key)
        const heirs = this.#rowsOf(owner)
        // It may have come there before, with its account.
        if (!heirs.has(key)) heirs.set(key, { record, stream: { handled, since } })
      }
      for (let i = 0; i < sessions.length; i += BATCH) this.#ports.bus.send(owner, { kind: 'adopt', sessions: sessions.slice(i, i + BATCH) })
    }
  }

  #finishIfReady(change: Change): void {
    if (change.waiting.size > 0) return
    const { active, bus } = this.#ports
    const { epoch, gone, members } = change.message
    change.timer.cancel()
    this.#forgetGiven()
    for (const member of gone) this.#bury(member, change.message)
    for (const member of members) if (this.#live.has(member)) bus.send(member, { kind: 'map-active', epoch })
    this.#change = undefined
    active?.(epoch, members)
    this.#next()
  }

  /** Hands what the dead member alone knew to those who tell contacts. */
  #bury(dead: MemberId, change: MapChange): void {
    const rest = Array.from(this.#ledger.get(dead) ?? [], ([key, { record }]) => ({ key, record }))
    this.#ledger.delete(dead)
    for (const [owner, sessions] of byOwner(rest, change)) {
      for (let i = 0; i < sessions.length; i += BATCH) this.#ports.bus.send(owner, { kind: 'bury', sessions: sessions.slice(i, i + BATCH) })
    }
  }
}

function byOwner<T extends { readonly key: string }>(sessions: readonly T[], { members, owners }: MapChange): Map<MemberId, T[]> {
  const lists = new Map<MemberId, T[]>()
  for (const session of sessions) {
    const owner = members[owners[shardOf(parseJid(session.key))] as number] as MemberId
    const list = lists.get(owner)
    if (list === undefined) lists.set(owner, [session])
    else list.push(session)
  }
  return lists
}
