/**
 * The `rollcall` command: parses the line, runs the command, tells failures with their code and fix.
 *
 * Exit statuses: 0 done, 1 what was asked for failed, 2 the command line or the config file was wrong and nothing was done.
 */
import { Command, CommanderError } from 'commander'
import { loadCommands } from '../../load/cli.ts'
import { toFailure } from '../admin/index.ts'
import { ConfigError, errorTable, EXIT_OK, EXIT_USAGE } from '../config/index.ts'
import { addAccountCommands } from './account-commands.ts'
import type { CliPorts } from './context.ts'
import { examples } from './options.ts'
import { addServerCommands } from './server-commands.ts'

export type { CliPorts, OfflineServer } from './context.ts'

/** Runs the command line without the program's name; answers the exit status. Never rejects. */
export async function runCli(args: readonly string[], ports: CliPorts): Promise<number> {
  const program = makeProgram(ports)
  try {
    await program.parseAsync([...args], { from: 'user' })
    return EXIT_OK
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE
    return tellFailure(error, ports)
  }
}

function makeProgram(ports: CliPorts): Command {
  const { terminal, version } = ports
  const program = new Command('rollcall')
    .description('Rollcall, an XMPP server.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help of a command')
    .showHelpAfterError('(add --help for help)')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ writeOut: (text) => void terminal.out(text), writeErr: (text) => terminal.err(text) })
    .addHelpText('after', `
Exit status: 0 done; 1 what was asked for failed; 2 the command line or the config file was wrong, nothing was done.
${examples('rollcall start', 'rollcall account add juliet@capulet.example', 'rollcall config example > rollcall.yaml')}`)
  addServerCommands(program, ports)
  addAccountCommands(program, ports)
  loadCommands(program, ports)
  return program
}

function tellFailure(error: unknown, { terminal }: CliPorts): number {
  const failure = toFailure(error)
  if (failure instanceof ConfigError) {
    for (const { code, place, message } of failure.faults) terminal.err(`${place}: ${message} [${code}]\n`)
  } else {
    terminal.err(`rollcall: ${failure.message} [${failure.code}]\n  ${failure.fix}\n`)
    if (failure.code === 'internal' && failure.cause instanceof Error) terminal.err(`${failure.cause.stack ?? ''}\n`)
  }
  return errorTable[failure.code].exit
}
