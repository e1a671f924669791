import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { XmlElement } from '@rollcall/xml'
import { CarbonsDisable, CarbonsEnable, CarbonsPrivate, CarbonsReceived, CarbonsSent } from './xep0280.ts'
import { Forwarded } from './xep0297.ts'
import { casePairs, parseXml } from './testing/case-pairs.ts'

const ns = 'urn:xmpp:carbons:2'
const body = new XmlElement('body', 'jabber:client', {}, ['Wherefore?'])
const message = new XmlElement('message', 'jabber:client', { to: 'romeo@montague.example', type: 'chat' }, [body])
const stanza = `<message xmlns='jabber:client' to='romeo@montague.example' type='chat'><body>Wherefore?</body></message>`

describe('XEP-0297: forwarding', () => {
  casePairs(Forwarded, [
    {
      title: 'with the time of delivery',
      xml: `<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2026-07-12T02:00:00Z'/>${stanza}</forwarded>`,
      value: { delay: { stamp: Date.UTC(2026, 6, 12, 2) }, stanza: message },
    },
  ])
  it('needs a stanza', () => {
    const element = parseXml(`<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='urn:example:other'/></forwarded>`)
    assert.throws(() => Forwarded.decode(element), /child <message\/> or <presence\/> or <iq\/> is missing/)
  })
})

describe('XEP-0280: message carbons', () => {
  casePairs(CarbonsEnable, [{ title: 'on', xml: `<enable xmlns='${ns}'/>`, value: {} }])
  casePairs(CarbonsDisable, [{ title: 'off', xml: `<disable xmlns='${ns}'/>`, value: {} }])
  casePairs(CarbonsPrivate, [{ title: 'none of this', xml: `<private xmlns='${ns}'/>`, value: {} }])
  casePairs(CarbonsReceived, [
    {
      title: 'copy',
      xml: `<received xmlns='${ns}'><forwarded xmlns='urn:xmpp:forward:0'>${stanza}</forwarded></received>`,
      value: { forwarded: { stanza: message } },
    },
  ])
  casePairs(CarbonsSent, [
    {
      title: 'copy',
      xml: `<sent xmlns='${ns}'><forwarded xmlns='urn:xmpp:forward:0'>${stanza}</forwarded></sent>`,
      value: { forwarded: { stanza: message } },
    },
  ])
})
