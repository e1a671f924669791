/**
 * When each client does what, drawn from the profile.
 *
 * Every client has a stream of draws of its own. State changes and messages are Poisson processes that run on whether
 * or not the client is online (what falls into an offline time is skipped: such a process has no memory, so what is left
 * is the same process), and sessions alternate with pauses so that the wanted share is online from the first moment:
 * whoever is online at the start is in the middle of a session drawn by its length.
 */
import { Draws, powerLawMean } from './draws.ts'
import { STREAMS } from './population.ts'
import type { Population } from './population.ts'
import type { Profile } from './profile.ts'

const HOUR_SECONDS = 3600

export class Behaviour {
  /** Clients online when the run begins. */
  readonly isOnlineAtStart: Uint8Array
  readonly isFlapping: Uint8Array
  readonly isSlowReader: Uint8Array
  private readonly profile: Profile
  private readonly draws: Draws[] = []
  private readonly changeMeans: Float64Array
  private readonly messageMeans: Float64Array
  private readonly onMeanSeconds: number

  constructor(profile: Profile, { clientCount, clientUsers }: Population) {
    this.profile = profile
    this.isOnlineAtStart = new Uint8Array(clientCount)
    this.isFlapping = new Uint8Array(clientCount)
    this.isSlowReader = new Uint8Array(clientCount)
    this.changeMeans = new Float64Array(clientCount)
    this.messageMeans = new Float64Array(clientCount)
    const { exponent, minMinutes, maxHours } = profile.session
    this.onMeanSeconds = powerLawMean(exponent, minMinutes * 60, maxHours * HOUR_SECONDS)
    const { changesPerHour, messages, flapping, slowReaders, celebrities } = profile
    for (let client = 0; client < clientCount; client++) {
      const draws = new Draws(profile.seed, client)
      this.draws.push(draws)
      const isFamous = clientUsers[client]! < celebrities.count
      const changes = draws.between(...changesPerHour)
      this.changeMeans[client] = this.meanSeconds(isFamous ? celebrities.changesPerHour : changes)
      this.messageMeans[client] = this.meanSeconds(draws.between(...messages.perHour))
      this.isFlapping[client] = draws.isChosen(flapping.share) ? 1 : 0
      this.isSlowReader[client] = draws.isChosen(slowReaders.share) ? 1 : 0
      this.isOnlineAtStart[client] = draws.isChosen(profile.onlineShare) ? 1 : 0
    }
  }

  /** The stream of a client's own draws, for choices made when an event is due. */
  drawsOf(client: number): Draws {
    return this.draws[client]!
  }

  /** Seconds of the run to the client's next state change; Infinity for never. */
  untilChange(client: number): number {
    return this.wait(client, this.changeMeans[client]!)
  }

  untilMessage(client: number): number {
    return this.wait(client, this.messageMeans[client]!)
  }

  untilFlap(client: number): number {
    return this.wait(client, this.profile.flapping.periodSeconds)
  }

  untilPause(client: number): number {
    return this.wait(client, this.profile.slowReaders.everySeconds)
  }

  /** Seconds that a session lasts that begins now; Infinity when everybody stays. */
  sessionSeconds(client: number): number {
    if (this.profile.onlineShare >= 1) return Infinity
    const { exponent, minMinutes, maxHours } = this.profile.session
    return this.draws[client]!.powerLaw(exponent, minMinutes * 60, maxHours * HOUR_SECONDS) / this.profile.timeFactor
  }

  /** Seconds left of a session in which the run began: long ones are more often met (their exponent is one less). */
  remainingSeconds(client: number): number {
    if (this.profile.onlineShare >= 1) return Infinity
    const { exponent, minMinutes, maxHours } = this.profile.session
    const draws = this.draws[client]!
    // The power law has no exponent of exactly 1; a hair beside it is the same distribution.
    const biased = exponent === 2 ? 1.000_001 : exponent - 1
    return draws.fraction() * draws.powerLaw(biased, minMinutes * 60, maxHours * HOUR_SECONDS) / this.profile.timeFactor
  }

  /** Seconds offline between sessions, with the mean that makes `onlineShare` true. */
  offlineSeconds(client: number): number {
    const { onlineShare, timeFactor } = this.profile
    return this.draws[client]!.exponential(this.onMeanSeconds * (1 - onlineShare) / onlineShare) / timeFactor
  }

  endsAbruptly(client: number): boolean {
    return this.draws[client]!.isChosen(this.profile.session.abruptShare)
  }

  bodyBytes(client: number): number {
    const { bodyMedianBytes, bodySigma, bodyBytesMax } = this.profile.messages
    return Math.min(bodyBytesMax, Math.max(1, Math.round(this.draws[client]!.logNormal(bodyMedianBytes, bodySigma))))
  }

  private wait(client: number, meanSeconds: number): number {
    return meanSeconds === Infinity ? Infinity : this.draws[client]!.exponential(meanSeconds)
  }

  private meanSeconds(perHour: number): number {
    return perHour === 0 ? Infinity : HOUR_SECONDS / (perHour * this.profile.timeFactor)
  }
}

/** The order in which clients log in at first: shuffled, so that contacts do not come neighbour by neighbour. */
export function loginOrder(profile: Profile, isOnline: Uint8Array): number[] {
  const draws = new Draws(profile.seed, STREAMS.ramp)
  const order: number[] = []
  for (let client = 0; client < isOnline.length; client++) if (isOnline[client] === 1) order.push(client)
  for (let at = order.length - 1; at > 0; at--) {
    const other = draws.below(at + 1)
    const client = order[at]!
    order[at] = order[other]!
    order[other] = client
  }
  return order
}
