/** At most so many jobs at once and so many waiting; what would wait longer is refused at once. */
import { StanzaError } from '@rollcall/stanza'

export class Limiter {
  readonly #runningMax: number
  readonly #waitingMax: number
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(runningMax: number, waitingMax: number) {
    this.#runningMax = runningMax
    this.#waitingMax = waitingMax
  }

  /** Jobs that wait. */
  get waitingCount(): number {
    return this.#waiting.length
  }

  /** Runs `job` in its turn; rejects with `StanzaError('resource-constraint')` when too many wait. */
  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#running < this.#runningMax) this.#running++
    else await this.#turn()
    try {
      return await job()
    } finally {
      // The place is handed on, so nobody who comes later can take it.
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= this.#waitingMax) {
      return Promise.reject(new StanzaError('resource-constraint', 'too many passwords to check, try again later'))
    }
    return new Promise(resolve => this.#waiting.push(resolve))
  }
}
