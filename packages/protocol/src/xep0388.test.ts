import { describe } from 'node:test'
import { XmlElement } from '@rollcall/xml'
import { casePairs } from './testing/case-pairs.ts'
import {
  Sasl2Abort, Sasl2Authenticate, Sasl2Authentication, Sasl2Challenge, Sasl2Continue, Sasl2Failure, Sasl2Inline, Sasl2Next,
  Sasl2Response, Sasl2Success, Sasl2TaskData, Sasl2Tasks, Sasl2UserAgent,
} from './xep0388.ts'

const ns = "xmlns='urn:xmpp:sasl:2'"
const other = new XmlElement('moon', 'urn:example:other', {}, [])
const otherXml = "<moon xmlns='urn:example:other'/>"
const bytes = (text: string) => new Uint8Array(new TextEncoder().encode(text))

describe('XEP-0388: extensible SASL profile', () => {
  casePairs(Sasl2Inline, [{ title: 'one feature', xml: `<inline ${ns}>${otherXml}</inline>`, value: { features: [other] } }])
  casePairs(Sasl2Authentication, [
    {
      title: 'mechanisms, inline features, upgrades',
      xml: `<authentication ${ns}>
        <mechanism>SCRAM-SHA-256</mechanism>
        <inline>${otherXml}</inline>
        <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade>
      </authentication>`,
      value: { mechanisms: ['SCRAM-SHA-256'], inline: { features: [other] }, upgrades: ['UPGR-SCRAM-SHA-512'] },
    },
    { title: 'mechanisms only', xml: `<authentication ${ns}><mechanism>PLAIN</mechanism></authentication>`, value: { mechanisms: ['PLAIN'], upgrades: [] } },
  ])
  casePairs(Sasl2UserAgent, [
    {
      title: 'all of it',
      xml: `<user-agent ${ns} id='3c0b6d4e-6a5e-4cf0-9a55-0d0a1f0f7a11'><software>Lute</software><device>Balcony</device></user-agent>`,
      value: { id: '3c0b6d4e-6a5e-4cf0-9a55-0d0a1f0f7a11', software: 'Lute', device: 'Balcony' },
    },
    { title: 'nothing', xml: `<user-agent ${ns}/>`, value: {} },
  ])
  casePairs(Sasl2Authenticate, [
    {
      title: 'with everything',
      xml: `<authenticate ${ns} mechanism='PLAIN'>
        <initial-response>AGp1bGlldAA=</initial-response>
        <user-agent id='3c0b6d4e-6a5e-4cf0-9a55-0d0a1f0f7a11'/>
        <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade>
        ${otherXml}
      </authenticate>`,
      value: {
        mechanism: 'PLAIN', initialResponse: bytes('\0juliet\0'), userAgent: { id: '3c0b6d4e-6a5e-4cf0-9a55-0d0a1f0f7a11' },
        upgrades: ['UPGR-SCRAM-SHA-512'], inline: [other],
      },
    },
    {
      title: 'an empty initial response is one (§2.2)',
      xml: `<authenticate ${ns} mechanism='ANONYMOUS'><initial-response/></authenticate>`,
      value: { mechanism: 'ANONYMOUS', initialResponse: bytes(''), upgrades: [], inline: [] },
    },
    { title: 'no initial response', xml: `<authenticate ${ns} mechanism='PLAIN'/>`, value: { mechanism: 'PLAIN', upgrades: [], inline: [] } },
  ])
  casePairs(Sasl2Challenge, [{ title: 'data', xml: `<challenge ${ns}>cj0x</challenge>`, value: { data: bytes('r=1') } }])
  casePairs(Sasl2Response, [{ title: 'data', xml: `<response ${ns}>cj0x</response>`, value: { data: bytes('r=1') } }])
  casePairs(Sasl2Abort, [
    { title: 'plain', xml: `<abort ${ns}/>`, value: { details: [] } },
    { title: 'with reasons', xml: `<abort ${ns}><text>Somebody comes.</text>${otherXml}</abort>`, value: { text: 'Somebody comes.', details: [other] } },
  ])
  casePairs(Sasl2Success, [
    {
      title: 'with results',
      xml: `<success ${ns}><additional-data>dj0x</additional-data>
        <authorization-identifier>juliet@capulet.example/balcony</authorization-identifier>${otherXml}</success>`,
      value: { additionalData: bytes('v=1'), authorizationIdentifier: 'juliet@capulet.example/balcony', results: [other] },
    },
  ])
  casePairs(Sasl2Failure, [
    {
      title: 'condition, text and detail',
      xml: `<failure ${ns}><aborted xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/><text>By my troth.</text>${otherXml}</failure>`,
      value: { condition: 'aborted', text: 'By my troth.', details: [other] },
    },
  ])
  casePairs(Sasl2Tasks, [{ title: 'two', xml: `<tasks ${ns}><task>A</task><task>B</task></tasks>`, value: { tasks: ['A', 'B'] } }])
  casePairs(Sasl2Continue, [
    {
      title: 'one task',
      xml: `<continue ${ns}><additional-data>dj0x</additional-data><tasks><task>UPGR-SCRAM-SHA-512</task></tasks><text>Please.</text></continue>`,
      value: { additionalData: bytes('v=1'), tasks: { tasks: ['UPGR-SCRAM-SHA-512'] }, text: 'Please.' },
    },
  ])
  casePairs(Sasl2Next, [
    { title: 'a task', xml: `<next ${ns} task='UPGR-SCRAM-SHA-512'>${otherXml}</next>`, value: { task: 'UPGR-SCRAM-SHA-512', content: [other] } },
  ])
  casePairs(Sasl2TaskData, [{ title: 'anything', xml: `<task-data ${ns}>${otherXml}</task-data>`, value: { content: [other] } }])
})
