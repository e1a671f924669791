/** What the commands of `rollcall load` do. Exit status 1 when a server did something wrong, so that scripts notice. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RollcallError } from '../server/config/index.ts'
import type { Terminal } from '../server/runtime/terminal.ts'
import { accountLines, parseAccounts } from './model/accounts.ts'
import { accountsOf, populationFrom, populationOf } from './model/population.ts'
import type { Population } from './model/population.ts'
import { loadProfile, ProfileError, profileNames } from './model/profile.ts'
import type { Profile } from './model/profile.ts'
import { readReports, renderReports, textOf, writeReports } from './report/files.ts'
import { LiveLine } from './report/live-line.ts'
import { comparison } from './report/text.ts'
import { LoadError, LoadRun } from './run/load-run.ts'
import { isClean } from './run/make-report.ts'
import type { RunReport } from './run/make-report.ts'
import { provision } from './run/provision.ts'
import { defaultLimits } from './run/settings.ts'
import type { ServerTarget } from './run/settings.ts'
import { parseServer, targetOf, usage } from './target.ts'
import { mechanisms } from './wire/scram.ts'
import type { Mechanism } from './wire/scram.ts'

export interface PeopleOptions {
  readonly users?: number
  readonly seed?: number
  readonly password: string
  readonly accounts?: string
  readonly match?: string
}
export interface AccountsOptions extends PeopleOptions {
  readonly out?: string
}
export interface TargetOptions extends PeopleOptions {
  readonly target: string
  readonly domain: string
  readonly tls: string
  readonly iOwnThisServer?: boolean
}
interface TrafficOptions extends PeopleOptions {
  readonly duration?: number
  readonly rate: number
  readonly mechanism?: string
  readonly spin?: boolean
  readonly drain: number
  readonly sources: number
  readonly out?: string
  readonly iOwnThisServer?: boolean
}
export interface RunOptions extends TrafficOptions, TargetOptions {
  readonly name: string
  readonly pid?: string
  readonly pidFile?: string
}
export interface CompareOptions extends TrafficOptions {
  readonly server: readonly string[]
  readonly domain: string
  readonly pause: number
}

/** File descriptors that are not clients. */
const SPARE_FILES = 100
const PROVISION_SOURCES = 4

export async function runOne(terminal: Terminal, name: string, options: RunOptions): Promise<void> {
  const target = targetOf({
    name: options.name, address: options.target, domain: options.domain, tls: options.tls, pids: options.pid, pidFiles: options.pidFile,
    isOwned: options.iOwnThisServer === true, sources: options.sources,
  })
  await runAll(terminal, name, options, [target], 0)
}

export async function compare(terminal: Terminal, name: string, options: CompareOptions): Promise<void> {
  const shared = { domain: options.domain, isOwned: options.iOwnThisServer === true, sources: options.sources }
  await runAll(terminal, name, options, options.server.map((spec) => parseServer(spec, shared)), options.pause)
}

export async function writeAccounts(terminal: Terminal, name: string, options: AccountsOptions): Promise<void> {
  const text = [...accountLines(accountsOf(peopleOf(profileOf(name, options), options)))].join('')
  if (options.out === undefined) return terminal.out(text)
  // Passwords, even of test accounts, are for their owner.
  writeFileSync(options.out, text, { mode: 0o600 })
  return undefined
}

export async function provisionOver(terminal: Terminal, name: string, options: TargetOptions & { readonly skipRegister?: boolean }): Promise<void> {
  const { endpoint } = targetOf({
    name, address: options.target, domain: options.domain, tls: options.tls, isOwned: options.iOwnThisServer === true, sources: PROVISION_SOURCES,
  })
  const profile = profileOf(name, options)
  const isInteractive = terminal.isErrorTerminal
  const result = await provision(endpoint, peopleOf(profile, options), {
    isRegistering: options.skipRegister !== true,
    onProgress: (what, done, total) => {
      if (isInteractive || done === total) terminal.err(`${isInteractive ? '\r' : ''}${what}: ${done} of ${total}${isInteractive && done < total ? '' : '\n'}`)
    },
  })
  await terminal.out(`${result.registered} accounts made, ${result.contacts} contacts agreed on\n`)
  const [problem] = result.problems
  if (problem !== undefined) throw new RollcallError('load-failed', `${result.problems.length} problems, the first: ${problem}`)
}

