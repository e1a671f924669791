import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { JidError, jidCache, jidOf, parseJid, parseJidWire, tryParseJid } from './index.ts'
import type { Jid } from './index.ts'

function refusal(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof JidError, String(error))
    assert.equal(error.name, 'JidError')
    assert.ok(error.message.startsWith(error.part))
    return `${error.part}/${error.code}`
  }
  return 'accepted'
}

describe('the valid addresses of RFC 7622 §3.5, table 1', () => {
  const valid: [text: string, localpart: string, domainpart: string, resourcepart: string][] = [
    ['juliet@example.com', 'juliet', 'example.com', ''],
    ['juliet@example.com/foo', 'juliet', 'example.com', 'foo'],
    ['juliet@example.com/foo bar', 'juliet', 'example.com', 'foo bar'],
    ['juliet@example.com/foo@bar', 'juliet', 'example.com', 'foo@bar'],
    ['foo\\20bar@example.com', 'foo\\20bar', 'example.com', ''],
    ['fussball@example.com', 'fussball', 'example.com', ''],
    ['fu\u00dfball@example.com', 'fu\u00dfball', 'example.com', ''],
    ['\u03c0@example.com', '\u03c0', 'example.com', ''],
    ['\u03a3@example.com/foo', '\u03c3', 'example.com', 'foo'],
    ['\u03c3@example.com/foo', '\u03c3', 'example.com', 'foo'],
    ['\u03c2@example.com/foo', '\u03c2', 'example.com', 'foo'],
    ['king@example.com/\u265a', 'king', 'example.com', '\u265a'],
    ['example.com', '', 'example.com', ''],
    ['example.com/foobar', '', 'example.com', 'foobar'],
    ['a.example.com/b@example.net', '', 'a.example.com', 'b@example.net'],
    // Listed as invalid in table 2, which erratum 4560 corrects: OpaqueString allows it.
    ['juliet@example.com/ foo', 'juliet', 'example.com', ' foo'],
  ]
  for (const [text, localpart, domainpart, resourcepart] of valid) {
    test(JSON.stringify(text), () => {
      const jid = parseJid(text)
      assert.deepEqual([jid.localpart, jid.domainpart, jid.resourcepart], [localpart, domainpart, resourcepart])
      assert.ok(jid.equals(jidOf(localpart, domainpart, resourcepart)))
    })
  }
})

describe('the invalid addresses of RFC 7622 §3.5, table 2', () => {
  const invalid: [text: string, refusal: string][] = [
    ['"juliet"@example.com', 'localpart/disallowed'],
    ['foo bar@example.com', 'localpart/disallowed'],
    ['@example.com/', 'localpart/empty'],
    ['henry\u2163@example.com', 'localpart/disallowed'],
    ['\u265a@example.com', 'localpart/disallowed'],
    ['juliet@', 'domainpart/empty'],
    ['/foobar', 'domainpart/empty'],
  ]
  for (const [text, expected] of invalid) {
    test(JSON.stringify(text), () => {
      assert.equal(refusal(() => parseJid(text)), expected)
      assert.equal(tryParseJid(text), undefined)
    })
  }
})

describe('splitting an address (RFC 7622 §3.1)', () => {
  test('an at-sign or slash produced by mapping never separates parts', () => {
    assert.equal(refusal(() => parseJid('romeo\uff20example.net')), 'domainpart/label')
    assert.equal(refusal(() => parseJid('romeo\uff0f@montague.example')), 'localpart/disallowed')
    assert.equal(refusal(() => parseJid('romeo\uff20x@montague.example')), 'localpart/disallowed')
  })

  test('empty parts and a second at-sign are refused', () => {
    assert.equal(refusal(() => parseJid('')), 'domainpart/empty')
    assert.equal(refusal(() => parseJid('@')), 'localpart/empty')
    assert.equal(refusal(() => parseJid('romeo@montague.example/')), 'resourcepart/empty')
    assert.equal(refusal(() => parseJid('romeo@a@montague.example')), 'domainpart/label')
  })

  test('text longer than any address is refused unread', () => {
    assert.equal(refusal(() => parseJid('a'.repeat(100_000))), 'jid/too-long')
    assert.equal(refusal(() => parseJidWire('a'.repeat(1_000_000))), 'jid/too-long')
  })

  test('tryParseJid gives the address when there is one', () => {
    assert.equal(tryParseJid('Romeo@Montague.example/Orchard')?.toString(), 'romeo@montague.example/Orchard')
  })

  test('tryParseJid hides refusals only, not mistakes of the program', () => {
    assert.throws(() => tryParseJid(undefined as unknown as string), TypeError)
  })
})

