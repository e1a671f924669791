import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { JidError, prepareDomainpart, prepareLocalpart, prepareResourcepart } from './index.ts'
import { enforceOpaqueString, enforceUsernameCaseMapped, untilStable } from './precis.ts'
import { canonicalIpv6 } from './ip-literal.ts'

type Case = [text: string, expected: string]

function outcome(prepare: (text: string) => string, text: string): string {
  try {
    return prepare(text)
  } catch (error) {
    assert.ok(error instanceof JidError, String(error))
    return `! ${error.code}`
  }
}

function check(prepare: (text: string) => string, cases: readonly Case[]): void {
  for (const [text, expected] of cases) assert.equal(outcome(prepare, text), expected, JSON.stringify(text))
}

describe('localparts (RFC 7622 §3.3)', () => {
  test('the userparts of RFC 8265 §3.5 come out as its tables say', () => {
    check(prepareLocalpart, [
      ['fussball', 'fussball'], ['fu\u00dfball', 'fu\u00dfball'], ['\u03c0', '\u03c0'], ['\u03a3', '\u03c3'],
      ['\u03c3', '\u03c3'], ['\u03c2', '\u03c2'],
      ['foo bar', '! disallowed'], ['', '! empty'], ['henry\u2163', '! disallowed'], ['\u265a', '! disallowed'],
    ])
  })

  test('every excluded character of §3.3.1 is refused, every other printable ASCII character kept', () => {
    for (let code = 0; code < 0x80; code++) {
      const char = String.fromCharCode(code)
      const isExcluded = code <= 0x20 || code === 0x7f || '"&\'/:<>@'.includes(char)
      assert.equal(outcome(prepareLocalpart, char), isExcluded ? '! disallowed' : char.toLowerCase(), `U+${code.toString(16)}`)
    }
  })

  test('excluded characters are refused in fullwidth form too', () => {
    check(prepareLocalpart, [['\uff06', '! disallowed'], ['a\uff1ab', '! disallowed'], ['\uff1c\uff1e', '! disallowed']])
  })

  test('width, case and normalization are mapped in that order', () => {
    check(prepareLocalpart, [
      ['\uff2a\uff35\uff2c\uff29\uff25\uff34', 'juliet'], ['\uff76\uff9e', '\u30ac'], ['E\u0301', '\u00e9'], ['\u0130', 'i\u0307'],
      ['\u212b', '! disallowed'], ['\u01c5', '! disallowed'], ['\ufb01', '! disallowed'], ['\u3000', '! disallowed'],
      ['\uffa1', '! disallowed'], ['\u13a0', '\uab70'],
    ])
  })

  test('ignorable, private, unassigned and non-character code points are refused', () => {
    const refused = ['\u00ad', '\u200b', '\u2060', '\ufeff', '\ufe0f', '\ue000', '\u{10ffff}', '\ufdd0', '\u0378', '\u1100', '\u0640', '\u3164']
    check(prepareLocalpart, refused.map(char => [`a${char}`, '! disallowed'] as Case))
    check(prepareLocalpart, [['a\ud800', '! malformed'], ['\udc00a', '! malformed']])
  })

  test('contextual code points need their context (RFC 5892, appendix A)', () => {
    check(prepareLocalpart, [
      ['l\u00b7l', 'l\u00b7l'], ['L\u00b7L', 'l\u00b7l'], ['a\u00b7l', '! context'], ['l\u00b7', '! context'], ['\u00b7l', '! context'],
      ['\u0375\u03b1', '\u0375\u03b1'], ['\u0375a', '! context'], ['\u03b1\u0375', '! context'],
      ['\u05d0\u05f3', '\u05d0\u05f3'], ['\u05d0\u05f4', '\u05d0\u05f4'], ['a\u05f3', '! context'], ['\u05f4\u05d0', '! context'],
      ['\u30fb\u30a2', '\u30fb\u30a2'], ['\u30fb\u4e00', '\u30fb\u4e00'], ['a\u30fb\u3042', 'a\u30fb\u3042'], ['a\u30fbb', '! context'],
      ['\u0627\u0661', '\u0627\u0661'], ['\u0627\u06f1', '\u0627\u06f1'], ['\u0627\u0661\u06f1', '! context'],
    ])
  })

  test('joiners need a virama or a cursive connection (RFC 5892, A.1 and A.2)', () => {
    check(prepareLocalpart, [
      ['\u0915\u094d\u200d\u0937', '\u0915\u094d\u200d\u0937'], ['\u0915\u200d\u0937', '! context'], ['\u200d', '! context'],
      ['\u0915\u094d\u200c\u0937', '\u0915\u094d\u200c\u0937'], ['a\u200cb', '! context'], ['\u200ca', '! context'],
      ['\u0646\u0627\u0645\u0647\u200c\u0627\u06cc', '\u0646\u0627\u0645\u0647\u200c\u0627\u06cc'],
      ['\u0628\u064b\u200c\u064b\u0627', '\u0628\u064b\u200c\u064b\u0627'], ['\u0627\u200c\u0628', '! context'], ['\u0628\u200c', '! context'],
    ])
  })

  test('the Bidi Rule holds for text with right-to-left code points (RFC 5893 §2)', () => {
    check(prepareLocalpart, [
      ['\u05d0\u05d1', '\u05d0\u05d1'], ['\u05d0-1', '\u05d0-1'], ['\u0627\u0661', '\u0627\u0661'], ['\u05d0\u05b0', '\u05d0\u05b0'],
      ['a\u05d0', '! bidi'], ['\u05d0a', '! bidi'], ['1\u05d0', '! bidi'], ['\u0661', '! bidi'], ['\u05d0-', '! bidi'],
      ['\u05d0-\u05b0', '! bidi'], ['\u0627\u06611', '! bidi'], ['\u05b0\u05d0', '! bidi'], ['\u05d0\u0cbf', '! bidi'],
      ['1a', '1a'], ['\u0301a', '\u0301a'],
    ])
  })

  test('1023 bytes fit and 1024 do not, counted once prepared', () => {
    check(prepareLocalpart, [
      ['a'.repeat(1024), '! too-long'], ['A'.repeat(1023), 'a'.repeat(1023)], ['\u00e9'.repeat(512), '! too-long'],
      ['e\u0301'.repeat(511), '\u00e9'.repeat(511)], ['a'.repeat(3070), '! too-long'], ['\u{20000}'.repeat(256), '! too-long'],
      ['\u{20000}'.repeat(255) + 'abc', '\u{20000}'.repeat(255) + 'abc'],
    ])
  })

  test('the ASCII way agrees with PRECIS', () => {
    for (let code = 0x21; code < 0x7f; code++) {
      const char = String.fromCharCode(code)
      if ('"&\'/:<>@'.includes(char)) continue
      assert.equal(prepareLocalpart(char), enforceUsernameCaseMapped('localpart', char))
    }
  })
})

