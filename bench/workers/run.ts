/**
 * Workers: what a second and a third one bring.
 *
 *     node tools/run.mjs bench/workers/run.ts KIT [--cores 0.35] [--port 46222] [--times 3] [--variants one,twice,2,3,2-kept] [--tls] [--out FILE]
 *
 * KIT is a working folder of the yardstick (bench/README.md) whose `rollcall-data` holds imported accounts. On a machine of two
 * cores two workers and the generator cannot all have a core, so a control group gives each worker a part of one, the same
 * to the single process: then what is measured is how throughput grows, by the clock. The supervisor is not limited; what it uses
 * is told. A second measurement without limits tells CPU per unit.
 *
 * Variants: `one` is the single process (`--workers 1` is the same); `twice` two of them that know nothing of each other, with half of
 * the clients each: what the machine gives at best, for two busy cores slow each other down; a number so many workers; with `-kept`
 * clients stay on the worker that accepted them, as those whose TLS is in OpenSSL do. With `--tls` the generator speaks TLS.
 */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { controlClient } from '../../server/admin/index.ts'
import { limitCpu } from '../support/cpu-limit.ts'
import type { CpuLimit } from '../support/cpu-limit.ts'
import { fixed, machineLine, table, whole, writeResult } from '../support/results.ts'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cores: { type: 'string', default: '0.35' }, port: { type: 'string', default: '46222' }, times: { type: 'string', default: '3' },
    variants: { type: 'string', default: 'one,twice,2,3,2-kept' }, scenarios: { type: 'string' }, tls: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
})
const KIT = resolve(positionals[0] ?? '.')
const DATA = join(KIT, 'rollcall-data')
const TWIN = join(KIT, 'rollcall-data-2')
const CORES = Number(options.cores)
const PORT = Number(options.port)
/** From the port without TLS to the one with it. */
const TLS_OFFSET = 10
const START_MS_MAX = 30_000
const RUN_MS_MAX = 120_000
const TICKS_PER_SECOND = 100

interface Scenario {
  readonly name: string
  readonly unit: string
  /** What the generator calls its result, and the fields of it. */
  readonly result: string
  readonly rate: string
  /** CPU of one unit in µs. */
  readonly cpu: string
  readonly args: readonly string[]
}

const T = ['--secs', '4', '--warm', '1']
const SCENARIOS: readonly Scenario[] = [
  {
    name: 'messages, window 10', unit: 'message', result: 'message_tput', rate: 'msg_per_s', cpu: 'cpu_us_per_msg',
    args: ['message', '--pairs', '100', '--window', '10', '--modes', 'tput', ...T],
  },
  {
    name: 'messages, window 1', unit: 'message', result: 'message_tput', rate: 'msg_per_s', cpu: 'cpu_us_per_msg',
    args: ['message', '--pairs', '100', '--window', '1', '--modes', 'tput', ...T],
  },
  {
    name: 'presence, 50 contacts', unit: 'presence', result: 'presence_tput', rate: 'presence_per_s', cpu: 'cpu_us_per_presence',
    args: ['presence', '--user', 'b%d', '--n', '1000', '--buddies', '50', '--modes', 'tput', ...T],
  },
  { name: 'logins', unit: 'login', result: 'login', rate: 'login_per_s', cpu: 'cpu_us_per_login', args: ['login', '--n', '1000'] },
].filter(({ name }) => options.scenarios === undefined || options.scenarios.split(',').some((part) => name.includes(part)))
/** What must be 0 in every result. */
const FAULTS = [
  'lost', 'reordered_or_dup', 'gaps', 'errors', 'login_failed', 'lost_connections', 'missing', 'dup', 'ooo', 'stranger', 'final_wrong_avail',
  'final_wrong_status',
]

interface Measured {
  readonly rate: number
  readonly cpuUs: number
  /** Part of the CPU time that each process used; the supervisor first where there is one. */
  readonly shares: readonly number[]
}

