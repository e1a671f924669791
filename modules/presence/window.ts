/**
 * How long a change of presence has to wait before contacts are told: nothing while turns of the event loop are short, so
 * that a member never rests while somebody waits, and more the longer they get, so that of many changes only the last is
 * sent. Much work alone is no reason: what a slice of a turn does not reach waits anyway, and may be superseded meanwhile.
 */
import type { Load } from '@rollcall/ports'

/** Longest window of a busy member, in ms. */
export const BUSY_WINDOW_MS = 250
/** Longest window while work waits long for its turn, in ms. */
export const BROWN_OUT_WINDOW_MS = 2_000
/** Lag at which the window begins to grow to the busy one, in ms, and at which it is there. */
const LAG_FROM_MS = 15
const LAG_BUSY_MS = 60
/** Lag at which it is the brown-out one, in ms. */
const LAG_BROWN_OUT_MS = 300

/** The window that the load asks for, in ms. */
export function windowMs(load: Load): number {
  if (load.pressure() !== 'normal') return BROWN_OUT_WINDOW_MS
  const lagMs = load.lagMs()
  if (lagMs >= LAG_BUSY_MS) {
    return between(lagMs, LAG_BUSY_MS, LAG_BROWN_OUT_MS, BUSY_WINDOW_MS, BROWN_OUT_WINDOW_MS)
  }
  return between(lagMs, LAG_FROM_MS, LAG_BUSY_MS, 0, BUSY_WINDOW_MS)
}

function between(value: number, from: number, to: number, low: number, high: number): number {
  return low + (high - low) * Math.min(1, Math.max(0, (value - from) / (to - from)))
}
