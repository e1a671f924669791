/**
 * From signals to a level of pressure: the one place that decides whether this member is overloaded.
 *
 * How it works: a signal is a number with two thresholds. The level rises at once to what the worst signal says, and falls
 * one step after `calmMs` in which every signal stayed below a part of the step's threshold, so that a member at the edge
 * of a threshold does not tumble between behaviours. One timer reads the signals; whoever asks for the level reads a field.
 * Whoever asks has work, and while nobody does and all is calm the timer is slow: a member with idle clients sleeps.
 */
import { getHeapStatistics } from 'node:v8'
import { totalmem } from 'node:os'
import type { Clock, CounterMetric, Load, Log, Metrics, Pressure, Timer } from '@rollcall/ports'
import type { TurnReadings } from './load.ts'

/** Time between two readings of the signals, in ms: often enough that readings of lag do not become stale. */
const SAMPLE_MS = 100
/** The same while nobody asks for anything and the level is normal, in ms. */
const IDLE_SAMPLE_MS = 1_000
/** A timer as late as this, in ms, means that there is work. */
const LATE_MS = 10
/** A signal is calm below this part of its threshold. */
const CALM_PART = 0.6
/** So many operations of storage in two readings in a row: what comes now waits for longer than a tenth of a second. */
const STORAGE_BEHIND_OPERATIONS = 1_000
/** Time between two readings of what is expensive to read, in ms. */
const SLOW_READ_MS = 1_000

const LEVELS = ['normal', 'brown-out', 'refuse'] as const satisfies readonly Pressure[]

/** Something whose growth means that the member cannot keep up. */
export interface Signal {
  /** In metrics, logs and in what `/readyz` says. */
  readonly name: string
  /** Values from which on the level is brown-out, and refuse; Infinity for never. */
  readonly brownOut: number
  readonly refuse: number
  /** From here on, in two readings in a row, the member is behind (`Load.isBehind`); never when left out. */
  readonly behind?: number
  read(): number
}

/** Thresholds; `server/config` says what they are for. */
export interface PressureConfig {
  readonly lagBrownOutMs: number
  readonly lagRefuseMs: number
  /** Of the memory that the process may use. */
  readonly memoryBrownOutPercent: number
  readonly memoryRefusePercent: number
  /** What it may use; 0: as much as its control group or the machine has. */
  readonly memoryBytesMax: number
  readonly outputBrownOutBytes: number
  readonly outputRefuseBytes: number
  readonly storageBrownOutOperations: number
  readonly storageRefuseOperations: number
  /** How long all must be calm before the level falls a step. */
  readonly calmMs: number
}

const MIB = 1024 * 1024

export const defaultPressureConfig: PressureConfig = {
  // Turns of 60 ms are where the presence engine's windows begin to grow long; well beyond it they are not enough.
  lagBrownOutMs: 150,
  lagRefuseMs: 1_000,
  memoryBrownOutPercent: 80,
  memoryRefusePercent: 92,
  memoryBytesMax: 0,
  // Below what the edge allows in all (256 MiB).
  outputBrownOutBytes: 64 * MIB,
  outputRefuseBytes: 192 * MIB,
  // Storage itself refuses beyond 100,000.
  storageBrownOutOperations: 20_000,
  storageRefuseOperations: 60_000,
  calmMs: 2_000,
}

export interface PressurePorts {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly calmMs: number
  /** Lag and share of work, passed on as they are. */
  readonly turns: TurnReadings
}

/** The whole `Load` of a member: its turns, and the level that all its signals make. */
export class MemberLoad implements Load {
  readonly #ports: PressurePorts
  readonly #signals: Signal[] = []
  readonly #changes: Readonly<Record<Pressure, CounterMetric>>
  /** Place in `LEVELS`. */
  #level = 0
  /** Since when no signal forbids the next lower level; undefined while one does. */
  #calmSinceMs: number | undefined = undefined
  #timer: Timer | undefined = undefined
  /** Somebody has asked since the last reading. */
  #isAsked = false
  /** When the next reading is due, in ms. */
  #dueMs = 0
  /** The next reading is far. */
  #isAsleep = false
  #lineMs: () => number = () => 0
  #wasBehind = false
  #isBehind = false