interface Running {
  readonly port: number
  readonly root: number
  /** Those that are limited. */
  readonly pids: readonly number[]
  stop(): Promise<void>
}

const workersOf = (variant: string) => (variant === 'one' || variant === 'twice' ? 1 : Number(variant.split('-')[0]))
const processesOf = (variant: string) => (variant === 'twice' ? 2 : workersOf(variant))

async function startServer(variant: string, port: number, data: string): Promise<Running> {
  const count = workersOf(variant)
  const config = join(data, 'workers.yaml')
  // Several workers do not rehearse, and one is compared with them.
  const own = `rehearsal: false\nworkers: ${count}\nplaceClients: ${!variant.endsWith('-kept')}\n`
  writeFileSync(config, `${readFileSync(fileURLToPath(new URL('../side-by-side/rollcall.yaml', import.meta.url)), 'utf8')
    .replace('45222', String(port)).replace('45223', String(port + TLS_OFFSET))}${own}`)
  const launcher = fileURLToPath(new URL('../../tools/rollcall.mjs', import.meta.url))
  const child = spawn(process.execPath, [
    '--max-semi-space-size=4', '--initial-old-space-size=96', '--no-allocation-site-pretenuring', launcher, 'start', '--config', config, '--data', data,
  ], { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const endMs = performance.now() + START_MS_MAX
  for (;;) {
    if (performance.now() > endMs || child.exitCode !== null) throw new Error(`${variant}: the server did not start`)
    await sleep(200)
    const control = controlClient(join(data, 'control.sock'))
    const status = await control.operations.status({}).catch(() => undefined)
    control.close()
    const workers = status?.workers ?? []
    if (status === undefined || (count > 1 && workers.length < count)) continue
    return {
      port,
      root: child.pid ?? 0,
      pids: count > 1 ? workers.map(({ pid }) => pid) : [child.pid ?? 0],
      async stop() {
        child.kill('SIGTERM')
        await ended
        process.off('exit', kill)
      },
    }
  }
}

function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}

/** The scenario for half of the clients. */
function halved(args: readonly string[]): string[] {
  return args.map((arg, i) => (args[i - 1] === '--pairs' || args[i - 1] === '--n' ? String(Number(arg) / 2) : arg))
}

async function measure(scenario: Scenario, { pids, port, root }: Running, isHalf: boolean): Promise<Measured> {
  const all = pids.includes(root) ? pids : [root, ...pids]
  const json = join(DATA, `workers-${port}.jsonl`)
  rmSync(json, { force: true })
  const before = all.map(cpuTicks)
  const generator = spawn(join(KIT, 'xload'), [
    ...isHalf ? halved(scenario.args) : scenario.args, '--domain', 'bench.test',
    '--target', `127.0.0.1:${options.tls ? port + TLS_OFFSET : port}`, '--tls', options.tls ? 'direct' : 'none',
    ...(scenario.args.includes('--user') ? [] : ['--user', 'u%d']), '--pass', 'pw', '--pid', String(root), '--json', json, '--max-secs', '100',
  ], { stdio: 'ignore', timeout: RUN_MS_MAX })
  await new Promise<void>((done) => generator.once('exit', () => done()))
  const used = all.map((pid, i) => cpuTicks(pid) - (before[i] ?? 0))
  const sum = used.reduce((a, b) => a + b, 0)
  const result = readFileSync(json, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Record<string, number | string>)
    .find((one) => one['scenario'] === scenario.result)
  if (result === undefined) throw new Error(`${scenario.name}: no result`)
  const faults = FAULTS.filter((fault) => Number(result[fault] ?? 0) > 0)
  if (faults.length > 0) {
    throw new Error(`${scenario.name}: ${faults.map((fault) => `${fault} ${result[fault]}`).join(', ')}: ${result['first_error'] ?? ''}`)
  }
  const rate = Number(result[scenario.rate])
  console.error(`  ${scenario.name}: ${whole(rate)} a second, ${fixed(Number(result[scenario.cpu]), 2)} µs, ${fixed(sum / TICKS_PER_SECOND, 1)} s CPU`)
  return { rate, cpuUs: Number(result[scenario.cpu]), shares: used.map((ticks) => ticks / sum) }
}

function together(parts: readonly Measured[]): Measured {
  const rate = parts.reduce((sum, one) => sum + one.rate, 0)
  const cpuUs = parts.reduce((sum, one) => sum + one.cpuUs * one.rate, 0) / rate
  return { rate, cpuUs, shares: parts.flatMap(({ shares }) => shares.map((share) => share / parts.length)) }
}

const variants = options.variants.split(',')
if (variants.includes('twice') && !existsSync(TWIN)) cpSync(DATA, TWIN, { recursive: true, filter: (path) => !path.endsWith('.sock') })
const found = new Map<string, Measured[]>()
const keyOf = (variant: string, mode: string, { name }: Scenario) => `${variant} ${mode} ${name}`

for (let time = 0; time < Number(options.times); time++) {
  for (const variant of variants) {
    console.error(`${time + 1}: ${variant}`)
    const servers = [await startServer(variant, PORT, DATA)]
    if (variant === 'twice') servers.push(await startServer(variant, PORT + 1, TWIN))
    const limits: (CpuLimit | undefined)[] = []
    const run = async (scenario: Scenario) => together(await Promise.all(servers.map((server) => measure(scenario, server, servers.length > 1))))
    try {
      // What V8 compiles meanwhile would count for each worker anew.
      for (const scenario of SCENARIOS) await run(scenario)
      for (const mode of ['free', 'limited']) {
        console.error(` ${mode}`)
        if (mode === 'limited') limits.push(...servers.flatMap(({ pids }) => pids).map((pid) => limitCpu(`rollcall-workers-${pid}`, pid, CORES)))
        if (limits.includes(undefined)) throw new Error('no control group can be made: run as root')
        for (const scenario of SCENARIOS) {
          const key = keyOf(variant, mode, scenario)
          found.set(key, [...found.get(key) ?? [], await run(scenario)])
        }
      }
    } finally {
      for (const { stop } of servers) await stop()
      for (const limit of limits) await limit?.remove()
    }
  }
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN
const spread = (values: readonly number[]) => `${whole(Math.min(...values))}..${whole(Math.max(...values))}`
const [base = 'one'] = variants
const parts: string[] = []
for (const scenario of SCENARIOS) {
  const of = (variant: string, mode: string) => found.get(keyOf(variant, mode, scenario)) ?? []
  const baseRate = median(of(base, 'limited').map(({ rate }) => rate))
  const baseCpu = median(of(base, 'free').map(({ cpuUs }) => cpuUs))
  const rows = variants.map((variant) => {
    const [limited, free] = [of(variant, 'limited'), of(variant, 'free')]
    const rate = median(limited.map((one) => one.rate))
    const cpu = median(free.map((one) => one.cpuUs))
    return [
      variant, whole(rate), spread(limited.map((one) => one.rate)), fixed(rate / baseRate, 2), fixed(median(limited.map((one) => one.cpuUs)), 2),
      fixed(cpu, 2), fixed(processesOf(variant) * baseCpu / cpu, 2), (free.at(-1)?.shares ?? []).map((share) => `${Math.round(share * 100)}`).join(' '),
    ]
  })
  parts.push(`${scenario.name}\n${table([
    'variant', `${scenario.unit}s/s`, 'min..max', 'ratio', 'CPU µs', 'CPU µs free', 'ratio by CPU', 'CPU % of each process',
  ], rows)}`)
}
const over = options.tls ? ' over TLS' : ''
const command = `node tools/run.mjs bench/workers/run.ts KIT --cores ${CORES} --variants ${options.variants}${options.tls ? ' --tls' : ''}`
writeResult('workers.txt', `Workers: throughput and CPU${over} with each process limited to ${CORES} of a core, and CPU without limits.
${machineLine()}. Medians of ${options.times} runs; ${command}

${parts.join('\n\n')}
`, options.out)
