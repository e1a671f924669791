import { describe } from 'node:test'
import { parseJid } from '@rollcall/jid'
import { DiscoFeature, DiscoIdentity, DiscoInfo, DiscoItem, DiscoItems } from './xep0030.ts'
import { casePairs } from './testing/case-pairs.ts'

const info = 'http://jabber.org/protocol/disco#info'
const items = 'http://jabber.org/protocol/disco#items'

describe('XEP-0030: service discovery', () => {
  casePairs(DiscoIdentity, [
    {
      title: 'named in a language',
      xml: `<identity xmlns='${info}' category='server' type='im' name='Città di Verona' xml:lang='it'/>`,
      value: { category: 'server', type: 'im', name: 'Città di Verona', lang: 'it' },
    },
  ])
  casePairs(DiscoFeature, [{ title: 'one', xml: `<feature xmlns='${info}' var='urn:xmpp:ping'/>`, value: { var: 'urn:xmpp:ping' } }])
  casePairs(DiscoInfo, [
    { title: 'request', xml: `<query xmlns='${info}'/>`, value: { identities: [], features: [], forms: [] } },
    {
      title: 'result with a form (XEP-0128)',
      xml: `
        <query xmlns='${info}' node='https://verona.example#v1'>
          <identity category='server' type='im'/>
          <feature var='${info}'/>
          <feature var='urn:xmpp:ping'/>
          <x xmlns='jabber:x:data' type='result'>
            <field var='FORM_TYPE' type='hidden'><value>urn:example:city</value></field>
          </x>
        </query>`,
      value: {
        node: 'https://verona.example#v1',
        identities: [{ category: 'server', type: 'im' }],
        features: [{ var: info }, { var: 'urn:xmpp:ping' }],
        forms: [{
          type: 'result',
          instructions: [],
          fields: [{ var: 'FORM_TYPE', type: 'hidden', isRequired: false, values: ['urn:example:city'], options: [] }],
          items: [],
        }],
      },
    },
  ])
  casePairs(DiscoItem, [
    {
      title: 'a node',
      xml: `<item xmlns='${items}' jid='verona.example' node='market' name='The market place'/>`,
      value: { jid: parseJid('verona.example'), node: 'market', name: 'The market place' },
    },
  ])
  casePairs(DiscoItems, [
    { title: 'request of a node', xml: `<query xmlns='${items}' node='market'/>`, value: { node: 'market', items: [] } },
    {
      title: 'result, paged',
      xml: `
        <query xmlns='${items}'>
          <item jid='rooms.verona.example'/>
          <set xmlns='http://jabber.org/protocol/rsm'><count>1</count></set>
        </query>`,
      value: { items: [{ jid: parseJid('rooms.verona.example') }], page: { count: 1 } },
    },
  ])
})
