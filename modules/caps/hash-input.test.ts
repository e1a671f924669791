/** The hash inputs of XEP-0115 and XEP-0390: against the specifications' own hashes, and where the algorithms must give up. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { DiscoInfo } from '@rollcall/protocol'
import { parseText } from '@rollcall/xml'
import { caps2Input, capsInput } from './hash-input.ts'

const read = (content: string) => DiscoInfo.decode(parseText(`<query xmlns='http://jabber.org/protocol/disco#info'>${content}</query>`, ''))
const features = (...names: readonly string[]) => names.map((name) => `<feature var='${name}'/>`).join('')
const form = (...fields: readonly (readonly [string, ...string[]])[]) => `<x xmlns='jabber:x:data' type='result'>${fields.map(([name, ...values]) =>
  `<field var='${name}'${name === 'FORM_TYPE' ? " type='hidden'" : ''}>${values.map((value) => `<value>${value}</value>`).join('')}</field>`).join('')}</x>`
const digest = (algorithm: string, input: Uint8Array | undefined) =>
  input === undefined ? undefined : createHash(algorithm).update(input).digest('base64')
const text = (input: Uint8Array | undefined) => (input === undefined ? undefined : Buffer.from(input).toString('utf8'))

const disco = 'http://jabber.org/protocol/disco'
/** XEP-0115 §5.2, in another order. */
const exodus = read(features('http://jabber.org/protocol/muc', `${disco}#items`, 'http://jabber.org/protocol/caps', `${disco}#info`)
  + "<identity category='client' type='pc' name='Exodus 0.9.1'/>")
/** XEP-0115 §5.3, in another order. */
const psi = read(form(['software_version', '0.11'], ['ip_version', 'ipv6', 'ipv4'], ['FORM_TYPE', 'urn:xmpp:dataforms:softwareinfo'],
  ['software', 'Psi'], ['os_version', '10.5.1'], ['os', 'Mac'])
  + "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/><identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>"
  + features('http://jabber.org/protocol/muc', `${disco}#info`, `${disco}#items`, 'http://jabber.org/protocol/caps'))
/** XEP-0390 §4.5.1. */
const bombus = read(`<identity category='client' name='BombusMod' type='mobile'/>${features(
  'http://jabber.org/protocol/si', 'http://jabber.org/protocol/bytestreams', 'http://jabber.org/protocol/chatstates', `${disco}#info`, `${disco}#items`,
  'urn:xmpp:ping', 'jabber:iq:time', 'jabber:iq:privacy', 'jabber:iq:version', 'http://jabber.org/protocol/rosterx', 'urn:xmpp:time', 'jabber:x:oob',
  'http://jabber.org/protocol/ibb', 'http://jabber.org/protocol/si/profile/file-transfer', 'urn:xmpp:receipts', 'jabber:iq:roster', 'jabber:iq:last')}`)

describe('XEP-0115 §5.1', () => {
  test('gives the hashes of the specification, whatever the order', () => {
    assert.equal(digest('sha1', capsInput(exodus)), 'QgayPKawpkPSDYmwT/WM94uAlu0=')
    assert.equal(digest('sha1', capsInput(psi)), 'q07IKJEyjvHSyhy//CH0CxmKi8w=')
  })
  test('sorts forms by FORM_TYPE and everything by bytes, beyond the BMP too', () => {
    const info = read(form(['FORM_TYPE', 'urn:b'], ['z', '1'], ['a', '2']) + form(['FORM_TYPE', 'urn:a'], ['\u{1F3AD}', '1'], ['\uFF5E', '2'])
      + features('b', 'a') + "<identity category='x' type='y'/>")
    assert.equal(text(capsInput(info)), 'x/y//<a<b<urn:a<\uFF5E<2<\u{1F3AD}<1<urn:b<a<2<z<1<')
  })
  test('§5.4: passes over forms without a proper FORM_TYPE', () => {
    const plain = read(features('a'))
    for (const other of [form(['a', 'b']), form(['FORM_TYPE', 'urn:a']).replace(" type='hidden'", ''), form(['FORM_TYPE'])]) {
      assert.equal(text(capsInput(read(features('a') + other))), text(capsInput(plain)))
    }
  })
  test('§5.4: gives up when something is said twice', () => {
    const identity = "<identity category='client' type='pc' name='A'/>"
    assert.equal(capsInput(read(features('a', 'a'))), undefined)
    assert.equal(capsInput(read(identity + identity)), undefined)
    assert.notEqual(capsInput(read(identity + identity.replace('A', 'B'))), undefined)
    assert.equal(capsInput(read(form(['FORM_TYPE', 'urn:a'], ['x', '1']) + form(['FORM_TYPE', 'urn:a'], ['y', '1']))), undefined)
    assert.equal(capsInput(read(form(['FORM_TYPE', 'urn:a', 'urn:b']))), undefined)
  })
  test('§9.2: gives up on the separator in a text, which would make different information look the same', () => {
    const split = read("<identity category='client' type='pc' name='A'/>" + features('b'))
    const joint = read("<identity category='client' type='pc' name='A&lt;b'/>")
    assert.equal(text(capsInput(split)), 'client/pc//A<b<')
    assert.equal(capsInput(joint), undefined)
  })
})

describe('XEP-0390 §4.1', () => {
  test('gives the hashes of the specification', () => {
    assert.equal(digest('sha256', caps2Input(bombus)), 'kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8=')
    assert.equal(digest('sha3-256', caps2Input(bombus)), '79mdYAfU9rEdTOcWDO7UEAt6E56SUzk/g6TnqUeuD9Q=')
  })
  test('separates every level, sorts each, and ends each part', () => {
    const info = read(form(['os', 'XP'], ['FORM_TYPE', 'urn:x']) + features('b', 'a')
      + "<identity category='c' type='t' xml:lang='ru' name='Я'/><identity category='c' type='t' xml:lang='en' name='I'/>")
    assert.equal(text(caps2Input(info)),
      'a\x1fb\x1f\x1cc\x1ft\x1fen\x1fI\x1f\x1ec\x1ft\x1fru\x1fЯ\x1f\x1e\x1cFORM_TYPE\x1furn:x\x1f\x1eos\x1fXP\x1f\x1e\x1d\x1c')
  })
  test('takes the language around for identities without one', () => {
    const info = read("<identity category='c' type='t'/>")
    assert.equal(text(caps2Input(info, 'de')), '\x1cc\x1ft\x1fde\x1f\x1f\x1e\x1c\x1c')
    assert.equal(text(caps2Input(info)), '\x1cc\x1ft\x1f\x1f\x1f\x1e\x1c\x1c')
  })
  test('gives up on tables and on forms without FORM_TYPE', () => {
    assert.equal(caps2Input(read(form(['a', 'b']))), undefined)
    assert.equal(caps2Input(read(form(['FORM_TYPE', 'urn:a']).replace('</x>', '<item/></x>'))), undefined)
    assert.equal(caps2Input(read(form(['FORM_TYPE', 'urn:a']).replace('</x>', '<reported/></x>'))), undefined)
  })
})
