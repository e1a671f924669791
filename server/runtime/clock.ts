/** The real clock: timers that never keep the process alive and whose callbacks never take it down. */
import type { Clock, Log, Timer } from '@rollcall/ports'
import { TurnEnd } from './turn-end.ts'

/** The longest delay `setTimeout` can hold; beyond it would fire at once. */
const DELAY_MAX_MS = 2_147_483_647

/** Time of this machine; a callback that throws is logged as `clock-callback-threw`. */
export function realClock(log: Log): Clock {
  const run = (callback: () => void): void => {
    try {
      callback()
    } catch (error) {
      log.error('clock-callback-threw', { error })
    }
  }
  const guard = (callback: () => void) => (): void => run(callback)
  const turnEnd = new TurnEnd(run)
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after: (delayMs, callback) => after(delayMs, guard(callback)),
    every(periodMs, callback): Timer {
      if (!(periodMs > 0 && periodMs <= DELAY_MAX_MS)) throw new RangeError(`period must be 1 to ${DELAY_MAX_MS} ms, not ${periodMs}`)
      const timer = setInterval(guard(callback), periodMs).unref()
      return { cancel: () => clearInterval(timer) }
    },
    soon: callback => turnEnd.add(callback),
    endTurn: () => turnEnd.runAll(),
  }
}

function after(delayMs: number, callback: () => void): Timer {
  const arm = (leftMs: number): NodeJS.Timeout =>
    leftMs > DELAY_MAX_MS
      ? setTimeout(() => (timer = arm(leftMs - DELAY_MAX_MS)), DELAY_MAX_MS).unref()
      : setTimeout(callback, leftMs).unref()
  let timer = arm(delayMs)
  return { cancel: () => clearTimeout(timer) }
}
