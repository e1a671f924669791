/**
 * One member's part in changes of the shard map (DESIGN §2, ADR 0012). The coordinator begins a change and ends it; between,
 * members need nobody but each other.
 *
 *  1. `map-change`: the shards that change hands are on the move: clients of their accounts are not read, what others send
 *     to them waits here. Sessions held here whose core died are announced to their new core. Then a mark goes to everybody
 *     (`flushed`): under the old map nothing more will come.
 *  2. All marks are in: nothing is under way to the shards that leave this member. Their accounts go to their new owners, with
 *     word of what their clients sent and is not safe yet: that may wait for the end of this very change. What came here for them under
 *     the old map goes after them. Then the second mark (`moved`).
 *  3. All second marks are in: every account that moves here is here, and so are sessions that died with a member and that their
 *     clients will resume: the coordinator sent them behind the announcement (`adopt`). It is told (`map-ready`).
 *  4. Everybody is ready: `map-active`. What waits for accounts that are with other members now goes to them, and then a third mark (`sent`):
 *     whoever sent it may have moved too, and must not overtake itself.
 *  5. All third marks are in: what waited for accounts that came here goes on, in order, and clients are read again.
 *
 * Every message is FIFO per pair of members, so a mark stands behind what it speaks of. Members that die meanwhile are waited
 * for no more (`member-gone`); what they owned moves with the next change.
 */
import type { Jid } from '@rollcall/jid'
import { parseJid } from '@rollcall/jid'
import type { Bus, Clock, HistogramMetric, Log, MemberId, Metrics } from '@rollcall/ports'
import type { AdoptSessions, MapChange, MapMark, RestoreSession } from '../protocol/member-messages.ts'
import type { ServerMessage } from '../protocol/messages.ts'
import type { Links } from './links.ts'
import type { ShardTable } from './shard-table.ts'

/** What a change of the map needs of the core. */
export interface MovingCore {
  /** Members died at these times, ms since the Unix epoch. */
  noteDeaths(deaths: readonly number[]): void
  /** The member died: its connections are lost. */
  edgeGone(member: MemberId): void
  /** Sends every account that belongs to another member now to it. Settles when they are on their way. */
  handOverMoved(): Promise<void>
  takeOverFrom(owner: MemberId, snapshot: unknown): Promise<void>
  restore(edge: MemberId, session: RestoreSession): Promise<void>
  /** Waits for the clients of sessions that died with a member. */
  adopt(lost: AdoptSessions): Promise<void>
}

/** What a change of the map needs of the edge. */
export interface MovingEdge {
  /** Stops reading clients whose account is on the move. */
  holdMoving(isMoving: (account: Jid) => boolean): void
  /** Sessions held here whose core was that member; `unconfirmed`: stanzas per connection that it did not confirm. */
  orphans(core: MemberId, unconfirmed: ReadonlyMap<object, number>): readonly RestoreSession[]
  /** Reads everybody again; `coreOf` knows the owners. `died`: members that died in this change, so that the next one is about them. */
  releaseMoved(coreOf: (account: Jid) => MemberId, died: ReadonlySet<MemberId>): void
}

export interface MembershipPorts {
  readonly bus: Bus<ServerMessage>
  readonly coordinator: MemberId
  readonly table: ShardTable
  readonly links: Links
  readonly core: MovingCore
  readonly edge: MovingEdge
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** Members of the map that holds, this one left out, after each change. */
  readonly changed: (others: readonly MemberId[]) => void
}

interface Change {
  readonly message: MapChange
  readonly startedMs: number
  step: 'flushing' | 'moving' | 'ready' | 'sending' | 'releasing'
}

export class Membership {
  readonly #ports: MembershipPorts
  readonly #marks = new Map<number, Record<MapMark['step'], Set<MemberId>>>()
  readonly #gone = new Set<MemberId>()
  readonly #seconds: HistogramMetric
  #change: Change | undefined
  #next: MapChange | undefined
  /** Accounts and sessions that are being taken in. */
  #imports: Promise<void>[] = []

