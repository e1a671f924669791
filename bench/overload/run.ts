/**
 * The overload run: what does the server do when it is offered several times what it can do?
 *
 *     node tools/run.mjs bench/overload/run.ts [--cores 0.2] [--users 400] [--times 2,4,8] [--seconds 30] [--capacity F] [--out FILE]
 *
 * A control group gives the server a part of one core, so that the generator has room on the same machine. First the capacity
 * is searched: presence and messages at growing rates, open loop, from where the quota is used up, which is the capacity, to where
 * messages get slow or presence has to be coalesced (`--capacity F` skips that). Then so many times the capacity, while a tenth of
 * the clients read slowly and a fifth loses its connection and comes back. A few uninvolved people write to each other before,
 * meanwhile and afterwards, and others come meanwhile: what they feel, and how soon all is as before, is the result.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { RunReport } from '../../load/run/make-report.ts'
import type { OperationName, PhaseReport } from '../../load/measure/recorder.ts'
import { limitCpu } from '../support/cpu-limit.ts'
import type { CpuLimit } from '../support/cpu-limit.ts'
import { importFile, makeFolder, runLoad, ServerUnderTest, writeConfig } from '../support/processes.ts'
import { fixed, machineLine, plotFile, table, whole, writeResult } from '../support/results.ts'
import { CONTACTS, crowdProfile, LOGINS_PER_SECOND, makeAccounts, probeProfile, PROBES } from './people.ts'
import type { Crowd } from './people.ts'
import { LEVELS, secondsToNormal, spanOf, Watch } from './watch.ts'
import type { Span, Watched } from './watch.ts'

const { values: options } = parseArgs({
  options: {
    cores: { type: 'string', default: '0.2' }, users: { type: 'string', default: '400' }, times: { type: 'string', default: '2,4,8' },
    seconds: { type: 'string', default: '30' }, capacity: { type: 'string' }, out: { type: 'string' },
  },
})
const CORES = Number(options.cores)
const USERS = Number(options.users)
const TIMES = options.times.split(',').map(Number)
const SECONDS = Number(options.seconds)

const SEARCH_SECONDS = 10
/** Seconds for which the uninvolved write before the storm, and afterwards. */
const AROUND_SECONDS = 12
/** Seconds of the storm before newcomers log in. */
const LEAD_SECONDS = 5
/**
 * What still counts as served: half of the messages within so many ms, and so much of all presence coalesced. The median, because on
 * a machine with other work the highest percentiles show that work. The quota may be used up before: as it runs out writes are
 * gathered, so that the same work takes less of it.
 */
const MESSAGE_P50_MS = 20
const COALESCED_MAX = 0.05
/** The quota counts as used up from so much of it. */
const QUOTA_USED = 0.93
const ATTEMPTS_MAX = 10
/** Step of the search, from rate to rate. */
const STEP = 1.25
const RAMP_TIMEOUT_MS = 60_000
const CALM_TIMEOUT_MS = 60_000
/** What the crowd could not get rid of waits in its sockets: all of it is to arrive. */
const DRAIN_SECONDS = 180

const phaseOf = (report: RunReport, name = 'run'): PhaseReport => report.phases.find((phase) => phase.name === name) as PhaseReport
type Quantile = 'p50Us' | 'p99Us'
const latencyMs = (report: RunReport, name: OperationName, share: Quantile, phase = 'run'): number =>
  (phaseOf(report, phase).operations.find((operation) => operation.name === name && operation.count > 0)?.[share] ?? NaN) / 1000
const pair = (report: RunReport, name: OperationName, phase = 'run'): string =>
  `${fixed(latencyMs(report, name, 'p50Us', phase), 0)} / ${fixed(latencyMs(report, name, 'p99Us', phase), 0)}`
const coalescedShare = ({ counts }: RunReport): number => counts.presencesCoalesced / Math.max(1, counts.presencesCoalesced + counts.presencesDelivered)
const coresOf = (report: RunReport): number => phaseOf(report).serverCpuSeconds / phaseOf(report).seconds
const wrongs = ({ violations, failures }: RunReport): string =>
  [...violations, ...failures].map(({ kind, count }) => `${kind} ${count}`).join(', ') || 'none'

