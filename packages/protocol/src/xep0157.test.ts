import { describe } from 'node:test'
import { ContactAddresses } from './xep0157.ts'
import { casePairs } from './testing/case-pairs.ts'

describe('XEP-0157: contact addresses', () => {
  casePairs(ContactAddresses, [
    {
      title: 'two subjects',
      xml: `
        <x xmlns='jabber:x:data' type='result'>
          <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/network/serverinfo</value></field>
          <field var='abuse-addresses' type='list-multi'><value>mailto:prince@verona.example</value></field>
          <field var='support-addresses' type='list-multi'>
            <value>xmpp:friar@verona.example</value>
            <value>https://verona.example/help</value>
          </field>
        </x>`,
      value: {
        abuse: ['mailto:prince@verona.example'],
        admin: [],
        feedback: [],
        sales: [],
        security: [],
        status: [],
        support: ['xmpp:friar@verona.example', 'https://verona.example/help'],
      },
    },
  ])
})
