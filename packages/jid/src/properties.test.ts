// Properties over generated text: whatever comes in, what comes out is stable, bounded and survives the wire.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { JidError, jidCache, parseJid, parseJidWire, PART_BYTES_MAX, prepareDomainpart, prepareLocalpart, prepareResourcepart, tryParseJid } from './index.ts'
import { decodeWire, encodeWire, utf8Length } from './wire.ts'

// Mostly code points near the rules: joiners, viramas, both directions, widths, marks, case pairs, separators.
const SPICY = 'aZ09.-_@/ &<>\'"\\l\u00b7\u00df\u1e9e\u0130\u00a0\u3000\u0301\u0345\u2163\ufb01\u1100\uac00\u0375\u03b1\u03a3\u03c2'
  + '\u05d0\u05f3\u0627\u0628\u064b\u0661\u06f1\u200c\u200d\u094d\u0915\u30fb\u30a2\uff21\uff76\uff9e\u13a0\uab70'
  + '\u{1d400}\u{10400}\u{1e900}\u{1f600}'
const spicy = fc.constantFrom(...Array.from(SPICY))
const text = fc.oneof(
  { weight: 4, arbitrary: fc.array(spicy, { maxLength: 12 }).map(chars => chars.join('')) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 1, arbitrary: fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 }).map(units => String.fromCharCode(...units)) },
)
const runs = { numRuns: 4000 }

for (const prepare of [prepareLocalpart, prepareDomainpart, prepareResourcepart]) {
  test(`${prepare.name} throws JidError or gives text that it maps to itself (RFC 8264 §7)`, () => {
    fc.assert(fc.property(text, raw => {
      let prepared: string
      try {
        prepared = prepare(raw)
      } catch (error) {
        assert.ok(error instanceof JidError, String(error))
        return
      }
      assert.equal(prepare(prepared), prepared)
      assert.equal(prepared.normalize('NFC'), prepared)
      assert.ok(prepared.length > 0 && Buffer.byteLength(prepared) <= PART_BYTES_MAX)
    }), runs)
  })

  test(`${prepare.name} maps every single code point to itself or to something stable`, () => {
    let accepted = 0
    for (let code = 0; code < 0x20000; code++) {
      try {
        const prepared = prepare(`a${String.fromCodePoint(code)}`)
        assert.equal(prepare(prepared), prepared, code.toString(16))
        accepted++
      } catch (error) {
        if (!(error instanceof JidError)) throw error
      }
    }
    assert.ok(accepted > 50_000)
  })
}

test('parse after toString is the identity, and so is the way over the wire', () => {
  fc.assert(fc.property(text, text, text, (localpart, domainpart, resourcepart) => {
    for (const domain of [domainpart, 'capulet.example']) {
      const jid = tryParseJid(`${localpart}@${domain}/${resourcepart}`) ?? tryParseJid(`${domain}/${resourcepart}`)
      if (jid === undefined) continue
      const again = parseJid(jid.toString())
      assert.ok(again.equals(jid) && again.bare.equals(jid.bare))
      assert.equal(again.toString(), jid.toString())
      assert.match(jid.wire, /^[^&<>'"\u0100-\uffff]*(?:&(?:amp|lt|gt|apos|quot);[^&<>'"\u0100-\uffff]*)*$/)
      assert.equal(parseJidWire(jid.wire).toString(), jid.toString())
    }
  }), runs)
  jidCache.clear()
})

test('any wire string gives a stable Jid or JidError', () => {
  const wire = fc.oneof(fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 20 }).map(bytes => String.fromCharCode(...bytes)),
    text.map(value => Buffer.from(value).toString('latin1')))
  fc.assert(fc.property(wire, raw => {
    try {
      const jid = parseJidWire(raw)
      assert.ok(parseJidWire(jid.wire).equals(jid))
    } catch (error) {
      assert.ok(error instanceof JidError, String(error))
    }
  }), runs)
})

test('encodeWire is UTF-8 as Node writes it, utf8Length its length, and decodeWire its inverse', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 20 }), value => {
    assert.equal(utf8Length(value), Buffer.byteLength(value))
    const wire = encodeWire(value)
    assert.equal(decodeWire(wire), value.replace(/\r\n|[\t\n\r]/g, ' '))
    assert.equal(encodeWire(value.replace(/[&<>'"]/g, '')), Buffer.from(value.replace(/[&<>'"]/g, '')).toString('latin1'))
  }), runs)
})