describe('resourceparts (RFC 7622 §3.4)', () => {
  test('the passwords of RFC 8265 §4.3 come out as its tables say', () => {
    check(prepareResourcepart, [
      ['correct horse battery staple', 'correct horse battery staple'], ['Correct Horse Battery Staple', 'Correct Horse Battery Staple'],
      ['\u03c0\u00df\u00e5', '\u03c0\u00df\u00e5'], ['Jack of \u2666s', 'Jack of \u2666s'], ['foo\u1680bar', 'foo bar'],
      ['', '! empty'], ['my cat is a \u0009by', '! disallowed'],
    ])
  })

  test('width and case stay, spaces become U+0020, composition is NFC', () => {
    check(prepareResourcepart, [
      ['\uff21', '\uff21'], ['a\u3000b', 'a b'], ['E\u0301', '\u00c9'], ['\u2163\ufb01', '\u2163\ufb01'], ['\u212b', '\u00c5'], ['\u{1f600}',
      '\u{1f600}'],
    ])
  })

  test('controls, ignorables, lone surrogates and misplaced contextual code points are refused', () => {
    check(prepareResourcepart, [
      ['a\n', '! disallowed'], ['\u007f', '! disallowed'], ['\u0085', '! disallowed'], ['\u2028', '! disallowed'], ['a\u00adb', '! disallowed'],
      ['\ud83d', '! malformed'], ['a\u200d', '! context'], ['\u{1f468}\u200d\u{1f469}', '! context'],
    ])
  })

  test('1023 bytes fit and 1024 do not', () => {
    check(prepareResourcepart, [['R'.repeat(1023), 'R'.repeat(1023)], ['R'.repeat(1024), '! too-long'], ['\u20ac'.repeat(341), '\u20ac'.repeat(341)],
      ['\u20ac'.repeat(341) + 'a', '! too-long']])
  })

  test('the ASCII way agrees with PRECIS', () => {
    for (let code = 0x20; code < 0x7f; code++) {
      const char = String.fromCharCode(code)
      assert.equal(prepareResourcepart(char), enforceOpaqueString('resourcepart', char))
    }
  })
})

