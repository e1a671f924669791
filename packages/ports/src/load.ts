/**
 * How busy this member is, as a port: what presence engine, edge and admission steer by.
 */
import { definePort } from './token.ts'

/**
 * What a member can still take on. `normal`: everything. `brown-out`: it serves who is there, and what can wait does:
 * presence is coalesced as much as allowed, logins are paced, costly requests are refused with `resource-constraint`.
 * `refuse`: no new connections either.
 */
export type Pressure = 'normal' | 'brown-out' | 'refuse'

/** Readings are cheap and may be asked for on the hot path; nothing is measured while nobody asks. */
export interface Load {
  /** How long work waits for its turn lately, in ms, those included who were told to stand in line; 0 when idle. */
  lagMs(): number
  /** Share of the time that the event loop was at work lately, 0 to 1. */
  utilization(): number
  /** Rises as soon as a signal passes its threshold, falls one step at a time after a quiet while. */
  pressure(): Pressure
  /** Whether so much of what was taken in waits to be stored that taking in more only makes it wait longer. */
  isBehind(): boolean
}
export const Load = definePort<Load>('load')

/** A member that never is busy. */
export const idleLoad: Load = { lagMs: () => 0, utilization: () => 0, pressure: () => 'normal', isBehind: () => false }
