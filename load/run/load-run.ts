/**
 * One run: everybody logs in (ramp), lives as the profile says (run), then nothing new happens until everything has
 * arrived (drain), what is missing or wrong is counted, and everybody logs out.
 *
 * The loop is open: an agenda says when each thing is due, whatever the server does, and latency counts from then. What
 * cannot happen because of the server (a client that is not back yet) is skipped and counted. One timer runs the agenda,
 * and all output of a turn is written at its end.
 */
import { Tally } from '../check/violations.ts'
import type { FailureKind } from '../check/violations.ts'
import { Recorder } from '../measure/recorder.ts'
import type { Gauges, Sample } from '../measure/recorder.ts'
import { Agenda } from '../model/agenda.ts'
import { Behaviour, loginOrder } from '../model/behaviour.ts'
import { Draws } from '../model/draws.ts'
import { STREAMS } from '../model/population.ts'
import { Client, PHASE } from '../wire/client.ts'
import type { ClientHost } from '../wire/client.ts'
import { Outbox } from '../wire/outbox.ts'
import type { KeyCache } from '../wire/scram.ts'
import { countItems } from '../wire/roster-items.ts'
import type { Frame } from '@rollcall/xml'
import { makeReport } from './make-report.ts'
import type { RunReport } from './make-report.ts'
import type { RunSettings } from './settings.ts'
import { resourceOf, Traffic } from './traffic.ts'