describe('domainparts (RFC 7622 §3.2)', () => {
  test('host names are lower-cased and lose one trailing dot', () => {
    check(prepareDomainpart, [
      ['montague.example', 'montague.example'], ['MONTAGUE.Example.', 'montague.example'], ['localhost', 'localhost'],
      ['a-1.b--', '! label'], ['a..', '! label'], ['..', '! label'], ['.', '! empty'], ['', '! empty'], ['.a', '! label'], ['a..b', '! label'],
      ['-a.example', '! label'], ['a-.example', '! label'], ['ab--c.example', '! label'], ['under_score.example', '! label'], ['a b', '! label'],
      ['a:5222', '! label'], ['a/b', '! label'],
    ])
  })

  test('internationalized names become U-labels (RFC 5890)', () => {
    check(prepareDomainpart, [
      ['xn--bcher-kva.example', 'b\u00fccher.example'], ['XN--BCHER-KVA.example', 'b\u00fccher.example'], ['B\u00dcCHER.example',
      'b\u00fccher.example'],
      ['fa\u00df.example', 'fa\u00df.example'], ['xn--fa-hia.example', 'fa\u00df.example'], ['\u4f8b\u3048\u3002\u30c6\u30b9\u30c8',
      '\u4f8b\u3048.\u30c6\u30b9\u30c8'],
      ['\uff45\uff58.example\uff0e', 'ex.example'], ['\u3002', '! empty'], ['\u13a0.example', '\u13a0.example'], ['\uab70.example', '\u13a0.example'],
      ['xn--.example', '! label'], ['xn--a.example', '! label'], ['xn--\u00fc.example', '! label'], ['xn--example-.example', '! label'],
      ['\ud800.example', '! malformed'],
    ])
  })

  test('symbols and other code points outside IDNA2008 are refused (RFC 5892)', () => {
    const refused = ['\u2665', '\u265a', '\u{1f600}', '\u0640', '\u302e', '\u{1d165}']
    for (const char of refused) assert.match(outcome(prepareDomainpart, `x${char}.example`), /^! (disallowed|label)$/, JSON.stringify(char))
    check(prepareDomainpart, [['xn--i-7iq.example', '! disallowed'], ['\u265a.example', '! disallowed'], ['\u0301a.example', '! label'],
      ['a\u200bb.example', 'ab.example']])
  })

  test('contextual rules and the Bidi Rule hold for every label', () => {
    check(prepareDomainpart, [
      ['l\u00b7l.example', 'l\u00b7l.example'], ['a\u00b7b.example', '! context'], ['\u30fb.example', '! context'], ['\u30a2\u30fb.example',
      '\u30a2\u30fb.example'],
      ['\u0915\u094d\u200d\u0937.example', '\u0915\u094d\u200d\u0937.example'], ['\u0915\u200d\u0937.example', '! label'],
      ['\u05d0\u05d1.example', '\u05d0\u05d1.example'], ['\u05d0a.example', '! label'], ['1\u05d0.example', '! label'],
    ])
  })

  test('labels hold 63 octets in their ASCII form, names 1023 bytes', () => {
    const label = 'a'.repeat(63)
    check(prepareDomainpart, [
      [label, label], [`${label}a`, '! label'], [`\u00fc.${label}a`, '! label'], [`\u00fc.${label}`, `\u00fc.${label}`],
      ['\u00fc'.repeat(63), '! label'],
      [`${`${label}.`.repeat(15)}${label}`, `${`${label}.`.repeat(15)}${label}`], [`${`${label}.`.repeat(16)}a`, '! too-long'],
      ['a.'.repeat(2000), '! too-long'],
    ])
  })

  test('IPv4 addresses are strict, and names ending in digits only are nothing else', () => {
    check(prepareDomainpart, [
      ['192.0.2.1', '192.0.2.1'], ['255.255.255.255', '255.255.255.255'], ['192.0.2.1.', '192.0.2.1'], ['\uff11.2.3.4', '1.2.3.4'],
      ['192.0.2.256', '! address'], ['192.0.2', '! address'], ['192.0.02.1', '! address'], ['1.2.3.4.5', '! address'], ['3221225985',
      '! address'], ['example.1', '! address'],
    ])
  })

  test('IPv6 addresses are written as RFC 5952 says', () => {
    check(prepareDomainpart, [
      ['[::1]', '[::1]'], ['[::]', '[::]'], ['[2001:DB8:0:0:1:0:0:1]', '[2001:db8::1:0:0:1]'], ['[2001:db8:0:1:1:1:1:1]', '[2001:db8:0:1:1:1:1:1]'],
      ['[0:0:1:0:0:0:0:0]', '[0:0:1::]'], ['[1::]', '[1::]'], ['[1:2:3:4:5:6:7::]', '[1:2:3:4:5:6:7:0]'], ['[::ffff:192.0.2.1]', '[::ffff:c000:201]'],
      ['[fe80::1%eth0]', '! address'], ['[::1', '! address'], ['[]', '! address'], ['[1::2::3]', '! address'], ['[1:2:3:4:5:6:7:8:9]', '! address'],
      ['[1:2:3:4:5:6:7:8::]', '! address'], ['[1:2:3:4:5:6:7]', '! address'], ['[12345::]', '! address'], ['[g::]', '! address'], ['[::1.2.3]',
      '! address'],
      ['[::g:1]', '! address'], ['[v1.a]', '! address'], [`[${'0'.repeat(100)}]`, '! address'], ['[1.2.3.4]', '! address'],
    ])
    assert.equal(canonicalIpv6('1:2:3:4:5:6:7:8'), '1:2:3:4:5:6:7:8')
  })
})

