/**
 * Does the database's chores between batches: after a reply, a piece at a time, so that batches that came meanwhile have their
 * turn. A turn is a message that the thread sends to itself, which stands in line behind those that are there.
 */
import { MessageChannel } from 'node:worker_threads'
import type { Engine } from './engine.ts'

export class Tidier {
  readonly #engine: Pick<Engine, 'isUntidy' | 'tidy'>
  readonly #mayRun: () => boolean
  readonly #turns = new MessageChannel()
  #isDue = false

  constructor(engine: Pick<Engine, 'isUntidy' | 'tidy'>, mayRun: () => boolean) {
    this.#engine = engine
    this.#mayRun = mayRun
    this.#turns.port1.on('message', () => this.#run())
  }

  /** Takes a turn when something is left to do. */
  soon(): void {
    if (this.#isDue || !this.#engine.isUntidy) return
    this.#isDue = true
    this.#turns.port2.postMessage(undefined)
  }

  /** Takes no more turns; the thread can end. */
  close(): void {
    this.#turns.port1.close()
  }

  #run(): void {
    this.#isDue = false
    if (!this.#mayRun() || !this.#engine.isUntidy) return
    try {
      this.#engine.tidy()
    } catch {
      // No room, or the medium failed: whoever writes is told so. The next batch tries again.
      return
    }
    this.soon()
  }
}
