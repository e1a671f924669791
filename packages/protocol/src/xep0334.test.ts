import { describe } from 'node:test'
import { NoCopy, NoPermanentStore, NoStore, Store } from './xep0334.ts'
import { casePairs } from './testing/case-pairs.ts'

const ns = 'urn:xmpp:hints'

describe('XEP-0334: message processing hints', () => {
  casePairs(NoPermanentStore, [{ title: 'hint', xml: `<no-permanent-store xmlns='${ns}'/>`, value: {} }])
  casePairs(NoStore, [{ title: 'hint', xml: `<no-store xmlns='${ns}'/>`, value: {} }])
  casePairs(NoCopy, [{ title: 'hint', xml: `<no-copy xmlns='${ns}'/>`, value: {} }])
  casePairs(Store, [{ title: 'hint', xml: `<store xmlns='${ns}'/>`, value: {} }])
})