const HEADER = ['factor', 'changes/s', 'messages/s', 'presences/s', 'coalesced', 'message p50 / p99, ms', 'presence', 'cores', 'MiB', 'wrong']

function row(factor: number, report: RunReport): string[] {
  const phase = phaseOf(report)
  const peakBytes = Math.max(...report.timeline.map(({ serverBytes }) => serverBytes))
  return [
    fixed(factor, 2), whole(USERS * factor), whole(phase.messages / phase.seconds), whole(phase.presences / phase.seconds),
    `${fixed(coalescedShare(report) * 100, 1)} %`, pair(report, 'message'), pair(report, 'presence'),
    fixed(coresOf(report), 3), whole(peakBytes / 2 ** 20), wrongs(report),
  ]
}

const folder = makeFolder('overload')
const data = join(folder, 'data')
const config = writeConfig(folder)

interface Who {
  /** Beginning of their names. */
  readonly name: string
  readonly profile: string
  readonly factor: number
}

function run(server: ServerUnderTest, accounts: string, { name, profile, factor }: Who): Promise<RunReport> {
  const file = join(folder, `${name}.yaml`)
  writeFileSync(file, profile)
  const more = ['--accounts', accounts, '--match', `^${name}-\\d`, '--rate', String(factor), '--drain', String(DRAIN_SECONDS)]
  return runLoad({ profile: file, folder: join(folder, `report-${name}`), pid: server.pid, more, isPreferred: true })
}

interface Capacity {
  /** The highest factor that is served. */
  readonly served: number
  /** The lowest at which the quota is used up. */
  readonly usedUp: number
}

/** Goes up by quarters until the quota is used up and nothing more is served as before. */
async function findCapacity(server: ServerUnderTest, accounts: string, rows: string[][]): Promise<Capacity> {
  let served = 0
  let usedUp = Infinity
  const crowd: Crowd = { users: USERS, seconds: SEARCH_SECONDS, isStormy: false }
  for (let attempt = 0, factor = 1; attempt < ATTEMPTS_MAX; attempt++, factor *= STEP) {
    const report = await run(server, accounts, { name: 'search', profile: crowdProfile(crowd), factor })
    const isServed = latencyMs(report, 'message', 'p50Us') <= MESSAGE_P50_MS && coalescedShare(report) <= COALESCED_MAX
    rows.push([...row(factor, report), isServed ? 'yes' : 'no'])
    console.error(rows.at(-1)?.join('  '))
    if (coresOf(report) >= QUOTA_USED * CORES) usedUp = Math.min(usedUp, factor)
    if (isServed) served = factor
    else if (usedUp < Infinity) break
  }
  return { served, usedUp }
}

interface Outcome {
  readonly times: number
  readonly factor: number
  readonly storm: RunReport
  /** The uninvolved; of the newcomers nothing when none was let in. */
  readonly before: RunReport
  readonly meanwhile: RunReport
  readonly newcomers: RunReport | undefined
  readonly after: RunReport
  readonly watched: readonly Watched[]
  /** On the clock of `watched`: the logins of the crowd, its traffic, the end of that, the end of everything. */
  readonly loginMs: number
  readonly beganMs: number
  readonly endedMs: number
  readonly doneMs: number
}

