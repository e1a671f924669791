/**
 * Safe and ordered delivery between members: the `Carrier` of a member that has others beside it (ADR 0012).
 *
 * The bus is FIFO but forgets what a dead member had not read. So whatever is for an entity is kept here until the other
 * member says that it is handled, and durable where it must be. When a member dies, what it had not confirmed goes, in order
 * and before anything newer, to those who own its shards now, marked as sent again: whoever stores messages finds by their
 * stamp those that the dead member had stored.
 *
 * While a shard moves, what is for it waits in one list for all shards: few shards move at a time, and not for long.
 *
 * Confirmations go out two turns after what they confirm was handled, once for all of a turn: what handling gave to other
 * members has been written by then, so that a member which dies has either confirmed nothing, or left nothing behind.
 */
import type { Jid } from '@rollcall/jid'
import { BusError } from '@rollcall/ports'
import type { Bus, Clock, Log, MemberId, Metrics, Random } from '@rollcall/ports'
import type { ProbeAnswer } from '@rollcall/module-api'
import type { Stanza } from '@rollcall/stanza'
import type { Confirmed } from '../protocol/member-messages.ts'
import type { RouteBroadcast, RouteStanza, ServerMessage } from '../protocol/messages.ts'
import type { PresenceStates } from '../protocol/presence-messages.ts'
import type { Carrier, FromClient } from '../protocol/placement.ts'
import { Confirmations, Outbox, Safety } from './outbox.ts'
import type { Letter } from './outbox.ts'
import type { ShardTable } from './shard-table.ts'

/** A message that is confirmed. */
export type ConfirmedMessage = FromClient | RouteStanza | RouteBroadcast | PresenceStates

export interface LinksPorts {
  readonly bus: Bus<ServerMessage>
  readonly table: ShardTable
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  /** Handles a message; the promise settles when what it says is safe. */
  readonly handle: (from: MemberId, message: ConfirmedMessage) => void | Promise<void>
  /** Delivers to accounts that have just come here, past the shard table. */
  readonly deliver: (stanza: Stanza) => void | Promise<void>
  readonly expand: (stanza: Stanza, targets: readonly Jid[]) => void
  /** Settles when of a message that came again it is decided whether it is new; it may still be on its way to others. */
  readonly decided: (stamp: string) => Promise<void>
  /** A request whose receiver died: whether it was carried out nobody knows. */
  readonly giveUp: (request: Stanza) => void
  /** Stops or resumes reading clients. */
  readonly setReadsHeld: (isHeld: boolean) => void
  /** Whether a client's message is to be sent to the successor of its core. */
  readonly mayResend: (message: FromClient, connection: object) => boolean
}

/** Letters to one member at which clients are not read any more, and at which they are read again. */
const OUTBOX_HIGH = 100_000
const OUTBOX_LOW = 50_000

const ONCE: Pick<Confirmed, 'isAgain'> = {}
const AGAIN: Pick<Confirmed, 'isAgain'> = { isAgain: true }

interface Arrivals {
  readonly confirmations: Confirmations
  /** Came while a message that was sent again is looked up, or is to happen behind it; undefined when none is. */
  waiting: (ConfirmedMessage | (() => void))[] | undefined
  isDue: boolean
}

export class Links implements Carrier {
  readonly #ports: LinksPorts
  readonly #outboxes = new Map<MemberId, Outbox>()
  readonly #arrivals = new Map<MemberId, Arrivals>()
  readonly #resent
  #parked: Letter[] = []
  #due: MemberId[] = []
  #isHeld = false
  #moved = Promise.withResolvers<void>()
  others: readonly MemberId[] = []

