/** How a failed publication is judged, and how long it waits before it is tried again. */
import type { StanzaError, StanzaErrorCondition } from '@rollcall/stanza'

const FIRST_MS = 30_000
const LONGEST_MS = 3_600_000

/**
 * Errors beside those of type `wait` that may pass (XEP-0357 §7.1): a service that restarts is not found for a while.
 */
const PASSING: ReadonlySet<StanzaErrorCondition> = new Set(['internal-server-error', 'remote-server-not-found'])

export function mayPass(error: StanzaError): boolean {
  return error.type === 'wait' || PASSING.has(error.condition)
}

/** ms to wait after the nth failure in a row: 30 s, doubling up to an hour; `fraction` in [0, 1) spreads them by a quarter. */
export function backOffMs(failures: number, fraction: number): number {
  // Beyond seven doublings the limit holds anyway; 2 ** failures must not grow without end.
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 7))
  return Math.round(longest * (1 - fraction / 4))
}
