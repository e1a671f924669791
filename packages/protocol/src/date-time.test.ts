import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatDateTime, parseDateTime } from './date-time.ts'

describe('DateTime profile of XEP-0082', () => {
  const cases: readonly [string, string][] = [
    ['1595-01-26T20:00:00Z', '1595-01-26T20:00:00Z'],
    ['2026-07-11T23:18:25.5Z', '2026-07-11T23:18:25.500Z'],
    ['2026-07-11T23:18:25.123456+02:00', '2026-07-11T21:18:25.123Z'],
    ['2026-07-11T23:18:25-05:30', '2026-07-12T04:48:25Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00Z'],
  ]
  for (const [text, utc] of cases) {
    it(`${text} is ${utc}`, () => {
      assert.equal(formatDateTime(parseDateTime(text)), utc)
    })
  }

  const wrong = [
    '', 'now', '2026-07-11', '2026-07-11T23:18:25', '20260711T23:18:25', '2026-7-11T23:18:25Z', '2026-02-29T00:00:00Z', '2026-04-31T00:00:00Z',
    '2026-07-11T24:00:00Z', '2026-07-11T23:60:00Z', '2026-13-01T00:00:00Z', '2026-07-11T23:18:25+15:00', '2026-07-11T23:18:25+01:60',
    '2026-07-11T23:18:25.Z', '2026-07-11 23:18:25Z',
  ]
  for (const text of wrong) {
    it(`refuses '${text}'`, () => {
      assert.throws(() => parseDateTime(text), { name: 'LexicalError' })
    })
  }

  it('parses what it formats', () => {
    const instants = fc.integer({ min: Date.parse('0000-01-01T00:00:00Z'), max: Date.UTC(9999, 11, 31, 23, 59, 59, 999) })
    fc.assert(fc.property(instants, (ms) => parseDateTime(formatDateTime(ms)) === ms))
  })

  it('refuses to write what has no four-digit year or no whole milliseconds', () => {
    for (const ms of [Date.UTC(10_000, 0, 1), Date.parse('0000-01-01T00:00:00Z') - 1, 0.5, Number.NaN, Infinity]) {
      assert.throws(() => formatDateTime(ms), { name: 'LexicalError' })
    }
  })
})
