/**
 * What the clients of a run do, and when: sessions that begin and end, changes of presence, messages, flapping, pauses of slow
 * readers, storms.
 *
 * The loop is open: an agenda says when each thing is due, whatever the server does. What cannot happen because of the server
 * (a client that is not back yet) is skipped. One timer runs the agenda, and all output of a turn is written at its end.
 */
import type { Recorder } from '../measure/recorder.ts'
import { Agenda } from '../model/agenda.ts'
import { loginOrder } from '../model/behaviour.ts'
import type { Behaviour } from '../model/behaviour.ts'
import { Draws } from '../model/draws.ts'
import { STREAMS } from '../model/population.ts'
import { PHASE } from '../wire/client.ts'
import type { Client } from '../wire/client.ts'
import type { Outbox } from '../wire/outbox.ts'
import type { Logins } from './logins.ts'
import type { RunSettings } from './settings.ts'
import type { Traffic } from './traffic.ts'

/** `start` begins a session of its own; `again` brings a client back into the one it has. */
const KIND = { start: 0, end: 1, change: 2, message: 3, flap: 4, pause: 5, resume: 6, storm: 7, again: 8 } as const
const KINDS = 16
const US = 1e6
/** After so many events the turn ends, so that reading never waits long. */
const EVENTS_PER_TURN_MAX = 2000
const SLEEP_MS_MAX = 10
const SPIN_BELOW_MS = 2
const RETRY_MS = [1000, 5000] as const
/** After a toggle, how long a flapping client stays away, as a part of the period. */
const AWAY_SHARE = 0.3

export interface ScriptPorts {
  readonly settings: RunSettings
  readonly behaviour: Behaviour
  readonly clients: readonly Client[]
  readonly logins: Logins
  readonly traffic: Traffic
  readonly recorder: Recorder
  readonly outbox: Outbox
  /** Sets the time of the run. */
  readonly arrived: () => void
}

export class Script {
  private readonly ports: ScriptPorts
  private readonly stormDraws: Draws
  private readonly agenda = new Agenda()
  /** Per client: should be online; has been paused. */
  private readonly isWanted: Uint8Array
  private readonly isPaused: Uint8Array
  private isRunning = true
  private isLive = false
  private timer: NodeJS.Timeout | undefined

  constructor(ports: ScriptPorts, clientCount: number) {
    this.ports = ports
    this.stormDraws = new Draws(ports.settings.profile.seed, STREAMS.roles)
    this.isWanted = new Uint8Array(clientCount)
    this.isPaused = new Uint8Array(clientCount)
  }

  /** Nothing is due any more. */
  get isEmpty(): boolean {
    return this.agenda.size === 0
  }

  /** Everybody who is online at the start logs in, at the profile's rate; returns how long that takes, in ms. */
  ramp(): number {
    const { arrived, behaviour, settings: { profile }, traffic } = this.ports
    const order = loginOrder(profile, behaviour.isOnlineAtStart)
    arrived()
    const gapUs = US / profile.logins.perSecond
    for (const [place, client] of order.entries()) this.agenda.add(traffic.nowUs + place * gapUs, client * KINDS + KIND.start)
    this.turn()
    return (order.length * gapUs) / 1000
  }

  /** Everybody lives as the profile says, from now on. */
  live(): void {
    const { arrived, clients, settings: { profile }, traffic } = this.ports
    this.isLive = true
    arrived()
    const startUs = traffic.nowUs
    for (let client = 0; client < clients.length; client++) this.schedule(client, startUs)
    for (const [number, storm] of profile.storms.entries()) this.agenda.add(startUs + storm.atSeconds * US, number * KINDS + KIND.storm)
  }

  /** Nothing new happens; whoever has stopped reading goes on. */
  stop(): void {
    this.isRunning = false
    if (this.timer !== undefined) clearTimeout(this.timer)
    this.agenda.clear()
    for (const client of this.ports.clients) this.goOnReading(client.index)
  }

  /** The connection of a client has ended; returns whether it was paused. */
  ended(client: number): boolean {
    const wasPaused = this.isPaused[client] === 1
    this.isPaused[client] = 0
    return wasPaused
  }

  /** A client was thrown out: it comes back after a while, as people's clients do. False when nobody wants it back. */
  comesAgain(client: number): boolean {
    if (this.isWanted[client] === 0 || !this.isRunning) return false
    this.agenda.add(this.ports.traffic.nowUs + this.stormDraws.between(...RETRY_MS) * 1000, client * KINDS + KIND.again)
    return true
  }

