/**
 * One run: everybody logs in (ramp), lives as the profile says (run), then nothing new happens until everything has
 * arrived (drain), what is missing or wrong is counted, and everybody logs out.
 *
 * Here are the phases, and what clients tell; what they do is the script's (`script.ts`), how they come in `logins.ts`.
 */
import { Tally } from '../check/violations.ts'
import type { FailureKind } from '../check/violations.ts'
import { Recorder } from '../measure/recorder.ts'
import type { Gauges, Sample } from '../measure/recorder.ts'
import { Behaviour } from '../model/behaviour.ts'
import { Client, PHASE } from '../wire/client.ts'
import type { ClientHost } from '../wire/client.ts'
import { Outbox } from '../wire/outbox.ts'
import type { KeyCache } from '../wire/scram.ts'
import { countItems } from '../wire/roster-items.ts'
import type { Frame } from '@rollcall/xml'
import { Logins } from './logins.ts'
import { makeReport } from './make-report.ts'
import type { RunReport } from './make-report.ts'
import { Script } from './script.ts'
import type { RunSettings } from './settings.ts'
import { resourceOf, Traffic } from './traffic.ts'

const SAMPLE_MS = 1000
const POLL_MS = 50
/** Looking at every pair takes milliseconds. */
const POLL_PAIRS_MS = 250

/** A run that cannot be made. */
export class LoadError extends Error {}

export interface RunEvents {
  /** Every second. */
  sampled?(sample: Sample): void
}

export class LoadRun implements ClientHost {
  readonly endpoint: RunSettings['target']['endpoint']
  readonly mechanism: RunSettings['mechanism']
  readonly outbox = new Outbox()
  readonly keys: KeyCache = new Map()
  private readonly failures = new Tally<FailureKind>()
  private readonly traffic: Traffic
  private readonly recorder: Recorder
  private readonly settings: RunSettings
  private readonly events: RunEvents
  private readonly behaviour: Behaviour
  private readonly clients: Client[] = []
  private readonly logins: Logins
  private readonly script: Script
  private readonly originMs = performance.now()
  /** Per client: when it was bound, in µs of the run; was cut. */
  private readonly boundUs: Float64Array
  private readonly wasCut: Uint8Array
  /** Slow readers that the server disconnected: its right, if it bounds its queues. */
  private slowDroppedCount = 0
  private isLive = true
  private isInterrupted = false

  /** Throws RangeError when profile and people need more than this process may hold. */
  constructor(settings: RunSettings, events: RunEvents = {}) {
    const { profile, population, target } = settings
    const { clientCount } = population
    this.settings = settings
    this.events = events
    this.endpoint = target.endpoint
    this.mechanism = settings.mechanism
    this.behaviour = new Behaviour(profile, population)
    this.traffic = new Traffic(profile, population, this.behaviour, target.endpoint.domain, (name, us) => this.recorder.record(name, us))
    this.boundUs = new Float64Array(clientCount)
    this.wasCut = new Uint8Array(clientCount)
    for (let client = 0; client < clientCount; client++) {
      const user = population.clientUsers[client]!
      const account = { name: population.names[user]!, password: population.passwords[user]!, resource: resourceOf(client - population.clientStarts[user]!) }
      this.clients.push(new Client(client, this, account))
    }
    const { behaviour, clients, outbox, traffic } = this
    const took = (us: number): void => this.recorder.record('login', us)
    this.logins = new Logins({ clients, limits: settings.limits, traffic, took }, clientCount)
    this.recorder = new Recorder(target.pids, () => this.gauges())
    this.script = new Script({
      settings, behaviour, clients, logins: this.logins, traffic, recorder: this.recorder, outbox, arrived: () => this.arrived(),
    }, clientCount)
  }

  /**
   * Runs from the first login to the last logout, bounded by the profile's duration and the limits. Rejects with LoadError
   * when nobody can log in.
   */
  async run(): Promise<RunReport> {
    const startedAt = new Date()
    const sampling = setInterval(() => this.everySecond(), SAMPLE_MS)
    try {
      await this.ramp()
      await this.live()
      await this.drain()
      return makeReport(this.settings, startedAt, {
        recorder: this.recorder, traffic: this.traffic, failures: this.failures,
        slowDroppedCount: this.slowDroppedCount, isInterrupted: this.isInterrupted,
      })
    } finally {
      clearInterval(sampling)
      await this.logoutAll()
    }
  }

  /** Ends the run early: what is under way still arrives and is checked. */
  interrupt(): void {
    this.isInterrupted = true
    this.isLive = false
  }

  // ------------------------------------------------------------------------------------ what clients tell (ClientHost)

  arrived(): void {
    this.traffic.nowUs = (performance.now() - this.originMs) * 1000
  }

  bound(client: Client, jid: string): void {
    this.boundUs[client.index] = this.traffic.nowUs
    this.traffic.renamed(client.index, jid)
  }

  rosterReceived(client: Client, frame: Frame): void {
    this.recorder.record('roster', this.traffic.nowUs - this.boundUs[client.index]!)
    const { population } = this.settings
    const user = population.clientUsers[client.index]!
    const items = countItems(frame.elementWire())
    if (items === population.rosterSizes[user]) return
    this.traffic.violations.add('roster-wrong', () => `${population.names[user]!} has ${items} contacts, ${population.rosterSizes[user]!} are right`)
  }

  initialPresence(client: Client): string {
    this.noteCut(client.index)
    return this.traffic.presenceWire(client.index, this.traffic.nowUs)
  }

