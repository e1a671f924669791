import { describe } from 'node:test'
import { XmlElement } from '@rollcall/xml'
import { PrivateQuery } from './xep0049.ts'
import { casePairs } from './testing/case-pairs.ts'

describe('XEP-0049: private XML storage', () => {
  casePairs(PrivateQuery, [
    {
      title: 'what is kept comes back as it was',
      xml: `<query xmlns='jabber:iq:private'><diary xmlns='urn:example:juliet' day='sunday'>My only love</diary></query>`,
      value: { payload: [new XmlElement('diary', 'urn:example:juliet', { day: 'sunday' }, ['My only love'])] },
    },
  ])
})
