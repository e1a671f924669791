import { describe } from 'node:test'
import { casePairs } from './testing/case-pairs.ts'
import { ConfigVersion, ConfigVersionMismatch } from './xep0509.ts'

const ns = "xmlns='urn:xmpp:iap:0'"

describe('XEP-0509: initial authentication pipelining', () => {
  casePairs(ConfigVersion, [
    { title: 'opaque', xml: `<config-version ${ns} scheme='opaque' value='v1'/>`, value: { scheme: 'opaque', value: 'v1' } },
    { title: 'no scheme', xml: `<config-version ${ns} value='v1'/>`, value: { value: 'v1' } },
  ])
  casePairs(ConfigVersionMismatch, [{ title: 'condition', xml: `<config-version-mismatch ${ns}/>`, value: {} }])
})
