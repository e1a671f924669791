import { describe } from 'node:test'
import { ResultSet, ResultSetFirst } from './xep0059.ts'
import { casePairs } from './testing/case-pairs.ts'

const ns = 'http://jabber.org/protocol/rsm'

describe('XEP-0059: result set management', () => {
  casePairs(ResultSetFirst, [{ title: 'position known', xml: `<first xmlns='${ns}' index='0'>act1</first>`, value: { index: 0, id: 'act1' } }])
  casePairs(ResultSet, [
    { title: 'next page', xml: `<set xmlns='${ns}'><max>10</max><after>act3</after></set>`, value: { max: 10, after: 'act3' } },
    { title: 'last page (§2.5)', xml: `<set xmlns='${ns}'><max>10</max><before/></set>`, value: { max: 10, before: '' } },
    { title: 'page by position (§2.6)', xml: `<set xmlns='${ns}'><max>5</max><index>371</index></set>`, value: { max: 5, index: 371 } },
    {
      title: 'page delivered',
      xml: `<set xmlns='${ns}'><first index='0'>act1</first><last>act5</last><count>5</count></set>`,
      value: { first: { index: 0, id: 'act1' }, last: 'act5', count: 5 },
    },
  ])
})
