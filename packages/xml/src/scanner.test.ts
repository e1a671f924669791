/** What is and is not well-formed, namespace by namespace and rule by rule, over `scanDocument`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultLimits, encodeUtf8, parseText, scanDocument, type XmlErrorCondition, type XmlLimits } from './index.ts'
import { toJson } from './testing/recorder.ts'

const limits: XmlLimits = { elementBytesMax: 200, depthMax: 3, attributesMax: 3, childrenMax: 4 }

function scan(text: string | Uint8Array, using: XmlLimits = defaultLimits) {
  return scanDocument(typeof text === 'string' ? encodeUtf8(text) : text, using)
}

function refused(condition: XmlErrorCondition, text: string | Uint8Array, using?: XmlLimits): void {
  assert.throws(() => scan(text, using), { name: 'XmlError', condition }, JSON.stringify(text))
}

test('malformed XML is not-well-formed (RFC 6120 §4.9.3.13)', () => {
  const cases = [
    '', ' ', 'a', '<', '<a', '<a>', '<a></b>', '<a></a', '<a></a b>', '<a><b></a></b>', '</a>', '<a/', '<a/ >', '<a/>b', '<a/><b/>', '< a/>', '<1/>',
    '<a b/>', '<a b=/>', '<a b=c/>', "<a b='c/>", "<a b='<'/>", "<a b='1'c='2'/>", "<a b='1' b='2'/>", "<a 1='2'/>", "<a ='2'/>", "<a b 'c'/>",
    '<a>&</a>', '<a>& </a>', '<a>&amp</a>', '<a>&;</a>', '<a>&#;</a>', '<a>&#x;</a>', '<a>&#xg;</a>', '<a>&#1a;</a>', '<a>&#0;</a>', '<a>&#x1F;</a>',
    '<a>&#xD800;</a>', '<a>&#xFFFE;</a>', '<a>&#x110000;</a>', '<a>&#99999999999;</a>', '<a>&a-b;</a>', "<a b='&'/>", "<a b='&#2;'/>",
    `<a>&#${'0'.repeat(40)}65;</a>`, '<a>]]></a>', '<a><![CDATA[</a>', '<a><![CDATX[]]></a>', '<![CDATA[]]>', '<a><![cdata[]]></a>',
    '<a>\0</a>', '<a>\x1f</a>', "<a b='\x01'/>", '<a>\ufffe</a>', '<a>\uffff</a>', "<a b='\ufffe'/>", '<a><![CDATA[\ufffe]]></a>', '<a><![CDATA[\x02]]></a>',
    '<a:/>', '<:a/>', '<a:b:c/>', '<a:1/>', '<\u00d7/>', '<a\u00d7/>', '<a:\u00b7/>', "<a \u00b7='1'/>", '<a\u037e/>',
  ]
  for (const text of cases) refused('not-well-formed', text)
})

test('bytes that are not UTF-8 are not-well-formed (RFC 6120 §11.6)', () => {
  for (const bad of [[0xff], [0xc3], [0x80], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) {
    refused('not-well-formed', Uint8Array.from([0x3c, 0x61, 0x3e, ...bad, 0x3c, 0x2f, 0x61, 0x3e]))
    refused('not-well-formed', Uint8Array.from([0x3c, 0x61, ...bad, 0x2f, 0x3e]))
  }
})

test('comments, processing instructions, document types and entities are restricted (RFC 6120 §11.1)', () => {
  const cases = [
    '<!DOCTYPE a><a/>', '<!-- b --><a/>', '<?php ?><a/>', '<?xml-stylesheet ?><a/>', '<a><!-- b --></a>', '<a><?b?></a>', '<a><!ENTITY b "c"></a>',
    '<a>&nbsp;</a>', "<a b='&eacute;'/>", '<a/><!-- -->', ' <?xml version="1.0"?><a/>',
  ]
  for (const text of cases.slice(0, -2)) refused('restricted-xml', text)
  for (const text of cases.slice(-2)) assert.throws(() => scan(text), { name: 'XmlError' })
})

test('prefixes must be declared (RFC 6120 §4.9.3.2)', () => {
  for (const text of ['<a:b/>', "<a b:c='d'/>", "<a><b xmlns:c='urn:c'/><c:d/></a>", '<a><c:d/></a>']) {
    refused('bad-namespace-prefix', text)
  }
})

test('reserved and contradictory declarations are not-well-formed (Namespaces in XML §3, §5, §6.3)', () => {
  const xml = 'http://www.w3.org/XML/1998/namespace'
  const xmlns = 'http://www.w3.org/2000/xmlns/'
  const cases = [
    "<a xmlns:b=''/>", `<a xmlns='${xml}'/>`, `<a xmlns='${xmlns}'/>`, `<a xmlns:b='${xml}'/>`, `<a xmlns:b='${xmlns}'/>`, "<a xmlns:xml='urn:a'/>",
    "<a xmlns:xmlns='urn:a'/>", `<a xmlns:xmlns='${xmlns}'/>`, '<xmlns:a/>', "<a xmlns:b='u' xmlns:c='u' b:d='' c:d=''/>", "<a xmlns:b='u' b:d='' b:d=''/>",
    `<a xmlns='&#104;${xml.slice(1)}'/>`,
  ]
  for (const text of cases) refused('not-well-formed', text)
  assert.equal(scan(`<xml:a xmlns:xml='${xml}'/>`).ns, xml)
  assert.equal(scan("<a xmlns:b='u' b:d='1' d='2'/>").attributes().get('{u}d'), '1')
  assert.equal(scan("<a xmlns='urn:a-name-with-the-same-length-as-x'/>").ns.length, 36)
})

test('what is too large, deep or wide is a policy-violation (RFC 6120 §4.9.3.14)', () => {
  const cases = ['<a><b><c><d/></c></b></a>', "<a b='' c='' d='' e=''/>", '<a>1<b/>2<c/>3</a>', `<a>${'b'.repeat(200)}</a>`]
  for (const text of cases) {
    refused('policy-violation', text, limits)
    scan(text)
  }
  scan("<a b='' c='' d=''><b><c/></b>1</a>", limits)
  scan(`<a>${'b'.repeat(193)}</a>`, limits)
  refused('policy-violation', `<a>${'b'.repeat(194)}</a>`, limits)
})

test('the XML declaration must name version 1 and UTF-8 (RFC 6120 §11.5, §11.6)', () => {
  const good = ["<?xml version='1.0'?>", `<?xml version="1.1" encoding="utf-8" standalone='no' ?>\n`, '\ufeff', "\ufeff<?xml version='1.0' encoding='UTF-8'?>"]
  for (const start of good) {
    assert.equal(scan(`${start}<a/>`).name, 'a')
  }
  for (const start of ["<?xml version='1.0' encoding='ISO-8859-1'?>", '<?xml version="1.0" encoding="UTF-16"?>', '\0<', '<\0', '\0\0']) {
    refused('unsupported-encoding', `${start}<a/>`)
  }
  refused('unsupported-encoding', Uint8Array.of(0xfe, 0xff, 0, 0x3c))
  refused('unsupported-encoding', Uint8Array.of(0xff, 0xfe, 0x3c, 0))
  const bad = [
    "<?xml version='2.0'?>", '<?xml ?>', "<?xml encoding='utf-8'?>", "<?xml version='1.0' encoding=''?>", "<?xml version='1.0'>", '<?xml <',
    '\0a', '\ufeff\ufeff', '\uf000',
  ]
  for (const start of bad) {
    refused('not-well-formed', `${start}<a/>`)
  }
  refused('policy-violation', `<?xml version='1.0'${' '.repeat(300)}?><a/>`)
  for (const text of ['<?', '<?x', '<?xml', '<?xml ', '\ufeff']) refused('not-well-formed', text)
  for (const bytes of [[0xef], [0xef, 0xbb]]) refused('not-well-formed', Uint8Array.from(bytes))
})

test('decoding normalises line ends and white space in values, and replaces references (XML 1.0 §2.11, §3.3.3)', () => {
  const element = parseText("<a b='1\r\n2\t3\n4\r5&#10;&#x9;&lt;' c=\"it's\">x\r\ny\rz&#13;&amp;<![CDATA[&amp;<\r\n>]]]]>]]&gt;&#x1F600;</a>", 'urn:a')
  assert.deepEqual(toJson(element), ['a', 'urn:a', { b: '1 2 3 4 5\n\t<', c: "it's" }, ['x\ny\nz\r&&amp;<\n>]]]]>\u{1F600}']])
})

test('names beyond ASCII, empty sections and odd white space are read', () => {
  const wire = "<\u00e9l\u00e9 \u00e0\n=\t'1'\r xmlns:\u00fc = \"urn:\u00fc\" >\u00fc<![CDATA[]]><\u00fc:\ud800\udc00 /></\u00e9l\u00e9 \n>"
  assert.deepEqual(toJson(parseText(wire, '')), ['\u00e9l\u00e9', '', { '\u00e0': '1' }, ['\u00fc', ['\ud800\udc00', 'urn:\u00fc', {}, []]]])
})

test('default namespaces nest, and can be undeclared', () => {
  const element = parseText("<a xmlns='1'><b xmlns='2'><c xmlns=''><d/></c><e/></b><f/><g:h xmlns:g='3'><i xmlns:g='4'><g:j/></i></g:h></a>", '0')
  assert.deepEqual(toJson(element), [
    'a', '1', {},
    [
      ['b', '2', {}, [['c', '', {}, [['d', '', {}, []]]], ['e', '2', {}, []]]],
      ['f', '1', {}, []],
      ['h', '3', {}, [['i', '1', {}, [['j', '4', {}, []]]]]],
    ],
  ])
})
