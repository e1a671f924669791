/** `rollcall start`, `status`, `reload`, `stop`, `backup` and `config …`. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { isAnswering } from '../admin/index.ts'
import type { ServerStatus } from '../admin/index.ts'
import { exampleConfig, RollcallError } from '../config/index.ts'
import { readConfig, withOperations, withRunning } from './context.ts'
import type { CliPorts, ServerOptions } from './context.ts'
import { describeServer, examples } from './options.ts'

const STOP_POLL_MS = 100
/** Longer than any drain that makes sense: what systemd waits. */
const STOP_WAIT_MS = 90_000

/** Adds the commands to `program`. */
export function addServerCommands(program: Command, ports: CliPorts): void {
  const command = (usage: string, description: string) => describeServer(program.command(usage).description(description))

  command('start', 'run the server until it is stopped (SIGTERM, SIGINT or `rollcall stop`)')
    .option('-w, --workers <count>', 'processes that share the work behind the same ports: a number, or auto for one per core')
    .addHelpText('after', examples(
      'rollcall start', 'rollcall start --workers auto', 'rollcall start --config /etc/rollcall/rollcall.yaml --data /var/lib/rollcall',
    ))
    .action((options: ServerOptions & { workers?: string }) => start(ports, options))
  command('status', 'tell how the server is; fails when it does not run')
    .option('--json', 'as JSON, for scripts')
    .addHelpText('after', examples('rollcall status', 'rollcall status --json'))
    .action((options: ServerOptions & { json?: boolean }) => status(ports, options))
  command('reload', 'read the config file and certificates again, without dropping a connection')
    .addHelpText('after', examples('rollcall reload --config /etc/rollcall/rollcall.yaml'))
    .action(async (options: ServerOptions) => {
      await withRunning(readConfig(ports, options), (operations) => operations.reload({}))
      await ports.terminal.out('reloaded\n')
    })
  command('stop', 'stop the server gracefully, and wait until it has')
    .addHelpText('after', examples('rollcall stop'))
    .action((options: ServerOptions) => stop(ports, options))
  command('backup <path>', 'write a consistent copy of the database to a new file, while the server runs or not')
    .addHelpText('after', examples('rollcall backup /var/backups/rollcall-$(date +%F).sqlite'))
    .action(async (path: string, options: ServerOptions) => {
      await withOperations(ports, readConfig(ports, options), (operations) => operations.backup({ path: resolve(path) }))
      await ports.terminal.out(`backup written to ${path}\n`)
    })
  addConfigCommands(program, ports)
}

function addConfigCommands(program: Command, ports: CliPorts): void {
  const config = program.command('config').description('the config file: check, example')
  config.command('check [file]').description('check a config file and the environment; every mistake is named with its line and the fix')
    .option('-c, --config <file>', 'the same as the argument')
    .addHelpText('after', examples('rollcall config check rollcall.yaml'))
    .action(async (file: string | undefined, options: ServerOptions) => {
      const path = file ?? options.config
      const { core, edge } = readConfig(ports, path === undefined ? {} : { config: path })
      await ports.terminal.out(`ok: hosts ${core.hosts.join(', ')}; ${edge.listeners.length} listeners\n`)
    })
  config.command('example').description('print a config file with every setting, its default and what it means')
    .addHelpText('after', examples('rollcall config example > rollcall.yaml'))
    .action(() => ports.terminal.out(exampleConfig(ports.modules)))
}

/** The number of workers on the command line stands above the one of the config file. */
function start(ports: CliPorts, options: ServerOptions & { workers?: string }): Promise<void> {
  const { workers } = options
  if (workers !== undefined && workers !== 'auto' && !/^(?:[1-9]|[1-5]\d|6[0-4])$/.test(workers)) {
    throw new RollcallError('usage', `--workers takes a number from 1 to 64, or auto, not '${workers}'`)
  }
  const read = () => {
    const config = readConfig(ports, options)
    return workers === undefined ? config : { ...config, workers: workers === 'auto' ? 0 : Number(workers) }
  }
  return ports.serve(read(), read)
}

async function status(ports: CliPorts, options: ServerOptions & { json?: boolean }): Promise<void> {
  const answer = await withRunning(readConfig(ports, options), (operations) => operations.status({}))
  await ports.terminal.out(options.json === true ? `${JSON.stringify(answer)}\n` : statusText(answer))
}

const SECONDS_PER_MINUTE = 60
const SECONDS_PER_HOUR = 3600
const SECONDS_PER_DAY = 86_400
const MEBIBYTE = 1024 * 1024

function statusText({ version, pid, uptimeSeconds, hosts, sessionCount, accountCount, memoryBytes, listeners, workers = [] }: ServerStatus): string {
  return [
    `version    ${version}`,
    `process    ${pid}, up ${uptimeText(uptimeSeconds)}`,
    `hosts      ${hosts.join(', ')}`,
    `listeners  ${listeners.join(', ')}`,
    `sessions   ${sessionCount}`,
    `accounts   ${accountCount}`,
    `memory     ${Math.round(memoryBytes / MEBIBYTE)} MiB`,
    ...workers.map((one) => `worker     ${one.name}: process ${one.pid}, ${one.sessionCount} sessions, ${Math.round(one.memoryBytes / MEBIBYTE)} MiB`),
    '',
  ].join('\n')
}

function uptimeText(seconds: number): string {
  const days = Math.floor(seconds / SECONDS_PER_DAY)
  const hours = Math.floor((seconds % SECONDS_PER_DAY) / SECONDS_PER_HOUR)
  const minutes = Math.floor((seconds % SECONDS_PER_HOUR) / SECONDS_PER_MINUTE)
  if (days > 0) return `${days} d ${hours} h`
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${Math.floor(seconds % SECONDS_PER_MINUTE)} s`
}

async function stop(ports: CliPorts, options: ServerOptions): Promise<void> {
  const config = readConfig(ports, options)
  await withRunning(config, (operations) => operations.shutdown({}))
  for (let waitedMs = 0; waitedMs < STOP_WAIT_MS; waitedMs += STOP_POLL_MS) {
    if (!(await isAnswering(config.controlSocket))) return ports.terminal.out('stopped\n')
    await ports.terminal.sleep(STOP_POLL_MS)
  }
  throw new RollcallError('no-answer', `the server is still stopping after ${STOP_WAIT_MS / 1000} s: see its log`)
}
