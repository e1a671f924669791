/**
 * The real load: lengths of event-loop turns and the loop's own account of its idle time.
 *
 * How it works: a question arms a probe of two links. The first waits for the end of this turn, the second for the end of
 * the next, so the time between them is one whole turn: what arrives meanwhile waits that long. Probes run only while
 * somebody asks, so an idle process has no timer for this. A reading that nobody renewed is forgotten. A probe is two turns
 * more of the loop, which is nothing beside much work and half of the cost of little: while turns are short it is rare.
 */
import { performance } from 'node:perf_hooks'
import type { Clock, Load } from '@rollcall/ports'

/** Time between two probes, in ms, and while turns are shorter than `SHORT_TURN_MS`. */
const PROBE_PERIOD_MS = 5
const CALM_PROBE_PERIOD_MS = 25
const SHORT_TURN_MS = 4
/** Age at which a reading says nothing any more, in ms. */
const STALE_MS = 250
/** Least time over which the share of work is counted, in ms. */
const SHARE_PERIOD_MS = 50
/** Weight of a new turn in the mean: one long turn is an accident, several are a load. */
const WEIGHT = 0.25

/** Share of the time since the last call that the event loop was at work, 0 to 1. */
export type ReadShare = () => number

export function loopShare(): ReadShare {
  let last = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    return utilization
  }
}

/** What the event loop alone tells; `pressure.ts` makes a `Load` of it. */
export type TurnReadings = Pick<Load, 'lagMs' | 'utilization'>

/** Lag and share of work of this process's event loop. */
export class TurnLoad implements TurnReadings {
  readonly #clock: Clock
  readonly #readShare: ReadShare
  readonly #onTurn: (turnMs: number) => void
  #lagMs = 0
  #periodMs = PROBE_PERIOD_MS
  #probedAtMs = -Infinity
  #armedAtMs: number | undefined = undefined
  #share = 0
  #sharedAtMs = -Infinity

  /** `onTurn` is told the length of each turn that was measured, in ms. */
  constructor(clock: Clock, readShare: ReadShare = loopShare(), onTurn: (turnMs: number) => void = () => undefined) {
    this.#clock = clock
    this.#readShare = readShare
    this.#onTurn = onTurn
  }

  lagMs(): number {
    const nowMs = this.#clock.monotonic()
    if (this.#armedAtMs === undefined && nowMs - this.#probedAtMs >= this.#periodMs) {
      if (nowMs - this.#probedAtMs >= STALE_MS) this.#lagMs = 0
      this.#armedAtMs = nowMs
      this.#clock.soon(this.#first)
    }
    return this.#lagMs
  }

  utilization(): number {
    const nowMs = this.#clock.monotonic()
    const ageMs = nowMs - this.#sharedAtMs
    if (ageMs < SHARE_PERIOD_MS) return this.#share
    const share = this.#readShare()
    // Of a long time without questions the share is an average that says little about now.
    this.#share = ageMs > STALE_MS ? 0 : share
    this.#sharedAtMs = nowMs
    return this.#share
  }

  readonly #first = (): void => {
    this.#armedAtMs = this.#clock.monotonic()
    this.#clock.soon(this.#second)
  }

  readonly #second = (): void => {
    const nowMs = this.#clock.monotonic()
    const turnMs = nowMs - (this.#armedAtMs as number)
    this.#armedAtMs = undefined
    this.#probedAtMs = nowMs
    this.#lagMs += (turnMs - this.#lagMs) * WEIGHT
    this.#periodMs = turnMs < SHORT_TURN_MS && this.#lagMs < SHORT_TURN_MS ? CALM_PROBE_PERIOD_MS : PROBE_PERIOD_MS
    this.#onTurn(turnMs)
  }
}
