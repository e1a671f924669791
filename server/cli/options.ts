/** Options and help that commands share. */
import type { Command } from 'commander'

/** Adds what says which server is meant. */
export function describeServer(command: Command): Command {
  return command
    .option('-c, --config <file>', 'config file (or ROLLCALL_CONFIG); without one the server is a try-out on localhost')
    .option('-d, --data <dir>', 'data folder, instead of the setting `data` (or ROLLCALL_DATA)')
}

/** The examples at the end of a help text. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`
}