async function overload(server: ServerUnderTest, accounts: string, times: number, factor: number): Promise<Outcome> {
  const watch = new Watch(server)
  const probe = (when: string, seconds: number) => run(server, accounts, { name: `x${times}-${when}`, profile: probeProfile(seconds), factor: 1 })
  const before = await probe('before', AROUND_SECONDS)
  const loginMs = performance.now()
  // They are there before the crowd is, and stop a little before it does.
  const writing = probe('meanwhile', USERS / LOGINS_PER_SECOND + SECONDS)
  await watch.untilOnline(PROBES, RAMP_TIMEOUT_MS)
  const crowd = crowdProfile({ users: USERS, seconds: SECONDS, isStormy: true })
  const storming = run(server, accounts, { name: `x${times}`, profile: crowd, factor })
  if (!(await watch.untilOnline(USERS + PROBES, RAMP_TIMEOUT_MS))) throw new Error('the crowd could not log in')
  const beganMs = performance.now()
  const endedMs = beganMs + SECONDS * 1000
  await sleep(LEAD_SECONDS * 1000)
  const coming = probe('newcomers', SECONDS - 2 * LEAD_SECONDS).catch(() => undefined)
  await sleep(Math.max(0, endedMs - performance.now()))
  await watch.untilNormal(CALM_TIMEOUT_MS)
  const after = await probe('after', AROUND_SECONDS)
  const [meanwhile, newcomers, storm] = await Promise.all([writing, coming, storming])
  await watch.stop()
  return { times, factor, storm, before, meanwhile, newcomers, after, watched: watch.seen, loginMs, beganMs, endedMs, doneMs: performance.now() }
}

function phaseRow(name: string, span: Span, probe: RunReport | undefined, logins = probe): string[] {
  return [
    name, LEVELS.map((level, at) => [level, span.levels[at] ?? 0] as const).filter(([, part]) => part > 0)
      .map(([level, part]) => (part === 1 ? level : `${level} ${fixed(part * 100, 0)} %`)).join(', '),
    span.signals, probe === undefined ? '-' : pair(probe, 'message'), logins === undefined ? '-' : pair(logins, 'login', 'ramp'),
    whole(span.coalescedPerSecond), whole(span.dampedPerSecond), whole(span.windowMaxMs),
    whole(span.accepted), whole(span.refused), whole(span.waitingMax), whole(span.overflows), fixed(span.cores, 2), whole(span.residentMax / 2 ** 20),
  ]
}

const PHASE_HEADER = [
  '', 'level', 'signals', 'message', 'login', 'coalesced/s', 'damped/s', 'window', 'let in', 'refused', 'waited', 'cut off', 'cores', 'MiB',
]

function outcomeText(outcome: Outcome): string {
  const { times, factor, storm, before, meanwhile, newcomers, after, watched, loginMs, beganMs, endedMs, doneMs } = outcome
  const span = (from: number, to: number) => spanOf(watched, from, to)
  const wrongNew = newcomers === undefined ? 'none was let in' : `wrong ${wrongs(newcomers)}`
  return `${times} times its capacity, factor ${fixed(factor, 2)}, for ${SECONDS} s:
${table(HEADER, [row(factor, storm)])}
logins again after the lost connections: p50 / p99 ${pair(storm, 'login')} ms; slow readers disconnected: ${storm.counts.slowReadersDropped}

${table(PHASE_HEADER, [
  phaseRow('before', span(watched[0]?.atMs ?? 0, loginMs), before),
  phaseRow('the crowd logs in', span(loginMs, beganMs), undefined),
  phaseRow('the storm', span(beganMs, endedMs), meanwhile, newcomers),
  phaseRow('after it', span(endedMs, doneMs), after),
])}
normal again ${fixed(secondsToNormal(watched, endedMs), 1)} s after the last of it was sent
wrong for the uninvolved: before ${wrongs(before)}, meanwhile ${wrongs(meanwhile)}, after ${wrongs(after)}; for newcomers: ${wrongNew}
the generator was late by p99 ${fixed(latencyMs(storm, 'lateness', 'p99Us'), 1)} ms in the storm, ${
  fixed(latencyMs(meanwhile, 'lateness', 'p99Us'), 1)} ms for the uninvolved; it used ${fixed(phaseOf(storm).ownCpuSeconds / phaseOf(storm).seconds, 2)} cores
`
}

