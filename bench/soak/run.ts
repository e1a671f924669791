/**
 * The soak: half an hour of a mixed day, and whether memory stays flat.
 *
 *     node tools/run.mjs bench/soak/run.ts [--minutes 30] [--users 2000] [--rate 1] [--kinds 3,10,20] [--out FILE]
 *
 * The profile `mixed` of `rollcall load`: people come and go, flap, read slowly, lose the network together; archive on. Memory
 * and CPU are sampled from outside, event-loop lag and what waits from the server's own metrics. Once a minute all garbage is
 * collected over the inspector: what the heaps hold then is what the server really keeps; how much of the heap is garbage
 * that V8 has not looked at yet says nothing. `--kinds` takes heap snapshots in the given minutes and compares them.
 *
 * Memory is flat when what the heaps keep and what the process has in all change by at most `CHANGE_MAX` after the warm-up, the
 * first third of the time. The archive's file grows, as it should; what is kept of it in memory is bounded. The exit status is 1
 * when memory is not flat, something was wrong, or the server died; results are written in any case.
 */
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { loadProfile } from '../../load/model/profile.ts'
import type { Profile, Storm } from '../../load/model/profile.ts'
import type { RunReport } from '../../load/run/make-report.ts'
import { Inspector, INSPECTOR_FLAGS } from '../support/inspector.ts'
import type { HeapFacts, KindCount } from '../support/inspector.ts'
import { importAccounts, makeFolder, runLoad, ServerUnderTest, writeConfig } from '../support/processes.ts'
import { fixed, machineLine, plotFile, table, whole, writeResult } from '../support/results.ts'

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' }, users: { type: 'string', default: '2000' }, rate: { type: 'string', default: '1' },
    kinds: { type: 'string', default: '' }, out: { type: 'string' },
  },
})
const MINUTES = Number(options.minutes)
const USERS = Number(options.users)
const KINDS_AT = options.kinds.split(',').filter((text) => text !== '').map(Number)

const SAMPLE_MS = 10_000
const COLLECT_MS = 60_000
/** Part of the time before memory is judged: what is bounded has filled up by then. */
const WARM_UP_PART = 1 / 3
/** Change from then to the end that still is flat, as a part of the mean. */
const CHANGE_MAX = 0.05
/** Kinds of objects that are shown. */
const KINDS_SHOWN = 15
/** The network drops a third of all clients so often. */
const STORM_SECONDS = 300
const MIB = 2 ** 20

interface Sampled {
  readonly second: number
  readonly residentMib: number
  readonly lagP99Ms: number
  readonly cores: number
  /** Part of the time in which the main thread waited for a processor. */
  readonly starved: number
  readonly online: number
  readonly level: number
}

/** What is left after a collection. */
interface Collected {
  readonly second: number
  readonly facts: HeapFacts
  readonly databaseBytes: number
  readonly online: number
}

/** `mixed` for as long as wanted, the storm repeated. */
function soakProfile(): Profile {
  const mixed = loadProfile('mixed')
  const seconds = MINUTES * 60
  const storms: Storm[] = []
  for (let atSeconds = STORM_SECONDS / 2; atSeconds < seconds; atSeconds += STORM_SECONDS) storms.push({ atSeconds, share: 0.33, overSeconds: 3 })
  return { ...mixed, users: USERS, durationSeconds: seconds, storms }
}

const TURNS = 'rollcall_turn_seconds_bucket{le="'

/** p99 of the turns between two readings, as the upper bound of its bucket, in ms; 0 when none was measured. */
function turnP99Ms(now: ReadonlyMap<string, number>, before: ReadonlyMap<string, number>): number {
  const counts = Array.from(now).filter(([name]) => name.startsWith(TURNS))
    .map(([name, count]) => [Number(name.slice(TURNS.length, -2).replace('+Inf', 'Infinity')), count - (before.get(name) ?? 0)] as const)
  const all = counts.at(-1)?.[1] ?? 0
  return all === 0 ? 0 : (counts.find(([, count]) => count >= all * 0.99)?.[0] ?? NaN) * 1000
}

