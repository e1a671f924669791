/**
 * The overload run: what does the server do when it is offered twice what it can do?
 *
 *     node tools/run.mjs bench/overload/run.ts [--cores 0.4] [--users 400] [--times 2] [--seconds 60] [--out FILE]
 *
 * A control group gives the server a part of one core, so that the generator has room on the same machine. First the
 * capacity is searched: presence and messages at growing rates, open loop, until messages get slow or presence has to be
 * coalesced. Then twice that for a minute, while a fifth of the clients lose their connection and come back. Beside it a few
 * uninvolved people write to each other from before until after: what they feel, and how soon all is as before, is the result.
 */
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { RunReport } from '../../load/run/make-report.ts'
import type { OperationName, PhaseReport, Sample } from '../../load/measure/recorder.ts'
import { limitCpu } from '../support/cpu-limit.ts'
import type { CpuLimit } from '../support/cpu-limit.ts'
import { importFile, makeFolder, rollcall, runLoad, ServerUnderTest, writeConfig } from '../support/processes.ts'
import { fixed, machineLine, plotFile, table, whole, writeResult } from '../support/results.ts'

const { values: options } = parseArgs({
  options: {
    cores: { type: 'string', default: '0.4' }, users: { type: 'string', default: '400' }, times: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '60' }, out: { type: 'string' },
  },
})
const CORES = Number(options.cores)
const USERS = Number(options.users)
const TIMES = Number(options.times)
const SECONDS = Number(options.seconds)

const CONTACTS = 30
const PROBES = 40
const PROBE_CONTACTS = 4
/** Seconds of each attempt of the search, and before and after the storm. */
const SEARCH_SECONDS = 12
const AROUND_SECONDS = 15
/**
 * What still counts as served: half of the messages within so many ms, and so much of all presence coalesced. The median, because
 * on a machine with other work the highest percentiles show that work.
 */
const MESSAGE_P50_MS = 20
const COALESCED_MAX = 0.05
const ATTEMPTS_MAX = 10
const WATCH_MS = 250
const LEVELS = ['normal', 'brown-out', 'refuse'] as const

interface Watched {
  readonly atMs: number
  readonly starvedSeconds: number
  readonly level: number
  readonly residentBytes: number
  readonly waiting: number
  readonly windowMs: number
}

/** Reads the server's own figures again and again until it is told to stop. */
class Watch {
  readonly seen: Watched[] = []
  #isOn = true
  readonly #done: Promise<void>

  constructor(server: ServerUnderTest) {
    this.#done = this.#run(server)
  }

  async #run(server: ServerUnderTest): Promise<void> {
    while (this.#isOn && server.isAlive) {
      const metrics = await server.metrics().catch(() => new Map<string, number>())
      if (!server.isAlive) return
      this.seen.push({
        atMs: performance.now(), starvedSeconds: server.starvedSeconds, residentBytes: server.usage.residentBytes,
        level: metrics.get('rollcall_pressure_level') ?? NaN,
        waiting: metrics.get('rollcall_edge_admission_waiting') ?? NaN, windowMs: (metrics.get('rollcall_presence_window_seconds') ?? NaN) * 1000,
      })
      await sleep(WATCH_MS)
    }
  }

  async stop(): Promise<void> {
    this.#isOn = false
    await this.#done
  }
}

function profileText(name: string, users: number, contacts: number, seconds: number, rest: string): string {
  return `name: ${name}
description: For bench/overload.
users: ${users}
durationSeconds: ${seconds}
resourcesMean: 1
timeFactor: 60
roster: { median: ${contacts}, mean: ${contacts}, max: ${contacts} }
logins: { perSecond: 100 }
${rest}
`
}

/** A change a second and half a message a second from everybody, at factor 1. */
const CROWD = 'changesPerHour: [60, 60]\nmessages: { perHour: [30, 30], toBareShare: 0 }'
/** A message a second from everybody. */
const PROBE = 'changesPerHour: [0, 0]\nmessages: { perHour: [60, 60], toBareShare: 0 }'

