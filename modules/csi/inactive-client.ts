/**
 * What is kept for one client whose user does not look: the last presence of each contact's resource, and what matters
 * little, in order. Anything that matters takes it all along, because the radio is on then anyway; so nothing is ever
 * overtaken.
 */
import type { SendSieve, Session } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import { importanceOf } from './importance.ts'
import type { Importance } from './importance.ts'

export interface KeepLimits {
  readonly stanzasMax: number
  readonly bytesMax: number
}

/** Told what became of what was sent to inactive clients. */
export interface KeepCounters {
  kept(): void
  superseded(): void
  dropped(): void
}

export class InactiveClient implements SendSieve {
  readonly #session: Session
  readonly #limits: KeepLimits
  readonly #counters: KeepCounters
  readonly #kept = new Map<string, string>()
  #bytes = 0
  #serial = 0

  constructor(session: Session, limits: KeepLimits, counters: KeepCounters) {
    this.#session = session
    this.#limits = limits
    this.#counters = counters
  }

  get size(): number {
    return this.#kept.size
  }

  passes(wire: string): boolean {
    const importance = readImportance(wire)
    if (importance === 'important') {
      this.flush()
      return true
    }
    if (importance === 'never') this.#counters.dropped()
    else this.#keep(importance === 'late' ? `late ${this.#serial++}` : importance, wire)
    return false
  }

  passesPresence(wire: string, from: Jid): boolean {
    // The echo of what the client itself said is an answer.
    if (from.equals(this.#session.jid)) {
      this.flush()
      return true
    }
    this.#keep(`presence ${from.toString()}`, wire)
    return false
  }

  flush(): void {
    if (this.#kept.size === 0) return
    const wires = [...this.#kept.values()]
    this.#kept.clear()
    this.#bytes = 0
    const { sieve } = this.#session
    this.#session.sieve = undefined
    for (const wire of wires) this.#session.sendWire(wire)
    this.#session.sieve = sieve
  }

  /** The newest stands last: what else came between it and its predecessor was sent before it. */
  #keep(key: string, wire: string): void {
    const before = this.#kept.get(key)
    if (before !== undefined) {
      this.#kept.delete(key)
      this.#bytes -= before.length
      this.#counters.superseded()
    }
    this.#kept.set(key, wire)
    this.#bytes += wire.length
    this.#counters.kept()
    const { stanzasMax, bytesMax } = this.#limits
    if (this.#kept.size > stanzasMax || this.#bytes > bytesMax) this.flush()
  }
}

function readImportance(wire: string): Importance {
  try {
    return importanceOf(wire)
  } catch {
    // Whatever it is, it is not for us to keep it.
    return 'important'
  }
}
