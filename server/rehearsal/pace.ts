/**
 * When a rehearsal may go on: it asks before each of its small steps.
 *
 * How it works: a few players go on at a time, so a turn of the event loop holds a few steps at most, and whoever connects meanwhile
 * waits for no more than that. While somebody is connected no step begins; once somebody has logged in, or the time is up,
 * none ever does.
 */
import type { Clock } from '@rollcall/ports'

/** Who needs the server: nobody, somebody who is connected and might, or users who do. */
export type Demand = 'nobody' | 'somebody' | 'users'

/** Why a rehearsal ended before its last step. */
export type Interruption = 'users' | 'budget' | 'stopped'

export class Interrupted extends Error {
  readonly why: Interruption
  constructor(why: Interruption) {
    super(`the rehearsal was interrupted: ${why}`)
    this.name = 'Interrupted'
    this.why = why
  }
}

export interface PacePorts {
  readonly clock: Pick<Clock, 'monotonic' | 'after' | 'soon'>
  readonly demand: () => Demand
  /** Processor time that this process has used, in seconds. */
  readonly cpuSeconds: () => number
}

export interface Budget {
  readonly cpuSecondsMax: number
  readonly wallMsMax: number
}

/** How many go on at a time: more is nearer to a rush, and longer turns. */
const AT_ONCE = 4
/** How long a step is put off when somebody is there, in ms. */
const WAIT_MS = 50

export class Pace {
  readonly #ports: PacePorts
  readonly #budget: Budget
  readonly #startedMs: number
  readonly #startedCpuSeconds: number
  #isStopped = false

  constructor(ports: PacePorts, budget: Budget) {
    this.#ports = ports
    this.#budget = budget
    this.#startedMs = ports.clock.monotonic()
    this.#startedCpuSeconds = ports.cpuSeconds()
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  /** No step begins any more. */
  stop(): void {
    this.#isStopped = true
  }

  /** So far. */
  spent(): { readonly cpuSeconds: number; readonly ms: number } {
    const { clock, cpuSeconds } = this.#ports
    return { cpuSeconds: cpuSeconds() - this.#startedCpuSeconds, ms: clock.monotonic() - this.#startedMs }
  }

  /** Resolves when the next step may begin; rejects with `Interrupted` when none may. */
  async turn(): Promise<void> {
    for (;;) {
      if (this.#isStopped) throw new Interrupted('stopped')
      const demand = this.#ports.demand()
      if (demand === 'users') throw new Interrupted('users')
      const { cpuSeconds, ms } = this.spent()
      if (cpuSeconds >= this.#budget.cpuSecondsMax || ms >= this.#budget.wallMsMax) throw new Interrupted('budget')
      if (demand === 'nobody') return
      await this.wait(WAIT_MS)
    }
  }

  /** Does `act` for each item, a few at a time, each when its turn comes. Rejects with the first that fails. */
  async each<T>(items: Iterable<T>, act: (item: T) => Promise<void>): Promise<void> {
    const queue = items[Symbol.iterator]()
    const player = async () => {
      for (let next = queue.next(); next.done !== true; next = queue.next()) {
        await this.turn()
        await act(next.value)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, player))
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#ports.clock.after(ms, resolve))
  }

  /** Until the next turn of the event loop. */
  rest(): Promise<void> {
    return new Promise((resolve) => this.#ports.clock.soon(resolve))
  }
}