const phaseOf = (report: RunReport, name = 'run'): PhaseReport => report.phases.find((phase) => phase.name === name) as PhaseReport
const latencyMs = (report: RunReport, name: OperationName, share: 'p50Us' | 'p99Us' | 'p999Us'): number =>
  (phaseOf(report).operations.find((operation) => operation.name === name)?.[share] ?? NaN) / 1000
const coalescedShare = ({ counts }: RunReport): number => counts.presencesCoalesced / Math.max(1, counts.presencesCoalesced + counts.presencesDelivered)
const wrongs = ({ violations, failures }: RunReport): string =>
  [...violations, ...failures].map(({ kind, count }) => `${kind} ${count}`).join(', ') || 'none'

const HEADER = ['factor', 'offered changes/s', 'messages/s', 'presences/s', 'coalesced', 'message p50 ms', 'p99', 'presence p99', 'cores', 'MiB', 'wrong']

function row(factor: number, report: RunReport): string[] {
  const phase = phaseOf(report)
  const peakBytes = Math.max(...report.timeline.map(({ serverBytes }) => serverBytes))
  return [
    fixed(factor, 2), whole(USERS * factor), whole(phase.messages / phase.seconds), whole(phase.presences / phase.seconds),
    `${fixed(coalescedShare(report) * 100, 1)} %`, fixed(latencyMs(report, 'message', 'p50Us'), 1), fixed(latencyMs(report, 'message', 'p99Us'), 1),
    fixed(latencyMs(report, 'presence', 'p99Us'), 0), fixed(phase.serverCpuSeconds / phase.seconds, 2), whole(peakBytes / 2 ** 20), wrongs(report),
  ]
}

const folder = makeFolder('overload')
const data = join(folder, 'data')
const config = writeConfig(folder)
const crowdFile = join(folder, 'crowd.yaml')
const stormFile = join(folder, 'storm.yaml')
const probeFile = join(folder, 'probe.yaml')
const accounts = join(folder, 'accounts.tsv')

async function prepare(): Promise<void> {
  writeFileSync(crowdFile, profileText('crowd', USERS, CONTACTS, SEARCH_SECONDS, CROWD))
  writeFileSync(stormFile, profileText('storm', USERS, CONTACTS, SECONDS, `${CROWD}\nstorms: [{ atSeconds: ${SECONDS / 2}, share: 0.2, overSeconds: 1 }]`))
  writeFileSync(probeFile, profileText('probe', PROBES, PROBE_CONTACTS, SECONDS + 2 * AROUND_SECONDS + USERS / 100, PROBE))
  await rollcall(['load', 'accounts', crowdFile, '--out', accounts])
  const name = (at: number): string => `probe${(at + PROBES) % PROBES}`
  const lines = Array.from({ length: PROBES }, (_, at) => `${name(at)}\tload\t${[-2, -1, 1, 2].map((step) => name(at + step)).join(',')}\n`)
  appendFileSync(accounts, lines.join(''))
  await importFile(config, data, accounts)
}

const load = (server: ServerUnderTest, profile: string, out: string, who: 'load' | 'probe', factor = 1): Promise<RunReport> =>
  runLoad({ profile, folder: join(folder, out), pid: server.pid, more: ['--accounts', accounts, '--match', `^${who}`, '--rate', String(factor)] })

/** The highest factor that is served, to about a tenth. */
async function findCapacity(server: ServerUnderTest, rows: string[][]): Promise<number> {
  let served = 0
  let failed = Infinity
  let factor = 1
  for (let attempt = 0; attempt < ATTEMPTS_MAX && failed / Math.max(served, 0.01) > 1.15; attempt++) {
    const report = await load(server, crowdFile, `search-${attempt}`, 'load', factor)
    const isServed = latencyMs(report, 'message', 'p50Us') <= MESSAGE_P50_MS && coalescedShare(report) <= COALESCED_MAX
    rows.push(row(factor, report))
    console.error(`factor ${fixed(factor, 2)}: ${isServed ? 'served' : 'not served'} (${rows.at(-1)?.join('  ') ?? ''})`)
    if (isServed) served = factor
    else failed = factor
    factor = failed === Infinity ? factor * 2 : Math.sqrt(Math.max(served, failed / 4) * failed)
  }
  return served
}

