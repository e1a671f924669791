/** `rollcall account …`. */
import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import { parseJid, prepareDomainpart } from '@rollcall/jid'
import { PAGE_ACCOUNTS_MAX } from '../admin/index.ts'
import type { Operations } from '../admin/index.ts'
import { RollcallError } from '../config/index.ts'
import type { ServerConfig } from '../config/index.ts'
import { readConfig, withOperations } from './context.ts'
import type { CliPorts, ServerOptions } from './context.ts'
import { exportFile } from './export-file.ts'
import { importFile, onlyHost } from './import-file.ts'
import { newPassword } from './passwords.ts'
import type { PasswordOptions } from './passwords.ts'
import { describeServer, examples } from './options.ts'

interface HostOptions extends ServerOptions {
  readonly host?: string
}
interface ListOptions extends HostOptions {
  readonly count?: boolean
}
interface ImportCommandOptions extends HostOptions {
  readonly iterations?: number
  readonly salt?: string
}

const ITERATIONS_MIN = 4096
const ITERATIONS_MAX = 10_000_000

/** Adds the commands to `program`. */
export function addAccountCommands(program: Command, ports: CliPorts): void {
  const account = program.command('account').description('accounts: add, remove, passwd, list, import, export')
  const command = (usage: string, description: string) => describeServer(account.command(usage).description(description))
  const host = ['--host <host>', 'the host of names without one; every host when left out'] as const

  command('add <account> [password]', 'make an account')
    .option('--password-stdin', 'read the password from the first line of standard input')
    .addHelpText('after', examples(
      'rollcall account add juliet@capulet.example', 'pass show juliet | rollcall account add juliet@capulet.example --password-stdin',
    ))
    .action((name: string, password: string | undefined, options: ServerOptions & PasswordOptions) => setOne(ports, 'addAccount', name, password, options))
  command('passwd <account> [password]', 'set the password of an account')
    .option('--password-stdin', 'read the password from the first line of standard input')
    .addHelpText('after', examples('rollcall account passwd juliet@capulet.example'))
    .action((name: string, password: string | undefined, options: ServerOptions & PasswordOptions) => setOne(ports, 'setPassword', name, password, options))
  command('remove <accounts...>', 'remove accounts with everything they have; contacts are told')
    .addHelpText('after', examples('rollcall account remove tybalt@capulet.example'))
    .action((names: string[], options: ServerOptions) => remove(ports, names, options))
  command('list', 'list accounts, one a line')
    .option(...host)
    .option('--count', 'only say how many there are')
    .addHelpText('after', examples('rollcall account list', 'rollcall account list --host capulet.example --count'))
    .action((options: ListOptions) => list(ports, options))
  command('import <file>', 'make accounts from a file: TSV lines or XEP-0227')
    .option('--host <host>', 'the host of the accounts in TSV lines')
    .option('--iterations <n>', 'PBKDF2 iterations, instead of those of the config file', iterationsOf)
    .option('--salt <text>', 'one salt for all accounts: for tests and benchmarks only, it weakens every password')
    .addHelpText('after', `
A TSV line is: localpart, TAB, password, TAB, comma-separated mutual contacts (localparts, or addresses). XEP-0227 is
recognised by itself. Accounts that exist are left alone; lines with mistakes are named, the others are imported.
${examples('rollcall account import users.tsv --host capulet.example', 'rollcall account import server-data.xml')}`)
    .action((file: string, options: ImportCommandOptions) => importAll(ports, file, options))
  command('export [file]', 'write accounts with their keys, rosters and data as XEP-0227; to standard output without a file')
    .option(...host)
    .addHelpText('after', `
Passwords are not kept, so an export has the keys made from them (SCRAM): accounts log in with them elsewhere, and
whoever has the file can try passwords on it. A new file is readable for you alone.
${examples('rollcall account export server-data.xml', 'rollcall account export --host capulet.example | gpg -e > accounts.gpg')}`)
    .action((file: string | undefined, options: HostOptions) => exportAll(ports, file, options))
}

function iterationsOf(text: string): number {
  const iterations = Number(text)
  if (Number.isInteger(iterations) && iterations >= ITERATIONS_MIN && iterations <= ITERATIONS_MAX) return iterations
  throw new InvalidArgumentError(`It must be a whole number from ${ITERATIONS_MIN} to ${ITERATIONS_MAX}.`)
}