  constructor(ports: LinksPorts) {
    this.#ports = ports
    const { metrics } = ports
    this.#resent = metrics.counter('rollcall_members_resent_total', 'Messages to members that died, sent to their successors.')
    metrics.observedGauge('rollcall_members_unconfirmed', 'Messages to other members that are not confirmed.', () => this.#size())
    metrics.observedGauge('rollcall_members_parked', 'Messages that wait for shards on the move.', () => this.#parked.length)
  }

  // ------------------------------------------------------------------------------------ sending (Carrier)

  route(stanza: Stanza): Promise<void> {
    if (stanza.kind === 'message' && stanza.stamp === '') stanza.stamp = this.#ports.random.id()
    const { table } = this.#ports
    const to = stanza.to as Jid
    const { isAgain } = stanza
    if (!table.isMoving(to)) {
      const member = table.memberOf(to)
      const outbox = this.#outboxOf(member)
      const safe = outbox.safety()
      this.#send(member, { kind: 'route', stanza, safe, isAgain }, outbox)
      return safe.promise
    }
    const safe = new Safety()
    safe.add()
    safe.close()
    this.#parked.push({ kind: 'route', stanza, safe, isAgain })
    return safe.promise
  }

  broadcast(stanza: Stanza, targets: readonly Jid[]): void {
    this.#spread({ kind: 'broadcast', stanza, targets, isAgain: false })
  }

  states(to: Jid, answer: ProbeAnswer): void {
    this.#post({ kind: 'states', to, answer, isAgain: false }, to)
  }

  fromClient(core: MemberId, client: Jid, message: FromClient, connection: object): void {
    if (message.kind === 'client-stanza' && message.stanza.kind === 'message' && message.stanza.stamp === '') message.stanza.stamp = this.#ports.random.id()
    const letter: Letter = { kind: 'client', client, message, connection, isAgain: false }
    if (this.#ports.table.isMoving(client)) this.#parked.push(letter)
    else this.#send(core, letter)
  }

  isMoving(entity: Jid): boolean {
    return this.#ports.table.isMoving(entity)
  }

  async request(entity: Jid, message: ServerMessage, timeoutMs: number): Promise<unknown> {
    const { bus, clock, table } = this.#ports
    const endMs = clock.monotonic() + timeoutMs
    const { epoch } = table
    if (table.isMoving(entity)) await this.#moveOver(timeoutMs)
    try {
      return await bus.request(table.memberOf(entity), message, Math.max(1, endMs - clock.monotonic()))
    } catch (error) {
      if (!(error instanceof BusError) || error.code !== 'no-responder' || clock.monotonic() >= endMs) throw error
      if (table.epoch === epoch || table.isMoving(entity)) await this.#moveOver(endMs - clock.monotonic())
      return await bus.request(table.memberOf(entity), message, Math.max(1, endMs - clock.monotonic()))
    }
  }

  #post(letter: Letter, entity: Jid): void {
    const { table } = this.#ports
    if (table.isMoving(entity)) this.#parked.push(letter)
    else this.#send(table.memberOf(entity), letter)
  }

  /** One letter per member that owns some of the targets. */
  #spread(letter: Letter & { readonly kind: 'broadcast' }): void {
    const { table } = this.#ports
    const byMember = new Map<MemberId, Jid[]>()
    const moving: Jid[] = []
    for (const target of letter.targets) {
      if (table.isMoving(target)) {
        moving.push(target)
        continue
      }
      const member = table.memberOf(target)
      const list = byMember.get(member)
      if (list === undefined) byMember.set(member, [target])
      else list.push(target)
    }
    if (moving.length > 0) this.#parked.push({ ...letter, targets: moving })
    for (const [member, targets] of byMember) this.#send(member, { ...letter, targets })
  }

  #send(to: MemberId, letter: Letter, outbox = this.#outboxOf(to)): void {
    const seq = outbox.push(letter)
    const { bus } = this.#ports
    const again: Pick<Confirmed, 'isAgain'> = letter.isAgain ? AGAIN : ONCE
    if (letter.kind === 'route') {
      const { stanza } = letter
      bus.send(to, letter.isAgain ? { kind: 'route', stanza, seq, isAgain: true } : { kind: 'route', stanza, seq })
    } else if (letter.kind === 'broadcast') bus.send(to, { kind: 'broadcast', stanza: letter.stanza, targets: letter.targets, seq, ...again })
    else if (letter.kind === 'states') bus.send(to, { ...statesMessage(letter), seq, ...again })
    else bus.send(to, { ...letter.message, seq, ...again })
    if (outbox.size >= OUTBOX_HIGH) this.#hold(true)
  }