interface Outcome {
  readonly storm: RunReport
  readonly probe: RunReport
  readonly watched: readonly Watched[]
  /** When the storm's clients began to log in, and when they began to leave, on the clock of `watched`. */
  readonly beganMs: number
  readonly endedMs: number
}

async function overload(server: ServerUnderTest, factor: number): Promise<Outcome> {
  const watch = new Watch(server)
  const probing = load(server, probeFile, 'probe', 'probe')
  await sleep(AROUND_SECONDS * 1000)
  const beganMs = performance.now()
  const storm = await load(server, stormFile, 'storm', 'load', factor)
  const endedMs = performance.now()
  const probe = await probing
  await watch.stop()
  return { storm, probe, watched: watch.seen, beganMs, endedMs }
}

/** Seconds from the end of the storm's traffic to the last moment at which the level was not normal. */
function secondsToNormal({ watched, storm, endedMs }: Outcome): number {
  const logoutMs = endedMs - phaseEndLead(storm)
  const last = watched.findLast(({ level, atMs }) => level > 0 && atMs > logoutMs)
  return last === undefined ? 0 : (last.atMs - logoutMs) / 1000
}

function starvedPart(watched: readonly Watched[]): number {
  const [first] = watched
  const last = watched.at(-1)
  return first === undefined || last === undefined ? NaN : ((last.starvedSeconds - first.starvedSeconds) * 1000) / (last.atMs - first.atMs)
}

/** ms that the generator spent after its traffic: waiting for what was under way. */
function phaseEndLead(report: RunReport): number {
  return phaseOf(report, 'drain').seconds * 1000
}

function probeTable({ probe, storm }: Outcome): string {
  const startMs = Date.parse(storm.startedAt) - Date.parse(probe.startedAt)
  const at = (sample: Sample): number => sample.second * 1000 - startMs
  const rampMs = phaseOf(storm, 'ramp').seconds * 1000
  const runMs = rampMs + phaseOf(storm).seconds * 1000
  const parts = [
    ['before', (ms: number) => ms < 0], ['its logins', (ms: number) => ms >= 0 && ms < rampMs], ['the storm', (ms: number) => ms >= rampMs && ms < runMs],
    ['first 5 s after', (ms: number) => ms >= runMs && ms < runMs + 5000], ['later', (ms: number) => ms >= runMs + 5000],
  ] as const
  const rows = parts.map(([name, isIn]) => {
    const samples = probe.timeline.filter((sample) => sample.phase === 'run' && isIn(at(sample)))
    const p99s = samples.map(({ messageP99Us }) => messageP99Us / 1000).sort((a, b) => a - b)
    return [name, String(samples.length), fixed(p99s[Math.floor(p99s.length / 2)] ?? NaN, 1), fixed(p99s.at(-1) ?? NaN, 1)]
  })
  return table(['messages of the uninvolved', 'seconds', 'p99 of a second: median, ms', 'worst'], rows)
}

