/**
 * Many leave in the same moment, as when a proxy dies, while others write to each other.
 *
 *     node tools/run.mjs bench/departure/run.ts [--leaving 10000,19000] [--runs 3] [--messages 500]
 *
 * Those who leave say so (unavailable, end of the stream) and have no contacts. Latency of the messages, open loop, is from when they
 * were due; in their 14 s is the moment in which all leave.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { RunReport } from '../../load/run/make-report.ts'
import { importAccounts, importFile, makeFolder, runLoad, ServerUnderTest, writeConfig } from '../support/processes.ts'
import { fixed, machineLine, table, whole, writeResult } from '../support/results.ts'

const { values: options } = parseArgs({
  options: {
    leaving: { type: 'string', default: '10000,19000' }, runs: { type: 'string', default: '3' },
    messages: { type: 'string', default: '500' }, out: { type: 'string' },
  },
})
const RUNS = Number(options.runs)
const WRITERS = 200
const WRITING_SECONDS = 14
/** How long those who leave stay once all are there: the writers have logged in by then, and write for as long again. */
const STAYING_SECONDS = 8
const ONLINE_TIMEOUT_MS = 300_000
/** Rates of profiles are per hour. */
const MESSAGES_PER_HOUR = (Number(options.messages) * 3600) / WRITERS

function profileText(users: number, seconds: number, messagesPerHour: number): string {
  return `name: departure
description: For bench/departure.
users: ${users}
durationSeconds: ${seconds}
resourcesMean: 1
timeFactor: 1
roster: { median: 4, mean: 4, max: 4 }
changesPerHour: [0, 0]
messages: { perHour: [${messagesPerHour}, ${messagesPerHour}], toBareShare: 0, bodySigma: 0 }
logins: { perSecond: 400 }
`
}

/** Turns that were measured and took longer. */
function turnsOver(metrics: ReadonlyMap<string, number>, seconds: string): number {
  return (metrics.get('rollcall_turn_seconds_count') ?? NaN) - (metrics.get(`rollcall_turn_seconds_bucket{le="${seconds}"}`) ?? NaN)
}

const changesTo = (metrics: ReadonlyMap<string, number>, level: string): number => metrics.get(`rollcall_pressure_changes_total{level="${level}"}`) ?? NaN

async function measure(leaving: number): Promise<string[]> {
  const folder = makeFolder('departure')
  const data = join(folder, 'data')
  const config = writeConfig(folder, 'modules: { archive: { enabled: false } }\nlimits: { connectionsPerAddressMax: 100000, connectsPerMinuteMax: 1000000 }')
  const writers = join(folder, 'writers.yaml')
  writeFileSync(writers, profileText(WRITERS, WRITING_SECONDS, MESSAGES_PER_HOUR))
  const accounts = await importAccounts(config, data, folder, writers)
  const leavers = join(folder, 'leavers.yaml')
  writeFileSync(leavers, profileText(leaving, STAYING_SECONDS, 0))
  const leaverAccounts = join(folder, 'leavers.tsv')
  writeFileSync(leaverAccounts, Array.from({ length: leaving }, (_, at) => `leaver-${at}\tload\t\n`).join(''))
  await importFile(config, data, leaverAccounts)
  const server = await ServerUnderTest.start(config, data)
  try {
    const leave = runLoad({ profile: leavers, folder: join(folder, 'leavers'), pid: server.pid, more: ['--accounts', leaverAccounts] })
    const endMs = performance.now() + ONLINE_TIMEOUT_MS
    while (((await server.metrics()).get('rollcall_presence_available') ?? 0) < leaving) {
      if (performance.now() > endMs) throw new Error('those who are to leave do not come online')
      await sleep(200)
    }
    const before = await server.metrics()
    const report = await runLoad({ profile: writers, folder: join(folder, 'writers'), pid: server.pid, more: ['--accounts', accounts], isPreferred: true })
    await leave
    return rowOf(leaving, report, before, await server.metrics())
  } finally {
    await server.stop()
  }
}

function rowOf(leaving: number, report: RunReport, before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] {
  const run = report.phases.find(({ name }) => name === 'run')
  const latency = run?.operations.find(({ name }) => name === 'message')
  const ms = (us: number | undefined): string => fixed((us ?? NaN) / 1000, 1)
  const wrong = [...report.violations, ...report.failures].map(({ kind, count }) => `${kind} ${count}`).join(', ') || 'none'
  return [
    whole(leaving), whole(latency?.count ?? NaN), ms(latency?.p50Us), ms(latency?.p99Us), ms(latency?.maxUs),
    whole(turnsOver(after, '0.1') - turnsOver(before, '0.1')),
    whole(changesTo(after, 'brown-out') - changesTo(before, 'brown-out')), whole(changesTo(after, 'refuse') - changesTo(before, 'refuse')), wrong,
  ]
}

const rows: string[][] = []
for (const leaving of options.leaving.split(',').map(Number)) {
  for (let run = 0; run < RUNS; run++) rows.push(await measure(leaving))
}
const header = ['leaving', 'messages', 'p50, ms', 'p99', 'longest', 'turns over 100 ms', 'brown-outs', 'refusals', 'wrong']
const text = `Departure: what others notice when many leave in the same moment.
${machineLine()}
node tools/run.mjs bench/departure/run.ts --leaving ${options.leaving} --runs ${RUNS} --messages ${options.messages}
${WRITERS} people write ${options.messages} messages a second for ${WRITING_SECONDS} s, in the midst of which all others leave. Generators on the same machine.
Every line is a run on a fresh server; turns: those that were measured; brown-outs and refusals: how often the member came to that
level of pressure.

${table(header, rows)}
`
console.log(text)
writeResult('departure.txt', text, options.out)
