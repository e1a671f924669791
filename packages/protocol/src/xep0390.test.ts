import { describe } from 'node:test'
import { Hash } from './xep0300.ts'
import { Caps2 } from './xep0390.ts'
import { casePairs } from './testing/case-pairs.ts'

const hashes = 'urn:xmpp:hashes:2'
const rose = { algo: 'sha-256', hash: new TextEncoder().encode('a rose by any other name') }
const code = 'YSByb3NlIGJ5IGFueSBvdGhlciBuYW1l'

describe('XEP-0390: entity capabilities 2.0', () => {
  casePairs(Hash, [{ title: 'a hash (XEP-0300)', xml: `<hash xmlns='${hashes}' algo='sha-256'>${code}</hash>`, value: rose }])
  casePairs(Caps2, [
    {
      title: 'two functions',
      xml: `
        <c xmlns='urn:xmpp:caps'>
          <hash xmlns='${hashes}' algo='sha-256'>${code}</hash>
          <hash xmlns='${hashes}' algo='sha3-256'>${code}</hash>
        </c>`,
      value: { hashes: [rose, { ...rose, algo: 'sha3-256' }] },
    },
  ])
})
