import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { XmlElement } from '@rollcall/xml'
import { VcardTemp } from './xep0054.ts'
import { casePairs } from './testing/case-pairs.ts'

describe('XEP-0054: vcard-temp', () => {
  casePairs(VcardTemp, [
    { title: 'request', xml: `<vCard xmlns='vcard-temp'/>`, value: new XmlElement('vCard', 'vcard-temp') },
    {
      title: 'a card, attributes and all',
      xml: `<vCard xmlns='vcard-temp' version='2.0'><FN>Juliet Capulet</FN></vCard>`,
      value: new XmlElement('vCard', 'vcard-temp', { version: '2.0' }, [new XmlElement('FN', 'vcard-temp', {}, ['Juliet Capulet'])]),
    },
  ])
  it('refuses another element, read or written', () => {
    const other = new XmlElement('vCard', 'urn:example:other')
    assert.equal(VcardTemp.matches(other), false)
    assert.throws(() => VcardTemp.decode(other), { message: `<vCard xmlns='vcard-temp'>: found <vCard xmlns='urn:example:other'> instead` })
    assert.throws(() => VcardTemp.toWire(other), { name: 'CodecError' })
  })
})
