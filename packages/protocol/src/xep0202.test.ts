import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EntityTime } from './xep0202.ts'
import { casePairs, parseXml } from './testing/case-pairs.ts'

const time = (tzo: string): string => `<time xmlns='urn:xmpp:time'><tzo>${tzo}</tzo><utc>2026-07-12T20:00:00Z</utc></time>`
const utc = Date.UTC(2026, 6, 12, 20)

describe('XEP-0202: entity time', () => {
  casePairs(EntityTime, [
    { title: 'request', xml: `<time xmlns='urn:xmpp:time'/>`, value: {} },
    { title: 'in Verona', xml: time('+02:00'), value: { tzo: 120, utc } },
    { title: 'west of Greenwich', xml: time('-03:30'), value: { tzo: -210, utc } },
    { title: 'at Greenwich', xml: time('+00:00'), value: { tzo: 0, utc } },
    { title: 'at Greenwich, by letter', xml: time('Z'), value: { tzo: 0, utc }, isOnlyRead: true },
    { title: 'at Greenwich, from the west', xml: time('-00:00'), value: { tzo: 0, utc }, isOnlyRead: true },
  ])
  for (const tzo of ['', '2', '+2:00', '+24:00', '+01:60', '02:00']) {
    it(`refuses the offset '${tzo}'`, () => {
      assert.throws(() => EntityTime.decode(parseXml(time(tzo))), /child <tzo\/>: .* is not an offset from UTC/)
    })
  }
  it('refuses to write an offset of a day or of parts of a minute', () => {
    for (const tzo of [1440, -1440, 0.5, Number.NaN]) assert.throws(() => EntityTime.encode({ tzo }), { name: 'CodecError' })
  })
})
