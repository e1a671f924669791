/**
 * Makes the commits of a server under test slow, as a worn or busy disk does: loaded into it by `--import`, before its own
 * code. How long a commit takes is read from a file, so that the campaign can change it while the server runs.
 */
import { readFileSync } from 'node:fs'
import { StatementSync } from 'node:sqlite'

const file = process.env.CRASH_DISK_FILE ?? ''
const pause = new Int32Array(new SharedArrayBuffer(4))
const run = Object.getOwnPropertyDescriptor(StatementSync.prototype, 'run')?.value as (...values: unknown[]) => unknown

function delayMs(): number {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return 0
  }
}

Object.defineProperty(StatementSync.prototype, 'run', {
  value: function (this: StatementSync, ...values: unknown[]): unknown {
    // On the database's own thread: nothing else waits for it but who waits for the commit.
    if (this.sourceSQL === 'COMMIT') Atomics.wait(pause, 0, 0, delayMs())
    return run.apply(this, values)
  },
})
