/**
 * The bus inside one process: members attach to a hub, messages pass by reference.
 *
 * One queue for the whole hub, drained outside every sender's call: that keeps FIFO per pair, and a reply travels in the
 * same queue, so it never overtakes what its sender sent before. The drain is asked for once per burst through an injected
 * scheduler (a microtask on the real machine, the simulator's own step in simulations).
 *
 * The queue is three parallel arrays that are written over, so that sending allocates nothing: an array that is emptied by its
 * length gives its memory back, and a drain is over every few messages.
 * Bounded: messages waiting (`queueMessagesMax`: one-way messages beyond it are dropped and logged, requests reject),
 * requests pending (`pendingRequestsMax`: reject), messages per drain (`drainMessagesMax`: the rest goes to the next drain,
 * through `yieldTurn`, so that two members who answer each other for ever do not starve the sockets).
 */
import { BusError } from '@rollcall/ports'
import type { Bus, BusHandler, BusMessage, Clock, Log, MemberId, Metrics } from '@rollcall/ports'
import { PendingRequests } from './pending-requests.ts'

export interface LocalBusOptions {
  readonly clock: Clock
  readonly log: Log
  readonly metrics?: Metrics
  /** Runs a drain soon, never inside the call; a microtask unless told. */
  readonly schedule?: (drain: () => void) => void
  /** Runs the next drain after a full one, when other work must have had its turn; `clock.soon` unless told. */
  readonly yieldTurn?: (drain: () => void) => void
  readonly queueMessagesMax?: number
  readonly pendingRequestsMax?: number
  readonly drainMessagesMax?: number
}

/** One process's bus: members of one hub reach each other and nobody else. */
export interface LocalBus {
  /** A new member; throws `Error` when the id is taken by a member that is not closed. */
  member<M extends BusMessage>(id: MemberId): Bus<M>
}

/** A request or a reply in the queue; one-way messages travel bare. */
class RequestItem {
  readonly from: LocalMember
  readonly serial: number
  readonly message: BusMessage
  constructor(from: LocalMember, serial: number, message: BusMessage) {
    this.from = from
    this.serial = serial
    this.message = message
  }
}
class ReplyItem {
  readonly serial: number
  readonly error: BusError | undefined
  readonly value: unknown
  constructor(serial: number, error: BusError | undefined, value: unknown) {
    this.serial = serial
    this.error = error
    this.value = value
  }
}
type Item = BusMessage | RequestItem | ReplyItem

/** Places of the queue that outlast a drain; after a longer one its memory is given back. */
const KEPT_PLACES_MAX = 4096

interface Limits {
  readonly queueMessagesMax: number
  readonly pendingRequestsMax: number
  readonly drainMessagesMax: number
}

class Hub {
  readonly members = new Map<MemberId, LocalMember>()
  readonly clock: Clock
  readonly log: Log
  readonly limits: Limits
  readonly #schedule: (drain: () => void) => void
  readonly #yieldTurn: (drain: () => void) => void
  readonly #to: MemberId[] = []
  readonly #from: MemberId[] = []
  readonly #items: (Item | undefined)[] = []
  /** Messages from the first one not delivered yet to the end: both go back to 0 only when a drain has emptied the queue. */
  #head = 0
  #end = 0
  #isScheduled = false
  #droppedCount = 0
  readonly #drain = (): void => this.drain()

  constructor(options: LocalBusOptions) {
    this.clock = options.clock
    this.log = options.log
    this.limits = {
      queueMessagesMax: options.queueMessagesMax ?? 1_000_000,
      pendingRequestsMax: options.pendingRequestsMax ?? 100_000,
      drainMessagesMax: options.drainMessagesMax ?? 10_000,
    }
    this.#schedule = options.schedule ?? queueMicrotask
    this.#yieldTurn = options.yieldTurn ?? (drain => options.clock.soon(drain))
    options.metrics?.observedGauge('rollcall_bus_local_queue_messages', 'Messages waiting in the local bus', () => this.#depth)
    options.metrics?.observedGauge('rollcall_bus_local_dropped_messages', 'Messages dropped so far', () => this.#droppedCount)
  }

  get #depth(): number {
    return this.#end - this.#head
  }

  get isFull(): boolean {
    return this.#depth >= this.limits.queueMessagesMax
  }

  enqueue(to: MemberId, from: MemberId, item: Item): void {
    const at = this.#end++
    this.#to[at] = to
    this.#from[at] = from
    this.#items[at] = item
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#schedule(this.#drain)
  }

  drain(): void {
    const until = this.#head + this.limits.drainMessagesMax
    // The end is read anew each time: what handlers send is delivered in this drain, after what was there before.
    while (this.#head < this.#end && this.#head < until) {
      const at = this.#head++
      const item = this.#items[at]!
      this.#items[at] = undefined
      this.#deliver(this.#to[at]!, this.#from[at]!, item)
    }
    if (this.#head < this.#end) {
      this.#cut(this.#head)
      this.#yieldTurn(this.#drain)
      return
    }
    this.#isScheduled = false
    this.#head = this.#end = 0
    if (this.#items.length > KEPT_PLACES_MAX) this.#cut(this.#items.length)
  }

  #cut(count: number): void {
    this.#to.splice(0, count)
    this.#from.splice(0, count)
    this.#items.splice(0, count)
    this.#end = Math.max(0, this.#end - count)
    this.#head = 0
  }

  #deliver(to: MemberId, from: MemberId, item: Item): void {
    const member = this.members.get(to)
    if (item instanceof ReplyItem) return member?.settle(item.serial, item.error, item.value)
    const handler = member?.handler
    if (item instanceof RequestItem) {
      if (handler) return answer(this, handler, to, item)
      // Not from the absent member's mouth, so it need not queue behind anything of its.
      return item.from.settle(item.serial, new BusError('no-responder', `no member ${to} on this bus`), undefined)
    }
    if (!handler) return this.dropped(to, item.kind, 'no such member')
    try {
      handler.receive(from, item)
    } catch (error) {
      this.log.error('bus-handler-threw', { member: to, from, kind: item.kind, error })
    }
  }

