import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseJid } from '@rollcall/jid'
import { stanzaErrorTypes } from '@rollcall/stanza'
import { XmlElement } from '@rollcall/xml'
import { Bind, BindFeature, Session } from './rfc6120-bind.ts'
import { StreamFeatures } from './rfc6120-features.ts'
import { ChannelBinding, SaslAbort, SaslAuth, SaslChallenge, SaslChannelBinding, SaslFailure } from './rfc6120-sasl.ts'
import { saslConditions, SaslMechanisms, SaslResponse, SaslSuccess } from './rfc6120-sasl.ts'
import { stanzaConditions, StanzaErrorElement } from './rfc6120-stanza-errors.ts'
import { streamConditions, StreamError } from './rfc6120-stream-errors.ts'
import { StartTls, TlsFailure, TlsProceed } from './rfc6120-tls.ts'
import { casePairs, parseXml } from './testing/case-pairs.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('RFC 6120 §5: STARTTLS', () => {
  const ns = 'urn:ietf:params:xml:ns:xmpp-tls'
  casePairs(StartTls, [
    { title: 'command', xml: `<starttls xmlns='${ns}'/>`, value: { required: false } },
    { title: 'feature', xml: `<starttls xmlns='${ns}'><required/></starttls>`, value: { required: true } },
  ])
  casePairs(TlsProceed, [{ title: 'go on', xml: `<proceed xmlns='${ns}'/>`, value: {} }])
  casePairs(TlsFailure, [{ title: 'refused', xml: `<failure xmlns='${ns}'/>`, value: {} }])
})

describe('RFC 6120 §6: SASL', () => {
  const ns = 'urn:ietf:params:xml:ns:xmpp-sasl'
  casePairs(SaslMechanisms, [
    {
      title: 'offer',
      xml: `<mechanisms xmlns='${ns}'><mechanism>SCRAM-SHA-256-PLUS</mechanism><mechanism>PLAIN</mechanism></mechanisms>`,
      value: { mechanisms: ['SCRAM-SHA-256-PLUS', 'PLAIN'] },
    },
  ])
  casePairs(SaslAuth, [
    { title: 'no initial response', xml: `<auth xmlns='${ns}' mechanism='SCRAM-SHA-1'/>`, value: { mechanism: 'SCRAM-SHA-1' } },
    {
      title: 'empty initial response',
      xml: `<auth xmlns='${ns}' mechanism='EXTERNAL'>=</auth>`,
      value: { mechanism: 'EXTERNAL', data: bytes('') },
    },
    {
      title: 'initial response',
      xml: `<auth xmlns='${ns}' mechanism='PLAIN'>AGp1bGlldABiYWxjb255</auth>`,
      value: { mechanism: 'PLAIN', data: bytes('\0juliet\0balcony') },
    },
  ])
  casePairs(SaslChallenge, [
    { title: 'with data', xml: `<challenge xmlns='${ns}'>cj1yb3Nl</challenge>`, value: { data: bytes('r=rose') } },
    { title: 'without data', xml: `<challenge xmlns='${ns}'/>`, value: { data: bytes('') } },
  ])
  casePairs(SaslResponse, [
    { title: 'with data', xml: `<response xmlns='${ns}'>Yz1iaXdz</response>`, value: { data: bytes('c=biws') } },
    { title: 'a lone equals sign', xml: `<response xmlns='${ns}'>=</response>`, value: { data: bytes('') }, isOnlyRead: true },
  ])
  casePairs(SaslAbort, [{ title: 'give up', xml: `<abort xmlns='${ns}'/>`, value: {} }])
  casePairs(SaslSuccess, [
    { title: 'without data', xml: `<success xmlns='${ns}'/>`, value: {} },
    { title: 'with data', xml: `<success xmlns='${ns}'>dj1yb3Nl</success>`, value: { data: bytes('v=rose') } },
  ])
  casePairs(SaslFailure, [
    {
      title: 'with text',
      xml: `<failure xmlns='${ns}'><account-disabled/><text xml:lang='en'>Ask the Prince.</text></failure>`,
      value: { condition: 'account-disabled', text: 'Ask the Prince.' },
    },
    {
      title: 'unknown condition',
      xml: `<failure xmlns='${ns}'><exiled-to-mantua/></failure>`,
      value: { condition: 'not-authorized' },
      isOnlyRead: true,
    },
  ])
  it('knows each of the eleven conditions of §6.5', () => {
    assert.equal(Object.keys(saslConditions).length, 11)
  })
  for (const broken of ['cj1yb3N', 'cj1 yb3Nl', '====', 'cj1yb3Nl=', 'c=1y']) {
    it(`refuses ${broken} as base64 (§6.5.5)`, () => {
      assert.throws(() => SaslResponse.decode(parseXml(`<response xmlns='${ns}'>${broken}</response>`)), /text: .* is not base64/)
    })
  }
})

