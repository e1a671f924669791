import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CodecError } from './codec-error.ts'
import {
  HandledCountTooHigh, SmAnswer, SmEnable, SmEnabled, SmFailed, SmRequest, SmResume, SmResumed, StreamManagementFeature,
} from './xep0198.ts'
import { casePairs, parseXml } from './testing/case-pairs.ts'

const ns = 'urn:xmpp:sm:3'
const errors = 'urn:ietf:params:xml:ns:xmpp-stanzas'

describe('XEP-0198: stream management', () => {
  casePairs(StreamManagementFeature, [{ title: 'offered (§2)', xml: `<sm xmlns='${ns}'/>`, value: {} }])
  casePairs(SmEnable, [
    { title: 'acknowledgements only (§3)', xml: `<enable xmlns='${ns}'/>`, value: { resume: false } },
    { title: 'resumable for a quarter of an hour (§3)', xml: `<enable xmlns='${ns}' resume='true' max='900'/>`, value: { resume: true, max: 900 } },
    { title: 'boolean as a digit', xml: `<enable xmlns='${ns}' resume='1'/>`, value: { resume: true }, isOnlyRead: true },
  ])
  casePairs(SmEnabled, [
    { title: 'acknowledgements only (§3)', xml: `<enabled xmlns='${ns}'/>`, value: { resume: false } },
    {
      title: 'resumable, with a place (§5)',
      xml: `<enabled xmlns='${ns}' id='tybalt-7' resume='true' max='300' location='[2001:db8::7]:5222'/>`,
      value: { id: 'tybalt-7', resume: true, max: 300, location: '[2001:db8::7]:5222' },
    },
  ])
  casePairs(SmRequest, [{ title: 'request (§4)', xml: `<r xmlns='${ns}'/>`, value: {} }])
  casePairs(SmAnswer, [
    { title: 'nothing handled yet (§4)', xml: `<a xmlns='${ns}' h='0'/>`, value: { handled: 0 } },
    { title: 'the last number before the wrap (§4)', xml: `<a xmlns='${ns}' h='4294967295'/>`, value: { handled: 4_294_967_295 } },
  ])
  casePairs(SmResume, [
    { title: 'request (§5)', xml: `<resume xmlns='${ns}' previd='tybalt-7' h='12'/>`, value: { previousId: 'tybalt-7', handled: 12 } },
  ])
  casePairs(SmResumed, [
    { title: 'success (§5)', xml: `<resumed xmlns='${ns}' previd='tybalt-7' h='3'/>`, value: { previousId: 'tybalt-7', handled: 3 } },
  ])
  casePairs(SmFailed, [
    {
      title: 'too late, but remembered (§5)',
      xml: `<failed xmlns='${ns}' h='3'><item-not-found xmlns='${errors}'/></failed>`,
      value: { handled: 3, condition: { name: 'item-not-found' } },
    },
    {
      title: 'out of order (§6)',
      xml: `<failed xmlns='${ns}'><unexpected-request xmlns='${errors}'/></failed>`,
      value: { condition: { name: 'unexpected-request' } },
    },
    { title: 'without a reason', xml: `<failed xmlns='${ns}'/>`, value: {} },
  ])
  casePairs(HandledCountTooHigh, [
    { title: 'in a stream error (§6)', xml: `<handled-count-too-high xmlns='${ns}' h='10' send-count='8'/>`, value: { handled: 10, sent: 8 } },
  ])

  it('a count that is no 32-bit number, or missing, is refused (§4, §8)', () => {
    for (const h of ["h='4294967296'", "h='-1'", "h='many'", '']) {
      assert.throws(() => SmAnswer.decode(parseXml(`<a xmlns='${ns}' ${h}/>`)), CodecError)
    }
    assert.throws(() => SmEnable.decode(parseXml(`<enable xmlns='${ns}' max='0'/>`)), CodecError)
    assert.throws(() => SmResume.decode(parseXml(`<resume xmlns='${ns}' h='1'/>`)), CodecError)
  })
})
