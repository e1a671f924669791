import { describe } from 'node:test'
import { casePairs } from './testing/case-pairs.ts'
import { Fast, FastRequestToken, FastToken } from './xep0484.ts'

const ns = "xmlns='urn:xmpp:fast:0'"

describe('XEP-0484: FAST', () => {
  casePairs(Fast, [
    {
      title: 'on offer',
      xml: `<fast ${ns} tls-0rtt='true'><mechanism>HT-SHA-256-EXPR</mechanism><mechanism>HT-SHA-256-NONE</mechanism></fast>`,
      value: { mechanisms: ['HT-SHA-256-EXPR', 'HT-SHA-256-NONE'], tls0rtt: true },
    },
    { title: 'used', xml: `<fast ${ns} count='3' invalidate='true'/>`, value: { mechanisms: [], count: 3, invalidate: true } },
  ])
  casePairs(FastRequestToken, [
    { title: 'for a mechanism', xml: `<request-token ${ns} mechanism='HT-SHA-256-NONE'/>`, value: { mechanism: 'HT-SHA-256-NONE' } },
  ])
  casePairs(FastToken, [
    {
      title: 'a token',
      xml: `<token ${ns} expiry='2026-08-01T00:00:00Z' token='rose'/>`,
      value: { expiry: Date.UTC(2026, 7, 1), token: 'rose' },
    },
  ])
})
