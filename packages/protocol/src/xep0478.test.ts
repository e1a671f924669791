import { describe } from 'node:test'
import { StreamLimits } from './xep0478.ts'
import { casePairs } from './testing/case-pairs.ts'

const ns = 'urn:xmpp:stream-limits:0'

describe('XEP-0478: stream limits', () => {
  casePairs(StreamLimits, [
    {
      title: 'both',
      xml: `<limits xmlns='${ns}'><max-bytes>262144</max-bytes><idle-seconds>1200</idle-seconds></limits>`,
      value: { maxBytes: 262_144, idleSeconds: 1200 },
    },
    { title: 'none', xml: `<limits xmlns='${ns}'/>`, value: {} },
  ])
})
