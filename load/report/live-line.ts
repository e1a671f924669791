/** Progress of a run on standard error: one line that is rewritten every second on a terminal, one every ten seconds elsewhere. */
import type { Sample } from '../measure/recorder.ts'
import type { Terminal } from '../../server/runtime/terminal.ts'
import { count, mebibytes, ms } from './numbers.ts'

const PLAIN_EVERY = 10
const ERASE_LINE = '\r\u001B[2K'

export class LiveLine {
  private readonly terminal: Terminal
  private shown = 0
  private isOpen = false

  constructor(terminal: Terminal) {
    this.terminal = terminal
  }

  show(sample: Sample): void {
    this.shown++
    if (this.terminal.isErrorTerminal) {
      this.isOpen = true
      this.terminal.err(ERASE_LINE + lineOf(sample))
    } else if (this.shown % PLAIN_EVERY === 0) {
      this.terminal.err(`${lineOf(sample)}\n`)
    }
  }

  /** Leaves the line as it is. */
  end(): void {
    if (this.isOpen) this.terminal.err('\n')
    this.isOpen = false
  }
}

/** One second of a run in words. */
export function lineOf(sample: Sample): string {
  const parts = [
    `${sample.phase} ${sample.second.toFixed(0)} s`,
    `${count(sample.online)} online`,
    `${count(sample.messages)} msg/s p99 ${ms(sample.messageP99Us)} ms`,
    `${count(sample.presences)} pres/s p99 ${ms(sample.presenceP99Us)} ms`,
    `${count(sample.logins)} logins/s`,
    ...(sample.serverBytes > 0 ? [`server ${sample.serverCores.toFixed(2)} cores ${mebibytes(sample.serverBytes)}`] : []),
    `self ${sample.ownCores.toFixed(2)}`,
    `${sample.violations} violations`,
    ...(sample.failures > 0 ? [`${sample.failures} failures`] : []),
  ]
  return parts.join(' | ')
}
