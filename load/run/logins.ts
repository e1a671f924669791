/**
 * Logins of one run: who waits for one, how many are under way, when each was due, and how often they came about.
 *
 * Latency counts from when a login was due, however often it is tried and however long it waits for its turn.
 */
import { PHASE } from '../wire/client.ts'
import type { Client } from '../wire/client.ts'
import type { RunLimits } from './settings.ts'
import type { Traffic } from './traffic.ts'

/** When so many logins failed and none worked, the run is given up. */
const HOPELESS_FAILURES = 20
/** What a server says that is busy just now (RFC 6120 §4.9.3.17): trying again may help. */
const BUSY = 'error: resource-constraint'

export interface LoginsPorts {
  readonly clients: readonly Client[]
  readonly limits: RunLimits
  readonly traffic: Traffic
  /** Takes the µs that a login took. */
  readonly took: (us: number) => void
}

export class Logins {
  /** Logins that came about. */
  count = 0
  private readonly ports: LoginsPorts
  /** Per client: is logging in; when its login was due, and began; µs of the run. */
  private readonly isUnderWay: Uint8Array
  private readonly dueUs: Float64Array
  private readonly beganUs: Float64Array
  private readonly queue: number[] = []
  /** Due times of logins that are tried again. */
  private readonly retryDueUs = new Map<number, number>()
  private inFlight = 0
  /** Failures that trying again does not mend. */
  private lastingFailures = 0

  constructor(ports: LoginsPorts, clientCount: number) {
    this.ports = ports
    this.isUnderWay = new Uint8Array(clientCount)
    this.dueUs = new Float64Array(clientCount)
    this.beganUs = new Float64Array(clientCount)
  }

  /** Nobody logs in or waits to. */
  get isQuiet(): boolean {
    return this.inFlight === 0 && this.queue.length === 0
  }

  get isHopeless(): boolean {
    return this.count === 0 && this.lastingFailures >= Math.min(HOPELESS_FAILURES, this.ports.clients.length)
  }

  /** The login of a client has failed. */
  failed(reason: string): void {
    if (reason !== BUSY) this.lastingFailures++
  }

  /** A client without a connection logs in as soon as there is room. */
  begin(client: number, dueUs: number): void {
    this.dueUs[client] = this.retryDueUs.get(client) ?? dueUs
    this.retryDueUs.delete(client)
    this.queue.push(client)
    this.startQueued()
  }

  /** The login of a client has come about. */
  succeeded(client: number): void {
    this.count++
    this.ports.took(this.ports.traffic.nowUs - this.dueUs[client]!)
    this.lost(client)
  }

  /** The client's login is over; false when it had none under way. */
  lost(client: number): boolean {
    if (this.isUnderWay[client] === 0) return false
    this.isUnderWay[client] = 0
    this.inFlight--
    this.startQueued()
    return true
  }

  /** The client's login will be tried again, as the one that was due then. */
  keepDueTime(client: number, dueUs = this.dueUs[client]!): void {
    this.retryDueUs.set(client, dueUs)
  }

  /** Nobody who waits logs in any more. */
  clearQueue(): void {
    this.queue.length = 0
  }

  /** Gives up logins that take too long: all that are under way with `olderThanMs` 0. */
  giveUp(olderThanMs: number, reason: (client: Client) => string): void {
    const { clients, traffic } = this.ports
    for (const client of clients) {
      if (this.isUnderWay[client.index] === 0) continue
      if (traffic.nowUs - this.beganUs[client.index]! >= olderThanMs * 1000) client.fail(reason(client))
    }
  }

  private startQueued(): void {
    const { clients, limits, traffic } = this.ports
    while (this.inFlight < limits.loginsInFlightMax && this.queue.length > 0) {
      const client = this.queue.shift()!
      if (clients[client]!.phase !== PHASE.off) continue
      this.inFlight++
      this.isUnderWay[client] = 1
      this.beganUs[client] = traffic.nowUs
      clients[client]!.login()
    }
  }
}