  constructor(ports: PressurePorts) {
    this.#ports = ports
    const { metrics } = ports
    const changes = (level: Pressure) => metrics.counter('rollcall_pressure_changes_total', 'Times that the level of pressure became this.', { level })
    this.#changes = { 'normal': changes('normal'), 'brown-out': changes('brown-out'), 'refuse': changes('refuse') }
    metrics.observedGauge('rollcall_pressure_level', '0 normal, 1 brown-out, 2 refusing new work.', () => this.#level)
  }

  /** Adds what is to be watched. */
  watch(signal: Signal): void {
    this.#signals.push(signal)
    const { metrics } = this.#ports
    metrics.observedGauge('rollcall_pressure_signal', 'What pressure is judged by, as a part of the threshold of brown-out.',
      () => signal.read() / signal.brownOut, { signal: signal.name })
  }

  /** Begins to read the signals. */
  start(): void {
    if (this.#timer === undefined) this.#arm(SAMPLE_MS)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** `lineMs`: how long those wait who have more to say than their share. */
  watchLine(lineMs: () => number): void {
    this.#lineMs = lineMs
  }

  lagMs(): number {
    if (!this.#isAsked) this.#asked()
    return Math.max(this.#ports.turns.lagMs(), this.#lineMs())
  }

  utilization(): number {
    return this.#ports.turns.utilization()
  }

  pressure(): Pressure {
    if (!this.#isAsked) this.#asked()
    return LEVELS[this.#level] as Pressure
  }

  isBehind(): boolean {
    if (!this.#isAsked) this.#asked()
    return this.#isBehind
  }

  /** Which signals are beyond a threshold, or not calm yet: `lag 212, memory 85`. */
  reasons(): string {
    return this.#signals.map((signal) => ({ signal, value: signal.read() }))
      .filter(({ signal, value }) => value >= signal.brownOut * CALM_PART)
      .map(({ signal, value }) => `${signal.name} ${Math.round(value)}`).join(', ')
  }

  #asked(): void {
    this.#isAsked = true
    if (!this.#isAsleep) return
    this.#timer?.cancel()
    this.#arm(SAMPLE_MS)
  }

  #arm(delayMs: number): void {
    this.#isAsleep = delayMs > SAMPLE_MS
    this.#dueMs = this.#ports.clock.monotonic() + delayMs
    this.#timer = this.#ports.clock.after(delayMs, this.#look)
  }

  readonly #look = (): void => {
    // What other members send is not asked about. It makes this timer late.
    const isLate = this.#ports.clock.monotonic() - this.#dueMs > LATE_MS
    const isAsked = this.#isAsked
    // One of the signals is our own lag: to read it is not to ask.
    this.#isAsked = true
    const isCalm = this.#sample()
    this.#isAsked = false
    this.#arm(isCalm && !isAsked && !isLate ? IDLE_SAMPLE_MS : SAMPLE_MS)
  }

  /** Whether the level is normal and every signal calm. */
  #sample(): boolean {
    const nowMs = this.#ports.clock.monotonic()
    let wanted = 0
    // The level that signals which are not calm hold.
    let held = 0
    let isBehind = false
    for (const signal of this.#signals) {
      const value = signal.read()
      wanted = Math.max(wanted, levelOf(signal, value))
      held = Math.max(held, levelOf(signal, value / CALM_PART))
      isBehind ||= value >= (signal.behind ?? Infinity)
    }
    this.#isBehind = isBehind && this.#wasBehind
    this.#wasBehind = isBehind
    if (wanted > this.#level) {
      this.#become(wanted)
    } else if (held >= this.#level) {
      this.#calmSinceMs = undefined
    } else {
      this.#calmSinceMs ??= nowMs
      if (nowMs - this.#calmSinceMs >= this.#ports.calmMs) this.#become(this.#level - 1)
    }
    return this.#level === 0 && held === 0 && !isBehind
  }

  #become(level: number): void {
    const { log } = this.#ports
    this.#level = level
    this.#calmSinceMs = undefined
    const name = LEVELS[level] as Pressure
    this.#changes[name].add(1)
    if (level === 0) log.info('pressure', { level: name })
    else log.warn('pressure', { level: name, reasons: this.reasons() })
  }
}

function levelOf({ brownOut, refuse }: Signal, value: number): number {
  return value >= refuse ? 2 : value >= brownOut ? 1 : 0
}

/** The same reading for a while: for what costs more to read than a field. */
export function readSlowly(clock: Clock, read: () => number): () => number {
  let value = 0
  let readAtMs = -Infinity
  return () => {
    const nowMs = clock.monotonic()
    if (nowMs - readAtMs >= SLOW_READ_MS) {
      readAtMs = nowMs
      value = read()
    }
    return value
  }
}

/** What the process uses and may use, in bytes. */
export interface MemoryFacts {
  readonly residentBytes: number
  readonly heapUsedBytes: number
  readonly heapTotalBytes: number
  readonly heapLimitBytes: number
}

export function memoryFacts(): MemoryFacts {
  const { rss, heapUsed, heapTotal } = process.memoryUsage()
  return { residentBytes: rss, heapUsedBytes: heapUsed, heapTotalBytes: heapTotal, heapLimitBytes: getHeapStatistics().heap_size_limit }
}

/** What the process may use in all: as told, or what its control group or the machine has. */
export function memoryLimit(toldBytes: number): number {
  if (toldBytes > 0) return toldBytes
  const groupBytes = process.constrainedMemory()
  return groupBytes > 0 ? Math.min(groupBytes, totalmem()) : totalmem()
}

/**
 * Percent of memory in use: of the heap's own limit or of the process's, whichever is nearer. Free parts of the heap do not
 * count: V8 keeps them for a while, and they are what the next allocations use.
 */
export function memoryPercent({ residentBytes, heapUsedBytes, heapTotalBytes, heapLimitBytes }: MemoryFacts, limitBytes: number): number {
  const usedBytes = residentBytes - (heapTotalBytes - heapUsedBytes)
  return Math.max(usedBytes / limitBytes, heapUsedBytes / heapLimitBytes) * 100
}

/** What a server watches; `queuedBytes` and `queuedOperations` count what waits for clients and for storage. */
export function serverSignals(
  config: PressureConfig, ports: { clock: Clock; turns: TurnReadings; queuedBytes: () => number; queuedOperations: () => number },
): Signal[] {
  const limitBytes = memoryLimit(config.memoryBytesMax)
  return [
    { name: 'lag', brownOut: config.lagBrownOutMs, refuse: config.lagRefuseMs, read: () => ports.turns.lagMs() },
    {
      name: 'memory', brownOut: config.memoryBrownOutPercent, refuse: config.memoryRefusePercent,
      read: readSlowly(ports.clock, () => memoryPercent(memoryFacts(), limitBytes)),
    },
    { name: 'output', brownOut: config.outputBrownOutBytes, refuse: config.outputRefuseBytes, read: ports.queuedBytes },
    {
      name: 'storage', brownOut: config.storageBrownOutOperations, refuse: config.storageRefuseOperations, behind: STORAGE_BEHIND_OPERATIONS,
      read: ports.queuedOperations,
    },
  ]
}
