import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { loadConfig, RollcallError } from '../server/config/index.ts'
import { makeRuntime, modules, startServer } from '../server/main.ts'
import type { RunningServer } from '../server/main.ts'
import type { Terminal } from '../server/runtime/terminal.ts'
import { loadCommands } from './cli.ts'
import { populationOf } from './model/population.ts'
import { loadProfile } from './model/profile.ts'
import { parseAccounts } from './model/accounts.ts'
import { readReports } from './report/files.ts'
import { provision } from './run/provision.ts'
import type { RunReport } from './run/make-report.ts'

const DOMAIN = 'capulet.example'
const folder = mkdtempSync(join(tmpdir(), 'rc-load-'))
const profileFile = join(folder, 'short.yaml')
// A second and a half of everything at once.
writeFileSync(profileFile, `
name: short
description: everything that clients do, in a second and a half
users: 20
durationSeconds: 1.5
timeFactor: 1500
onlineShare: 0.7
roster: { median: 5, mean: 6, max: 15 }
celebrities: { count: 1, followersShare: 0.7, changesPerHour: 12 }
session: { maxHours: 2 }
storms: [{ atSeconds: 0.8, share: 0.4, overSeconds: 0.2 }]
flapping: { share: 0.2, periodSeconds: 0.5, how: clean }
slowReaders: { share: 0.1, everySeconds: 0.4, pauseSeconds: 0.3 }
`)

after(() => rmSync(folder, { recursive: true }))

interface FakeTerminal {
  readonly terminal: Terminal
  readonly text: () => string
  readonly raise: (signal: string) => void
}

function fakeTerminal(isErrorTerminal = false): FakeTerminal {
  let text = ''
  let handler: (signal: string) => void = () => undefined
  const terminal: Terminal = {
    env: {}, isInteractive: false, isErrorTerminal, pid: process.pid,
    out: (part) => Promise.resolve(void (text += part)),
    err: (part) => { text += part },
    readLine: () => Promise.reject(new Error('nobody types')),
    askSecret: () => Promise.resolve(undefined),
    sleep: (ms) => sleep(ms),
    onSignal: (_signals, wanted) => {
      handler = wanted
      return () => { handler = () => undefined }
    },
    memoryBytes: () => 0,
  }
  return { terminal, text: () => text, raise: (signal) => handler(signal) }
}

async function load({ terminal }: FakeTerminal, ...args: readonly string[]): Promise<void> {
  const program = new Command('rollcall').exitOverride().configureOutput({ writeOut: () => undefined, writeErr: () => undefined })
  loadCommands(program, { terminal })
  await program.parseAsync(['load', ...args], { from: 'user' })
}

const isUsage = (message: RegExp) => (error: unknown): boolean => error instanceof RollcallError && error.code === 'usage' && message.test(error.message)
const runOf = (report: RunReport | undefined) => report!.phases.find(({ name }) => name === 'run')!