describe('a Jid', () => {
  beforeEach(() => jidCache.clear())
  const romeo = () => parseJid('romeo@montague.example/orchard')

  test('knows what kind it is', () => {
    const kinds = (jid: Jid) => [jid.isBare, jid.isFull, jid.isDomain]
    assert.deepEqual(kinds(romeo()), [false, true, false])
    assert.deepEqual(kinds(romeo().bare), [true, false, false])
    assert.deepEqual(kinds(romeo().domain), [true, false, true])
    assert.deepEqual(kinds(parseJid('montague.example/echo')), [false, true, false])
  })

  test('shares its bare JID and domain JID with others of the account', () => {
    const orchard = romeo()
    const balcony = parseJidWire('romeo@montague.example/balcony')
    assert.equal(orchard.bare, balcony.bare)
    assert.equal(orchard.bare.bare, orchard.bare)
    assert.equal(orchard.bare, parseJid('Romeo@MONTAGUE.example'))
    assert.equal(orchard.domain, parseJid('montague.example'))
    assert.equal(orchard.domain.domain, orchard.domain)
    assert.equal(parseJid('montague.example/echo').bare, orchard.domain)
  })

  test('takes another resourcepart, prepared', () => {
    const jid = romeo().withResource('a\u00a0b')
    assert.equal(jid.toString(), 'romeo@montague.example/a b')
    assert.equal(jid.bare, romeo().bare)
    assert.equal(refusal(() => romeo().withResource('')), 'resourcepart/empty')
    assert.equal(refusal(() => romeo().withResource('\u0000')), 'resourcepart/disallowed')
  })

  test('compares by parts, not by object', () => {
    const before = romeo()
    jidCache.clear()
    const after = romeo()
    assert.notEqual(before.bare, after.bare)
    assert.ok(before.equals(after) && before.equals(before))
    assert.ok(before.bareEquals(after.bare))
    assert.ok(!before.equals(after.bare))
    assert.ok(!before.equals(parseJid('romeo@montague.example/balcony')))
    assert.ok(!before.bareEquals(parseJid('juliet@montague.example')))
    assert.ok(!before.bareEquals(parseJid('romeo@capulet.example')))
  })

  test('is built from parts that are prepared one by one', () => {
    assert.equal(jidOf('Romeo', 'Montague.Example.', 'Orchard').toString(), 'romeo@montague.example/Orchard')
    assert.equal(jidOf('', 'montague.example').toString(), 'montague.example')
    assert.equal(jidOf('', 'montague.example', '').isDomain, true)
    assert.equal(refusal(() => jidOf('a/b', 'montague.example')), 'localpart/disallowed')
  })
})

