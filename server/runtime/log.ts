/**
 * The real log: JSON lines by pino, or one readable line per event when standard output is a terminal.
 *
 * The level is one field shared by a log and all its children, so that a change at run time reaches every holder at once
 * (pino copies the level into each child). Lines are written asynchronously; what is not taken by the reader is bounded and
 * then dropped, because a stuck log reader must not stop the server.
 */
import { pino } from 'pino'
import type { Logger } from 'pino'
import type { Log, LogFields } from '@rollcall/ports'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Bytes of lines that may wait for the reader; later lines are dropped until it catches up. */
const WAITING_BYTES_MAX = 16_777_216

export interface LogOptions {
  readonly level?: LogLevel
  /** Where lines go: standard output unless told. */
  readonly destination?: { write(line: string): void }
  /** Readable lines instead of JSON; by default when standard output is a terminal. */
  readonly isPretty?: boolean
  /** In every line. */
  readonly fields?: LogFields
}

export interface RuntimeLog extends Log {
  /** Takes effect at once, for children too. */
  setLevel(level: LogLevel): void
  readonly level: LogLevel
  /** Resolves when every line so far is written; await it before `process.exit`, which would lose or reorder the last ones. */
  flush(): Promise<void>
}

interface Shared {
  level: number
}

export function createLog(options: LogOptions = {}): RuntimeLog {
  const shared: Shared = { level: LOG_LEVELS.indexOf(options.level ?? 'info') }
  const output = pino.destination({ dest: 1, sync: false, maxLength: WAITING_BYTES_MAX })
  const sink = options.destination ?? output
  const isPretty = options.isPretty ?? (options.destination === undefined && process.stdout.isTTY)
  const stream = isPretty ? { write: (line: string): void => { sink.write(prettyLine(line)) } } : sink
  const logger = pino(
    {
      level: 'trace',
      base: null,
      messageKey: 'event',
      errorKey: 'error',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    stream,
  )
  const log = wrap(options.fields === undefined ? logger : logger.child(options.fields), shared)
  return Object.defineProperties(log, {
    level: { get: () => LOG_LEVELS[shared.level]! },
    setLevel: { value: (level: LogLevel) => void (shared.level = LOG_LEVELS.indexOf(level)) },
    flush: { value: async () => (options.destination ? undefined : flushOutput(output)) },
  }) as RuntimeLog
}

async function flushOutput(output: { flush(callback: (error?: Error) => void): void }): Promise<void> {
  // An error means that the reader is gone: nobody is left to tell.
  await new Promise<void>(resolve => output.flush(() => resolve()))
}

function wrap(logger: Logger, shared: Shared): Log {
  const at =
    (level: LogLevel) =>
    (event: string, fields?: LogFields): void => {
      if (LOG_LEVELS.indexOf(level) < shared.level) return
      try {
        logger[level](fields ?? {}, event)
      } catch {
        // A field whose getter or toJSON throws: the event matters more than its fields.
        logger[level]({ isUnserializable: true }, event)
      }
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    get isDebug() {
      return shared.level === 0
    },
    child: fields => wrap(logger.child(fields), shared),
  }
}

const COLORS: Readonly<Record<string, string>> = { debug: '\x1b[90m', info: '\x1b[32m', warn: '\x1b[33m', error: '\x1b[31m' }

function prettyLine(line: string): string {
  const { level, time, event, error, ...fields } = JSON.parse(line) as Record<string, unknown>
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const cause = error as { stack?: string; message?: string } | undefined
  const trace = cause ? `\n  ${(cause.stack ?? cause.message ?? JSON.stringify(cause)).replaceAll('\n', '\n  ')}` : ''
  // Fields come from the network: a control character must not reach the operator's terminal.
  const text = `${String(event)}${rest.join('')}${trace}`.replaceAll(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, '?')
  return `${String(time).slice(11, 23)} ${COLORS[String(level)] ?? ''}${String(level).padEnd(5)}\x1b[0m ${text}\n`
}