describe('XEP-0440: channel-binding types', () => {
  const ns = 'urn:xmpp:sasl-cb:0'
  casePairs(ChannelBinding, [{ title: 'one', xml: `<channel-binding xmlns='${ns}' type='tls-exporter'/>`, value: { type: 'tls-exporter' } }])
  casePairs(SaslChannelBinding, [
    {
      title: 'two',
      xml: `
        <sasl-channel-binding xmlns='${ns}'>
          <channel-binding type='tls-exporter'/>
          <channel-binding type='tls-server-end-point'/>
        </sasl-channel-binding>`,
      value: { bindings: [{ type: 'tls-exporter' }, { type: 'tls-server-end-point' }] },
    },
  ])
})

describe('RFC 6120 §7: resource binding', () => {
  const ns = 'urn:ietf:params:xml:ns:xmpp-bind'
  casePairs(Bind, [
    { title: 'request', xml: `<bind xmlns='${ns}'/>`, value: {} },
    { title: 'request of a resource', xml: `<bind xmlns='${ns}'><resource>balcony</resource></bind>`, value: { resource: 'balcony' } },
    {
      title: 'result',
      xml: `<bind xmlns='${ns}'><jid>juliet@capulet.example/balcony</jid></bind>`,
      value: { jid: parseJid('juliet@capulet.example/balcony') },
    },
  ])
  casePairs(BindFeature, [
    { title: 'feature', xml: `<bind xmlns='${ns}'/>`, value: { required: false } },
    { title: 'required feature', xml: `<bind xmlns='${ns}'><required/></bind>`, value: { required: true } },
  ])
  casePairs(Session, [
    {
      title: 'optional feature',
      xml: `<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>`,
      value: { optional: true },
    },
  ])
})

describe('RFC 6120 §4.3.2: stream features', () => {
  casePairs(StreamFeatures, [
    { title: 'none', xml: '<stream:features/>', value: { extensions: [] } },
    {
      title: 'before TLS',
      xml: `<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>`,
      value: { startTls: { required: true }, extensions: [] },
    },
    {
      title: 'after authentication',
      xml: `
        <stream:features>
          <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>
          <session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>
          <ver xmlns='urn:xmpp:features:rosterver'/>
          <sub xmlns='urn:xmpp:features:pre-approval'/>
          <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://verona.example' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>
          <limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>262144</max-bytes></limits>
          <feud xmlns='urn:example:houses'/>
        </stream:features>`,
      value: {
        bind: { required: false },
        session: { optional: true },
        rosterVersioning: { required: false, optional: false },
        preApproval: {},
        caps: { hash: 'sha-1', node: 'https://verona.example', ver: 'QgayPKawpkPSDYmwT/WM94uAlu0=' },
        limits: { maxBytes: 262_144 },
        extensions: [new XmlElement('feud', 'urn:example:houses')],
      },
    },
  ])
  it('writes the prefix that clients insist on (§4.8.5)', () => {
    assert.equal(StreamFeatures.toWire({}), '<stream:features/>')
    assert.equal(
      StreamFeatures.toWire({ preApproval: {} }),
      `<stream:features><sub xmlns='urn:xmpp:features:pre-approval'/></stream:features>`,
    )
  })
})

