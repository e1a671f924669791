/**
 * Growth curves: does a delivery cost more when lists are longer, or when more people are connected?
 *
 *     node tools/run.mjs bench/growth/run.ts [--lists 10,30,…] [--connections 100,300,…] [--active 1000] [--seconds 20] [--out FILE]
 *
 * Two curves, each at a constant rate of deliveries, open loop, so that only the one quantity grows: presence by the length
 * of contact lists, and messages by the number of connections. CPU is that of the server's process per delivered stanza,
 * with what the same server costs while the same people are connected and silent taken off and told beside it. Each point
 * has a server of its own; archive off, as in the comparison with other servers. With `--active N` only N people write to each
 * other, and the others of the second curve are connected and silent: does it cost more that many are there, or that many take part?
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { RunReport } from '../../load/run/make-report.ts'
import { importAccounts, importFile, makeFolder, runLoad, ServerUnderTest, writeConfig } from '../support/processes.ts'
import { fixed, machineLine, plotFile, table, whole, writeResult } from '../support/results.ts'

const { values: options } = parseArgs({
  options: {
    lists: { type: 'string', default: '10,30,100,300,1000' },
    connections: { type: 'string', default: '100,300,1000,3000,10000,19000' },
    active: { type: 'string' },
    seconds: { type: 'string', default: '20' },
    out: { type: 'string' },
  },
})
const SECONDS = Number(options.seconds)
const ACTIVE = options.active === undefined ? Infinity : Number(options.active)
const numbersOf = (text: string): number[] => text.split(',').filter((part) => part !== '').map(Number)

/** Deliveries a second on every point. */
const PRESENCES_PER_SECOND = 6_000
const MESSAGES_PER_SECOND = 1_000
/** People on the curve by lists; a list cannot be longer than that. */
const LIST_USERS = 1_200
/** Contacts of each on the curve by connections. */
const FEW_CONTACTS = 4
/** Growth by more than this part from the first to the last point is not flat: repeated points differed by as much on a busy machine. */
const FLAT_PART = 0.15

interface Point {
  readonly at: number
  readonly unitUs: number
  readonly idleCores: number
  readonly loginMs: number
  readonly perSecond: number
  readonly bytesPerClient: number
  readonly wrong: string
}

interface Case {
  readonly users: number
  /** Others who are connected and silent. */
  readonly idle?: number
  readonly contacts: number
  /** Of life, all of which is sped up by 60: so this many a minute and person. */
  readonly changesPerMinute: number
  readonly messagesPerMinute: number
}

const IDLE_SECONDS_MAX = 600

function profileText({ users, contacts, changesPerMinute, messagesPerMinute }: Case, isSilent: boolean, seconds = SECONDS): string {
  const both = (rate: number): string => `[${isSilent ? 0 : rate}, ${isSilent ? 0 : rate}]`
  return `name: growth
description: For bench/growth.
users: ${users}
durationSeconds: ${seconds}
resourcesMean: 1
timeFactor: 60
roster: { median: ${contacts}, mean: ${contacts}, max: ${contacts} }
changesPerHour: ${both(changesPerMinute)}
messages: { perHour: ${both(messagesPerMinute)}, toBareShare: 0, bodySigma: 0 }
logins: { perSecond: 400 }
`
}

async function measure(at: number, one: Case): Promise<Point> {
  const folder = makeFolder('growth')
  const data = join(folder, 'data')
  const config = writeConfig(folder, 'modules: { archive: { enabled: false } }\nlimits: { connectionsPerAddressMax: 100000, connectsPerMinuteMax: 1000000 }')
  const profile = join(folder, 'growth.yaml')
  const silent = join(folder, 'silent.yaml')
  writeFileSync(profile, profileText(one, false))
  writeFileSync(silent, profileText(one, true))
  const accounts = await importAccounts(config, data, folder, profile)
  if (one.idle !== undefined) await importFile(config, data, writeIdle(folder, one.idle))
  const server = await ServerUnderTest.start(config, data)
  try {
    const startBytes = server.usage.residentBytes
    if (one.idle !== undefined) await connectIdle(server, folder, one.idle)
    const more = one.idle === undefined ? [] : ['--accounts', accounts]
    const quiet = await runLoad({ profile: silent, folder: join(folder, 'silent'), pid: server.pid, more })
    const busy = await runLoad({ profile, folder: join(folder, 'busy'), pid: server.pid, more })
    const idleCores = coresOf(quiet)
    const units = phaseOf(busy).messages + phaseOf(busy).presences
    const point = {
      at, idleCores,
      unitUs: ((coresOf(busy) - idleCores) * phaseOf(busy).seconds * 1e6) / units,
      loginMs: (phaseOf(quiet, 'ramp').serverCpuSeconds * 1000) / one.users,
      perSecond: units / phaseOf(busy).seconds,
      bytesPerClient: (Math.max(...quiet.timeline.map(({ serverBytes }) => serverBytes)) - startBytes) / one.users,
      wrong: [...quiet.violations, ...quiet.failures, ...busy.violations, ...busy.failures].map(({ kind, count }) => `${kind} ${count}`).join(', ') || 'none',
    }
    console.error(rowOf(point).join('  '))
    return point
  } finally {
    await server.stop()
  }
}