function resultText(rows: readonly string[][], capacity: Capacity, outcomes: readonly Outcome[], limit: CpuLimit | undefined): string {
  const limited = limit === undefined ? 'not limited: no control group could be made' : `limited to ${CORES} of a core by a control group`
  return `Overload: a server that is offered ${TIMES.join(' and ')} times what it can do.
${machineLine()}
node tools/run.mjs bench/overload/run.ts --cores ${CORES} --users ${USERS} --times ${TIMES.join(',')} --seconds ${SECONDS}
Server: archive on, SQLite; ${limited}.
Load: ${USERS} people with ${CONTACTS} contacts each, all online; at factor 1 a change and half a message per second and person, open loop.
In the storms a tenth of them stop reading for 6 of every 16 s, and halfway a fifth lose their connection and come back within a second.

The search. Served: message p50 at most ${MESSAGE_P50_MS} ms, at most ${COALESCED_MAX * 100} % of presence coalesced.
${table([...HEADER, 'served'], rows)}

Capacity, where the quota is used up: factor ${fixed(capacity.usedUp, 2)}. Writes are gathered then, so that it serves as before up to factor ${
  fixed(capacity.served, 2)}.

${outcomes.map(outcomeText).join('\n')}
message, login: p50 / p99 in ms, from when they were due, of the uninvolved. Those of the storm were there before the crowd and write
while it logs in and storms; logins in the storm are those of newcomers, ${LEAD_SECONDS} s after it began.
level: parts of the time. signals: the highest of each, as a part of its threshold of brown-out. window: the longest that presence
waited, ms. coalesced, damped: changes of state that a newer one replaced, or that came to nothing, before anybody was told. refused:
connections turned away; waited: the most that waited to be let in; cut off: clients that did not read. The process lived.
`
}

function plots(outcomes: readonly Outcome[]): string {
  return plotFile(outcomes.flatMap(({ times, watched, beganMs, storm, meanwhile }) => {
    const points = (read: (one: Watched) => number) => watched.map((one) => [(one.atMs - beganMs) / 1000, read(one)] as const)
    const xLabel = 'seconds since the storm began'
    const p99s = (report: RunReport) => {
      // A report's clock begins with its first login.
      const offset = (Date.parse(report.startedAt) - Date.parse(storm.startedAt)) / 1000 - phaseOf(storm, 'ramp').seconds
      return report.timeline.filter(({ phase }) => phase === 'run').map((one) => [one.second + offset, one.messageP99Us / 1000] as const)
    }
    return [
      {
        title: `${times} times its capacity: message p99 of each second, ms`, xLabel, isLogY: true,
        series: [{ name: 'uninvolved', points: p99s(meanwhile) }, { name: 'in the storm', points: p99s(storm) }],
      },
      { title: 'Level of pressure: 0 normal, 1 brown-out, 2 refuse', xLabel, series: [{ name: 'level', points: points(({ level }) => level) }] },
      { title: 'Presence window, ms', xLabel, series: [{ name: 'window', points: points(({ windowMs }) => windowMs) }] },
      { title: 'Memory, MiB', xLabel, series: [{ name: 'memory', points: points(({ residentBytes }) => residentBytes / 2 ** 20) }] },
    ]
  }))
}

const probes = TIMES.flatMap((times) => ['before', 'meanwhile', 'newcomers', 'after'].map((when) => `x${times}-${when}`))
const accounts = await makeAccounts(folder, USERS, ['search', ...TIMES.map((times) => `x${times}`)], probes)
await importFile(config, data, accounts)
const server = await ServerUnderTest.start(config, data)
const limit = limitCpu(`rollcall-overload-${server.pid}`, server.pid, CORES)
try {
  const rows: string[][] = []
  const capacity = options.capacity === undefined ? await findCapacity(server, accounts, rows) : { served: NaN, usedUp: Number(options.capacity) }
  if (!Number.isFinite(capacity.usedUp)) throw new Error('the quota was never used up: fewer --cores, or more --users')
  const outcomes: Outcome[] = []
  for (const times of TIMES) outcomes.push(await overload(server, accounts, times, capacity.usedUp * times))
  if (!server.isAlive) throw new Error(`the server died:\n${server.output}`)
  const text = resultText(rows, capacity, outcomes, limit)
  console.log(text)
  writeResult('overload.txt', text, options.out)
  writeResult('overload.svg', plots(outcomes), options.out?.replace(/(\.\w+)?$/, '.svg'))
} finally {
  await server.stop()
  await limit?.remove()
}
