import { describe } from 'node:test'
import { CsiActive, CsiFeature, CsiInactive } from './xep0352.ts'
import { casePairs } from './testing/case-pairs.ts'

describe('XEP-0352: client state', () => {
  casePairs(CsiFeature, [{ title: 'feature', xml: `<csi xmlns='urn:xmpp:csi:0'/>`, value: {} }])
  casePairs(CsiActive, [{ title: 'active', xml: `<active xmlns='urn:xmpp:csi:0'/>`, value: {} }])
  casePairs(CsiInactive, [{ title: 'inactive', xml: `<inactive xmlns='urn:xmpp:csi:0'/>`, value: {} }])
})
