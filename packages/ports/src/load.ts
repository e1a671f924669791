/**
 * How busy this member is, as a port: what presence engine, edge and admission steer by.
 */
import { definePort } from './token.ts'

/** Readings are cheap and may be asked for on the hot path; nothing is measured while nobody asks. */
export interface Load {
  /** How long work waits for its turn of the event loop lately, in ms; 0 when idle. */
  lagMs(): number
  /** Share of the time that the event loop was at work lately, 0 to 1. */
  utilization(): number
}
export const Load = definePort<Load>('load')

/** A member that never is busy. */
export const idleLoad: Load = { lagMs: () => 0, utilization: () => 0 }