/** Everything that is looked at while the load runs. */
class Watch {
  readonly samples: Sampled[] = []
  readonly collections: Collected[] = []
  /** By minute. */
  readonly kinds = new Map<number, ReadonlyMap<string, KindCount>>()
  readonly #server: ServerUnderTest
  readonly #inspector: Inspector
  readonly #startMs = performance.now()
  #last
  #lastMetrics: ReadonlyMap<string, number> = new Map()

  constructor(server: ServerUnderTest, inspector: Inspector) {
    this.#server = server
    this.#inspector = inspector
    this.#last = { ms: this.#startMs, cpu: server.usage.cpuSeconds, starved: server.starvedSeconds }
  }

  get #second(): number {
    return (performance.now() - this.#startMs) / 1000
  }

  /** Until `isOver`. What cannot be read once is left out. */
  async run(isOver: () => boolean): Promise<void> {
    const kindsAt = KINDS_AT.slice()
    let collectAtMs = this.#startMs + COLLECT_MS
    for (let due = 1; !isOver() && this.#server.isAlive; due++) {
      while (performance.now() < this.#startMs + due * SAMPLE_MS && !isOver()) await sleep(200)
      const metrics = await this.#server.metrics().catch(() => undefined)
      if (metrics === undefined || !this.#server.isAlive) continue
      const sample = this.#sample(metrics)
      if (performance.now() >= collectAtMs && !isOver()) {
        collectAtMs += COLLECT_MS
        await this.#collect(sample.online)
      }
      if (this.#second >= (kindsAt[0] ?? Infinity) * 60 && !isOver()) {
        this.kinds.set(kindsAt.shift() as number, await this.#inspector.kinds(join(folder, 'server.heapsnapshot')))
      }
    }
  }

  #sample(metrics: ReadonlyMap<string, number>): Sampled {
    const last = this.#last
    const { starvedSeconds, usage: { cpuSeconds, residentBytes } } = this.#server
    const now = { ms: performance.now(), cpu: cpuSeconds, starved: starvedSeconds }
    const seconds = (now.ms - last.ms) / 1000
    const read = (name: string): number => metrics.get(name) ?? NaN
    const sample = {
      second: this.#second, residentMib: residentBytes / MIB, lagP99Ms: turnP99Ms(metrics, this.#lastMetrics),
      cores: (now.cpu - last.cpu) / seconds, starved: (now.starved - last.starved) / seconds,
      online: read('rollcall_presence_available'), level: read('rollcall_pressure_level'),
    }
    this.#last = now
    this.#lastMetrics = metrics
    this.samples.push(sample)
    console.error(`${whole(sample.second)} s: ${whole(sample.residentMib)} MiB, lag p99 ${fixed(sample.lagP99Ms, 1)} ms, ${
      fixed(sample.cores, 2)} cores, starved ${fixed(sample.starved * 100, 1)} %, ${whole(sample.online)} online`)
    return sample
  }

  async #collect(online: number): Promise<void> {
    const facts = await this.#inspector.collect()
    const databaseBytes = readdirSync(data, { withFileTypes: true }).filter((entry) => entry.isFile())
      .reduce((sum, { name }) => sum + statSync(join(data, name)).size, 0)
    this.collections.push({ second: this.#second, facts, databaseBytes, online })
    console.error(`${whole(this.#second)} s: heap ${fixed(facts.heapBytes / MIB, 1)} -> ${fixed(facts.liveBytes / MIB, 1)} MiB, other threads ${
      fixed(facts.otherLiveBytes / MIB, 1)}, database ${fixed(databaseBytes / MIB, 1)}`)
  }
}

interface Trend {
  readonly mean: number
  /** By which it rises over all points, as a part of the mean. */
  readonly change: number
  readonly least: number
  readonly most: number
}

/** A straight line by least squares. */
function trendOf(points: readonly (readonly [second: number, value: number])[]): Trend {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length
  const mean = points.reduce((sum, [, y]) => sum + y, 0) / points.length
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - mean), 0)
  const variance = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  const seconds = (points.at(-1)?.[0] ?? 0) - (points[0]?.[0] ?? 0)
  const values = points.map(([, value]) => value)
  return { mean, change: variance === 0 ? 0 : ((covariance / variance) * seconds) / mean, least: Math.min(...values), most: Math.max(...values) }
}

/** What the process has beside heaps and what hangs on them: code, stacks, sockets, SQLite with its pages. */
const restBytes = ({ residentBytes, committedBytes, externalBytes }: HeapFacts): number => residentBytes - committedBytes - externalBytes

const FIGURES: readonly (readonly [name: string, read: (facts: HeapFacts) => number, isJudged: boolean])[] = [
  // A snapshot leaves its own memory behind.
  ['resident', ({ residentBytes }) => residentBytes, KINDS_AT.length === 0],
  ['heap, collected', ({ liveBytes }) => liveBytes, true],
  ['heap as it was', ({ heapBytes }) => heapBytes, false],
  ['storage thread, collected', ({ otherLiveBytes }) => otherLiveBytes, true],
  ['external', ({ externalBytes }) => externalBytes, false],
  ['all else', restBytes, false],
]

/** Kinds of objects by their growth from the first snapshot to the last. */
function kindsTable(kinds: Watch['kinds']): string {
  const minutes = [...kinds.keys()]
  const [first, last] = [kinds.get(minutes[0] ?? NaN), kinds.get(minutes.at(-1) ?? NaN)]
  if (first === undefined || last === undefined || minutes.length < 2) return ''
  const growth = (name: string): number => (last.get(name)?.bytes ?? 0) - (first.get(name)?.bytes ?? 0)
  const names = [...last.keys()].sort((one, other) => growth(other) - growth(one)).slice(0, KINDS_SHOWN)
  const cell = (name: string, minute: number): string => {
    const { count, bytes } = kinds.get(minute)?.get(name) ?? { count: 0, bytes: 0 }
    return `${whole(count)} / ${whole(bytes / 1024)}`
  }
  const rows = names.map((name) => [name].concat(minutes.map((minute) => cell(name, minute))))
  return `\n${table(['kinds that grew most: number / KiB', ...minutes.map((minute) => `minute ${minute}`)], rows)}\n`
}

const folder = makeFolder('soak')
const data = join(folder, 'data')
const config = writeConfig(folder)
const profile = join(folder, 'mixed.yaml')
writeFileSync(profile, stringify(soakProfile()))
await importAccounts(config, data, folder, profile)
const server = await ServerUnderTest.start(config, data, INSPECTOR_FLAGS)
const inspector = await Inspector.connect(server.output)
const watch = new Watch(server, inspector)
let report: RunReport | undefined
let problem = ''
try {
  let isOver = false
  const running = runLoad({ profile, folder: join(folder, 'report'), pid: server.pid, more: ['--rate', options.rate] })
    .catch((error: unknown) => void (problem = String(error))).finally(() => (isOver = true))
  await watch.run(() => isOver)
  if (!server.isAlive) problem = `the server died:\n${server.output}`
  report = await running ?? undefined
} finally {
  inspector.close()
  await server.stop()
}

const { collections, samples } = watch
const warmSeconds = MINUTES * 60 * WARM_UP_PART
// The last ones are of people who leave.
const warm = collections.filter(({ second, online }) => second >= warmSeconds && second <= MINUTES * 60 + COLLECT_MS / 2000 && online > 0)
const trends = FIGURES.map(([name, read, isJudged]) => ({ name, isJudged, trend: trendOf(warm.map(({ second, facts }) => [second, read(facts) / MIB])) }))
const isFlat = warm.length >= 3 && trends.every(({ isJudged, trend }) => !isJudged || trend.change <= CHANGE_MAX)
const wrong = [...(report?.violations ?? []), ...(report?.failures ?? [])].map(({ kind, count, examples }) => `${kind} ${count} (${examples[0] ?? ''})`)
const run = report?.phases.find(({ name }) => name === 'run')
const latency = (name: string): string => {
  const found = run?.operations.find((operation) => operation.name === name)
  return found === undefined ? '-' : `p50 ${fixed(found.p50Us / 1000, 2)}, p99 ${fixed(found.p99Us / 1000, 1)}, p99.9 ${fixed(found.p999Us / 1000, 1)} ms`
}
const most = (read: (sample: Sampled) => number): number => Math.max(...samples.map(read).filter(Number.isFinite))
const starvedPercent = (samples.reduce((sum, { starved }) => sum + starved, 0) / samples.length) * 100
const changeText = (part: number): string => `${part < 0 ? '' : '+'}${fixed(part * 100, 1)}`
const text = `Soak: ${MINUTES} minutes of mixed load.
${machineLine()}
node tools/run.mjs bench/soak/run.ts --minutes ${MINUTES} --users ${USERS} --rate ${options.rate}
Profile mixed (times 60), archive on, ${whole(report?.people.clients ?? 0)} clients of which 30 % are online at a time; every ${STORM_SECONDS} s a third of them
lose their connection and come back.

${problem === '' ? '' : `Problem: ${problem}\n`}Memory is ${isFlat ? 'flat' : 'NOT flat'}: flat means that after ${
  fixed(warmSeconds / 60, 0)} minutes of warm-up what the process has, what its heap keeps
and what that of the storage thread keeps change by at most ${CHANGE_MAX * 100} % until the end (all garbage collected once a minute).
${table(['MiB after the warm-up', 'mean', 'change %', 'least', 'most'], trends.map(({ name, trend }) =>
  [name, fixed(trend.mean, 1), changeText(trend.change), fixed(trend.least, 1), fixed(trend.most, 1)]))}

${table(['minute', ...FIGURES.map(([name]) => name), 'database', 'online'], collections.map(({ second, facts, databaseBytes, online }) => [
  fixed(second / 60, 1), ...FIGURES.map(([, read]) => fixed(read(facts) / MIB, 1)), fixed(databaseBytes / MIB, 1), whole(online),
]))}
${kindsTable(watch.kinds)}
messages ${whole(report?.counts.messagesDelivered ?? 0)}: ${latency('message')}
presences ${whole(report?.counts.presencesDelivered ?? 0)}, ${whole(report?.counts.presencesCoalesced ?? 0)} coalesced: ${latency('presence')}
logins ${whole(run?.logins ?? 0)}: ${latency('login')}
server CPU ${fixed((run?.serverCpuSeconds ?? 0) / (run?.seconds ?? 1), 2)} cores
its main thread waited for a processor ${fixed(starvedPercent, 1)} % of the time (other work on the machine)
event-loop lag, p99 of a sample: at most ${fixed(most(({ lagP99Ms }) => lagP99Ms), 1)} ms (the collections are in it)
level of pressure at most ${most(({ level }) => level)}
correct: ${wrong.length === 0 ? 'nothing missing, duplicated, out of order, misdelivered or wrong in the end' : wrong.join('; ')}
`
console.log(text)
writeResult('soak.txt', text, options.out)
const series = (name: string, read: (sample: Sampled) => number) => ({
  name, points: samples.filter((sample) => Number.isFinite(read(sample))).map((sample) => [sample.second / 60, read(sample)] as const),
})
writeResult('soak.svg', plotFile([
  {
    title: 'Memory, MiB', xLabel: 'minutes',
    series: [
      series('resident', ({ residentMib }) => residentMib),
      ...FIGURES.slice(1).map(([name, read]) => ({ name, points: collections.map(({ second, facts }) => [second / 60, read(facts) / MIB] as const) })),
    ],
  },
  { title: 'Event-loop lag p99 of ten seconds, ms', xLabel: 'minutes', series: [series('lag', ({ lagP99Ms }) => lagP99Ms)] },
  { title: 'CPU, cores', xLabel: 'minutes', series: [series('cores', ({ cores }) => cores)] },
]), options.out?.replace(/(\.\w+)?$/, '.svg'))
if (problem !== '' || !isFlat || wrong.length > 0) process.exitCode = 1
