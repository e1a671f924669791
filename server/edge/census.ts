/**
 * Connections counted by transport and stage, and the bytes that wait for them: one pass for all gauges of a scrape, so
 * that nothing has to be counted while nobody looks.
 */
import type { Hub } from './hub.ts'

/** A scrape reads all its gauges within this time. */
const FRESH_MS = 50

export class Census {
  readonly #hub: Hub
  readonly #counts = new Map<string, number>()
  #queuedBytes = 0
  #takenMs = -1

  constructor(hub: Hub) {
    this.#hub = hub
  }

  count(transport: string, stage: string): number {
    this.#take()
    return this.#counts.get(`${transport} ${stage}`) ?? 0
  }

  get queuedBytes(): number {
    this.#takenMs = -1
    this.#take()
    return this.#queuedBytes
  }

  #take(): void {
    const nowMs = this.#hub.ports.clock.monotonic()
    if (nowMs - this.#takenMs < FRESH_MS && this.#takenMs >= 0) return
    this.#takenMs = nowMs
    this.#counts.clear()
    this.#queuedBytes = 0
    for (const { transport, stage, queuedBytes } of this.#hub.connections.values()) {
      const key = `${transport} ${stage}`
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
      this.#queuedBytes += queuedBytes
    }
  }
}