const idleFile = (folder: string): string => join(folder, 'idle.tsv')

function writeIdle(folder: string, count: number): string {
  writeFileSync(idleFile(folder), Array.from({ length: count }, (_, at) => `idle-${at}\tload\t\n`).join(''))
  return idleFile(folder)
}

/** They stay until the server goes. */
async function connectIdle(server: ServerUnderTest, folder: string, count: number): Promise<void> {
  const profile = join(folder, 'idle.yaml')
  const nobody = { users: count, contacts: 0, changesPerMinute: 0, messagesPerMinute: 0 }
  writeFileSync(profile, profileText(nobody, true, IDLE_SECONDS_MAX))
  void runLoad({ profile, folder: join(folder, 'idle'), pid: server.pid, more: ['--accounts', idleFile(folder)] }).catch(() => undefined)
  const endMs = performance.now() + IDLE_SECONDS_MAX * 1000
  const isOnline = async (): Promise<boolean> => ((await server.metrics()).get('rollcall_presence_available') ?? 0) >= count
  while (!(await isOnline())) {
    if (performance.now() > endMs) throw new Error('the idle do not come online')
    await sleep(500)
  }
}

const phaseOf = (report: RunReport, name = 'run') => report.phases.find((phase) => phase.name === name) as RunReport['phases'][number]
const coresOf = (report: RunReport): number => phaseOf(report).serverCpuSeconds / phaseOf(report).seconds

const HEADER = ['µs CPU per delivery', 'deliveries/s', 'cores while silent', 'login, ms CPU', 'KiB per connection', 'wrong']
const rowOf = (point: Point): string[] => [
  whole(point.at), fixed(point.unitUs, 2), whole(point.perSecond), fixed(point.idleCores, 3), fixed(point.loginMs, 2),
  fixed(point.bytesPerClient / 1024, 1), point.wrong,
]

/** Whether the cost of a delivery grows. */
function verdict(points: readonly Point[]): string {
  const [first] = points
  const last = points.at(-1)
  if (first === undefined || last === undefined || points.length < 2) return ''
  const ratio = last.unitUs / first.unitUs
  const text = `${fixed(last.at / first.at, 0)} times as many cost ${fixed(ratio, 2)} times as much per delivery`
  return ratio <= 1 + FLAT_PART ? `Flat: ${text}.` : `Not flat: ${text}.`
}

const byLists: Point[] = []
for (const contacts of numbersOf(options.lists)) {
  byLists.push(await measure(contacts, {
    users: LIST_USERS, contacts, changesPerMinute: (PRESENCES_PER_SECOND * 60) / (LIST_USERS * contacts), messagesPerMinute: 0,
  }))
}
const byConnections: Point[] = []
for (const users of numbersOf(options.connections)) {
  const active = Math.min(users, ACTIVE)
  const traffic = { users: active, contacts: FEW_CONTACTS, changesPerMinute: 0, messagesPerMinute: (MESSAGES_PER_SECOND * 60) / active }
  byConnections.push(await measure(users, active < users ? { ...traffic, idle: users - active } : traffic))
}
const activeOption = ACTIVE === Infinity ? '' : ` --active ${ACTIVE}`
const byWhom = ACTIVE === Infinity ? '' : `, by ${whole(ACTIVE)} of them`
const text = `Growth: what one delivery costs as lists and connections grow.
${machineLine()}
node tools/run.mjs bench/growth/run.ts --lists ${options.lists} --connections ${options.connections}${activeOption} --seconds ${SECONDS}
CPU is user and system time of the server's process, less what it uses while the same people are silent. Open loop, no TLS, archive off.

Presence by the length of contact lists: ${whole(LIST_USERS)} people, all online, ${whole(PRESENCES_PER_SECOND)} deliveries a second offered.
${table(['contacts', ...HEADER], byLists.map(rowOf))}
${verdict(byLists)}

Messages by the number of connections: ${whole(MESSAGES_PER_SECOND)} messages a second offered, ${FEW_CONTACTS} contacts each${byWhom}.
${table(['connections', ...HEADER], byConnections.map(rowOf))}
${verdict(byConnections)}
`
console.log(text)
writeResult('growth.txt', text, options.out)
const curve = (points: readonly Point[]) => points.map(({ at, unitUs }) => [Math.log10(at), unitUs] as const)
const plot = (title: string, xLabel: string, points: readonly Point[]) => ({
  title, xLabel, series: [{ name: 'µs', points: curve(points) }], xTicks: points.map(({ at }) => Math.log10(at)), xText: (x: number) => whole(10 ** x),
})
writeResult('growth.svg', plotFile([
  plot('µs CPU of the server per presence delivered', 'contacts of each person', byLists),
  plot('µs CPU of the server per message delivered', 'connections', byConnections),
]), options.out?.replace(/(\.\w+)?$/, '.svg'))
