/**
 * A real Rollcall in a process of its own, for clients that nobody here wrote.
 *
 * Every server has a temporary folder and ports of its own, so test files run at the same time. It listens on loopback
 * only, with its self-signed certificate, which the clients are told to trust. Ports are chosen beforehand, because a
 * server that is started again must be found where it was.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, afterEach, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { collectOutput, ended, runProgram } from './processes.ts'
import type { OutputTail } from './processes.ts'

export const repositoryRoot = resolve(import.meta.dirname, '..')

/** The domain that suites serve unless they say otherwise. */
export const HOST = 'verona.example'

const READY_TIMEOUT_MS = 30_000
const READY_POLL_MS = 50
const READY_REQUEST_MS = 2_000
const STOP_TIMEOUT_MS = 15_000
const IMPORT_TIMEOUT_MS = 30_000
const REPORTED_LOG_LINES = 60

export interface Account {
  readonly localpart: string
  readonly password: string
  /** Localparts of mutual contacts. */
  readonly contacts?: readonly string[]
}

export interface ServerOptions {
  /** The domain served; with the demo it is localhost. */
  readonly host?: string
  readonly accounts?: readonly Account[]
  /** More settings for the config file, over those of `baseSettings`. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Variables for its environment. */
  readonly environment?: Readonly<Record<string, string>>
}

/** Where a server listens, on 127.0.0.1. */
export interface Ports {
  readonly client: number
  readonly clientTls: number
  readonly component: number
  readonly http: number
  readonly admin: number
}

export interface RollcallProcess {
  readonly host: string
  readonly ports: Ports
  readonly folder: string
  /** PEM file of the host's certificate; there once the server has been up. */
  readonly certificateFile: string
  /** Ends the server as an operator does, and waits for it. */
  stop(): Promise<void>
  /** Ends it without warning (SIGKILL), and waits for that. */
  kill(): Promise<void>
  /** Has it do nothing at all for that long (SIGSTOP), as a machine that swaps or a virtual one that is moved. */
  freeze(ms: number): Promise<void>
  /** Starts it again on the same data and ports, and waits until it is ready. */
  start(): Promise<void>
  /** The last lines of its log. */
  logTail(lines?: number): string
}

/**
 * A server for the suite in which this is called (in the body of `describe`): it is ready before the first test and ends
 * after the last, and its log is printed after each failure.
 */
export function useServer(options: ServerOptions = {}): RollcallProcess {
  const server = new ServerProcess(options.host ?? HOST)
  before(async () => {
    await server.prepare(options)
    await server.start()
  })
  after(() => server.dispose())
  afterEach((context) => {
    if ('passed' in context && !context.passed) console.error(`The server's log at the end of '${context.name}':\n${server.logTail()}`)
  })
  return server
}

class ServerProcess implements RollcallProcess {
  readonly host: string
  readonly folder: string
  readonly certificateFile: string
  #ports: Ports | undefined
  #environment: Readonly<Record<string, string>> = {}
  #child: ChildProcess | undefined
  #output: OutputTail | undefined