describe('RFC 6120 §4.9: stream errors', () => {
  const ns = 'urn:ietf:params:xml:ns:xmpp-streams'
  casePairs(StreamError, [
    {
      title: 'condition only',
      xml: `<stream:error><host-unknown xmlns='${ns}'/></stream:error>`,
      value: { condition: 'host-unknown', application: [] },
    },
    {
      title: 'with text and an application-specific condition',
      xml: `
        <stream:error>
          <policy-violation xmlns='${ns}'/>
          <text xmlns='${ns}' xml:lang='en'>Too many letters, Romeo.</text>
          <too-fast xmlns='urn:example:friars'/>
        </stream:error>`,
      value: {
        condition: 'policy-violation',
        text: 'Too many letters, Romeo.',
        application: [new XmlElement('too-fast', 'urn:example:friars')],
      },
    },
    {
      title: 'another host (§4.9.3.19)',
      xml: `<stream:error><see-other-host xmlns='${ns}'>[2001:db8::7]:5222</see-other-host></stream:error>`,
      value: { condition: 'see-other-host', address: '[2001:db8::7]:5222', application: [] },
    },
    {
      title: 'unknown condition',
      xml: `<stream:error><plague xmlns='urn:example:houses'/></stream:error>`,
      value: { condition: 'undefined-condition', application: [new XmlElement('plague', 'urn:example:houses')] },
      isOnlyRead: true,
    },
  ])
  it('knows each of the 25 conditions of §4.9.3', () => {
    assert.equal(Object.keys(streamConditions).length, 25)
  })
  it('is written with the prefix of the stream', () => {
    const wire = StreamError.toWire({ condition: 'reset' })
    assert.equal(wire, `<stream:error><reset xmlns='${ns}'/></stream:error>`)
  })
})

describe('RFC 6120 §8.3: stanza errors', () => {
  const ns = 'urn:ietf:params:xml:ns:xmpp-stanzas'
  casePairs(StanzaErrorElement, [
    {
      title: 'with the default type',
      xml: `<error type='cancel'><item-not-found xmlns='${ns}'/></error>`,
      value: { condition: 'item-not-found', type: 'cancel', application: [] },
    },
    {
      title: 'everything',
      xml: `
        <error type='wait' by='verona.example'>
          <policy-violation xmlns='${ns}'/>
          <text xmlns='${ns}' xml:lang='en'>Not before dawn.</text>
          <lark xmlns='urn:example:birds'/>
        </error>`,
      value: {
        condition: 'policy-violation',
        type: 'wait',
        by: parseJid('verona.example'),
        text: 'Not before dawn.',
        application: [new XmlElement('lark', 'urn:example:birds')],
      },
    },
    {
      title: 'where to go (§8.3.3.5)',
      xml: `<error type='cancel'><gone xmlns='${ns}'>xmpp:romeo@mantua.example</gone></error>`,
      value: { condition: 'gone', type: 'cancel', address: 'xmpp:romeo@mantua.example', application: [] },
    },
    {
      title: 'a redirect without address',
      xml: `<error type='modify'><redirect xmlns='${ns}'/></error>`,
      value: { condition: 'redirect', type: 'modify', application: [] },
    },
    {
      title: 'no type and an unknown condition',
      xml: `<error><asleep xmlns='${ns}'/></error>`,
      value: { condition: 'undefined-condition', type: 'cancel', application: [new XmlElement('asleep', ns)] },
      isOnlyRead: true,
    },
    {
      title: 'on a stream between servers',
      xml: `<error xmlns='jabber:server' type='auth'><forbidden xmlns='${ns}'/></error>`,
      value: { condition: 'forbidden', type: 'auth', application: [] },
      isOnlyRead: true,
    },
  ])
  it('takes the type from the condition when none is given', () => {
    const wire = StanzaErrorElement.toWire({ condition: 'not-authorized' })
    assert.equal(wire, `<error type='auth'><not-authorized xmlns='${ns}'/></error>`)
  })
  it('has type and meaning of each of the 22 conditions of §8.3.3', () => {
    assert.equal(Object.keys(stanzaConditions).length, 22)
    for (const [name, { type, meaning }] of Object.entries(stanzaConditions)) {
      assert.equal(type, stanzaErrorTypes[name as keyof typeof stanzaErrorTypes])
      assert.match(meaning, /^[A-Z].+\.$/)
    }
  })
})
