import { describe } from 'node:test'
import { XmlElement } from '@rollcall/xml'
import { BoshBody } from './xep0124.ts'
import { casePairs } from './testing/case-pairs.ts'

const ns = 'http://jabber.org/protocol/httpbind'
const empty = { restart: false, restartlogic: false, payload: [] }

describe('XEP-0124, XEP-0206: BOSH', () => {
  casePairs(BoshBody, [
    {
      title: 'session request',
      xml: `
        <body xmlns='${ns}' xmlns:xmpp='urn:xmpp:xbosh' rid='1573741820' to='verona.example' xml:lang='en' ver='1.6'
          wait='60' hold='1' content='text/xml; charset=utf-8' xmpp:version='1.0'/>`,
      value: {
        ...empty,
        rid: 1_573_741_820,
        to: 'verona.example',
        lang: 'en',
        ver: '1.6',
        wait: 60,
        hold: 1,
        content: 'text/xml; charset=utf-8',
        version: '1.0',
      },
    },
    {
      title: 'session created',
      xml: `
        <body xmlns='${ns}' xmlns:xmpp='urn:xmpp:xbosh' sid='act1' from='verona.example' wait='60' requests='2' hold='1'
          inactivity='30' polling='5' maxpause='120' authid='scene2' xmpp:restartlogic='true'/>`,
      value: {
        ...empty,
        sid: 'act1',
        from: 'verona.example',
        wait: 60,
        requests: 2,
        hold: 1,
        inactivity: 30,
        polling: 5,
        maxpause: 120,
        authid: 'scene2',
        restartlogic: true,
      },
    },
    {
      title: 'stream restart (XEP-0206 §5)',
      xml: `<body xmlns='${ns}' xmlns:xmpp='urn:xmpp:xbosh' rid='7' sid='act1' xmpp:restart='true'/>`,
      value: { ...empty, rid: 7, sid: 'act1', restart: true },
    },
    {
      title: 'payloads, keys and acknowledgements',
      xml: `
        <body xmlns='${ns}' rid='8' sid='act1' ack='6' key='ab' newkey='cd' pause='60' stream='second'>
          <presence xmlns='jabber:client'/>
        </body>`,
      value: {
        ...empty,
        rid: 8,
        sid: 'act1',
        ack: 6,
        key: 'ab',
        newkey: 'cd',
        pause: 60,
        stream: 'second',
        payload: [new XmlElement('presence', 'jabber:client')],
      },
    },
    {
      title: 'a missing response reported (§9.2)',
      xml: `<body xmlns='${ns}' report='7' time='852'/>`,
      value: { ...empty, report: 7, time: 852 },
    },
    {
      title: 'the end, and where to go (§17.2)',
      xml: `<body xmlns='${ns}' type='terminate' condition='see-other-uri'><uri>https://mantua.example/bosh</uri></body>`,
      value: { ...empty, type: 'terminate', condition: 'see-other-uri', uri: 'https://mantua.example/bosh' },
    },
  ])
})