  constructor(host: string) {
    this.host = host
    this.folder = mkdtempSync(join(tmpdir(), 'rollcall-interop-'))
    this.certificateFile = join(this.folder, 'data', 'certificates', `${host}.pem`)
    // Once, however often it is started.
    process.once('exit', () => { if (this.#child !== undefined) killGroup(this.#child) })
  }

  get ports(): Ports {
    if (this.#ports === undefined) throw new Error('the server has no ports before it is prepared')
    return this.#ports
  }

  /** Writes the config file and makes the accounts. */
  async prepare({ accounts = [], settings = {}, environment = {} }: ServerOptions): Promise<void> {
    this.#environment = environment
    this.#ports = await freePorts()
    // YAML takes JSON as it is.
    writeFileSync(this.#configFile, JSON.stringify({ ...baseSettings(this.host, this.ports), ...settings }, undefined, 2))
    if (accounts.length === 0) return
    const lines = accounts.map(({ localpart, password, contacts = [] }) => [localpart, password, contacts.join(',')].join('\t'))
    const file = join(this.folder, 'accounts.tsv')
    writeFileSync(file, `${lines.join('\n')}\n`)
    const { code, stdout, stderr } = await runProgram(process.execPath, this.#command('account', 'import', file), {
      env: cleanEnvironment(), timeoutMs: IMPORT_TIMEOUT_MS,
    })
    if (code !== 0) throw new Error(`account import failed (${code}):\n${stdout}${stderr}`)
  }

  async start(): Promise<void> {
    const child = spawn(process.execPath, this.#command('start'), {
      env: { ...cleanEnvironment(), ...this.#environment }, stdio: ['ignore', 'pipe', 'pipe'], detached: true,
    })
    this.#child = child
    this.#output = collectOutput(child)
    await this.#ready(child)
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    child.kill('SIGTERM')
    if (await ended(child, STOP_TIMEOUT_MS)) return
    await this.kill()
    throw new Error(`the server did not stop within ${STOP_TIMEOUT_MS} ms of SIGTERM`)
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    killGroup(child)
    await ended(child, STOP_TIMEOUT_MS)
  }

  async freeze(ms: number): Promise<void> {
    const pid = this.#child?.pid
    if (pid === undefined) return
    process.kill(-pid, 'SIGSTOP')
    await sleep(ms)
    process.kill(-pid, 'SIGCONT')
  }

  logTail(lines = REPORTED_LOG_LINES): string {
    return this.#output?.lines(lines) ?? '(it was not started)'
  }

  async dispose(): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }

  get #configFile(): string {
    return join(this.folder, 'rollcall.yaml')
  }

  #command(...words: readonly string[]): string[] {
    return [join(repositoryRoot, 'tools', 'rollcall.mjs'), ...words, '--config', this.#configFile, '--data', join(this.folder, 'data')]
  }

  async #ready(child: ChildProcess): Promise<void> {
    const deadline = Date.now() + READY_TIMEOUT_MS
    while (Date.now() < deadline) {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${this.logTail()}`)
      if (await answers(`http://127.0.0.1:${this.ports.admin}/readyz`)) return
      await sleep(READY_POLL_MS)
    }
    throw new Error(`the server was not ready within ${READY_TIMEOUT_MS} ms:\n${this.logTail()}`)
  }
}

/** Ends a server for good. The command may have handed over to another Node, so it leads a process group, which is ended. */
function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It ended in this moment.
  }
}

/**
 * What every suite's server has. PBKDF2 with the fewest iterations allowed, because slixmpp computes it in Python; failed
 * logins without a wait, because all clients come from one address and some fail on purpose; a debug log, because it is
 * read only when something failed.
 */
function baseSettings(host: string, ports: Ports): Record<string, unknown> {
  const address = '127.0.0.1'
  return {
    hosts: [host],
    listeners: [
      { kind: 'client', address, port: ports.client },
      { kind: 'client-tls', address, port: ports.clientTls },
      { kind: 'component', address, port: ports.component },
      { kind: 'http', address, port: ports.http },
    ],
    admin: { address, port: ports.admin },
    auth: { iterations: { sha1: 4096, sha256: 4096, sha512: 4096 }, addressLockout: { freeFailures: 1000 } },
    timeouts: { drain: '1s' },
    // Clients come at once, and the machine has more to do.
    rehearsal: false,
    log: { level: 'debug', format: 'json' },
  }
}

/** Settings in the caller's environment must not reach the server under test. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ROLLCALL_')))
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(READY_REQUEST_MS) })
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}

/** Below those that systems give to whoever connects: another program's connection must not take one while the server is down. */
const PORTS_FROM = 12_000
const PORTS_TO = 32_000
const PORT_ATTEMPTS_MAX = 100

async function freePorts(): Promise<Ports> {
  const chosen = new Set<number>()
  for (let attempt = 0; attempt < PORT_ATTEMPTS_MAX && chosen.size < 5; attempt++) {
    const port = PORTS_FROM + randomInt(PORTS_TO - PORTS_FROM)
    if (await isFree(port)) chosen.add(port)
  }
  const [client = 0, clientTls = 0, component = 0, http = 0, admin = 0] = chosen
  return { client, clientTls, component, http, admin }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