describe('rollcall load against a Rollcall', () => {
  let server: RunningServer
  let plain: { host: string; port: number; domain: string; sourceAddresses: readonly string[] }
  let common: readonly string[]

  before(async () => {
    const file = join(folder, 'rollcall.yaml')
    writeFileSync(file, `
hosts: [${DOMAIN}]
listeners: [{ kind: client, address: 127.0.0.1, port: 0 }, { kind: client-tls, address: 127.0.0.1, port: 0 }]
storage: { kind: memory }
tls: { required: false }
admin: { enabled: false }
log: { level: error }
auth: { plainWithoutTls: true, iterations: { sha1: 4096, sha256: 4096, sha512: 4096 } }
limits: { connectionsPerAddressMax: 10000, connectsPerMinuteMax: 100000 }
modules: { registration: { isOpen: true, accountsMax: 100000, attemptsPerAddressMax: 1000 } }
`)
    const config = loadConfig({ file, env: {}, modules, dataDir: join(folder, 'data') })
    server = await startServer(config, makeRuntime(config), { shutdown: () => undefined, reload: () => Promise.resolve() })
    const port = (kind: string): number => server.server.edge.listeners.find((listener) => listener.kind === kind)!.port
    plain = { host: '127.0.0.1', port: port('client'), domain: DOMAIN, sourceAddresses: [] }
    common = ['--domain', DOMAIN, '--target', `127.0.0.1:${plain.port}`]
  })
  after(() => server.stop())

  it('makes accounts and contacts over XMPP, twice with the same result', async () => {
    const tool = fakeTerminal()
    await load(tool, 'provision', profileFile, ...common)
    assert.match(tool.text(), /20 accounts made/)
    const population = populationOf(loadProfile(profileFile), 'load')
    const again = await provision({ ...plain, tls: 'starttls' }, population, { isRegistering: true })
    assert.deepEqual(again, { registered: 0, contacts: 0, problems: [] })
  })

  it('runs everything at once, finds nothing wrong, and writes the report as text, JSON and page', async () => {
    const tool = fakeTerminal()
    const out = join(folder, 'plain')
    await load(tool, 'run', profileFile, ...common, '--pid', String(process.pid), '--out', out, '--sources', '1')
    const [report] = readReports(out)
    assert.deepEqual([report!.violations, report!.failures], [[], []])
    assert.ok(runOf(report).messages > 20, `${runOf(report).messages} messages`)
    assert.ok(runOf(report).presences > 100, `${runOf(report).presences} presences`)
    assert.ok(runOf(report).logins > 5, `${runOf(report).logins} logins`)
    assert.ok(report!.timeline.length >= 2 && report!.timeline.every(({ serverBytes }) => serverBytes > 0))
    assert.match(tool.text(), /correct: nothing missing/)
    const page = readFileSync(join(out, 'report.html'), 'utf8')
    assert.ok(page.match(/<svg /g)!.length >= 8, 'plots')
    assert.doesNotMatch(page, /(?:src|href)=|url\(|@import|NaN|undefined/, 'nothing from elsewhere, no number that is none')

    rmSync(join(out, 'report.html'))
    const printer = fakeTerminal()
    await load(printer, 'report', out)
    assert.equal(printer.text(), readFileSync(join(out, 'report.txt'), 'utf8'))
    assert.ok(existsSync(join(out, 'report.html')))
  })

  it('talks over STARTTLS and direct TLS, with SCRAM and PLAIN, and compares', async () => {
    const tool = fakeTerminal(true)
    const out = join(folder, 'compared')
    const direct = server.server.edge.listeners.find((listener) => listener.kind === 'client-tls')!.port
    await load(
      tool, 'compare', profileFile, '--domain', DOMAIN, '--out', out, '--duration', '0.6', '--pause', '0', '--sources', '1', '--spin',
      '--server', `upgraded=127.0.0.1:${plain.port},tls=starttls`, '--server', `direct=127.0.0.1:${direct},tls=direct,pid=${process.pid}`,
    )
    const reports = readReports(out)
    const summaries = reports.map(({ server: { name, tls }, violations, failures }) => [name, tls, violations.length + failures.length])
    assert.deepEqual(summaries, [['upgraded', 'starttls', 0], ['direct', 'direct', 0]])
    assert.match(tool.text(), /^ +upgraded +direct$/m)
    const withPlain = fakeTerminal()
    await load(withPlain, 'run', profileFile, ...common, '--mechanism', 'PLAIN', '--duration', '0.3', '--out', join(folder, 'with-plain'))
    assert.match(withPlain.text(), /correct/)
  })

  it('ends early and still reports when it is interrupted', async () => {
    const tool = fakeTerminal()
    const out = join(folder, 'interrupted')
    const run = load(tool, 'run', profileFile, ...common, '--duration', '600', '--out', out)
    await sleep(400)
    tool.raise('SIGINT')
    await run
    const [report] = readReports(out)
    assert.equal(report!.isInterrupted, true)
    assert.match(tool.text(), /the run was ended early/)
  })

  it('says so when accounts are missing', async () => {
    await assert.rejects(
      load(fakeTerminal(), 'run', profileFile, ...common, '--password', 'wrong', '--out', join(folder, 'x')),
      (error) => error instanceof RollcallError && error.code === 'load-failed' && /nobody can log in: load\d+: failure: not-authorized/.test(error.message),
    )
  })
})

describe('rollcall load', () => {
  it('refuses what is not this machine, unless it is said to be one\'s own', async () => {
    for (const target of ['192.0.2.1:5222', 'xmpp.example:5222', '[2001:db8::1]:5222', '127.0.0.1.example:5222', '10.0.0.1:5222']) {
      await assert.rejects(load(fakeTerminal(), 'run', 'steady', '--target', target), isUsage(/is not this machine/), target)
      await assert.rejects(load(fakeTerminal(), 'provision', 'steady', '--target', target), isUsage(/is not this machine/), target)
      await assert.rejects(load(fakeTerminal(), 'compare', 'steady', '--server', `a=${target}`), isUsage(/is not this machine/), target)
    }
  })

  it('writes the accounts of a profile', async () => {
    const tool = fakeTerminal()
    await load(tool, 'accounts', 'steady', '--users', '50', '--password', 'secret', '--seed', '9')
    const accounts = parseAccounts(tool.text())
    assert.equal(accounts.length, 50)
    assert.ok(accounts.every(({ password, contacts }) => password === 'secret' && contacts.every((contact) => accounts.some(({ name }) => name === contact))))
  })

  it('names what is wrong with the command line', async () => {
    const brokenFile = join(folder, 'broken.tsv')
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [['run', 'unsteady'], /no profile unsteady/],
      [['run', 'steady', '--target', 'localhost'], /not HOST:PORT/],
      [['run', 'steady', '--target', 'localhost:99999'], /not HOST:PORT/],
      [['run', 'steady', '--tls', 'maybe'], /TLS mode maybe: it is one of none/],
      [['run', 'steady', '--domain', 'a b'], /not a domain/],
      [['run', 'steady', '--pid', 'x'], /not a process id/],
      [['run', 'steady', '--mechanism', 'MD5'], /mechanism MD5: it is one of SCRAM-SHA-512/],
      [['compare', 'steady', '--server', 'prosody'], /does not begin with name=/],
      [['compare', 'steady', '--server', 'a=127.0.0.1:1,color=red'], /color is unknown/],
      [['run', 'steady', '--accounts', brokenFile], /line/],
      [['run', 'steady', '--users', '200000'], /open files|pairs/],
    ]
    writeFileSync(brokenFile, 'romeo\n')
    for (const [args, message] of wrong) await assert.rejects(load(fakeTerminal(), ...args), isUsage(message), args.join(' '))
  })

  it('lists its profiles', async () => {
    const tool = fakeTerminal()
    await load(tool, 'profiles')
    assert.match(tool.text(), /^mixed +A day at a busy service/m)
  })
})
