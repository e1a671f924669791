/**
 * The soak: half an hour of a mixed day, and whether memory stays flat.
 *
 *     node tools/run.mjs bench/soak/run.ts [--minutes 30] [--users 2000] [--rate 1] [--out FILE]
 *
 * The profile `mixed` of `rollcall load`: people come and go, flap, read slowly, lose the network together; archive on. From
 * outside memory and CPU are sampled, from the server's own metrics heap, event-loop lag and what waits. After a warm-up of a
 * quarter of the time (at least one minute) a line is laid through the samples of memory: flat means that it rises by less than
 * `GROWTH_MAX` of the mean an hour. The archive's file grows, as it should; what SQLite caches of it is bounded. The exit
 * status is 1 when memory is not flat, something was wrong, or the server died; results are written in any case.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { loadProfile } from '../../load/model/profile.ts'
import type { Profile, Storm } from '../../load/model/profile.ts'
import type { RunReport } from '../../load/run/make-report.ts'
import { importAccounts, makeFolder, runLoad, ServerUnderTest, writeConfig } from '../support/processes.ts'
import { fixed, machineLine, plotFile, table, whole, writeResult } from '../support/results.ts'

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' }, users: { type: 'string', default: '2000' }, rate: { type: 'string', default: '1' },
    out: { type: 'string' },
  },
})
const MINUTES = Number(options.minutes)
const USERS = Number(options.users)

const SAMPLE_MS = 10_000
/** Part of the time before memory is judged. */
const WARM_UP_PART = 0.25
const WARM_UP_MIN_SECONDS = 60
/** Rise of memory an hour that still is flat, as a part of its mean. */
const GROWTH_MAX = 0.1
/** The network drops a third of all clients so often. */
const STORM_SECONDS = 300
const MIB = 2 ** 20

interface Sampled {
  readonly second: number
  readonly residentMib: number
  readonly heapMib: number
  readonly externalMib: number
  readonly lagP99Ms: number
  readonly cores: number
  /** Part of the time in which the main thread waited for a processor. */
  readonly starved: number
  readonly online: number
  readonly level: number
}

/** `mixed` for as long as wanted, the storm repeated. */
function soakProfile(): Profile {
  const mixed = loadProfile('mixed')
  const seconds = MINUTES * 60
  const storms: Storm[] = []
  for (let atSeconds = STORM_SECONDS / 2; atSeconds < seconds; atSeconds += STORM_SECONDS) storms.push({ atSeconds, share: 0.33, overSeconds: 3 })
  return { ...mixed, users: USERS, durationSeconds: seconds, storms }
}

/** Samples the server until `isOver`. A sample that cannot be taken is left out. */
async function watch(server: ServerUnderTest, isOver: () => boolean, samples: Sampled[]): Promise<void> {
  const startMs = performance.now()
  let last = { ms: startMs, cpu: server.usage.cpuSeconds, starved: server.starvedSeconds }
  for (let due = 1; !isOver() && server.isAlive; due++) {
    while (performance.now() < startMs + due * SAMPLE_MS && !isOver()) await sleep(200)
    const metrics = await server.metrics().catch(() => undefined)
    if (metrics === undefined) continue
    if (!server.isAlive) break
    const { starvedSeconds, usage: { cpuSeconds, residentBytes } } = server
    const nowMs = performance.now()
    const seconds = (nowMs - last.ms) / 1000
    const read = (name: string): number => metrics.get(name) ?? NaN
    const sample = {
      second: (nowMs - startMs) / 1000, residentMib: residentBytes / MIB, heapMib: read('nodejs_heap_size_used_bytes') / MIB,
      externalMib: read('nodejs_external_memory_bytes') / MIB, lagP99Ms: read('nodejs_eventloop_lag_p99_seconds') * 1000,
      cores: (cpuSeconds - last.cpu) / seconds, starved: (starvedSeconds - last.starved) / seconds,
      online: read('rollcall_presence_available'), level: read('rollcall_pressure_level'),
    }
    last = { ms: nowMs, cpu: cpuSeconds, starved: starvedSeconds }
    samples.push(sample)
    console.error(`${whole(sample.second)} s: ${whole(sample.residentMib)} MiB, heap ${whole(sample.heapMib)} MiB, lag p99 ${fixed(sample.lagP99Ms, 1)} ms, ${
      fixed(sample.cores, 2)} cores, starved ${fixed(sample.starved * 100, 1)} %, ${whole(sample.online)} online`)
  }
}

interface Trend {
  readonly mean: number
  /** By which it rises an hour, as a part of the mean. */
  readonly growth: number
}

/** Least squares. */
function trendOf(points: readonly (readonly [second: number, value: number])[]): Trend {
  const count = points.length
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count
  const mean = points.reduce((sum, [, y]) => sum + y, 0) / count
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - mean), 0)
  const variance = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  return { mean, growth: variance === 0 ? 0 : ((covariance / variance) * 3600) / mean }
}

