import { describe } from 'node:test'
import { LastQuery } from './xep0012.ts'
import { casePairs } from './testing/case-pairs.ts'

describe('XEP-0012: last activity', () => {
  casePairs(LastQuery, [
    { title: 'request', xml: `<query xmlns='jabber:iq:last'/>`, value: {} },
    { title: 'of a connected client', xml: `<query xmlns='jabber:iq:last' seconds='0'/>`, value: { seconds: 0 } },
    {
      title: 'of an offline account',
      xml: `<query xmlns='jabber:iq:last' seconds='903'>Gone to Mantua</query>`,
      value: { seconds: 903, status: 'Gone to Mantua' },
    },
  ])
})