  message(client: Client, frame: Frame): void {
    this.traffic.messageArrived(client, frame)
  }

  presence(client: Client, frame: Frame): void {
    const isBack = this.traffic.presenceArrived(client, frame)
    if (!isBack || client.phase !== PHASE.announcing) return
    client.setOnline()
    this.logins.succeeded(client.index)
  }

  ended(client: Client, reason: string | undefined): void {
    const { index } = client
    const wasPaused = this.script.ended(index)
    if (this.traffic.presences.isAvailable(index)) {
      this.wasCut[index] = 1
      this.traffic.vanished(index)
    }
    const isLoginLost = this.logins.lost(index)
    if (reason === undefined) return
    if (isLoginLost) {
      this.failures.add('login-failed', () => `${this.nameOf(index)}: ${reason}`)
      this.logins.failed(reason)
    } else if (wasPaused || this.behaviour.isSlowReader[index] === 1) this.slowDroppedCount++
    else this.failures.add('connection-lost', () => `${this.nameOf(index)}: ${reason}`)
    if (!this.isLive || !this.script.comesAgain(index)) return
    if (isLoginLost) this.logins.keepDueTime(index)
    else this.logins.keepDueTime(index, this.traffic.nowUs)
  }

  private nameOf(client: number): string {
    return this.settings.population.names[this.settings.population.clientUsers[client]!]!
  }

  /** Messages of a client that was cut may be lost, up to the moment in which it is back. */
  private noteCut(client: number): void {
    if (this.wasCut[client] === 1) this.traffic.messages.senderCut(client)
    this.wasCut[client] = 0
  }

  // ------------------------------------------------------------------------------------ phases

  private async ramp(): Promise<void> {
    const { limits } = this.settings
    const timeoutMs = this.script.ramp() + limits.rampTimeoutMs
    const { logins, script } = this
    const isIn = await this.waitFor(timeoutMs, () => !this.isLive || logins.isHopeless || (script.isEmpty && logins.isQuiet))
    if (logins.isHopeless) throw new LoadError(`nobody can log in: ${this.failures.list()[0]?.examples[0] ?? ''}`)
    if (!isIn) this.failures.add('login-late', () => `the first logins took more than ${Math.round(timeoutMs / 1000)} s`)
    // Presence of the last ones is still being delivered; it belongs to the logins.
    if (this.isLive) await this.waitFor(limits.drainTimeoutMs, () => !this.isLive || this.traffic.presences.wrongCount() === 0, POLL_PAIRS_MS)
    this.recorder.turnTo('run')
  }

  private async live(): Promise<void> {
    if (!this.isLive) return
    this.script.live()
    await this.waitFor(this.settings.profile.durationSeconds * 1000, () => !this.isLive)
  }

  /** Nothing new; waits until all that must arrive has, then counts what has not. */
  private async drain(): Promise<void> {
    const { limits } = this.settings
    this.isLive = false
    this.logins.clearQueue()
    this.recorder.turnTo('drain')
    this.script.stop()
    await this.waitFor(limits.drainTimeoutMs, () => this.logins.isQuiet)
    this.logins.giveUp(0, () => 'not done when the run ended')
    for (let client = 0; client < this.clients.length; client++) this.noteCut(client)
    const { messages, presences } = this.traffic
    await this.waitFor(limits.drainTimeoutMs, () => messages.pendingCount <= 0 && presences.wrongCount() === 0, POLL_PAIRS_MS)
    // What must not come would come now.
    await this.waitFor(SAMPLE_MS / 2, () => false)
    messages.finish()
    presences.finish()
    this.recorder.turnTo(undefined)
  }

  private async logoutAll(): Promise<void> {
    this.isLive = false
    this.script.stop()
    this.arrived()
    for (const client of this.clients) {
      if (client.isOnline) client.logout(`<presence type='unavailable'/>`)
      else client.cut()
    }
    await this.waitFor(this.settings.limits.closeTimeoutMs, () => this.clients.every(({ phase }) => phase === PHASE.off))
    for (const client of this.clients) client.cut()
  }

  // ------------------------------------------------------------------------------------ measuring

  private gauges(): Gauges {
    const { traffic } = this
    return {
      messages: traffic.messages.deliveredCount, presences: traffic.presences.deliveredCount, logins: this.logins.count,
      online: traffic.readyCount, violations: traffic.violations.total, failures: this.failures.total,
    }
  }

  private everySecond(): void {
    this.arrived()
    this.events.sampled?.(this.recorder.sample())
    const { loginTimeoutMs, closeTimeoutMs } = this.settings.limits
    this.logins.giveUp(loginTimeoutMs, ({ phase }) => `no answer for ${loginTimeoutMs} ms in phase ${phase}`)
    const { nowUs, presences } = this.traffic
    for (const client of this.clients) {
      if (client.phase === PHASE.closing && nowUs - presences.downSince(client.index) > closeTimeoutMs * 1000) client.cut()
    }
  }

  /** Resolves with whether `isDone` became true in time. */
  private waitFor(timeoutMs: number, isDone: () => boolean, pollMs = POLL_MS): Promise<boolean> {
    const deadlineMs = performance.now() + timeoutMs
    return new Promise((resolve) => {
      const look = (): void => {
        const isReached = isDone()
        const leftMs = deadlineMs - performance.now()
        if (isReached || leftMs <= 0) resolve(isReached)
        else setTimeout(look, Math.min(pollMs, leftMs))
      }
      look()
    })
  }
}