  dropped(to: MemberId, kind: string, why: string): void {
    this.#droppedCount++
    this.log.warn('bus-message-dropped', { to, kind, why })
  }
}

function answer(hub: Hub, handler: BusHandler<BusMessage>, to: MemberId, item: RequestItem): void {
  const reply = (error: BusError | undefined, value: unknown): void =>
    hub.enqueue(item.from.memberId, to, new ReplyItem(item.serial, error, value))
  const failed = (error: unknown): void => {
    hub.log.error('bus-request-failed', { member: to, from: item.from.memberId, kind: item.message.kind, error })
    reply(new BusError('remote', error instanceof Error ? error.message : String(error)), undefined)
  }
  try {
    handler.answer(item.from.memberId, item.message).then(value => reply(undefined, value), failed)
  } catch (error) {
    failed(error)
  }
}

class LocalMember implements Bus {
  readonly memberId: MemberId
  readonly #hub: Hub
  readonly #pending: PendingRequests
  handler: BusHandler<BusMessage> | undefined
  #isClosed = false

  constructor(hub: Hub, memberId: MemberId) {
    this.#hub = hub
    this.memberId = memberId
    this.#pending = new PendingRequests(hub.clock)
  }

  attach(handler: BusHandler<BusMessage>): void {
    if (this.handler) throw new Error(`member ${this.memberId} has a handler already`)
    if (!this.#isClosed) this.handler = handler
  }

  send(to: MemberId, message: BusMessage): void {
    if (this.#isClosed) return
    if (this.#hub.isFull) return this.#hub.dropped(to, message.kind, 'queue is full')
    this.#hub.enqueue(to, this.memberId, message)
  }

  /** What is in the queue dies with the process, and so does everybody whom it is for. */
  afterWritten(_to: MemberId, then: () => void): void {
    if (!this.#isClosed) then()
  }

  request(to: MemberId, message: BusMessage, timeoutMs: number): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new BusError('closed', `member ${this.memberId} is closed`))
    if (this.#hub.isFull || this.#pending.size >= this.#hub.limits.pendingRequestsMax) {
      return Promise.reject(new BusError('timeout', `${this.#pending.size} requests of member ${this.memberId} are pending already`))
    }
    return new Promise((resolve, reject) => {
      const serial = this.#pending.add(to, timeoutMs, resolve, reject)
      this.#hub.enqueue(to, this.memberId, new RequestItem(this, serial, message))
    })
  }

  /** Ends one request; unknown serials (timed out, closed) are ignored. */
  settle(serial: number, error: BusError | undefined, value: unknown): void {
    this.#pending.settle(serial, error, value)
  }

  /** What this member asked of `member` will not be answered any more. */
  lostMember(member: MemberId): void {
    this.#pending.rejectAll(new BusError('no-responder', `member ${member} left the bus`), member)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.handler = undefined
    this.#hub.members.delete(this.memberId)
    this.#pending.rejectAll(new BusError('closed', `member ${this.memberId} is closed`))
    for (const member of this.#hub.members.values()) member.lostMember(this.memberId)
  }
}

/** A hub; it lives as long as it is referenced and needs no closing of its own. */
export function createLocalBus(options: LocalBusOptions): LocalBus {
  const hub = new Hub(options)
  return {
    member<M extends BusMessage>(id: MemberId): Bus<M> {
      if (hub.members.has(id)) throw new Error(`member ${id} is on this bus already`)
      const member = new LocalMember(hub, id)
      hub.members.set(id, member)
      // Narrowed by agreement: all members of one hub speak one message table, which `M` stands for.
      return member
    },
  }
}