  private schedule(client: number, startUs: number): void {
    const { behaviour } = this.ports
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

  /** Runs what is due, then sleeps until the next. */
  private turn(): void {
    const { arrived, outbox, recorder, settings, traffic } = this.ports
    const { agenda } = this
    arrived()
    for (let done = 0; agenda.nextTime <= traffic.nowUs; done++) {
      if (done === EVENTS_PER_TURN_MAX) break
      const dueUs = agenda.nextTime
      const key = agenda.nextKey
      agenda.shift()
      recorder.record('lateness', traffic.nowUs - dueUs)
      this.happen(key % KINDS, Math.floor(key / KINDS), dueUs)
    }
    outbox.flush()
    this.timer = undefined
    const waitMs = Math.min(SLEEP_MS_MAX, (agenda.nextTime - traffic.nowUs) / 1000)
    if (waitMs <= 0 || (settings.isSpinning && waitMs < SPIN_BELOW_MS)) setImmediate(() => this.next())
    else this.timer = setTimeout(() => this.next(), settings.isSpinning ? waitMs - SPIN_BELOW_MS / 2 : waitMs)
  }

  private next(): void {
    if (this.isRunning) this.turn()
  }

  private happen(kind: number, client: number, dueUs: number): void {
    const { behaviour, clients, traffic } = this.ports
    const isReady = traffic.isReady[client] === 1
    switch (kind) {
      case KIND.start:
        return this.start(client, dueUs)
      case KIND.end:
        return this.endSession(client, dueUs)
      case KIND.change:
        this.plan(client, KIND.change, dueUs, behaviour.untilChange(client))
        return isReady ? clients[client]!.send(traffic.presenceWire(client, dueUs)) : undefined
      case KIND.message:
        this.plan(client, KIND.message, dueUs, behaviour.untilMessage(client))
        return isReady ? traffic.sendMessage(clients[client]!, dueUs) : undefined
      case KIND.flap:
        this.plan(client, KIND.flap, dueUs, behaviour.untilFlap(client))
        return isReady ? this.flap(client, dueUs) : undefined
      case KIND.pause:
        this.plan(client, KIND.pause, dueUs, behaviour.untilPause(client))
        return isReady ? this.pause(client, dueUs) : undefined
      case KIND.again:
        return this.isWanted[client] === 1 ? this.connect(client, dueUs) : undefined
      case KIND.resume:
        return this.goOnReading(client)
      default:
        return this.storm(client, dueUs)
    }
  }

  private start(client: number, dueUs: number): void {
    if (this.isWanted[client] === 0) {
      this.isWanted[client] = 1
      // A session in which the run begins has its end planned then.
      if (this.isLive) this.plan(client, KIND.end, dueUs, this.ports.behaviour.sessionSeconds(client))
    }
    this.connect(client, dueUs)
  }

  private connect(client: number, dueUs: number): void {
    const { clients, logins } = this.ports
    const { phase } = clients[client]!
    if (phase === PHASE.online) return this.comeBack(client, dueUs)
    if (phase === PHASE.closing) clients[client]!.cut()
    else if (phase !== PHASE.off) return undefined
    return logins.begin(client, dueUs)
  }

  /** A client that only went unavailable sends presence again. */
  private comeBack(client: number, dueUs: number): void {
    const { clients, traffic } = this.ports
    if (!traffic.presences.isAvailable(client)) clients[client]!.send(traffic.presenceWire(client, dueUs))
  }

  private endSession(client: number, dueUs: number): void {
    const { behaviour, clients } = this.ports
    if (this.isWanted[client] === 0) return
    this.isWanted[client] = 0
    this.plan(client, KIND.start, dueUs, behaviour.offlineSeconds(client))
    if (behaviour.endsAbruptly(client)) clients[client]!.cut()
    else this.logout(client)
  }

  private flap(client: number, dueUs: number): void {
    const { behaviour, clients, settings, traffic } = this.ports
    const { how, periodSeconds } = settings.profile.flapping
    if (how === 'toggle') clients[client]!.send(traffic.unavailableWire(client))
    else if (how === 'abrupt') clients[client]!.cut()
    else this.logout(client)
    this.plan(client, KIND.again, dueUs, periodSeconds * AWAY_SHARE * behaviour.drawsOf(client).fraction())
  }

  private pause(client: number, dueUs: number): void {
    const { clients, settings } = this.ports
    this.isPaused[client] = 1
    clients[client]!.setReading(false)
    this.plan(client, KIND.resume, dueUs, settings.profile.slowReaders.pauseSeconds)
  }

  private goOnReading(client: number): void {
    if (this.isPaused[client] === 0) return
    this.isPaused[client] = 0
    this.ports.clients[client]!.setReading(true)
  }

  private storm(number: number, dueUs: number): void {
    const { clients, settings } = this.ports
    const { share, overSeconds } = settings.profile.storms[number]!
    for (const client of clients) {
      const isHit = this.stormDraws.isChosen(share)
      const afterUs = this.stormDraws.fraction() * overSeconds * US
      if (!isHit || !client.isOnline) continue
      client.cut()
      this.agenda.add(dueUs + afterUs, client.index * KINDS + KIND.again)
    }
  }

  private logout(client: number): void {
    const { clients, traffic } = this.ports
    if (clients[client]!.isOnline && traffic.presences.isAvailable(client)) clients[client]!.logout(traffic.unavailableWire(client))
    else clients[client]!.cut()
  }
}