/** `start` begins a session of its own; `again` brings a client back into the one it has. */
const KIND = { start: 0, end: 1, change: 2, message: 3, flap: 4, pause: 5, resume: 6, storm: 7, again: 8 } as const
const KINDS = 16
const US = 1e6
/** After so many events the turn ends, so that reading never waits long. */
const EVENTS_PER_TURN_MAX = 2000
const SLEEP_MS_MAX = 10
const SPIN_BELOW_MS = 2
const SAMPLE_MS = 1000
const POLL_MS = 50
/** Looking at every pair takes milliseconds. */
const POLL_PAIRS_MS = 250
/** When so many logins failed and none worked, the run is given up. */
const HOPELESS_FAILURES = 20
const RETRY_MS = [1000, 5000] as const
/** After a toggle, how long a flapping client stays away, as a part of the period. */
const AWAY_SHARE = 0.3

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
  readonly failures = new Tally<FailureKind>()
  readonly traffic: Traffic
  readonly recorder: Recorder
  /** Slow readers that the server disconnected: its right, if it bounds its queues. */
  slowDroppedCount = 0
  private readonly settings: RunSettings
  private readonly events: RunEvents
  private readonly behaviour: Behaviour
  private readonly stormDraws: Draws
  private readonly clients: Client[] = []
  private readonly agenda = new Agenda()
  private readonly originMs = performance.now()
  /** Per client: should be online; is logging in; when its login was due, began, and bound; was cut; has been paused. */
  private readonly isWanted: Uint8Array
  private readonly isLoggingIn: Uint8Array
  private readonly loginDueUs: Float64Array
  private readonly loginBeganUs: Float64Array
  private readonly boundUs: Float64Array
  private readonly wasCut: Uint8Array
  private readonly isPaused: Uint8Array
  private readonly queue: number[] = []
  /** Due times of logins that are tried again. */
  private readonly retryDue = new Map<number, number>()
  private inFlight = 0
  private loginCount = 0
  private isLive = true
  private isInterrupted = false
  private timer: NodeJS.Timeout | undefined

  /** Throws RangeError when profile and people need more than this process may hold. */
  constructor(settings: RunSettings, events: RunEvents = {}) {
    const { profile, population, target } = settings
    this.settings = settings
    this.events = events
    this.endpoint = target.endpoint
    this.mechanism = settings.mechanism
    this.behaviour = new Behaviour(profile, population)
    this.stormDraws = new Draws(profile.seed, STREAMS.roles)
    this.traffic = new Traffic(profile, population, this.behaviour, target.endpoint.domain, (name, us) => this.recorder.record(name, us))
    this.recorder = new Recorder(target.pids, () => this.gauges())
    const { clientCount } = population
    this.isWanted = new Uint8Array(clientCount)
    this.isLoggingIn = new Uint8Array(clientCount)
    this.loginDueUs = new Float64Array(clientCount)
    this.loginBeganUs = new Float64Array(clientCount)
    this.boundUs = new Float64Array(clientCount)
    this.wasCut = new Uint8Array(clientCount)
    this.isPaused = new Uint8Array(clientCount)
    for (let client = 0; client < clientCount; client++) {
      const user = population.clientUsers[client]!
      const account = { name: population.names[user]!, password: population.passwords[user]!, resource: resourceOf(client - population.clientStarts[user]!) }
      this.clients.push(new Client(client, this, account))
    }
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
    if (this.wasCut[client.index] === 1) this.traffic.messages.senderCut(client.index)
    this.wasCut[client.index] = 0
    return this.traffic.presenceWire(client.index, this.traffic.nowUs)
  }

  message(client: Client, frame: Frame): void {
    this.traffic.messageArrived(client, frame)
  }

  presence(client: Client, frame: Frame): void {
    const isBack = this.traffic.presenceArrived(client, frame)
    if (!isBack || client.phase !== PHASE.announcing) return
    client.setOnline()
    this.isLoggingIn[client.index] = 0
    this.loginCount++
    this.recorder.record('login', this.traffic.nowUs - this.loginDueUs[client.index]!)
    this.loginEnded()
  }

  ended(client: Client, reason: string | undefined): void {
    const { index } = client
    const wasPaused = this.isPaused[index] === 1
    const isLoginLost = this.isLoggingIn[index] === 1
    this.isLoggingIn[index] = 0
    this.isPaused[index] = 0
    if (this.traffic.presences.isAvailable(index)) {
      this.wasCut[index] = 1
      this.traffic.vanished(index)
    }
    if (isLoginLost) this.loginEnded()
    if (reason === undefined) return
    if (isLoginLost) this.failures.add('login-failed', () => `${this.nameOf(index)}: ${reason}`)
    else if (wasPaused || this.behaviour.isSlowReader[index] === 1) this.slowDroppedCount++
    else this.failures.add('connection-lost', () => `${this.nameOf(index)}: ${reason}`)
    // Whoever is thrown out comes back, as people's clients do; a login that failed keeps its due time.
    if (this.isWanted[index] === 0 || !this.isLive) return
    const dueUs = isLoginLost ? this.loginDueUs[index]! : this.traffic.nowUs
    this.agenda.add(this.traffic.nowUs + this.stormDraws.between(...RETRY_MS) * 1000, index * KINDS + KIND.again)
    this.retryDue.set(index, dueUs)
  }

  private nameOf(client: number): string {
    return this.settings.population.names[this.settings.population.clientUsers[client]!]!
  }

  private gauges(): Gauges {
    const { traffic } = this
    return {
      messages: traffic.messages.deliveredCount, presences: traffic.presences.deliveredCount, logins: this.loginCount,
      online: traffic.readyCount, violations: traffic.violations.total, failures: this.failures.total,
    }
  }

  /** Everybody who is online at the start logs in, at the profile's rate. */
  private async ramp(): Promise<void> {
    const { profile, limits } = this.settings
    const order = loginOrder(profile, this.behaviour.isOnlineAtStart)
    this.arrived()
    const gapUs = US / profile.logins.perSecond
    for (const [place, client] of order.entries()) this.agenda.add(this.traffic.nowUs + place * gapUs, client * KINDS + KIND.start)
    this.turn()
    const timeoutMs = (order.length * gapUs) / 1000 + limits.rampTimeoutMs
    const isAllIn = (): boolean => this.agenda.size === 0 && this.inFlight === 0 && this.queue.length === 0
    const isIn = await this.waitFor(timeoutMs, () => !this.isLive || this.isHopeless || isAllIn())
    if (this.isHopeless) throw new LoadError(`nobody can log in: ${this.failures.list()[0]?.examples[0] ?? ''}`)
    if (!isIn) this.failures.add('login-late', () => `the first logins took more than ${Math.round(timeoutMs / 1000)} s`)
    // Presence of the last ones is still being delivered; it belongs to the logins.
    if (this.isLive) await this.waitFor(limits.drainTimeoutMs, () => !this.isLive || this.traffic.presences.wrongCount() === 0, POLL_PAIRS_MS)
    this.recorder.turnTo('run')
  }

  private async live(): Promise<void> {
    if (!this.isLive) return
    const { profile } = this.settings
    this.arrived()
    const startUs = this.traffic.nowUs
    for (let client = 0; client < this.clients.length; client++) this.schedule(client, startUs)
    for (const [number, storm] of profile.storms.entries()) this.agenda.add(startUs + storm.atSeconds * US, number * KINDS + KIND.storm)
    await this.waitFor(profile.durationSeconds * 1000, () => !this.isLive)
  }

  private schedule(client: number, startUs: number): void {
    const { behaviour } = this
    const isOnline = behaviour.isOnlineAtStart[client] === 1
    if (isOnline) this.plan(client, KIND.end, startUs, behaviour.remainingSeconds(client))
    else this.plan(client, KIND.start, startUs, behaviour.offlineSeconds(client))
    this.plan(client, KIND.change, startUs, behaviour.untilChange(client))
    this.plan(client, KIND.message, startUs, behaviour.untilMessage(client))
    if (behaviour.isFlapping[client] === 1) this.plan(client, KIND.flap, startUs, behaviour.untilFlap(client))
    if (behaviour.isSlowReader[client] === 1) this.plan(client, KIND.pause, startUs, behaviour.untilPause(client))
  }

  private plan(client: number, kind: number, fromUs: number, seconds: number): void {
    if (seconds < Infinity) this.agenda.add(fromUs + seconds * US, client * KINDS + kind)
  }

  /** Nothing new; waits until all that must arrive has, then counts what has not. */
  private async drain(): Promise<void> {
    const { limits } = this.settings
    this.isLive = false
    if (this.timer !== undefined) clearTimeout(this.timer)
    this.agenda.clear()
    this.queue.length = 0
    this.recorder.turnTo('drain')
    for (const client of this.clients) {
      if (this.isPaused[client.index] === 0) continue
      this.isPaused[client.index] = 0
      client.setReading(true)
    }
    await this.waitFor(limits.drainTimeoutMs, () => this.inFlight === 0)
    for (const client of this.clients) {
      if (this.isLoggingIn[client.index] === 1) client.fail('not done when the run ended')
      if (this.wasCut[client.index] === 1) this.traffic.messages.senderCut(client.index)
      this.wasCut[client.index] = 0
    }
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
    if (this.timer !== undefined) clearTimeout(this.timer)
    this.arrived()
    for (const client of this.clients) {
      if (client.isOnline) client.logout(`<presence type='unavailable'/>`)
      else client.cut()
    }
    await this.waitFor(this.settings.limits.closeTimeoutMs, () => this.clients.every(({ phase }) => phase === PHASE.off))
    for (const client of this.clients) client.cut()
  }

  private everySecond(): void {
    this.arrived()
    this.events.sampled?.(this.recorder.sample())
    const { loginTimeoutMs, closeTimeoutMs } = this.settings.limits
    for (const client of this.clients) {
      const ageMs = (this.traffic.nowUs - this.loginBeganUs[client.index]!) / 1000
      if (client.phase === PHASE.off || client.phase === PHASE.online) continue
      if (client.phase === PHASE.closing) {
        if (this.traffic.nowUs - this.traffic.presences.downSince(client.index) > closeTimeoutMs * 1000) client.cut()
      } else if (ageMs > loginTimeoutMs) {
        client.fail(`no answer for ${loginTimeoutMs} ms in phase ${client.phase}`)
      }
    }
  }

  /** Runs what is due, then sleeps until the next. */
  private turn(): void {
    this.arrived()
    const { agenda, traffic } = this
    for (let done = 0; agenda.nextTime <= traffic.nowUs; done++) {
      if (done === EVENTS_PER_TURN_MAX) break
      const dueUs = agenda.nextTime
      const key = agenda.nextKey
      agenda.shift()
      this.recorder.record('lateness', traffic.nowUs - dueUs)
      this.happen(key % KINDS, Math.floor(key / KINDS), dueUs)
    }
    this.outbox.flush()
    this.timer = undefined
    const waitMs = Math.min(SLEEP_MS_MAX, (agenda.nextTime - traffic.nowUs) / 1000)
    if (waitMs <= 0 || (this.settings.isSpinning && waitMs < SPIN_BELOW_MS)) setImmediate(() => this.next())
    else this.timer = setTimeout(() => this.next(), this.settings.isSpinning ? waitMs - SPIN_BELOW_MS / 2 : waitMs)
  }

  private next(): void {
    if (this.agenda.size > 0 || this.isLive) this.turn()
  }

  private happen(kind: number, client: number, dueUs: number): void {
    const { behaviour } = this
    switch (kind) {
      case KIND.start:
        return this.start(client, dueUs)
      case KIND.end:
        return this.endSession(client, dueUs)
      case KIND.change:
        this.plan(client, KIND.change, dueUs, behaviour.untilChange(client))
        if (this.traffic.isReady[client] === 1) this.clients[client]!.send(this.traffic.presenceWire(client, dueUs))
        return undefined
      case KIND.message:
        this.plan(client, KIND.message, dueUs, behaviour.untilMessage(client))
        if (this.traffic.isReady[client] === 1) this.traffic.sendMessage(this.clients[client]!, dueUs)
        return undefined
      case KIND.flap:
        this.plan(client, KIND.flap, dueUs, behaviour.untilFlap(client))
        return this.flap(client, dueUs)
      case KIND.pause:
        this.plan(client, KIND.pause, dueUs, behaviour.untilPause(client))
        return this.pause(client, dueUs)
      case KIND.again:
        return this.isWanted[client] === 1 ? this.connect(client, dueUs) : undefined
      case KIND.resume:
        if (this.isPaused[client] === 0) return undefined
        this.isPaused[client] = 0
        return this.clients[client]!.setReading(true)
      default:
        return this.storm(client, dueUs)
    }
  }

  private start(client: number, dueUs: number): void {
    if (this.isWanted[client] === 0) {
      this.isWanted[client] = 1
      // A session in which the run begins has its end planned then.
      if (this.recorder.phases.length > 0) this.plan(client, KIND.end, dueUs, this.behaviour.sessionSeconds(client))
    }
    this.connect(client, dueUs)
  }

  private connect(client: number, dueUs: number): void {
    const { phase } = this.clients[client]!
    if (phase === PHASE.online) return this.comeBack(client, dueUs)
    if (phase === PHASE.closing) this.clients[client]!.cut()
    else if (phase !== PHASE.off) return undefined
    this.loginDueUs[client] = this.retryDue.get(client) ?? dueUs
    this.retryDue.delete(client)
    this.queue.push(client)
    return this.startQueued()
  }

  private get isHopeless(): boolean {
    return this.loginCount === 0 && this.failures.countOf('login-failed') >= Math.min(HOPELESS_FAILURES, this.clients.length)
  }

  /** A client that only went unavailable sends presence again. */
  private comeBack(client: number, dueUs: number): void {
    if (!this.traffic.presences.isAvailable(client)) this.clients[client]!.send(this.traffic.presenceWire(client, dueUs))
  }

  private startQueued(): void {
    while (this.inFlight < this.settings.limits.loginsInFlightMax && this.queue.length > 0) {
      const client = this.queue.shift()!
      if (this.clients[client]!.phase !== PHASE.off) continue
      this.inFlight++
      this.isLoggingIn[client] = 1
      this.loginBeganUs[client] = this.traffic.nowUs
      this.clients[client]!.login()
    }
  }

  private loginEnded(): void {
    this.inFlight--
    this.startQueued()
  }

  private endSession(client: number, dueUs: number): void {
    if (this.isWanted[client] === 0) return
    this.isWanted[client] = 0
    this.plan(client, KIND.start, dueUs, this.behaviour.offlineSeconds(client))
    if (this.behaviour.endsAbruptly(client)) this.cut(client)
    else this.logout(client)
  }

  private flap(client: number, dueUs: number): void {
    if (this.traffic.isReady[client] === 0) return
    const { how, periodSeconds } = this.settings.profile.flapping
    if (how === 'toggle') this.clients[client]!.send(this.traffic.unavailableWire(client))
    else if (how === 'abrupt') this.cut(client)
    else this.logout(client)
    this.plan(client, KIND.again, dueUs, periodSeconds * AWAY_SHARE * this.behaviour.drawsOf(client).fraction())
  }

  private pause(client: number, dueUs: number): void {
    if (this.traffic.isReady[client] === 0) return
    this.isPaused[client] = 1
    this.clients[client]!.setReading(false)
    this.plan(client, KIND.resume, dueUs, this.settings.profile.slowReaders.pauseSeconds)
  }

  private storm(number: number, dueUs: number): void {
    const { share, overSeconds } = this.settings.profile.storms[number]!
    for (const client of this.clients) {
      const isHit = this.stormDraws.isChosen(share)
      const afterUs = this.stormDraws.fraction() * overSeconds * US
      if (!isHit || !client.isOnline) continue
      this.cut(client.index)
      this.agenda.add(dueUs + afterUs, client.index * KINDS + KIND.again)
    }
  }

  private logout(client: number): void {
    if (this.clients[client]!.isOnline && this.traffic.presences.isAvailable(client)) {
      this.clients[client]!.logout(this.traffic.unavailableWire(client))
    } else {
      this.clients[client]!.cut()
    }
  }

  private cut(client: number): void {
    this.clients[client]!.cut()
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
