/**
 * Priority lanes: do messages wait for presence?
 *
 *     node tools/run.mjs bench/lanes/run.ts [--users 1000] [--contacts 50] [--changes 0,1000,4000,20000] [--messages 500] [--seconds 10]
 *
 * A hundred uninvolved people write to each other, open loop, while a crowd on the same server changes state at growing rates, the
 * last of them far beyond what the server can deliver. Latency of the messages is from when they were due.
 */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { OperationName } from '../../load/measure/recorder.ts'
import type { RunReport } from '../../load/run/make-report.ts'
import { DOMAIN, importFile, makeFolder, PORTS, runLoad, ServerUnderTest, writeConfig } from '../support/processes.ts'
import { fixed, machineLine, table, whole, writeResult } from '../support/results.ts'
import { nameOf, PASSWORD } from './crowd.ts'
import type { CrowdOrder } from './crowd.ts'

const { values: options } = parseArgs({
  options: {
    users: { type: 'string', default: '1000' }, contacts: { type: 'string', default: '50' }, changes: { type: 'string', default: '0,1000,4000,20000' },
    messages: { type: 'string', default: '500' }, seconds: { type: 'string', default: '10' }, out: { type: 'string' },
  },
})
const USERS = Number(options.users)
const CONTACTS = Number(options.contacts)
const RATES = options.changes.split(',').map(Number)
const SECONDS = Number(options.seconds)
const WRITERS = 100
/** Of each: rates of profiles are per hour. */
const MESSAGES_PER_HOUR = (Number(options.messages) * 3600) / WRITERS
const LEAD_MS = 1_000
const ONLINE_TIMEOUT_MS = 120_000

const folder = makeFolder('lanes')
const data = join(folder, 'data')
const config = writeConfig(folder, `auth: { plainWithoutTls: true }
modules: { archive: { enabled: false } }
limits: { connectionsPerAddressMax: 100000, connectsPerMinuteMax: 1000000 }`)

/** Everybody knows the next ones of the same group on both sides. */
function circle(name: (at: number) => string, count: number, contacts: number): string {
  const around = (at: number): string =>
    Array.from({ length: contacts }, (_, step) => name((at + (step % 2 === 0 ? step / 2 + 1 : count - (step + 1) / 2)) % count)).join(',')
  return Array.from({ length: count }, (_, at) => `${name(at)}\t${PASSWORD}\t${around(at)}\n`).join('')
}

const accounts = join(folder, 'accounts.tsv')
const writer = (at: number): string => `writer-${at}`
writeFileSync(accounts, circle(nameOf, USERS, CONTACTS) + circle(writer, WRITERS, 2))
const profile = join(folder, 'writers.yaml')
writeFileSync(profile, `name: writers
description: For bench/lanes.
users: ${WRITERS}
durationSeconds: ${SECONDS}
resourcesMean: 1
timeFactor: 1
roster: { median: 2, mean: 2, max: 2 }
changesPerHour: [0, 0]
messages: { perHour: [${MESSAGES_PER_HOUR}, ${MESSAGES_PER_HOUR}], toBareShare: 0 }
logins: { perSecond: 200 }
`)

async function startCrowd(): Promise<ChildProcess> {
  const crowd = fork(fileURLToPath(new URL('crowd.ts', import.meta.url)))
  process.on('exit', () => crowd.kill('SIGKILL'))
  crowd.send({ port: PORTS.client, domain: DOMAIN, users: USERS, perSecond: 0 } satisfies CrowdOrder)
  const isOnline = new Promise((resolve, reject) => {
    crowd.once('message', resolve)
    crowd.once('exit', () => reject(new Error('the crowd is gone')))
  })
  await Promise.race([isOnline, sleep(ONLINE_TIMEOUT_MS, undefined, { ref: false }).then(() => Promise.reject(new Error('the crowd does not come online')))])
  return crowd
}

const latencyMs = (report: RunReport, name: OperationName, share: 'p50Us' | 'p99Us'): number => {
  const run = report.phases.find((phase) => phase.name === 'run')
  return (run?.operations.find((operation) => operation.name === name)?.[share] ?? NaN) / 1000
}

async function measure(server: ServerUnderTest, crowd: ChildProcess, rate: number): Promise<string[]> {
  crowd.send({ perSecond: rate })
  await sleep(LEAD_MS)
  const before = await server.metrics()
  const starved = server.starvedSeconds
  const startMs = performance.now()
  const report = await runLoad({ profile, folder: join(folder, `rate-${rate}`), pid: server.pid, more: ['--accounts', accounts, '--match', '^writer-'] })
  const seconds = (performance.now() - startMs) / 1000
  const after = await server.metrics()
  const perSecond = (name: string): number => ((after.get(name) ?? NaN) - (before.get(name) ?? NaN)) / seconds
  const run = report.phases.find((phase) => phase.name === 'run')
  const wrong = [...report.violations, ...report.failures].map(({ kind, count }) => `${kind} ${count}`).join(', ') || 'none'
  const row = [
    whole(rate), whole((run?.messages ?? NaN) / (run?.seconds ?? NaN)),
    fixed(latencyMs(report, 'message', 'p50Us'), 1), fixed(latencyMs(report, 'message', 'p99Us'), 1),
    whole(perSecond('rollcall_deliveries_total{kind="presence"}')), whole(perSecond('rollcall_presence_coalesced_total')),
    fixed((run?.serverCpuSeconds ?? NaN) / (run?.seconds ?? NaN), 2), fixed((server.starvedSeconds - starved) / seconds, 2),
    fixed(latencyMs(report, 'lateness', 'p99Us'), 1), wrong,
  ]
  console.error(row.join('  '))
  return row
}

await importFile(config, data, accounts)
const server = await ServerUnderTest.start(config, data)
try {
  const crowd = await startCrowd()
  const rows: string[][] = []
  for (const rate of RATES) rows.push(await measure(server, crowd, rate))
  const text = `Lanes: messages among ${WRITERS} people while ${whole(USERS)} others, with ${CONTACTS} contacts each, change state.
${machineLine()}
node tools/run.mjs bench/lanes/run.ts --users ${USERS} --contacts ${CONTACTS} --changes ${RATES.join(',')} --messages ${options.messages} --seconds ${SECONDS}
Open loop, no TLS, archive off. starved: part of the time in which the server could have run and had no processor. late: the generator, p99.

${table(['changes/s', 'messages/s', 'p50, ms', 'p99, ms', 'presences/s', 'coalesced/s', 'cores', 'starved', 'late, ms', 'wrong'], rows)}
`
  console.log(text)
  writeResult('lanes.txt', text, options.out)
} finally {
  await server.stop()
}
process.exit()
