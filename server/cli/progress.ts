/** Progress of long work on standard error: one line that is rewritten on a terminal, a line each tenth elsewhere. */
import type { Clock } from '@rollcall/ports'
import type { Terminal } from '../runtime/terminal.ts'

export interface Progress {
  /** `total` undefined: unknown. */
  update(done: number, total?: number): void
  /** Ends the line. */
  end(): void
}

const REDRAW_MS = 100
const TENTHS = 10
const LINE_EVERY = 1000

export function progress(terminal: Terminal, clock: Clock, what: string): Progress {
  let drawnAt = -Infinity
  let lastStep = 0
  let isOpen = false
  const text = (done: number, total: number | undefined) => (total === undefined ? `${what}: ${done}` : `${what}: ${done} of ${total}`)
  return {
    update(done, total) {
      if (terminal.isErrorTerminal) {
        const now = clock.monotonic()
        if (now - drawnAt < REDRAW_MS && done !== total) return
        drawnAt = now
        isOpen = true
        terminal.err(`\r${text(done, total)}`)
        return
      }
      const step = total === undefined ? Math.floor(done / LINE_EVERY) : Math.floor((done * TENTHS) / Math.max(total, 1))
      if (step <= lastStep) return
      lastStep = step
      terminal.err(`${text(done, total)}\n`)
    },
    end() {
      if (isOpen) terminal.err('\n')
      isOpen = false
    },
  }
}
