/** Time as a port: the only source of "now" and of delays for everything but `server/runtime`. */
import { definePort } from './token.ts'

/** A pending timer; `cancel` is idempotent. */
export interface Timer {
  cancel(): void
}

/** Delays fire in order of their due time; a callback that throws is a defect that the runtime logs. */
export interface Clock {
  /** Wall-clock time in ms since the Unix epoch; may jump. For stamps that people or peers read. */
  now(): number
  /** Monotonic time in ms from an arbitrary origin; never jumps. For durations and time-outs. */
  monotonic(): number
  /** Runs `callback` once, at the earliest after `delayMs`. Does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer
  /** Runs `callback` every `periodMs` until cancelled. Does not keep the process alive. */
  every(periodMs: number, callback: () => void): Timer
  /** Runs `callback` after the current turn's I/O callbacks: the moment for per-turn flushes. */
  soon(callback: () => void): void
  /**
   * Runs what waits for the end of the turn now: a turn that brings very much input would let it wait for all of that. To be called
   * between two inputs; from a callback of `soon` it does nothing.
   */
  endTurn(): void
}
export const Clock = definePort<Clock>('clock')
