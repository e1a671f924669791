import { describe } from 'node:test'
import { XmlElement } from '@rollcall/xml'
import { casePairs } from './testing/case-pairs.ts'
import { Bind2Bound, Bind2Feature, Bind2Inline, Bind2InlineFeature, Bind2Request } from './xep0386.ts'

const ns = "xmlns='urn:xmpp:bind:0'"
const enable = new XmlElement('enable', 'urn:xmpp:carbons:2', {}, [])

describe('XEP-0386: Bind 2', () => {
  casePairs(Bind2InlineFeature, [{ title: 'carbons', xml: `<feature ${ns} var='urn:xmpp:carbons:2'/>`, value: { var: 'urn:xmpp:carbons:2' } }])
  casePairs(Bind2Inline, [{ title: 'one', xml: `<inline ${ns}><feature var='a'/></inline>`, value: { features: [{ var: 'a' }] } }])
  casePairs(Bind2Feature, [
    { title: 'with features', xml: `<bind ${ns}><inline><feature var='a'/></inline></bind>`, value: { inline: { features: [{ var: 'a' }] } } },
    { title: 'bare', xml: `<bind ${ns}/>`, value: {} },
  ])
  casePairs(Bind2Request, [
    {
      title: 'tag and a request',
      xml: `<bind ${ns}><tag>Lute</tag><enable xmlns='urn:xmpp:carbons:2'/></bind>`,
      value: { tag: 'Lute', requests: [enable] },
    },
    { title: 'bare', xml: `<bind ${ns}/>`, value: { requests: [] } },
  ])
  casePairs(Bind2Bound, [{ title: 'a result', xml: `<bound ${ns}><enable xmlns='urn:xmpp:carbons:2'/></bound>`, value: { results: [enable] } }])
})
