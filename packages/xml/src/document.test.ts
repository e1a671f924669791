/** Frames of whole documents and fragments: every question a frame answers, and the small DOM. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  defaultLimits, encodeUtf8, type Frame, fromWire, internalLimits, latin1, latin1ToBytes, parseElement, parseText, scanDocument, scanFragment,
  serialize, StreamFramer, toWire, XML_NS, XmlElement,
} from './index.ts'

const MESSAGE =
  `<message to='romeo@montague.example/orchard' type="chat" id='1' from='juliet@capulet.example/balcony' xml:lang='en'>` +
  `\n <body>Wherefore &lt;art&gt;</body><x:y xmlns:x='urn:x' a='1'>2<z/>3</x:y><thread xmlns='urn:t' parent="o'r"/>tail</message>`

function fragment(text: string, ns = 'jabber:client'): Frame {
  return scanFragment(toWire(text), ns)
}

test('a frame names itself, its namespaces and its size', () => {
  const frame = fragment(MESSAGE)
  assert.deepEqual([frame.name, frame.ns, frame.defaultNs, frame.contentNs], ['message', 'jabber:client', 'jabber:client', 'jabber:client'])
  assert.equal(frame.byteLength, MESSAGE.length)
  assert.equal(frame.elementWire(), MESSAGE)
  const other = fragment("<s:a xmlns:s='urn:s' xmlns='urn:d' xmlns:t='urn:t'/>", 'urn:outer')
  assert.deepEqual([other.name, other.ns, other.defaultNs, other.contentNs], ['a', 'urn:s', 'urn:outer', 'urn:d'])
  assert.deepEqual([...other.prefixes], [['s', 'urn:s'], ['t', 'urn:t']])
  assert.equal(other.contentWire(), '')
})

test('attributes come decoded, raw, or all but some', () => {
  const frame = fragment(MESSAGE)
  assert.equal(frame.attribute('to'), 'romeo@montague.example/orchard')
  assert.equal(frame.attribute('xml:lang'), 'en')
  assert.equal(frame.attribute('lang'), undefined)
  assert.equal(frame.attributeWire('none'), undefined)
  assert.equal(frame.attributesWire(['to', 'from']), ` type="chat" id='1' xml:lang='en'`)
  assert.equal(frame.attributesWire(['from', 'xml:lang']), ` to='romeo@montague.example/orchard' type="chat" id='1'`.concat(" xml:lang='en'"))
  assert.equal(frame.attributesWire([]), MESSAGE.slice('<message'.length, MESSAGE.indexOf('>')))
  assert.deepEqual(Object.fromEntries(frame.attributes()), {
    'to': 'romeo@montague.example/orchard', 'type': 'chat', 'id': '1', 'from': 'juliet@capulet.example/balcony', 'xml:lang': 'en',
  })
  assert.equal(fragment('<a/>').attributes().size, 0)
})

test('raw attribute values are safe between single quotes', () => {
  const frame = fragment(`<a b="it's &lt;&quot;" c='say "x"' d='\u00e9&amp;'/>`)
  assert.equal(frame.attributeWire('b'), 'it&apos;s &lt;&quot;')
  assert.equal(frame.attributeWire('c'), 'say "x"')
  assert.equal(frame.attributeWire('d'), '\u00c3\u00a9&amp;')
  assert.equal(frame.attribute('d'), '\u00e9&')
  assert.equal(frame.attributesWire(['b', 'c']), " d='\u00c3\u00a9&amp;'")
})

test('the plain xmlns is left out and prefixes from around the element are declared', () => {
  const prefixes = new Map([['p', "urn:p'q"], ['unused', 'urn:u']])
  const frame = scanFragment("<a xmlns='urn:a' xmlns:own='urn:o' p:b='1' c='2'><p:d own:e='3'/></a>", 'urn:a', { prefixes })
  assert.equal(frame.attributesWire(['c']), " xmlns:own='urn:o' p:b='1' xmlns:p='urn:p&apos;q'")
  const rebuilt = `<a${frame.attributesWire(['c'])}>${frame.contentWire()}</a>`
  assert.ok(parseElement(rebuilt, 'urn:a').equals(frame.toElement().setAttribute('c', undefined)))
})

test('children are indexed without being decoded', () => {
  const frame = fragment(MESSAGE)
  const content = frame.contentWire()
  const children = Array.from({ length: frame.childCount }, (_, child) => [
    frame.childName(child), frame.childNs(child), content.slice(frame.childStart(child), frame.childEnd(child)),
  ])
  assert.deepEqual(children, [
    ['body', 'jabber:client', '<body>Wherefore &lt;art&gt;</body>'],
    ['y', 'urn:x', "<x:y xmlns:x='urn:x' a='1'>2<z/>3</x:y>"],
    ['thread', 'urn:t', `<thread xmlns='urn:t' parent="o'r"/>`],
  ])
  assert.equal(frame.childWire(2), children[2]?.[2])
  assert.equal(frame.findChild('y', 'urn:x'), 1)
  assert.equal(frame.findChild('y', 'jabber:client'), -1)
  assert.equal(frame.childText(0), 'Wherefore <art>')
  assert.equal(frame.childText(1), '23')
  assert.equal(frame.childAttribute(2, 'parent'), "o'r")
  assert.equal(frame.childAttribute(2, 'other'), undefined)
  assert.equal(serialize(frame.childElement(1), 'jabber:client'), "<y xmlns='urn:x' a='1'>2<z xmlns='jabber:client'/>3</y>")
  assert.equal(frame.text(), '\n tail')
  for (const child of [-1, 3]) assert.throws(() => frame.childName(child), RangeError)
})

test('a document frame survives later scans', () => {
  const first = scanDocument(encodeUtf8("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='capulet.example'/>"), defaultLimits)
  scanDocument(encodeUtf8('<a><b/></a>'), defaultLimits)
  parseText('<c/>', '')
  assert.deepEqual([first.name, first.ns, first.attribute('to')], ['open', 'urn:ietf:params:xml:ns:xmpp-framing', 'capulet.example'])
})

test('a text given for a wire string is a programming error', () => {
  assert.throws(() => parseElement('<a>\u20ac</a>', ''), RangeError)
  assert.throws(() => parseText('<a>\ud800</a>', ''), { condition: 'not-well-formed' })
  assert.equal(parseText(' <a>\u20ac</a>\n', '').text(), '\u20ac')
})

test('limits out of range are refused', () => {
  for (const bad of [{ elementBytesMax: 0 }, { depthMax: 1001 }, { attributesMax: -1 }, { childrenMax: 1.5 }, { depthMax: Number.NaN }]) {
    assert.throws(() => new StreamFramer({ ...defaultLimits, ...bad }), RangeError)
    assert.throws(() => scanDocument(encodeUtf8('<a/>'), { ...defaultLimits, ...bad }), RangeError)
  }
  assert.equal(scanDocument(encodeUtf8('<a/>'), internalLimits).name, 'a')
})

test('elements are looked into by name and namespace', () => {
  const children = ['t', new XmlElement('a', 'urn:q'), new XmlElement('a', 'urn:z', undefined, ['u'])]
  const element = new XmlElement('query', 'urn:q', { node: 'x', none: undefined }, children)
  assert.deepEqual([...element.attributes], [['node', 'x']])
  assert.equal(element.attribute('node'), 'x')
  assert.equal(element.child('a')?.ns, 'urn:q')
  assert.equal(element.child('a', 'urn:z')?.text(), 'u')
  assert.equal(element.child('b'), undefined)
  assert.equal(element.childText('a', 'urn:z'), 'u')
  assert.equal(element.childText('b'), undefined)
  assert.equal(element.elements().length, 2)
  assert.equal(element.elements('a').length, 1)
  assert.equal(element.elements('a', 'urn:none').length, 0)
  assert.equal(element.append('v').text(), 'tv')
})

test('setting an attribute leaves the map that was given alone', () => {
  const given = new Map([['a', '1']])
  const element = new XmlElement('x', '', given).setAttribute('b', '2').setAttribute('a', undefined)
  assert.deepEqual([...given], [['a', '1']])
  assert.deepEqual([...element.attributes], [['b', '2']])
})

test('equality looks at names, namespaces, attributes and children', () => {
  const base = () => new XmlElement('a', 'n', { b: '1', c: '2' }, ['t', new XmlElement('d', 'n')])
  assert.ok(base().equals(new XmlElement('a', 'n', { c: '2', b: '1' }, ['t', new XmlElement('d', 'n')])))
  const others = [
    new XmlElement('b', 'n'), new XmlElement('a', 'm'), base().setAttribute('b', '3'), base().setAttribute('e', '1'), base().append('u'),
    new XmlElement('a', 'n', { b: '1', c: '2' }, ['u', new XmlElement('d', 'n')]),
    new XmlElement('a', 'n', { b: '1', c: '2' }, ['t', new XmlElement('e', 'n')]),
    new XmlElement('a', 'n', { b: '1', c: '2' }, ['t', 'd']), base().setAttribute('b', undefined).setAttribute('e', '1'),
  ]
  for (const other of others) assert.ok(!base().equals(other))
})

test('serialising declares namespaces where they change and refuses what XML cannot carry', () => {
  const element = new XmlElement('a', 'urn:a', { 'x': `'<"`, 'xml:lang': 'en', '{urn:n}y': '1', '{urn:{m}}z': '2' }, [
    new XmlElement('b', 'urn:a'), new XmlElement('c', '', undefined, ['<&>\u00e9']), new XmlElement('d', 'urn:d'),
  ])
  const wire = serialize(element, 'urn:a')
  assert.equal(
    wire,
    "<a x='&apos;&lt;&quot;' xml:lang='en' xmlns:n0='urn:n' n0:y='1' xmlns:n1='urn:{m}' n1:z='2'>" +
      "<b/><c xmlns=''>&lt;&amp;&gt;\u00c3\u00a9</c><d xmlns='urn:d'/></a>",
  )
  assert.ok(parseElement(wire, 'urn:a').equals(element))
  assert.equal(fromWire(serialize(new XmlElement('\u00e9', ''), '')), '<\u00e9/>')
  const bad = [
    new XmlElement('', ''), new XmlElement('a b', ''), new XmlElement('a:b', ''), new XmlElement('1', ''), new XmlElement('a', XML_NS),
    new XmlElement('a', 'http://www.w3.org/2000/xmlns/'), new XmlElement('a', '', { xmlns: 'u' }), new XmlElement('a', '', { 'b:c': '' }),
    new XmlElement('a', '', { '{}b': '' }), new XmlElement('a', '', { 'xml:a b': '' }), new XmlElement('a', '', { b: '\0' }),
    new XmlElement('a', '', undefined, ['\ud800']), new XmlElement('a', '', { [`{${XML_NS}}lang`]: 'en' }),
  ]
  for (const broken of bad) assert.throws(() => serialize(broken, ''), { name: 'XmlError', condition: 'not-well-formed' })
})

test('latin1 and back is the identity on bytes', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  assert.deepEqual(Uint8Array.from(latin1ToBytes(latin1(bytes, 0, 256))), bytes)
})
