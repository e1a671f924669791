/** A log that keeps its lines, so that a test can say "this was logged" and "nothing else was". */
import type { Log, LogFields } from '@rollcall/ports'

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly event: string
  readonly fields: LogFields
}

export interface RecordingLog extends Log {
  /** Every line, of children too, oldest first. */
  readonly lines: LogLine[]
  /** Lines of one event, oldest first. */
  of(event: string): LogLine[]
}

/** `isDebug` decides whether callers that ask first log their debug lines; debug lines that arrive are always kept. */
export function recordingLog(isDebug = true): RecordingLog {
  return child([], {}, isDebug)
}

function child(lines: LogLine[], bound: LogFields, isDebug: boolean): RecordingLog {
  const record =
    (level: LogLine['level']) =>
    (event: string, fields?: LogFields): void => {
      lines.push({ level, event, fields: { ...bound, ...fields } })
    }
  return {
    lines,
    isDebug,
    debug: record('debug'),
    info: record('info'),
    warn: record('warn'),
    error: record('error'),
    child: fields => child(lines, { ...bound, ...fields }, isDebug),
    of: event => lines.filter(line => line.event === event),
  }
}