export async function printReport(terminal: Terminal, folder: string): Promise<void> {
  let reports: RunReport[]
  try {
    reports = readReports(folder)
  } catch (error) {
    throw new RollcallError('file-unreadable', error instanceof Error ? error.message : String(error))
  }
  renderReports(folder, reports)
  await terminal.out(textOf(reports))
}

export async function listProfiles(terminal: Terminal): Promise<void> {
  for (const name of profileNames()) await terminal.out(`${name.padEnd(16)}${loadProfile(name).description}\n`)
}

async function runAll(terminal: Terminal, name: string, options: TrafficOptions, targets: readonly ServerTarget[], pauseSeconds: number): Promise<void> {
  const profile = withTraffic(profileOf(name, options), options)
  const population = peopleOf(profile, options)
  checkFiles(population.clientCount)
  const reports: RunReport[] = []
  let isStopped = false
  for (const [place, target] of targets.entries()) {
    if (isStopped) break
    if (place > 0) await terminal.sleep(pauseSeconds * 1000)
    terminal.err(`${profile.name} against ${target.name}: ${population.userCount} users, ${population.clientCount} clients, ${profile.durationSeconds} s\n`)
    const line = new LiveLine(terminal)
    const run = makeRun(() => new LoadRun({
      profile, population, target, mechanism: mechanismOf(options.mechanism), limits: { ...defaultLimits, drainTimeoutMs: options.drain * 1000 },
      isSpinning: options.spin === true,
    }, { sampled: (sample) => line.show(sample) }))
    const release = terminal.onSignal(['SIGINT', 'SIGTERM'], () => {
      if (isStopped) process.exit(1)
      isStopped = true
      run.interrupt()
    })
    try {
      reports.push(await run.run())
    } catch (error) {
      throw error instanceof LoadError ? new RollcallError('load-failed', `${target.name}: ${error.message}`) : error
    } finally {
      release()
      line.end()
    }
  }
  await tell(terminal, options.out ?? join('load-reports', `${profile.name}-${new Date().toISOString().replace(/[:.]/g, '-')}`), reports)
}

async function tell(terminal: Terminal, folder: string, reports: readonly RunReport[]): Promise<void> {
  writeReports(folder, reports)
  await terminal.out(reports.length > 1 ? comparison(reports) : textOf(reports))
  await terminal.out(`report: ${join(folder, 'report.html')}\n`)
  const wrong = reports.filter((report) => !isClean(report)).map(({ server }) => server.name)
  if (wrong.length > 0) throw new RollcallError('load-failed', `violations or failures: ${wrong.join(', ')}; see ${join(folder, 'report.txt')}`)
}

function makeRun(make: () => LoadRun): LoadRun {
  try {
    return make()
  } catch (error) {
    throw error instanceof RangeError ? usage(error.message) : error
  }
}

function profileOf(name: string, { users, seed }: PeopleOptions): Profile {
  try {
    const profile = loadProfile(name)
    return { ...profile, users: users ?? profile.users, seed: seed ?? profile.seed }
  } catch (error) {
    throw error instanceof ProfileError ? usage(error.message) : error
  }
}

/** `rate` multiplies how often things happen; how many there are, and how long pauses last, stays. */
function withTraffic(profile: Profile, { duration, rate }: TrafficOptions): Profile {
  return { ...profile, durationSeconds: duration ?? profile.durationSeconds, timeFactor: profile.timeFactor * rate }
}

function peopleOf(profile: Profile, { accounts, match, password }: PeopleOptions): Population {
  if (accounts === undefined) return populationOf(profile, password)
  let text: string
  try {
    text = readFileSync(accounts, 'utf8')
  } catch (error) {
    throw new RollcallError('file-unreadable', error instanceof Error ? error.message : String(error))
  }
  try {
    const pattern = new RegExp(match ?? '')
    return populationFrom(profile, parseAccounts(text).filter(({ name }) => pattern.test(name)))
  } catch (error) {
    throw usage(error instanceof Error ? `${accounts}: ${error.message}` : String(error))
  }
}

function mechanismOf(name: string | undefined): Mechanism | undefined {
  if (name === undefined) return undefined
  const mechanism = mechanisms.find((known) => known === name)
  if (mechanism === undefined) throw usage(`mechanism ${name}: it is one of ${mechanisms.join(', ')}`)
  return mechanism
}

/** Each client is an open file; Node has raised the soft limit to the hard one already. */
function checkFiles(clients: number): void {
  const limit = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? Infinity)
  if (clients + SPARE_FILES > limit) throw usage(`${clients} clients need more open files than the limit of ${limit}: fewer --users, or raise it (ulimit -n)`)
}
