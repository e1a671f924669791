/**
 * The bus inside one process.
 *
 * How it works: every member has one inbox array. `send` appends to it; the first message of a turn schedules one drain,
 * which empties the inbox in order. So a handler never runs inside the sender's call, messages of a turn travel
 * together, and a one-way message costs two array writes. A drain that finds new messages goes on until the inbox is
 * empty: handlers answer each other in the same turn.
 */
import { BusError } from '@rollcall/ports'
import type { Bus, BusHandler, BusMessage, MemberId } from '@rollcall/ports'

/** Runs a drain soon, in any later job; tests and the simulator bring their own. */
export type Scheduler = (drain: () => void) => void

export interface LocalBusOptions {
  /** Default: a microtask. */
  readonly schedule?: Scheduler
  /** Delay of request time-outs; default: the platform has none, so requests only fail with their member. */
  readonly after?: (delayMs: number, callback: () => void) => { cancel(): void }
  /** Requests of one member that wait for an answer; further ones reject. */
  readonly pendingRequestsMax?: number
}

export interface LocalBusHub<M extends BusMessage> {
  /** Joins, or returns the member of that id. */
  member(id: MemberId): Bus<M>
}

export function createLocalBus<M extends BusMessage>(options: LocalBusOptions = {}): LocalBusHub<M> {
  const members = new Map<MemberId, LocalMember<M>>()
  return {
    member(id) {
      let member = members.get(id)
      if (member === undefined) members.set(id, member = new LocalMember<M>(id, members, options))
      return member
    },
  }
}

class LocalMember<M extends BusMessage> implements Bus<M> {
  readonly memberId: MemberId
  readonly #members: Map<MemberId, LocalMember<M>>
  readonly #schedule: Scheduler
  readonly #after: LocalBusOptions['after']
  readonly #pendingMax: number
  readonly #closing = new Set<(error: BusError) => void>()
  #handler: BusHandler<M> | undefined = undefined
  #senders: MemberId[] = []
  #messages: (M | (() => void))[] = []
  #isDraining = false

  constructor(memberId: MemberId, members: Map<MemberId, LocalMember<M>>, options: LocalBusOptions) {
    this.memberId = memberId
    this.#members = members
    this.#schedule = options.schedule ?? queueMicrotask
    this.#after = options.after
    this.#pendingMax = options.pendingRequestsMax ?? 100_000
  }

  attach(handler: BusHandler<M>): void {
    this.#handler = handler
  }

  send(to: MemberId, message: M): void {
    this.#members.get(to)?.enqueue(this.memberId, message)
  }

  request(to: MemberId, message: M, timeoutMs: number): Promise<unknown> {
    const member = this.#members.get(to)
    if (member === undefined) return Promise.reject(new BusError('no-responder', `No member ${to}`))
    if (member.#closing.size >= this.#pendingMax) return Promise.reject(new BusError('remote', `Too many requests wait for ${to}`))
    return new Promise((resolve, reject) => {
      const fail = (error: BusError) => settle(() => reject(error))
      const timer = this.#after?.(timeoutMs, () => fail(new BusError('timeout', `No answer from ${to} to '${message.kind}'`)))
      const settle = (done: () => void) => {
        timer?.cancel()
        member.#closing.delete(fail)
        done()
      }
      member.#closing.add(fail)
      member.enqueue(this.memberId, () => {
        member.#answer(this.memberId, message).then(
          (value) => settle(() => resolve(value)),
          (error: unknown) => fail(new BusError('remote', error instanceof Error ? error.message : String(error))),
        )
      })
    })
  }

  close(): Promise<void> {
    this.#members.delete(this.memberId)
    for (const fail of [...this.#closing]) fail(new BusError('closed', `Member ${this.memberId} closed`))
    this.#messages = []
    this.#senders = []
    return Promise.resolve()
  }

  enqueue(from: MemberId, item: M | (() => void)): void {
    this.#senders.push(from)
    this.#messages.push(item)
    if (this.#isDraining) return
    this.#isDraining = true
    this.#schedule(() => this.#drain())
  }

  async #answer(from: MemberId, message: M): Promise<unknown> {
    if (this.#handler === undefined) throw new BusError('no-responder', `Member ${this.memberId} is not attached`)
    return this.#handler.answer(from, message)
  }

  #drain(): void {
    try {
      while (this.#messages.length > 0) {
        const messages = this.#messages
        const senders = this.#senders
        this.#messages = []
        this.#senders = []
        for (let i = 0; i < messages.length; i++) this.#deliver(senders[i] as MemberId, messages[i] as M | (() => void))
      }
    } finally {
      this.#isDraining = false
      if (this.#messages.length > 0) this.#schedule(() => this.#drain())
    }
  }

  #deliver(from: MemberId, item: M | (() => void)): void {
    if (typeof item === 'function') item()
    else this.#handler?.receive(from, item)
  }
}
