/**
 * Runs scenarios written in Python, because slixmpp (Debian's python3-slixmpp) is: each is a process that prints facts as
 * JSON, which the tests here judge.
 */
import { join } from 'node:path'
import type { Account, RollcallProcess } from '../harness.ts'
import { runProgram } from '../processes.ts'

/** Debian's, which has python3-slixmpp; another Python may come first in PATH. */
export const PYTHON = '/usr/bin/python3'
const TIMEOUT_MS = 60_000
const REPORTED_CHARACTERS = 12_000

/** Runs scenarios against `server`; `accounts` are those whose passwords they may need. */
export function scenarioRunner(server: RollcallProcess, accounts: readonly Account[]): (name: string) => Promise<unknown> {
  return async (name) => {
    const { host, ports, certificateFile } = server
    const facts = {
      host, certificateFile, clientPort: ports.client, clientTlsPort: ports.clientTls, componentPort: ports.component,
      passwords: Object.fromEntries(accounts.map(({ localpart, password }) => [localpart, password])),
    }
    const { code, stdout, stderr } = await runProgram(PYTHON, ['-B', join(import.meta.dirname, 'run.py'), name], {
      input: JSON.stringify(facts), timeoutMs: TIMEOUT_MS,
    })
    if (code !== 0) throw new Error(`scenario ${name} ended with ${code}:\n${stderr.slice(-REPORTED_CHARACTERS)}`)
    return JSON.parse(stdout) as unknown
  }
}
