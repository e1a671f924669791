/**
 * Where the server's CPU time goes in its hottest work, as flame graphs in `docs/profiles`.
 *
 *     node tools/run.mjs bench/flame/run.ts [--seconds 20] [--to FOLDER]
 *
 * Messages between pairs as fast as a core gives them, and presence of people with 50 contacts, from `rollcall load`; V8's
 * sampling profiler (`--cpu-prof`) watches the server's main thread. Only samples of the traffic are used, not logins. Archive
 * off: with it on, the time is SQLite's.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { RunReport } from '../../load/run/make-report.ts'
import { importAccounts, makeFolder, runLoad, ServerUnderTest, writeConfig } from '../support/processes.ts'
import { fixed, machineLine, table, whole, writeResult } from '../support/results.ts'
import { flameSvg, layerOf, selfTimes, treeOf } from './flame-graph.ts'
import type { CpuProfile, Frame } from './flame-graph.ts'

const { values: options } = parseArgs({ options: { seconds: { type: 'string', default: '20' }, to: { type: 'string' } } })
const SECONDS = Number(options.seconds)
const TO = options.to ?? fileURLToPath(new URL('../../docs/profiles/', import.meta.url))
const SAMPLE_US = 200
/** Of the traffic, at its beginning and end. */
const EDGE_SECONDS = 1
const TOP = 15

interface Scenario {
  readonly name: string
  readonly title: string
  readonly users: number
  readonly contacts: number
  readonly rest: string
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'message', title: 'Messages: 200 people, 20,000 a second', users: 200, contacts: 4,
    rest: 'changesPerHour: [0, 0]\nmessages: { perHour: [6000, 6000], toBareShare: 0, bodySigma: 0 }',
  },
  {
    name: 'presence', title: 'Presence: 1,000 people with 50 contacts, 40,000 deliveries a second', users: 1_000, contacts: 50,
    rest: 'changesPerHour: [48, 48]\nmessages: { perHour: [0, 0] }',
  },
]

async function record({ name, users, contacts, rest }: Scenario): Promise<{ readonly tree: Frame; readonly perSecond: number; readonly unitUs: number }> {
  const folder = makeFolder('flame')
  const profile = join(folder, `${name}.yaml`)
  writeFileSync(profile, `name: ${name}
description: For bench/flame.
users: ${users}
durationSeconds: ${SECONDS}
resourcesMean: 1
timeFactor: 60
roster: { median: ${contacts}, mean: ${contacts}, max: ${contacts} }
logins: { perSecond: 400 }
${rest}
`)
  const config = writeConfig(folder, 'modules: { archive: { enabled: false } }')
  const data = join(folder, 'data')
  await importAccounts(config, data, folder, profile)
  const startedAtMs = Date.now()
  const server = await ServerUnderTest.start(config, data, ['--cpu-prof', `--cpu-prof-dir=${join(folder, 'profiles')}`, `--cpu-prof-interval=${SAMPLE_US}`])
  let report: RunReport
  try {
    report = await runLoad({ profile, folder: join(folder, 'report'), pid: server.pid })
  } finally {
    await server.stop()
  }
  const rampSeconds = report.phases.find((phase) => phase.name === 'ramp')?.seconds ?? 0
  const run = report.phases.find((phase) => phase.name === 'run')
  const fromUs = (Date.parse(report.startedAt) - startedAtMs) * 1000 + (rampSeconds + EDGE_SECONDS) * 1e6
  // Threads write profiles too: the main one is the largest.
  const files = readdirSync(join(folder, 'profiles')).map((file) => readFileSync(join(folder, 'profiles', file), 'utf8'))
  const largest = files.reduce((one, other) => (other.length > one.length ? other : one), '')
  const tree = treeOf(JSON.parse(largest) as CpuProfile, fromUs, fromUs + (SECONDS - 2 * EDGE_SECONDS) * 1e6)
  const units = (run?.messages ?? 0) + (run?.presences ?? 0)
  return { tree, perSecond: units / (run?.seconds ?? 1), unitUs: ((run?.serverCpuSeconds ?? 0) * 1e6) / units }
}

const percent = (us: number, tree: Frame): string => `${fixed((us / tree.totalUs) * 100, 1)} %`

const texts: string[] = []
for (const scenario of SCENARIOS) {
  const { tree, perSecond, unitUs } = await record(scenario)
  writeResult(`${scenario.name}.svg`, flameSvg(tree, `${scenario.title}: CPU of the server's main thread`), join(TO, `${scenario.name}.svg`))
  const byLayer = selfTimes(tree, ({ file }) => layerOf(file)).map(([layer, us]) => [layer, percent(us, tree)])
  const byFunction = selfTimes(tree, ({ name, file }) => `${name}  ${file}`).slice(0, TOP).map(([key, us]) => {
    const [name = '', file = ''] = key.split('  ')
    return [name, file, percent(us, tree)]
  })
  texts.push(`${scenario.title}
${whole(perSecond)} a second delivered, ${fixed(unitUs, 1)} µs CPU each with the profiler on

${table(['where', 'time in it'], byLayer)}

${table(['function', 'file', 'time in it'], byFunction)}
`)
}
const text = `${machineLine()}
node tools/run.mjs bench/flame/run.ts --seconds ${SECONDS}

${texts.join('\n')}`
console.log(text)
writeResult('figures.txt', text, join(TO, 'figures.txt'))