const folder = makeFolder('soak')
const data = join(folder, 'data')
const config = writeConfig(folder)
const profile = join(folder, 'mixed.yaml')
writeFileSync(profile, stringify(soakProfile()))
await importAccounts(config, data, folder, profile)
const server = await ServerUnderTest.start(config, data)
const samples: Sampled[] = []
let report: RunReport | undefined
let problem = ''
try {
  let isOver = false
  const running = runLoad({ profile, folder: join(folder, 'report'), pid: server.pid, more: ['--rate', options.rate] })
    .catch((error: unknown) => void (problem = String(error))).finally(() => (isOver = true))
  await watch(server, () => isOver, samples)
  if (!server.isAlive) problem = `the server died:\n${server.output}`
  report = await running ?? undefined
} finally {
  await server.stop()
}

const warmSeconds = Math.max(WARM_UP_MIN_SECONDS, MINUTES * 60 * WARM_UP_PART)
// The last samples are of people who leave.
const warm = samples.filter(({ second, online }) => second >= warmSeconds && second <= MINUTES * 60 && online > 0)
const figures = [['resident memory', 'residentMib'], ['heap in use', 'heapMib'], ['external memory', 'externalMib']] as const
const trends = new Map(figures.map(([name, key]) => [name, trendOf(warm.map((sample) => [sample.second, sample[key]]))]))
const resident = trends.get('resident memory') as Trend
const isFlat = warm.length >= 3 && resident.growth <= GROWTH_MAX
const wrong = [...(report?.violations ?? []), ...(report?.failures ?? [])].map(({ kind, count, examples }) => `${kind} ${count} (${examples[0] ?? ''})`)
const run = report?.phases.find(({ name }) => name === 'run')
const latency = (name: string): string => {
  const found = run?.operations.find((operation) => operation.name === name)
  return found === undefined ? '-' : `p50 ${fixed(found.p50Us / 1000, 2)}, p99 ${fixed(found.p99Us / 1000, 1)}, p99.9 ${fixed(found.p999Us / 1000, 1)} ms`
}
const most = (read: (sample: Sampled) => number): number => Math.max(...samples.map(read).filter(Number.isFinite))
const starvedPercent = (samples.reduce((sum, { starved }) => sum + starved, 0) / samples.length) * 100
const text = `Soak: ${MINUTES} minutes of mixed load.
${machineLine()}
node tools/run.mjs bench/soak/run.ts --minutes ${MINUTES} --users ${USERS} --rate ${options.rate}
Profile mixed (times 60), archive on, ${whole(report?.people.clients ?? 0)} clients of which 30 % are online at a time; every ${STORM_SECONDS} s a third of them
lose their connection and come back.

${problem === '' ? '' : `Problem: ${problem}\n`}Memory is ${isFlat ? 'flat' : 'NOT flat'}: after ${whole(warmSeconds)} s of warm-up it changes by ${
  fixed(resident.growth * 100, 1)} % an hour (flat: at most ${GROWTH_MAX * 100} %).
${table(['after the warm-up', 'mean MiB', 'change % an hour', 'least', 'most'], figures.map(([name, key]) => {
  const values = warm.map((sample) => sample[key])
  const trend = trends.get(name) as Trend
  return [name, fixed(trend.mean, 1), fixed(trend.growth * 100, 1), fixed(Math.min(...values), 1), fixed(Math.max(...values), 1)]
}))}

messages ${whole(report?.counts.messagesDelivered ?? 0)}: ${latency('message')}
presences ${whole(report?.counts.presencesDelivered ?? 0)}, ${whole(report?.counts.presencesCoalesced ?? 0)} coalesced: ${latency('presence')}
logins ${whole(run?.logins ?? 0)}: ${latency('login')}
server CPU ${fixed((run?.serverCpuSeconds ?? 0) / (run?.seconds ?? 1), 2)} cores
its main thread waited for a processor ${fixed(starvedPercent, 1)} % of the time (other work on the machine)
event-loop lag, p99 of a sample: at most ${fixed(most(({ lagP99Ms }) => lagP99Ms), 1)} ms
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
      series('resident', ({ residentMib }) => residentMib), series('heap', ({ heapMib }) => heapMib),
      series('external', ({ externalMib }) => externalMib),
    ],
  },
  { title: 'Event-loop lag p99 of ten seconds, ms', xLabel: 'minutes', series: [series('lag', ({ lagP99Ms }) => lagP99Ms)] },
  { title: 'CPU, cores', xLabel: 'minutes', series: [series('cores', ({ cores }) => cores)] },
]), options.out?.replace(/(\.\w+)?$/, '.svg'))
if (problem !== '' || !isFlat || wrong.length > 0) process.exitCode = 1
