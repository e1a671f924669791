/** XEP-0202: Entity Time, version 2.0. */
import { childText } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'
import { LexicalError, quoted } from './codec-error.ts'
import type { Lexical } from './lexical.ts'

export const NS_TIME = 'urn:xmpp:time'

const dayMinutes = 24 * 60

/** Minutes east of UTC, written as `+01:00` or `Z` (XEP-0082 §3). */
const zoneOffset: Lexical<number> = {
  type: 'zoneOffset',
  parse(text) {
    const value = text.trim()
    if (value === 'Z') return 0
    const match = /^([+-])(\d\d):([0-5]\d)$/.exec(value)
    const minutes = match === null ? Number.NaN : Number(match[2]) * 60 + Number(match[3])
    if (!(minutes < dayMinutes)) throw new LexicalError(`${quoted(text)} is not an offset from UTC`)
    return match?.[1] === '-' && minutes !== 0 ? -minutes : minutes
  },
  format(value) {
    const minutes = Math.abs(value)
    if (!Number.isInteger(value) || minutes >= dayMinutes) throw new LexicalError(`${value} is not an offset from UTC`)
    const digits = (part: number): string => String(part).padStart(2, '0')
    return `${value < 0 ? '-' : '+'}${digits(Math.floor(minutes / 60))}:${digits(minutes % 60)}`
  },
}

/** Request (empty) and result. */
export const EntityTime = element(NS_TIME, 'time', {
  /** Minutes east of UTC. */
  tzo: childText.of('tzo', zoneOffset).optional(),
  /** Milliseconds since 1970. */
  utc: childText.dateTime('utc').optional(),
})
export type EntityTime = Infer<typeof EntityTime>
