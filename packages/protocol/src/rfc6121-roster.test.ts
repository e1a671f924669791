import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { JidError, parseJid } from '@rollcall/jid'
import { CodecError } from './codec-error.ts'
import { PreApprovalFeature, RosterItem, RosterQuery, RosterVersioningFeature } from './rfc6121-roster.ts'
import { casePairs, parseXml } from './testing/case-pairs.ts'

const ns = 'jabber:iq:roster'

describe('RFC 6121 §2: roster', () => {
  casePairs(RosterItem, [
    {
      title: 'everything',
      xml: `
        <item xmlns='${ns}' jid='romeo@montague.example' name='Romeo' subscription='from' ask='subscribe' approved='true'>
          <group>Friends</group>
          <group>Masked &amp; dancing</group>
        </item>`,
      value: {
        jid: parseJid('romeo@montague.example'),
        name: 'Romeo',
        subscription: 'from',
        ask: 'subscribe',
        approved: true,
        groups: ['Friends', 'Masked & dancing'],
      },
    },
    {
      title: 'removal (§2.5)',
      xml: `<item xmlns='${ns}' jid='paris@verona.example' subscription='remove'/>`,
      value: { jid: parseJid('paris@verona.example'), subscription: 'remove', groups: [] },
    },
    {
      title: 'approval as a digit, unknown attribute and child (RFC 6120 §8.4)',
      xml: `<item xmlns='${ns}' jid='paris@verona.example' approved='1' rank='count'><ring xmlns='urn:example:gold'/></item>`,
      value: { jid: parseJid('paris@verona.example'), approved: true, groups: [] },
      isOnlyRead: true,
    },
  ])
  casePairs(RosterQuery, [
    { title: 'request', xml: `<query xmlns='${ns}'/>`, value: { items: [] } },
    { title: 'request without a version yet (§2.6.2)', xml: `<query xmlns='${ns}' ver=''/>`, value: { ver: '', items: [] } },
    {
      title: 'push',
      xml: `<query xmlns='${ns}' ver='ver7'><item jid='nurse@capulet.example' subscription='both'/></query>`,
      value: { ver: 'ver7', items: [{ jid: parseJid('nurse@capulet.example'), subscription: 'both', groups: [] }] },
    },
  ])
  casePairs(RosterVersioningFeature, [
    { title: 'feature', xml: `<ver xmlns='urn:xmpp:features:rosterver'/>`, value: { required: false, optional: false } },
    {
      title: 'feature of older servers',
      xml: `<ver xmlns='urn:xmpp:features:rosterver'><optional/></ver>`,
      value: { required: false, optional: true },
    },
  ])
  casePairs(PreApprovalFeature, [{ title: 'feature', xml: `<sub xmlns='urn:xmpp:features:pre-approval'/>`, value: {} }])

  it('says which attribute is wrong, and why an address is', () => {
    const decode = (attributes: string) => () => RosterItem.decode(parseXml(`<item xmlns='${ns}' ${attributes}/>`))
    assert.throws(decode(''), { name: 'CodecError', message: `<item xmlns='jabber:iq:roster'>: attribute 'jid' is missing` })
    assert.throws(decode(`jid='a@b.example' subscription='maybe'`), /attribute 'subscription': "maybe" is not one of none, to,/)
    assert.throws(decode(`jid='@'`), (error) => error instanceof CodecError && error.cause instanceof JidError && error.element === 'item')
  })
})
