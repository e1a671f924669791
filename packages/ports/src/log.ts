/** Structured logging as a port: an event name, plain fields, and a trace id where a stanza is concerned. */
import { definePort } from './token.ts'

export type LogFields = Readonly<Record<string, unknown>>

/** Never throws and never blocks. `event` is stable and kebab-case; fields carry what varies. */
export interface Log {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
  readonly isDebug: boolean
  child(fields: LogFields): Log
}
export const Log = definePort<Log>('log')
