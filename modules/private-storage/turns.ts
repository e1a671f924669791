/** Work that is done one after the other for the same name, and side by side for different ones. Bounded. */
import { StanzaError } from '@rollcall/stanza'

interface Line {
  last: Promise<unknown>
  length: number
}

export class Turns {
  readonly #lines = new Map<string, Line>()
  readonly #waitingMax: number

  /** `waitingMax`: works of one name that have not settled; a further one is refused with `resource-constraint`. */
  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax
  }

  /** Runs `work` when everything asked for earlier under this name has settled; settles as `work` does. */
  async take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(name) ?? { last: Promise.resolve(), length: 0 }
    if (line.length >= this.#waitingMax) throw new StanzaError('resource-constraint', 'Too many requests at once')
    const turn = line.last.then(work, work)
    line.last = turn
    line.length++
    this.#lines.set(name, line)
    try {
      return await turn
    } finally {
      line.length--
      if (line.length === 0) this.#lines.delete(name)
    }
  }
}