  constructor(ports: MembershipPorts) {
    this.#ports = ports
    const { metrics, table } = ports
    metrics.observedGauge('rollcall_members_epoch', 'Epoch of the shard map that this member uses.', () => table.epoch)
    this.#seconds = metrics.histogram(
      'rollcall_members_change_seconds', 'How long shards were on the move in a change of the shard map.', [0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5],
    )
  }

  /** Takes a message; false when it is not about members. */
  receive(from: MemberId, message: ServerMessage): boolean {
    const { core, links } = this.#ports
    if ('seq' in message && message.kind !== 'safe' && message.seq !== undefined) {
      links.arrived(from, message)
      return true
    }
    switch (message.kind) {
      case 'safe':
        links.confirmed(from, message.seq, message.also)
        return true
      case 'map-change':
        this.#announced(message)
        return true
      case 'map-mark':
        // What came before it may wait until it is known whether it is new.
        links.afterArrivals(from, () => this.#marked(from, message))
        return true
      case 'map-active':
        if (this.#change?.message.epoch === message.epoch) this.#send(this.#change)
        return true
      case 'member-gone':
        this.#gone.add(message.member)
        this.#advance()
        return true
      case 'take-over':
        this.#import(core.takeOverFrom(from, message.snapshot))
        return true
      case 'adopt':
        this.#import(core.adopt(message))
        return true
      case 'restore':
        this.#import(core.restore(from, message))
        return true
      default:
        return false
    }
  }

  #announced(message: MapChange): void {
    // What waited for the last map may still be on its way to the new owners.
    if (this.#change === undefined) {
      this.#begin(message)
      return
    }
    this.#next = message
    // Of a death after the last map held the coordinator tells with the next one only; marks of the dead do not come.
    for (const member of message.gone) this.#gone.add(member)
    this.#advance()
  }

  #begin(message: MapChange): void {
    const { bus, clock, core, edge, links, log, table } = this.#ports
    const { epoch, gone, members } = message
    this.#change = { message, startedMs: clock.monotonic(), step: 'flushing' }
    const moving = table.begin(message.owners.map((index) => members[index] as MemberId))
    log.info('shards-moving', { epoch, members, gone, shards: moving })
    core.noteDeaths(message.deaths)
    links.others = members.filter((member) => member !== bus.memberId)
    edge.holdMoving((account) => table.isMoving(account))
    for (const member of gone) {
      this.#gone.add(member)
      const orphans = edge.orphans(member, links.unconfirmed(member))
      links.gone(member)
      core.edgeGone(member)
      for (const orphan of orphans) bus.send(table.memberOf(parseJid(orphan.account)), orphan)
    }
    this.#mark('flushed')
    this.#advance()
  }

  /** Goes to this member itself too, so that all are counted alike. */
  #mark(step: MapMark['step']): void {
    const { message } = this.#change as Change
    for (const member of message.members) this.#ports.bus.send(member, { kind: 'map-mark', epoch: message.epoch, step })
  }

  #marked(from: MemberId, { epoch, step }: MapMark): void {
    this.#marksOf(epoch)[step].add(from)
    this.#advance()
  }

  #marksOf(epoch: number) {
    let marks = this.#marks.get(epoch)
    if (marks === undefined) this.#marks.set(epoch, marks = { flushed: new Set(), moved: new Set(), sent: new Set() })
    return marks
  }

  #advance(): void {
    const change = this.#change
    if (change === undefined) return
    const marks = this.#marksOf(change.message.epoch)
    const isDone = (seen: ReadonlySet<MemberId>) => change.message.members.every((member) => seen.has(member) || this.#gone.has(member))
    if (change.step === 'flushing' && isDone(marks.flushed)) {
      change.step = 'moving'
      void this.#handOver()
    } else if (change.step === 'moving' && isDone(marks.moved)) {
      change.step = 'ready'
      void this.#getReady(change)
    } else if (change.step === 'sending' && isDone(marks.sent)) {
      change.step = 'releasing'
      void this.#finish(change)
    }
  }

  async #handOver(): Promise<void> {
    try {
      await this.#ports.core.handOverMoved()
    } catch (error) {
      // What could not be handed over is loaded from storage by its new owner; its sessions are gone, and told so.
      this.#ports.log.error('hand-over-failed', { error })
    }
    this.#ports.links.forwardStrays()
    this.#mark('moved')
  }

  async #getReady({ message }: Change): Promise<void> {
    const { bus, coordinator } = this.#ports
    while (this.#imports.length > 0) await Promise.all(this.#imports.splice(0))
    bus.send(coordinator, { kind: 'map-ready', epoch: message.epoch })
  }

  #import(work: Promise<void>): void {
    this.#imports.push(work.catch((error: unknown) => this.#ports.log.error('take-over-failed', { error })))
  }

  #send(change: Change): void {
    change.step = 'sending'
    this.#ports.links.forwardAll()
    this.#mark('sent')
    this.#advance()
  }

  async #finish(change: Change): Promise<void> {
    const { changed, clock, edge, links, log, table } = this.#ports
    const { epoch } = change.message
    await links.release(() => table.settle(epoch))
    for (const member of change.message.gone) this.#gone.delete(member)
    edge.releaseMoved((account) => table.memberOf(account), this.#gone)
    for (const old of this.#marks.keys()) if (old <= epoch) this.#marks.delete(old)
    const ms = clock.monotonic() - change.startedMs
    this.#seconds.observe(ms / 1000)
    log.info('shards-moved', { epoch, ms: Math.round(ms) })
    this.#change = undefined
    changed(links.others)
    const next = this.#next
    this.#next = undefined
    if (next !== undefined) this.#begin(next)
  }
}