test('text that mapping never leaves alone is refused after four applications (RFC 8264 §7)', () => {
  let applications = 0
  const grow = (text: string) => {
    applications++
    return `${text}a`
  }
  assert.equal(outcome(text => untilStable('localpart', text, grow), 'a'), '! unstable')
  assert.equal(applications, 4)
  assert.equal(untilStable('localpart', 'a', text => text.padEnd(3, 'b')), 'abb')
})

test('hostile text of the greatest length is answered in bounded time', () => {
  const hostile = [
    'xn--' + 'a'.repeat(3000), 'xn--' + '9'.repeat(3000), 'a.'.repeat(1500), '\u00b7'.repeat(3000), '\u0344'.repeat(3000),
    '\u0628' + '\u064b'.repeat(1500) + '\u200c'.repeat(1500), '\u0628\u064b\u200c'.repeat(1000), '\u200c\u064b'.repeat(1500),
    '\u05d0' + '\u05b0'.repeat(3000), '\u0315\u0300'.repeat(1500),
  ]
  for (const text of hostile) {
    for (const prepare of [prepareLocalpart, prepareDomainpart, prepareResourcepart]) {
      const startNs = process.hrtime.bigint()
      outcome(prepare, text)
      const tookMs = Number(process.hrtime.bigint() - startNs) / 1e6
      assert.ok(tookMs < 500, `${prepare.name} took ${tookMs} ms on ${JSON.stringify(text.slice(0, 8))}…`)
    }
  }
})
