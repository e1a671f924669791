/** Entry of the `rollcall` command, started by tools/rollcall.mjs: the command line on the real process and the real server. */
import { runCli } from './cli/index.ts'
import { modules, openOffline, software } from './main.ts'
import { createLog, realClock } from './runtime/index.ts'
import { realTerminal } from './runtime/terminal.ts'
import { serve } from './serve.ts'

/** Runs the command with the arguments after its name; answers the exit status. */
export function main(args: readonly string[]): Promise<number> {
  const terminal = realTerminal()
  return runCli(args, {
    terminal,
    clock: realClock(createLog({ level: 'error' })),
    version: software.version,
    modules,
    openOffline,
    serve: (config, reloadConfig) => serve({ config, reloadConfig, terminal }),
  })
}
