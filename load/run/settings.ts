/** What a run is given besides the people: where the server is, how to talk to it, and the limits of the run itself. */
import type { Profile } from '../model/profile.ts'
import type { Population } from '../model/population.ts'
import type { Mechanism } from '../wire/scram.ts'
import type { Endpoint } from '../wire/socket.ts'

export interface ServerTarget {
  /** How reports call it. */
  readonly name: string
  readonly endpoint: Endpoint
  /** Root processes of the server, whose CPU and memory are measured with those of their descendants. */
  readonly pids: readonly number[]
}

export interface RunSettings {
  readonly profile: Profile
  readonly population: Population
  readonly target: ServerTarget
  /** Undefined: the strongest offered. */
  readonly mechanism: Mechanism | undefined
  readonly limits: RunLimits
  /** Poll without sleeping when the next event is less than a timer's resolution away: exact starts, a whole core. */
  readonly isSpinning: boolean
}

export interface RunLimits {
  /** Logins under way at once; more wait, their latency counted from when they were due. */
  readonly loginsInFlightMax: number
  readonly loginTimeoutMs: number
  /** The first logins of all may take so long in all. */
  readonly rampTimeoutMs: number
  /** After the last event, how long is waited for deliveries and states to become complete. */
  readonly drainTimeoutMs: number
  readonly closeTimeoutMs: number
}

export const defaultLimits: RunLimits = {
  loginsInFlightMax: 1000,
  loginTimeoutMs: 30_000,
  rampTimeoutMs: 300_000,
  drainTimeoutMs: 20_000,
  closeTimeoutMs: 10_000,
}
