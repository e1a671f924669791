import { describe } from 'node:test'
import { VersionQuery } from './xep0092.ts'
import { casePairs } from './testing/case-pairs.ts'

describe('XEP-0092: software version', () => {
  casePairs(VersionQuery, [
    { title: 'request', xml: `<query xmlns='jabber:iq:version'/>`, value: {} },
    {
      title: 'result',
      xml: `<query xmlns='jabber:iq:version'><name>Quill</name><version>1597</version><os>Globe</os></query>`,
      value: { name: 'Quill', version: '1597', os: 'Globe' },
    },
  ])
})
