import { describe } from 'node:test'
import { parseJid } from '@rollcall/jid'
import { Block, Blocked, BlockItem, Blocklist, Unblock } from './xep0191.ts'
import { casePairs } from './testing/case-pairs.ts'

const ns = 'urn:xmpp:blocking'
const tybalt = { jid: parseJid('tybalt@capulet.example') }

describe('XEP-0191: blocking command', () => {
  casePairs(BlockItem, [{ title: 'an account', xml: `<item xmlns='${ns}' jid='tybalt@capulet.example'/>`, value: tybalt }])
  casePairs(Blocklist, [
    { title: 'request', xml: `<blocklist xmlns='${ns}'/>`, value: { items: [] } },
    {
      title: 'result',
      xml: `<blocklist xmlns='${ns}'><item jid='tybalt@capulet.example'/><item jid='mantua.example'/></blocklist>`,
      value: { items: [tybalt, { jid: parseJid('mantua.example') }] },
    },
  ])
  casePairs(Block, [{ title: 'one', xml: `<block xmlns='${ns}'><item jid='tybalt@capulet.example'/></block>`, value: { items: [tybalt] } }])
  casePairs(Unblock, [
    { title: 'one', xml: `<unblock xmlns='${ns}'><item jid='tybalt@capulet.example'/></unblock>`, value: { items: [tybalt] } },
    { title: 'all', xml: `<unblock xmlns='${ns}'/>`, value: { items: [] } },
  ])
  casePairs(Blocked, [{ title: 'error condition', xml: `<blocked xmlns='urn:xmpp:blocking:errors'/>`, value: {} }])
})
