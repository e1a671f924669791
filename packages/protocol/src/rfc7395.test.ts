import { describe } from 'node:test'
import { WsClose, WsOpen } from './rfc7395.ts'
import { casePairs } from './testing/case-pairs.ts'

describe('RFC 7395: framing', () => {
  const ns = 'urn:ietf:params:xml:ns:xmpp-framing'
  casePairs(WsOpen, [
    {
      title: 'from a client',
      xml: `<open xmlns='${ns}' to='verona.example' version='1.0' xml:lang='en'/>`,
      value: { to: 'verona.example', version: '1.0', lang: 'en' },
    },
    {
      title: 'from a server',
      xml: `<open xmlns='${ns}' from='verona.example' id='act2' version='1.0'/>`,
      value: { from: 'verona.example', id: 'act2', version: '1.0' },
    },
  ])
  casePairs(WsClose, [
    { title: 'the end', xml: `<close xmlns='${ns}'/>`, value: {} },
    {
      title: 'elsewhere (§3.6.1)',
      xml: `<close xmlns='${ns}' see-other-uri='wss://mantua.example/ws'/>`,
      value: { seeOtherUri: 'wss://mantua.example/ws' },
    },
  ])
})
