/**
 * `rollcall load …`: the command line only. What the commands do is loaded when one is run, so that starting a server does
 * not load a load generator.
 */
import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import type { Terminal } from '../server/runtime/terminal.ts'
import type { AccountsOptions, CompareOptions, RunOptions, TargetOptions } from './commands.ts'

/** What the commands need of the process. */
export interface LoadPorts {
  readonly terminal: Terminal
}

const examples = (...lines: readonly string[]): string => `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`

/** Adds `load` and its commands to `program`. */
export function loadCommands(program: Command, { terminal }: LoadPorts): void {
  const load = program.command('load').description('load tests against any XMPP server: run, compare, accounts, provision, report, profiles')
  const commands = () => import('./commands.ts')

  withTarget(withTraffic(withPeople(load.command('run <profile>').description('run a profile against a server, check every delivery, write a report'))))
    .option('--name <name>', 'how the report calls the server', 'server')
    .option('--pid <pids>', 'processes of the server (comma-separated), to measure their CPU and memory with their children')
    .option('--pid-file <files>', 'the same, from files (comma-separated)')
    .addHelpText('after', examples(
      'rollcall load run steady --domain localhost --password pw --pid $(pgrep -o -f "rollcall start")',
      'rollcall load run mixed --users 500 --duration 30 --accounts users.tsv --domain capulet.example',
    ))
    .action(async (profile: string, options: RunOptions) => (await commands()).runOne(terminal, profile, options))
  withTraffic(withPeople(load.command('compare <profile>').description('the same profile and seed against several servers, one after the other, in one table')))
    .requiredOption('--server <spec>', 'name=HOST:PORT[,pid=P+P][,pid-file=F][,domain=D][,tls=MODE]; once for each server', collect)
    .option('--domain <domain>', 'domain of servers whose spec has none', 'localhost')
    .option('--pause <seconds>', 'rest between two servers', number(0, 600), 3)
    .addHelpText('after', examples('rollcall load compare steady --domain bench.example --server a=127.0.0.1:5222,pid=100 --server b=127.0.0.1:5322,pid=200'))
    .action(async (profile: string, options: CompareOptions) => (await commands()).compare(terminal, profile, options))
  withPeople(load.command('accounts <profile>').description('write the accounts that a profile needs, as lines for `rollcall account import`'))
    .option('--out <file>', 'file to write; standard output when left out')
    .addHelpText('after', examples('rollcall load accounts steady --out users.tsv', 'rollcall account import users.tsv --host localhost'))
    .action(async (profile: string, options: AccountsOptions) => (await commands()).writeAccounts(terminal, profile, options))
  withTarget(withPeople(load.command('provision <profile>').description('make the accounts and contacts over XMPP (XEP-0077), for servers without an import')))
    .option('--skip-register', 'the accounts exist: only make the contacts')
    .action(async (profile: string, options: TargetOptions & { skipRegister?: boolean }) => (await commands()).provisionOver(terminal, profile, options))
  load.command('report <folder>').description('write text and page of a report anew, and print the text')
    .action(async (folder: string) => (await commands()).printReport(terminal, folder))
  load.command('profiles').description('list the profiles in the box')
    .action(async () => (await commands()).listProfiles(terminal))
}

function withPeople(command: Command): Command {
  return command
    .option('--users <n>', 'users, instead of the profile\'s', number(2, 200_000))
    .option('--seed <n>', 'seed, instead of the profile\'s', number(0, 0xffff_ffff))
    .option('--password <text>', 'password of generated accounts', 'load')
    .option('--accounts <file>', 'use accounts and contacts of this file (as for `rollcall account import`) instead of generated ones')
    .option('--match <pattern>', 'only accounts whose name matches this regular expression')
}

function withTraffic(command: Command): Command {
  return command
    .option('--duration <seconds>', 'seconds of traffic, instead of the profile\'s', number(0.1, 86_400))
    .option('--rate <factor>', 'multiplies the rate of all that happens', number(0.001, 100_000), 1)
    .option('--mechanism <name>', 'SCRAM-SHA-512, SCRAM-SHA-256, SCRAM-SHA-1 or PLAIN; the strongest offered when left out')
    .option('--spin', 'use a whole core to begin everything on time to the microsecond')
    .option('--drain <seconds>', 'how long to wait, when the traffic is over, for what is still under way', number(0.1, 3600), 20)
    .option('--sources <n>', 'connect from so many loopback addresses', number(1, 200), 4)
    .option('--out <folder>', 'folder of the report; default load-reports/PROFILE-TIME')
    .option('--i-own-this-server', 'allow a target that is not on this machine')
}

function withTarget(command: Command): Command {
  const hasOwnership = command.options.some(({ long }) => long === '--i-own-this-server')
  if (!hasOwnership) command.option('--i-own-this-server', 'allow a target that is not on this machine')
  return command
    .option('--target <host:port>', 'where the server listens for clients', '127.0.0.1:5222')
    .option('--domain <domain>', 'domain of the accounts', 'localhost')
    .option('--tls <mode>', 'none, starttls or direct; certificates are not verified', 'none')
}

function number(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() !== '' && value >= min && value <= max) return value
    throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`)
  }
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]
