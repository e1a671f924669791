/** Instants as text: the DateTime profile of XEP-0082 (version 1.1.1). An instant is a number of milliseconds. */
import { LexicalError, quoted } from './codec-error.ts'

const pattern = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/

/** First millisecond after the year 9999, which the profile's four digits cannot write. */
const endMs = Date.UTC(10_000, 0, 1)
const startMs = Date.parse('0000-01-01T00:00:00Z')

/**
 * Milliseconds since 1970-01-01T00:00:00Z of a DateTime (XEP-0082 §3.2). Digits beyond milliseconds are cut off.
 * Throws LexicalError, also for days that do not exist.
 */
export function parseDateTime(text: string): number {
  const match = pattern.exec(text)
  if (match === null) throw new LexicalError(`${quoted(text)} is not a date and time`)
  const [, year, month, day, hours, minutes, seconds, fraction = '', sign, zoneHours = '0', zoneMinutes = '0'] = match
  const utc = `${year}-${month}-${day}T${hours}:${minutes}:${seconds}`
  const localMs = Date.parse(`${utc}Z`)
  // Date.parse lets 31 days into every month and 24:00:00 into every day; writing it back shows that.
  const isReal = !Number.isNaN(localMs) && new Date(localMs).toISOString().startsWith(utc)
  if (!isReal || Number(zoneHours) > 14 || Number(zoneMinutes) > 59) {
    throw new LexicalError(`${quoted(text)} is not a possible date and time`)
  }
  const zoneMs = (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60_000
  return localMs + Number(fraction.slice(0, 3).padEnd(3, '0')) - (sign === '-' ? -zoneMs : zoneMs)
}

/** Writes milliseconds since 1970 as UTC, with a fraction only when there is one. Throws LexicalError outside the years 0 to 9999. */
export function formatDateTime(ms: number): string {
  if (!Number.isInteger(ms) || ms < startMs || ms >= endMs) throw new LexicalError(`${ms} is not a writable instant`)
  return new Date(ms).toISOString().replace('.000Z', 'Z')
}
