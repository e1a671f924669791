/** What the server says of itself during the overload run, several times a second, and what that amounts to in a span of time. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerUnderTest } from '../support/processes.ts'

/** Each reading costs the server about a millisecond. */
export const WATCH_MS = 500
export const LEVELS = ['normal', 'brown-out', 'refuse'] as const

/** One reading. Counters count from the start of the server. */
export interface Watched {
  /** On the clock of `performance.now()`. */
  readonly atMs: number
  readonly cpuSeconds: number
  readonly starvedSeconds: number
  readonly residentBytes: number
  /** Place in `LEVELS`. */
  readonly level: number
  /** Signals by name, as parts of their thresholds of brown-out. */
  readonly signals: ReadonlyMap<string, number>
  readonly waiting: number
  readonly windowMs: number
  readonly coalesced: number
  readonly damped: number
  /** Connections let in, and turned away at the door. */
  readonly accepted: number
  readonly refused: number
  readonly costlyRefused: number
  /** Clients disconnected because they did not read. */
  readonly overflows: number
  readonly online: number
}

/** Reads until it is told to stop. */
export class Watch {
  readonly seen: Watched[] = []
  readonly #server: ServerUnderTest
  #isOn = true
  readonly #done: Promise<void>

  constructor(server: ServerUnderTest) {
    this.#server = server
    this.#done = this.#run()
  }

  /** Resolves with whether so many clients were available in time. */
  async untilOnline(count: number, timeoutMs: number): Promise<boolean> {
    const endMs = performance.now() + timeoutMs
    while ((this.seen.at(-1)?.online ?? 0) < count && performance.now() < endMs && this.#server.isAlive) await sleep(WATCH_MS)
    return (this.seen.at(-1)?.online ?? 0) >= count
  }

  /** Resolves when the level is normal, or after the time. */
  async untilNormal(timeoutMs: number): Promise<void> {
    const endMs = performance.now() + timeoutMs
    while ((this.seen.at(-1)?.level ?? 0) > 0 && performance.now() < endMs && this.#server.isAlive) await sleep(WATCH_MS)
  }

  async stop(): Promise<void> {
    this.#isOn = false
    await this.#done
  }

  async #run(): Promise<void> {
    while (this.#isOn && this.#server.isAlive) {
      const metrics = await this.#server.metrics().catch(() => undefined)
      if (!this.#server.isAlive) return
      if (metrics !== undefined) this.seen.push(readingOf(this.#server, metrics))
      await sleep(WATCH_MS)
    }
  }
}

function readingOf(server: ServerUnderTest, metrics: ReadonlyMap<string, number>): Watched {
  const { starvedSeconds, usage: { cpuSeconds, residentBytes } } = server
  const read = (name: string): number => metrics.get(name) ?? 0
  const named = (name: string): [string, number][] => [...metrics].filter(([key]) => key.startsWith(`${name}{`))
  const accepts = named('rollcall_edge_accepts_total')
  const isAccepted = (key: string): boolean => key.includes('result="accepted"')
  const sum = (samples: readonly (readonly [string, number])[]): number => samples.reduce((total, [, value]) => total + value, 0)
  return {
    atMs: performance.now(), cpuSeconds, starvedSeconds, residentBytes,
    level: read('rollcall_pressure_level'),
    signals: new Map(named('rollcall_pressure_signal').map(([key, value]) => [/signal="(\w+)"/.exec(key)?.[1] ?? key, value])),
    waiting: read('rollcall_edge_admission_waiting'), windowMs: read('rollcall_presence_window_seconds') * 1000,
    coalesced: read('rollcall_presence_coalesced_total'), damped: read('rollcall_presence_damped_total'),
    accepted: sum(accepts.filter(([key]) => isAccepted(key))), refused: sum(accepts.filter(([key]) => !isAccepted(key))),
    costlyRefused: sum([...metrics].filter(([key]) => key.startsWith('rollcall_costly_requests_refused_total'))),
    overflows: read('rollcall_edge_output_overflows_total'), online: read('rollcall_presence_available'),
  }
}

/** What a span of time came to. */
export interface Span {
  readonly seconds: number
  readonly cores: number
  /** Part of the time in which the main thread could have run and had no processor, or no quota. */
  readonly starved: number
  /** Parts of the time, in the order of `LEVELS`. */
  readonly levels: readonly number[]
  /** The highest of each signal that mattered, the highest first: `lag 2.5, storage 0.7`. */
  readonly signals: string
  readonly waitingMax: number
  readonly windowMaxMs: number
  readonly residentMax: number
  readonly coalescedPerSecond: number
  readonly dampedPerSecond: number
  readonly accepted: number
  readonly refused: number
  readonly overflows: number
}

/** The readings between two moments, as one. */
export function spanOf(watched: readonly Watched[], fromMs: number, toMs: number): Span {
  const within = watched.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs)
  const first = within[0]
  const last = within.at(-1)
  const seconds = first === undefined || last === undefined ? NaN : (last.atMs - first.atMs) / 1000
  const grown = (read: (one: Watched) => number): number => (first === undefined || last === undefined ? NaN : read(last) - read(first))
  const most = (read: (one: Watched) => number): number => Math.max(...within.map(read))
  return {
    seconds, cores: grown(({ cpuSeconds }) => cpuSeconds) / seconds, starved: grown(({ starvedSeconds }) => starvedSeconds) / seconds,
    levels: LEVELS.map((_, level) => within.filter((one) => one.level === level).length / within.length),
    signals: signalsText(within), waitingMax: most(({ waiting }) => waiting), windowMaxMs: most(({ windowMs }) => windowMs),
    residentMax: most(({ residentBytes }) => residentBytes),
    coalescedPerSecond: grown(({ coalesced }) => coalesced) / seconds, dampedPerSecond: grown(({ damped }) => damped) / seconds,
    accepted: grown(({ accepted }) => accepted), refused: grown(({ refused }) => refused), overflows: grown(({ overflows }) => overflows),
  }
}

/** Below this part of its threshold a signal is not worth a word. */
const SIGNAL_SHOWN_MIN = 0.2

function signalsText(within: readonly Watched[]): string {
  const highest = new Map<string, number>()
  for (const { signals } of within) for (const [name, value] of signals) highest.set(name, Math.max(value, highest.get(name) ?? 0))
  return [...highest].filter(([, value]) => value >= SIGNAL_SHOWN_MIN).sort(([, one], [, other]) => other - one)
    .map(([name, value]) => `${name} ${value.toFixed(1)}`).join(', ')
}

/** Seconds from a moment to the last reading at which the level was not normal; 0 when it was normal from then on. */
export function secondsToNormal(watched: readonly Watched[], fromMs: number): number {
  const last = watched.findLast(({ level, atMs }) => level > 0 && atMs > fromMs)
  return last === undefined ? 0 : (last.atMs - fromMs) / 1000
}