describe('the wire form', () => {
  beforeEach(() => jidCache.clear())

  test('is the very text when that is ASCII without markup', () => {
    const jid = parseJidWire('romeo@montague.example/orchard')
    assert.equal(jid.wire, 'romeo@montague.example/orchard')
    assert.equal(parseJid('romeo@montague.example').wire, 'romeo@montague.example')
  })

  test('carries UTF-8 as latin1 and escapes markup', () => {
    const jid = parseJid('\u03c0@b\u00fccher.example/<&>\'"\u20ac\u{1f600}')
    assert.equal(jid.wire, '\u00cf\u0080@b\u00c3\u00bccher.example/&lt;&amp;&gt;&apos;&quot;\u00e2\u0082\u00ac\u00f0\u009f\u0098\u0080')
    assert.ok(parseJidWire(jid.wire).equals(jid))
    assert.equal(jid.wire, jid.wire)
  })

  test('is read with character references and attribute white space (XML 1.0 §3.3.3)', () => {
    const read = (wire: string) => parseJidWire(wire).toString()
    assert.equal(read('r&#111;me&#x6F;@montague.example/&#x0000263A;'), 'romeo@montague.example/\u263a')
    assert.equal(read('romeo@montague.example/a\tb\r\nc\nd'), 'romeo@montague.example/a b c d')
    assert.equal(read('romeo@montague.example/&apos;&quot;&lt;&gt;&amp;amp;'), 'romeo@montague.example/\'"<>&amp;')
  })

  test('is refused when it is not UTF-8 or not an attribute value', () => {
    const wires = ['\u00ff@montague.example', '\u00ed\u00a0\u0080@montague.example', '\u0100@montague.example',
      'a&b@montague.example', 'a&nbsp;@montague.example', 'a&#x110000;@montague.example', 'a&#;@montague.example',
      'a&;@montague.example', 'a<b@montague.example', 'a&toString;@montague.example', '&#x0000000000000000000000000000000041;@a']
    for (const wire of wires) assert.equal(refusal(() => parseJidWire(wire)), 'jid/malformed', wire)
  })

  test('keeps a byte order mark for preparation to refuse, instead of losing it', () => {
    assert.equal(refusal(() => parseJidWire('\u00ef\u00bb\u00bfromeo@montague.example')), 'localpart/disallowed')
  })

  test('refuses a surrogate written as a character reference', () => {
    assert.equal(refusal(() => parseJidWire('a&#xD800;@montague.example')), 'localpart/malformed')
  })
})

describe('the caches', () => {
  beforeEach(() => jidCache.clear())

  test('the same wire string gives the same object, and is counted as a hit', () => {
    const before = jidCache.stats.wire
    const jid = parseJidWire('Romeo@montague.example/orchard')
    assert.equal(parseJidWire('Romeo@montague.example/orchard'), jid)
    const after = jidCache.stats.wire
    assert.deepEqual([after.hits - before.hits, after.misses - before.misses, after.size], [1, 1, 1])
  })

  test('hold no more than their limit, however many addresses pass', () => {
    const sizeMax = jidCache.sizeMax
    try {
      jidCache.sizeMax = 64
      const kept = parseJidWire('romeo@montague.example')
      for (let i = 0; i < 1000; i++) {
        parseJidWire(`guest${i}@capulet.example/r${i}`)
        assert.equal(parseJidWire('romeo@montague.example'), kept, 'an address in use survives')
      }
      const { wire, bare } = jidCache.stats
      assert.ok(wire.size <= 64 && bare.size <= 64 && wire.sizeMax === 64)
      assert.ok(wire.rotations > 0 && bare.rotations > 0)
      jidCache.sizeMax = 0
      assert.equal(jidCache.stats.wire.size, 0)
      assert.notEqual(parseJidWire('romeo@montague.example'), parseJidWire('romeo@montague.example'))
      assert.throws(() => { jidCache.sizeMax = -1 }, RangeError)
      assert.throws(() => { jidCache.sizeMax = 0.5 }, RangeError)
    } finally {
      jidCache.sizeMax = sizeMax
    }
  })

  test('do not keep addresses of unusual length, nor refused ones', () => {
    const long = `romeo@montague.example/${'x'.repeat(500)}`
    assert.notEqual(parseJidWire(long), parseJidWire(long))
    parseJidWire(`${'y'.repeat(300)}@montague.example/a`)
    refusal(() => parseJidWire('a b@montague.example'))
    assert.equal(jidCache.stats.wire.size, 0)
    assert.equal(jidCache.stats.bare.size, 2, 'romeo was never seen alone but his bare JID is short; and the domain')
  })
})
