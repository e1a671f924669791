/**
 * Rollcall and its load generator as processes, for campaigns that need a server of their own: accounts imported, started
 * as an operator starts it, measured from outside, ended by its process id whatever happens.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { usageOf } from '../../load/measure/process-usage.ts'
import type { Usage } from '../../load/measure/process-usage.ts'
import { readReports } from '../../load/report/files.ts'
import type { RunReport } from '../../load/run/make-report.ts'

const COMMAND = fileURLToPath(new URL('../../tools/rollcall.mjs', import.meta.url))
/** What `rollcall start` gives itself; given here so that the server is one process. */
const SERVER_FLAGS = ['--max-semi-space-size=4', '--initial-old-space-size=96', '--no-allocation-site-pretenuring']
const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 60_000
const POLL_MS = 50
const PREFERRED_PRIORITY = -10
/** Characters kept of what a process writes. */
const OUTPUT_MAX = 20_000

/** Below those that the system gives to connections, and others for each campaign. */
const FIRST_PORT = 20_000 + (process.pid % 5_000) * 2
export const PORTS = { client: FIRST_PORT, admin: FIRST_PORT + 1 } as const
export const DOMAIN = 'verona.example'

const folders = new Set<string>()

/** A folder of its own that is gone at the end, however the campaign ends. */
export function makeFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `rollcall-${name}-`))
  folders.add(folder)
  return folder
}

/** A configuration on loopback ports of its own; `more` is YAML of further settings. */
export function writeConfig(folder: string, more = ''): string {
  const file = join(folder, 'rollcall.yaml')
  writeFileSync(file, `hosts: [${DOMAIN}]
demo: off
listeners: [{ kind: client, address: 127.0.0.1, port: ${PORTS.client} }]
tls: { required: false }
log: { level: warn, format: json }
admin: { address: 127.0.0.1, port: ${PORTS.admin} }
${more}
`)
  return file
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))

interface Started {
  readonly child: ChildProcess
  readonly output: () => string
}

function start(args: readonly string[]): Started {
  // A rehearsal would be measured along with what is looked at.
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ROLLCALL_REHEARSAL: 'false', ...process.env } })
  running.add(child)
  child.once('exit', () => running.delete(child))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_MAX)
    })
  }
  return { child, output: () => output }
}

export interface CommandOptions {
  /** Resolves whatever the exit status. */
  readonly mayFail?: boolean
  /** Before other work on the machine, as far as the system allows it. */
  readonly isPreferred?: boolean
}

/** Runs the `rollcall` command to its end; rejects when it fails, unless `mayFail`. */
export async function rollcall(args: readonly string[], { mayFail = false, isPreferred = false }: CommandOptions = {}): Promise<string> {
  const { child, output } = start([COMMAND, ...args])
  if (isPreferred && child.pid !== undefined) prefer(child.pid)
  const code = await new Promise<number | null>((resolve) => {
    child.once('exit', resolve)
  })
  if (code !== 0 && !mayFail) throw new Error(`rollcall ${args.join(' ')}: exit ${code}\n${output()}`)
  return output()
}

function prefer(pid: number): void {
  try {
    setPriority(pid, PREFERRED_PRIORITY)
  } catch {
    // Only root may; then other work is in the result.
  }
}

/** A server that runs. */
export class ServerUnderTest {
  readonly #started: Started

  private constructor(started: Started) {
    this.#started = started
  }

  /** Resolves when it is ready. `flags` are further ones for Node. */
  static async start(config: string, data: string, flags: readonly string[] = []): Promise<ServerUnderTest> {
    const server = new ServerUnderTest(start([...SERVER_FLAGS, ...flags, COMMAND, 'start', '--config', config, '--data', data]))
    const endMs = performance.now() + START_TIMEOUT_MS
    while (!(await server.isReady())) {
      if (!server.isAlive || performance.now() > endMs) throw new Error(`the server did not start:\n${server.output}`)
      await sleep(POLL_MS)
    }
    return server
  }

  get pid(): number {
    return this.#started.child.pid ?? 0
  }

  get isAlive(): boolean {
    return this.#started.child.exitCode === null && this.#started.child.signalCode === null
  }

  /** The last that it wrote. */
  get output(): string {
    return this.#started.output()
  }

  get usage(): Usage {
    return usageOf([this.pid])
  }

  /** Seconds for which its main thread could have run and got no processor: on a machine with other work, part of every latency. */
  get starvedSeconds(): number {
    return Number(readFileSync(`/proc/${this.pid}/task/${this.pid}/schedstat`, 'latin1').split(' ')[1]) / 1e9
  }

  async isReady(): Promise<boolean> {
    return fetch(`http://127.0.0.1:${PORTS.admin}/readyz`).then(({ ok }) => ok, () => false)
  }

  /** Samples of its metrics by name with labels, as scraped. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const text = await (await fetch(`http://127.0.0.1:${PORTS.admin}/metrics`)).text()
    return new Map(text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at + 1))] as const
    }))
  }

  async stop(): Promise<void> {
    const { child } = this.#started
    if (!this.isAlive) return
    child.kill('SIGTERM')
    const endMs = performance.now() + STOP_TIMEOUT_MS
    while (this.isAlive && performance.now() < endMs) await sleep(POLL_MS)
    if (this.isAlive) child.kill('SIGKILL')
  }
}

/** Whom a run is: a profile's name or file, and what differs from it. */
export interface LoadOptions {
  readonly profile: string
  readonly folder: string
  readonly pid: number
  readonly more?: readonly string[]
  /** The generator runs before other work on the machine. */
  readonly isPreferred?: boolean
}

/** Makes the accounts that a profile needs in the data folder of a server that does not run. */
export async function importAccounts(config: string, data: string, folder: string, profile: string, more: readonly string[] = []): Promise<string> {
  const file = join(folder, 'accounts.tsv')
  await rollcall(['load', 'accounts', profile, '--out', file, ...more])
  await importFile(config, data, file)
  return file
}

/** The same from a file. One salt for all: the generator then derives one key instead of thousands. */
export async function importFile(config: string, data: string, file: string): Promise<void> {
  await rollcall(['account', 'import', file, '--config', config, '--data', data, '--host', DOMAIN, '--salt', 'salt-of-the-load', '--iterations', '4096'])
}

/** Runs a profile against the server; the report says what went wrong, the exit status does not matter. */
export async function runLoad({ profile, folder, pid, more = [], isPreferred = false }: LoadOptions): Promise<RunReport> {
  const target = ['--target', `127.0.0.1:${PORTS.client}`, '--domain', DOMAIN, '--tls', 'none', '--pid', String(pid), '--out', folder]
  const output = await rollcall(['load', 'run', profile, ...target, '--mechanism', 'SCRAM-SHA-1', ...more], { mayFail: true, isPreferred })
  try {
    return readReports(folder)[0] as RunReport
  } catch (cause) {
    throw new Error(`no report of ${profile}:\n${output}`, { cause })
  }
}
