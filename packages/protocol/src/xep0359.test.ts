import { describe } from 'node:test'
import { parseJid } from '@rollcall/jid'
import { casePairs } from './testing/case-pairs.ts'
import { OriginId, StanzaId } from './xep0359.ts'

const ns = 'urn:xmpp:sid:0'

describe('XEP-0359: unique and stable stanza ids', () => {
  casePairs(StanzaId, [{
    title: 'of an account', xml: `<stanza-id xmlns='${ns}' id='1' by='juliet@capulet.example'/>`, value: { id: '1', by: parseJid('juliet@capulet.example') },
  }])
  casePairs(OriginId, [{ title: 'of a client', xml: `<origin-id xmlns='${ns}' id='1'/>`, value: { id: '1' } }])
})
