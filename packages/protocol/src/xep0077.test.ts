import { describe } from 'node:test'
import { RegisterFeature, RegisterQuery } from './xep0077.ts'
import { casePairs } from './testing/case-pairs.ts'

const ns = 'jabber:iq:register'

describe('XEP-0077: in-band registration', () => {
  casePairs(RegisterQuery, [
    { title: 'request', xml: `<query xmlns='${ns}'/>`, value: { registered: false, remove: false } },
    {
      title: 'fields to fill in',
      xml: `<query xmlns='${ns}'><instructions>Choose a name.</instructions><username/><password/></query>`,
      value: { registered: false, instructions: 'Choose a name.', username: '', password: '', remove: false },
    },
    {
      title: 'already registered',
      xml: `<query xmlns='${ns}'><registered/><username>juliet</username></query>`,
      value: { registered: true, username: 'juliet', remove: false },
    },
    { title: 'cancellation (§3.2)', xml: `<query xmlns='${ns}'><remove/></query>`, value: { registered: false, remove: true } },
    {
      title: 'with a form',
      xml: `<query xmlns='${ns}'><x xmlns='jabber:x:data' type='submit'/></query>`,
      value: { registered: false, remove: false, form: { type: 'submit', instructions: [], fields: [], items: [] } },
    },
  ])
  casePairs(RegisterFeature, [{ title: 'feature', xml: `<register xmlns='http://jabber.org/features/iq-register'/>`, value: {} }])
})