  #outboxOf(member: MemberId): Outbox {
    let outbox = this.#outboxes.get(member)
    if (outbox === undefined) this.#outboxes.set(member, outbox = new Outbox())
    return outbox
  }

  #hold(isHeld: boolean): void {
    if (this.#isHeld === isHeld) return
    this.#isHeld = isHeld
    this.#ports.log.warn('members-congested', { isHeld })
    this.#ports.setReadsHeld(isHeld)
  }

  #size(): number {
    let size = 0
    for (const outbox of this.#outboxes.values()) size += outbox.size
    return size
  }

  // ------------------------------------------------------------------------------------ receiving

  /** The other member confirms. */
  confirmed(from: MemberId, seq: number, also: readonly number[]): void {
    this.#outboxes.get(from)?.confirm(seq, also)
    if (this.#isHeld && this.#size() < OUTBOX_LOW) this.#hold(false)
  }

  /** A message that wants to be confirmed. */
  arrived(from: MemberId, message: ConfirmedMessage): void {
    let arrivals = this.#arrivals.get(from)
    if (arrivals === undefined) this.#arrivals.set(from, arrivals = this.#newArrivals(from))
    if (arrivals.waiting !== undefined) arrivals.waiting.push(message)
    else this.#take(from, arrivals, message)
  }

  /** Calls `then` when everything that has come from the member is handled as far as its order goes: mostly at once. */
  afterArrivals(from: MemberId, then: () => void): void {
    const waiting = this.#arrivals.get(from)?.waiting
    if (waiting === undefined) then()
    else waiting.push(then)
  }

  #newArrivals(from: MemberId): Arrivals {
    const arrivals: Arrivals = {
      confirmations: new Confirmations(() => {
        if (arrivals.isDue) return
        arrivals.isDue = true
        if (this.#due.push(from) === 1) this.#ports.clock.soon(this.#confirmSoon)
      }),
      waiting: undefined,
      isDue: false,
    }
    return arrivals
  }

  #take(from: MemberId, arrivals: Arrivals, message: ConfirmedMessage): void {
    if (message.seq !== arrivals.confirmations.received + 1) {
      // Nothing after a gap is confirmed: whoever sent it keeps it, and tells nobody that it is safe.
      this.#ports.log.error('member-message-missing', { from, seq: message.seq, expected: arrivals.confirmations.received + 1 })
      return
    }
    arrivals.confirmations.add(this.#ports.handle(from, message))
    if (message.isAgain !== true) return
    // It may be a while until it is known whether it is new; nothing of its sender may overtake it.
    arrivals.waiting = []
    const goOn = () => {
      const waiting = arrivals.waiting ?? []
      arrivals.waiting = undefined
      for (const next of waiting) {
        if (typeof next === 'function') this.afterArrivals(from, next)
        else this.arrived(from, next)
      }
    }
    void this.#ports.decided(stampOf(message)).then(goOn)
  }

  readonly #confirmSoon = (): void => this.#ports.clock.soon(this.#confirm)

  readonly #confirm = (): void => {
    const due = this.#due
    this.#due = []
    for (const from of due) {
      const arrivals = this.#arrivals.get(from)
      if (arrivals === undefined) continue
      arrivals.isDue = false
      this.#ports.bus.send(from, { kind: 'safe', ...arrivals.confirmations.take() })
    }
  }

  // ------------------------------------------------------------------------------------ moves

  /** A member died: what it did not confirm waits for its successors. To be called once its shards are on the move. */
  gone(member: MemberId): void {
    const outbox = this.#outboxes.get(member)
    const letters = outbox?.letters() ?? []
    outbox?.close()
    this.#outboxes.delete(member)
    this.#arrivals.delete(member)
    const kept = letters.filter((letter) => this.#isWanted(letter))
    for (const letter of kept) {
      letter.isAgain = true
      if (letter.kind === 'route' || letter.kind === 'broadcast') letter.stanza.isAgain = true
      else if (letter.kind === 'client' && letter.message.kind === 'client-stanza') letter.message.stanza.isAgain = true
    }
    // Older than everything that waits for the same shards.
    this.#parked = [...kept, ...this.#parked]
    this.#resent.add(kept.length)
    if (this.#isHeld && this.#size() < OUTBOX_LOW) this.#hold(false)
  }

  /** How many stanzas of each connection the member has not confirmed. */
  unconfirmed(member: MemberId): Map<object, number> {
    const counts = new Map<object, number>()
    for (const letter of this.#outboxes.get(member)?.letters() ?? []) {
      if (letter.kind !== 'client') continue
      const isStanza = letter.message.kind === 'client-stanza' || letter.message.kind === 'client-answered'
      counts.set(letter.connection, (counts.get(letter.connection) ?? 0) + (isStanza ? 1 : 0))
    }
    return counts
  }

  #isWanted(letter: Letter): boolean {
    if (letter.kind === 'client') return this.#ports.mayResend(letter.message, letter.connection)
    if (letter.kind !== 'route' || letter.stanza.kind !== 'iq' || letter.stanza.type !== 'set') return true
    // A request that changes something must not be made twice.
    this.#ports.giveUp(letter.stanza)
    letter.safe.done()
    return false
  }

  /**
   * What came here under the old map, for accounts that were here, goes where they go, to wait there: before anything that was said
   * later to them by whoever sent it.
   */
  forwardStrays(): void {
    this.#forwardParked((letter, entity) => letter.kind !== 'client' && this.#ports.table.wasHere(entity))
  }

  /** What waits here for accounts that are with others now goes to them: before anything that its senders say there, should they have moved. */
  forwardAll(): void {
    this.#forwardParked(() => true)
  }

  #forwardParked(isMeant: (letter: Letter, entity: Jid) => boolean): void {
    const { bus, table } = this.#ports
    const letters = this.#parked
    this.#parked = []
    const isToGo = (letter: Letter, entity: Jid) => table.memberOf(entity) !== bus.memberId && isMeant(letter, entity)
    for (const letter of letters) {
      if (letter.kind === 'broadcast') {
        const staying = letter.targets.filter((target) => !isToGo(letter, target))
        if (staying.length > 0) this.#parked.push({ ...letter, targets: staying })
        for (const target of letter.targets) if (isToGo(letter, target)) this.#send(table.memberOf(target), { ...letter, targets: [target] })
      } else if (isToGo(letter, entityOf(letter))) this.#send(table.memberOf(entityOf(letter)), letter)
      else this.#parked.push(letter)
    }
  }

  /**
   * Sends on what waited, in order. The table has the new owners, and shows the shards as moving until nothing waits: then, in
   * the same moment, `settle` is called, so that nothing can come to wait after all.
   */
  async release(settle: () => void): Promise<void> {
    while (this.#parked.length > 0) {
      const letters = this.#parked
      this.#parked = []
      for (const letter of letters) {
        this.#forward(letter)
        // Not until it is safe: that may need what waits behind it.
        if (letter.isAgain) await this.#ports.decided(stampOf(letter.kind === 'client' ? letter.message : letter))
      }
    }
    settle()
    this.#moved.resolve()
    this.#moved = Promise.withResolvers<void>()
  }

  #forward(letter: Letter): void {
    const { bus, deliver, expand, handle, table } = this.#ports
    if (letter.kind === 'broadcast') {
      const here = letter.targets.filter((target) => table.memberOf(target) === bus.memberId)
      if (here.length > 0) expand(letter.stanza, here)
      for (const target of letter.targets) {
        const member = table.memberOf(target)
        if (member !== bus.memberId) this.#send(member, { ...letter, targets: [target] })
      }
      return
    }
    const owner = table.memberOf(entityOf(letter))
    if (owner !== bus.memberId) return this.#send(owner, letter)
    if (letter.kind === 'client') {
      void handle(bus.memberId, letter.message)
      return
    }
    if (letter.kind === 'states') {
      void handle(bus.memberId, statesMessage(letter))
      return
    }
    const work = deliver(letter.stanza)
    const confirm = () => letter.safe.done()
    if (work === undefined) confirm()
    else work.then(confirm, confirm)
  }

  async #moveOver(timeoutMs: number): Promise<void> {
    const { promise: over, reject } = Promise.withResolvers<never>()
    const timer = this.#ports.clock.after(timeoutMs, () => reject(new BusError('timeout', 'the shard is on the move')))
    try {
      await Promise.race([this.#moved.promise, over])
    } finally {
      timer.cancel()
    }
  }
}

function statesMessage({ to, answer }: Letter & { readonly kind: 'states' }): PresenceStates {
  return { kind: 'presence-states', to, ...answer }
}

/** '' of what has none: it needs no looking for. */
function stampOf(message: object): string {
  return 'stanza' in message ? (message.stanza as Stanza).stamp : ''
}

function entityOf(letter: Exclude<Letter, { readonly kind: 'broadcast' }>): Jid {
  if (letter.kind === 'client') return letter.client
  return letter.kind === 'states' ? letter.to : letter.stanza.to as Jid
}
