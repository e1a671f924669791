import { describe } from 'node:test'
import { parseJid } from '@rollcall/jid'
import { DisplayedSync } from './xep0490.ts'
import { casePairs } from './testing/case-pairs.ts'

describe('XEP-0490: message displayed synchronization', () => {
  casePairs(DisplayedSync, [{
    title: 'up to a message',
    xml: "<displayed xmlns='urn:xmpp:mds:displayed:0'><stanza-id xmlns='urn:xmpp:sid:0' id='a1' by='juliet@capulet.example'/></displayed>",
    value: { stanzaId: { id: 'a1', by: parseJid('juliet@capulet.example') } },
  }])
})
