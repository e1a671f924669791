import { describe } from 'node:test'
import { Ping } from './xep0199.ts'
import { casePairs } from './testing/case-pairs.ts'

describe('XEP-0199: ping', () => {
  casePairs(Ping, [{ title: 'request', xml: `<ping xmlns='urn:xmpp:ping'/>`, value: {} }])
})