function resultText(rows: readonly string[][], capacity: number, outcome: Outcome, limit: CpuLimit | undefined): string {
  const { storm, watched } = outcome
  const peak = (read: (one: Watched) => number): number => Math.max(...watched.map(read).filter(Number.isFinite))
  const inLevel = LEVELS.map((name, level) => `${name} ${fixed((watched.filter((one) => one.level === level).length * WATCH_MS) / 1000, 0)} s`)
  const limited = limit === undefined ? 'not limited: no control group could be made' : `limited to ${CORES} of a core by a control group`
  return `Overload: a server that is offered ${TIMES} times what it can do.
${machineLine()}
node tools/run.mjs bench/overload/run.ts --cores ${CORES} --users ${USERS} --times ${TIMES} --seconds ${SECONDS}
Server: archive on, SQLite; ${limited}.
Load: ${USERS} people with ${CONTACTS} contacts each, all online; at factor 1 a change and half a message per second and person, open loop.

The search: served means a message p50 of at most ${MESSAGE_P50_MS} ms and at most ${COALESCED_MAX * 100} % of presence coalesced.
${table(HEADER, rows)}

Capacity: factor ${fixed(capacity, 2)}. Offered: factor ${fixed(capacity * TIMES, 2)} for ${SECONDS} s; after half of it a fifth of the clients lose their
connection and come back within a second.
${table(HEADER, [row(capacity * TIMES, storm)])}
logins again: p50 ${fixed(latencyMs(storm, 'login', 'p50Us'), 0)} ms, p99 ${fixed(latencyMs(storm, 'login', 'p99Us'), 0)} ms
presence window at most ${whole(peak(({ windowMs }) => windowMs))} ms; connections that waited to be let in: at most ${whole(peak(({ waiting }) => waiting))}
level of pressure (readings every ${WATCH_MS} ms): ${inLevel.join(', ')}
memory at most ${whole(peak(({ residentBytes }) => residentBytes) / 2 ** 20)} MiB, at the end ${whole((watched.at(-1)?.residentBytes ?? NaN) / 2 ** 20)} MiB
normal again ${fixed(secondsToNormal(outcome), 1)} s after the last of it was sent; the process lived
its main thread could have run and got no processor (quota used up, or other work) ${fixed(starvedPart(watched) * 100, 0)} % of the time

${probeTable(outcome)}
(Latency counts from when a message was due, so it includes what the generator was late: p99 ${
  fixed(latencyMs(storm, 'lateness', 'p99Us'), 1)} ms in the storm's generator, ${fixed(latencyMs(outcome.probe, 'lateness', 'p99Us'), 1)} ms in the other.)
`
}

function plots({ storm, probe, watched, beganMs }: Outcome): string {
  const offset = (Date.parse(probe.startedAt) - Date.parse(storm.startedAt)) / 1000
  const points = (read: (one: Watched) => number) =>
    watched.filter((one) => Number.isFinite(read(one))).map((one) => [(one.atMs - beganMs) / 1000, read(one)] as const)
  const xLabel = 'seconds since the storm began to log in'
  return plotFile([
    {
      title: 'Message p99 of each second, ms', xLabel, isLogY: true,
      series: [
        { name: 'uninvolved', points: probe.timeline.filter(({ phase }) => phase === 'run').map((one) => [one.second + offset, one.messageP99Us / 1000]) },
        { name: 'in the storm', points: storm.timeline.filter(({ phase }) => phase === 'run').map((one) => [one.second, one.messageP99Us / 1000]) },
      ],
    },
    { title: 'Level of pressure: 0 normal, 1 brown-out, 2 refuse', xLabel, series: [{ name: 'level', points: points(({ level }) => level) }] },
    { title: 'Memory, MiB', xLabel, series: [{ name: 'memory', points: points(({ residentBytes }) => residentBytes / 2 ** 20) }] },
  ])
}

await prepare()
const server = await ServerUnderTest.start(config, data)
const limit = limitCpu(`rollcall-overload-${server.pid}`, server.pid, CORES)
try {
  const rows: string[][] = []
  const capacity = await findCapacity(server, rows)
  if (capacity === 0) throw new Error('nothing is served at any rate: more --cores')
  const outcome = await overload(server, capacity * TIMES)
  if (!server.isAlive) throw new Error(`the server died:\n${server.output}`)
  const text = resultText(rows, capacity, outcome, limit)
  console.log(text)
  writeResult('overload.txt', text, options.out)
  writeResult('overload.svg', plots(outcome), options.out?.replace(/(\.\w+)?$/, '.svg'))
} finally {
  await server.stop()
  await limit?.remove()
}