/** The account that a name means: a localpart alone is on the only host there is. */
function accountName(name: string, config: ServerConfig): string {
  const jid = parseJid(name.includes('@') ? name : `${name}@${onlyHost(config)}`)
  if (jid.localpart === '' || jid.isFull) throw new RollcallError('bad-jid', `'${name}' is not an account: write localpart@host`)
  if (!config.core.hosts.includes(jid.domainpart)) {
    throw new RollcallError('host-not-served', `the host ${jid.domainpart} is not served here; hosts are ${config.core.hosts.join(', ')}`)
  }
  return jid.toString()
}

function hostsOf({ host }: HostOptions, config: ServerConfig): readonly string[] {
  if (host === undefined) return config.core.hosts
  const prepared = prepareDomainpart(host)
  if (!config.core.hosts.includes(prepared)) {
    throw new RollcallError('host-not-served', `the host ${prepared} is not served here; hosts are ${config.core.hosts.join(', ')}`)
  }
  return [prepared]
}

async function setOne(
  ports: CliPorts, operation: 'addAccount' | 'setPassword', name: string, argument: string | undefined, options: ServerOptions & PasswordOptions,
): Promise<void> {
  const config = readConfig(ports, options)
  const jid = accountName(name, config)
  const password = await newPassword(ports.terminal, jid, argument, options)
  await withOperations(ports, config, (operations) => operations[operation]({ jid, password }))
  await ports.terminal.out(operation === 'addAccount' ? `added ${jid}\n` : `password of ${jid} set\n`)
}

async function remove(ports: CliPorts, names: readonly string[], options: ServerOptions): Promise<void> {
  const config = readConfig(ports, options)
  const jids = names.map((name) => accountName(name, config))
  await withOperations(ports, config, async (operations) => {
    for (const jid of jids) {
      await operations.removeAccount({ jid })
      await ports.terminal.out(`removed ${jid}\n`)
    }
  })
}

async function list(ports: CliPorts, options: ListOptions): Promise<void> {
  const config = readConfig(ports, options)
  const hosts = hostsOf(options, config)
  await withOperations(ports, config, async (operations) => {
    if (options.count === true) {
      const counts = await Promise.all(hosts.map((host) => operations.countAccounts({ host })))
      return ports.terminal.out(`${counts.reduce((sum, { count }) => sum + count, 0)}\n`)
    }
    for (const host of hosts) await listHost(ports, operations, host)
  })
}

async function listHost({ terminal }: CliPorts, operations: Operations, host: string): Promise<void> {
  let after: string | undefined
  do {
    const { accounts } = await operations.listAccounts({ host, limit: PAGE_ACCOUNTS_MAX, ...(after === undefined ? {} : { after }) })
    await terminal.out(accounts.map((jid) => `${jid}\n`).join(''))
    after = accounts.length < PAGE_ACCOUNTS_MAX ? undefined : accounts.at(-1)
  } while (after !== undefined)
}

async function importAll(ports: CliPorts, file: string, options: ImportCommandOptions): Promise<void> {
  const config = readConfig(ports, options)
  const { iterations, salt } = options
  const [host] = options.host === undefined ? [undefined] : hostsOf(options, config)
  if (salt !== undefined) ports.terminal.err('warning: one salt for all accounts lets one table of guesses attack them all: for tests only\n')
  const { created, existing, problems } = await withOperations(ports, config, (operations) => {
    return importFile(ports, config, operations, file, { host, iterations, salt })
  })
  const left = existing === 0 ? '' : `, ${existing} existed and were left alone`
  await ports.terminal.out(`imported ${created} accounts${left}\n`)
  if (problems > 0) throw new RollcallError('bad-import', `${file} has ${problems} ${problems === 1 ? 'mistake' : 'mistakes'}, see above`)
}

async function exportAll(ports: CliPorts, file: string | undefined, options: HostOptions): Promise<void> {
  const config = readConfig(ports, options)
  const hosts = hostsOf(options, config)
  const count = await withOperations(ports, config, (operations) => exportFile(ports, operations, hosts, file))
  ports.terminal.err(`exported ${count} accounts\n`)
}
