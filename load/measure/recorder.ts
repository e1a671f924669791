/**
 * Everything that is measured in a run: a histogram per operation and phase, and a line of figures every second, from
 * which reports are made. Latency counts from when an operation was due, not from when the generator got round to it, so
 * a server that stalls cannot hide behind a generator that waits (no coordinated omission).
 */
import { Histogram } from './histogram.ts'
import type { Summary } from './histogram.ts'
import { usageOf } from './process-usage.ts'
import type { Usage } from './process-usage.ts'

/** `ramp`: the first logins. `run`: the traffic of the profile. `drain`: nothing new, what is under way arrives. */
export type PhaseName = 'ramp' | 'run' | 'drain'
export const phaseNames: readonly PhaseName[] = ['ramp', 'run', 'drain']

/** `message-wire` counts from the moment of writing, for comparison; `lateness` is the generator's own delay. */
export const operationNames = ['login', 'roster', 'message', 'message-wire', 'presence', 'unavailable', 'lateness'] as const
export type OperationName = (typeof operationNames)[number]

/** Totals since the start of the run; what is counted elsewhere is read when a sample is taken. */
export interface Gauges {
  readonly messages: number
  readonly presences: number
  readonly logins: number
  readonly online: number
  readonly violations: number
  readonly failures: number
}

/** One second of a run. Rates are per second, cores are CPU seconds per second. */
export interface Sample {
  readonly second: number
  readonly phase: PhaseName
  readonly messages: number
  readonly presences: number
  readonly logins: number
  readonly online: number
  readonly violations: number
  readonly failures: number
  readonly messageP99Us: number
  readonly presenceP99Us: number
  readonly serverCores: number
  readonly serverBytes: number
  readonly ownCores: number
}

export interface OperationReport extends Summary {
  readonly name: OperationName
  readonly curve: readonly (readonly [share: number, us: number])[]
}

export interface PhaseReport {
  readonly name: PhaseName
  readonly seconds: number
  readonly messages: number
  readonly presences: number
  readonly logins: number
  readonly serverCpuSeconds: number
  readonly ownCpuSeconds: number
  readonly operations: readonly OperationReport[]
}

/** A run is bounded to a day: this many samples. */
const SAMPLES_MAX = 100_000

interface Mark {
  readonly ms: number
  readonly gauges: Gauges
  readonly server: Usage
  readonly ownCpuSeconds: number
}

export class Recorder {
  readonly samples: Sample[] = []
  readonly phases: PhaseReport[] = []
  private readonly pids: readonly number[]
  private readonly gauges: () => Gauges
  private histograms = newHistograms()
  private readonly secondMessage = new Histogram()
  private readonly secondPresence = new Histogram()
  private phase: PhaseName = 'ramp'
  private readonly startMs: number
  private phaseMark: Mark
  private lastMark: Mark

  constructor(pids: readonly number[], gauges: () => Gauges) {
    this.pids = pids
    this.gauges = gauges
    this.startMs = performance.now()
    this.phaseMark = this.mark()
    this.lastMark = this.phaseMark
  }

  record(operation: OperationName, us: number): void {
    this.histograms[operation].record(us)
    if (operation === 'message') this.secondMessage.record(us)
    else if (operation === 'presence') this.secondPresence.record(us)
  }

  /** Ends the phase under way and begins `next`; undefined at the end of the run. */
  turnTo(next: PhaseName | undefined): void {
    const mark = this.mark()
    this.phases.push(this.phaseReport(mark))
    this.phaseMark = mark
    this.histograms = newHistograms()
    if (next !== undefined) this.phase = next
  }

  /** Takes the figures of the second that has passed. */
  sample(): Sample {
    const last = this.lastMark
    const mark = this.mark()
    const seconds = Math.max(0.001, (mark.ms - last.ms) / 1000)
    const sample: Sample = {
      second: (mark.ms - this.startMs) / 1000,
      phase: this.phase,
      messages: (mark.gauges.messages - last.gauges.messages) / seconds,
      presences: (mark.gauges.presences - last.gauges.presences) / seconds,
      logins: (mark.gauges.logins - last.gauges.logins) / seconds,
      online: mark.gauges.online,
      violations: mark.gauges.violations,
      failures: mark.gauges.failures,
      messageP99Us: this.secondMessage.quantile(0.99),
      presenceP99Us: this.secondPresence.quantile(0.99),
      serverCores: (mark.server.cpuSeconds - last.server.cpuSeconds) / seconds,
      serverBytes: mark.server.residentBytes,
      ownCores: (mark.ownCpuSeconds - last.ownCpuSeconds) / seconds,
    }
    this.secondMessage.clear()
    this.secondPresence.clear()
    this.lastMark = mark
    if (this.samples.length < SAMPLES_MAX) this.samples.push(sample)
    return sample
  }

  private mark(): Mark {
    const { user, system } = process.cpuUsage()
    return { ms: performance.now(), gauges: this.gauges(), server: usageOf(this.pids), ownCpuSeconds: (user + system) / 1e6 }
  }

  private phaseReport(mark: Mark): PhaseReport {
    const from = this.phaseMark
    return {
      name: this.phase,
      seconds: (mark.ms - from.ms) / 1000,
      messages: mark.gauges.messages - from.gauges.messages,
      presences: mark.gauges.presences - from.gauges.presences,
      logins: mark.gauges.logins - from.gauges.logins,
      serverCpuSeconds: mark.server.cpuSeconds - from.server.cpuSeconds,
      ownCpuSeconds: mark.ownCpuSeconds - from.ownCpuSeconds,
      operations: operationNames.map((name) => {
        const histogram = this.histograms[name]
        return { name, ...histogram.summary(), curve: histogram.curve() }
      }),
    }
  }
}

function newHistograms(): Record<OperationName, Histogram> {
  return Object.fromEntries(operationNames.map((name) => [name, new Histogram()])) as Record<OperationName, Histogram>
}
