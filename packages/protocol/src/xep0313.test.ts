import { describe } from 'node:test'
import { parseJid } from '@rollcall/jid'
import { parseText } from '@rollcall/xml'
import { casePairs } from './testing/case-pairs.ts'
import { MamAlways, MamEnd, MamFin, MamMetadata, MamNever, MamPrefs, MamQuery, MamResult, MamStart } from './xep0313.ts'

const ns = 'urn:xmpp:mam:2'
const rsm = 'http://jabber.org/protocol/rsm'
const at = Date.UTC(2010, 6, 10, 23, 8, 25)
const message = `<message xmlns='jabber:client' from='witch@heath.example' to='macbeth@glamis.example'><body>Hail!</body></message>`

describe('XEP-0313: message archive management', () => {
  casePairs(MamQuery, [
    { title: 'everything', xml: `<query xmlns='${ns}'/>`, value: { isFlipped: false } },
    {
      title: 'a flipped page of one conversation',
      xml: `<query xmlns='${ns}' queryid='f27'>
        <x xmlns='jabber:x:data' type='submit'><field var='with'><value>juliet@capulet.example</value></field></x>
        <set xmlns='${rsm}'><max>10</max></set><flip-page/></query>`.replace(/>\s+</g, '><'),
      value: {
        queryId: 'f27',
        form: {
          type: 'submit', instructions: [], items: [],
          fields: [{ var: 'with', isRequired: false, values: ['juliet@capulet.example'], options: [] }],
        },
        page: { max: 10 },
        isFlipped: true,
      },
    },
    { title: 'of a node', xml: `<query xmlns='${ns}' node='fdp/submitted'/>`, value: { node: 'fdp/submitted', isFlipped: false } },
  ])
  casePairs(MamResult, [{
    title: 'a message',
    xml: `<result xmlns='${ns}' queryid='f27' id='1'><forwarded xmlns='urn:xmpp:forward:0'>`
      + `<delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>${message}</forwarded></result>`,
    value: { queryId: 'f27', id: '1', forwarded: { delay: { stamp: at }, stanza: parseText(message, '') } },
  }])
  casePairs(MamFin, [
    {
      title: 'more to come',
      xml: `<fin xmlns='${ns}'><set xmlns='${rsm}'><first>1</first><last>2</last></set></fin>`,
      value: { isComplete: false, isStable: true, page: { first: { id: '1' }, last: '2' } },
    },
    {
      title: 'complete', xml: `<fin xmlns='${ns}' complete='true' stable='false'><set xmlns='${rsm}'/></fin>`,
      value: { isComplete: true, isStable: false, page: {} },
    },
  ])
  casePairs(MamStart, [{ title: 'oldest', xml: `<start xmlns='${ns}' id='1' timestamp='2010-07-10T23:08:25Z'/>`, value: { id: '1', at } }])
  casePairs(MamEnd, [{ title: 'latest', xml: `<end xmlns='${ns}' id='2' timestamp='2010-07-10T23:08:25Z'/>`, value: { id: '2', at } }])
  casePairs(MamMetadata, [
    { title: 'empty', xml: `<metadata xmlns='${ns}'/>`, value: {} },
    {
      title: 'both ends',
      xml: `<metadata xmlns='${ns}'><start id='1' timestamp='2010-07-10T23:08:25Z'/><end id='2' timestamp='2010-07-10T23:08:25Z'/></metadata>`,
      value: { start: { id: '1', at }, end: { id: '2', at } },
    },
  ])
})

describe('XEP-0441: preferences of message archives', () => {
  const romeo = parseJid('romeo@montague.example').toString()
  casePairs(MamAlways, [{ title: 'one', xml: `<always xmlns='${ns}'><jid>${romeo}</jid></always>`, value: { jids: [romeo] } }])
  casePairs(MamNever, [{ title: 'none', xml: `<never xmlns='${ns}'/>`, value: { jids: [] } }])
  casePairs(MamPrefs, [
    { title: 'request', xml: `<prefs xmlns='${ns}'/>`, value: {} },
    {
      title: 'preferences', xml: `<prefs xmlns='${ns}' default='roster'><always><jid>${romeo}</jid></always><never/></prefs>`,
      value: { default: 'roster', always: { jids: [romeo] }, never: { jids: [] } },
    },
  ])
})
