import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { JidError, parseJid } from '@rollcall/jid'
import { XmlElement } from '@rollcall/xml'
import { attr, child, childName, children, childText, childTexts, CodecError, element, extensions, flag, stringType, text } from './index.ts'
import { parseXml } from './testing/case-pairs.ts'

const NS = 'urn:example:play'

const Actor = element(NS, 'actor', { name: text() })

const Scene = element(NS, 'scene', {
  number: attr.uint('number'),
  length: attr.int('length').default(10),
  mood: attr.enum('mood', ['tragic', 'comic']).default('tragic'),
  place: attr.string('place').optional(),
  seal: attr.base64('seal').optional(),
  owner: attr.jid('owner').optional(),
  lead: child(Actor).optional(),
  actors: children(Actor),
  isNight: flag('night'),
  isMasked: flag('masked', 'urn:example:feast'),
  lines: childText.int('lines').optional(),
  isOpen: childText.bool('open').default(true),
  patron: childText.jid('patron').optional(),
  score: childText.base64('score').optional(),
  weather: childText.enum('weather', ['storm', 'sun']).optional(),
  props: childTexts('prop', 'urn:example:props'),
  rest: extensions(),
}, { alsoIn: ['urn:example:play:draft'] })

const minimal = {
  number: 2,
  length: 10,
  mood: 'tragic',
  actors: [],
  isNight: false,
  isMasked: false,
  isOpen: true,
  props: [],
  rest: [],
} as const

describe('decoding', () => {
  it('gives lists, flags and defaults, and leaves optional properties out', () => {
    assert.deepEqual(Scene.decode(parseXml(`<scene xmlns='${NS}' number='2'/>`)), minimal)
  })
  it('ignores what is not declared, unless it is asked for (RFC 6120 §8.4)', () => {
    const decoded = Scene.decode(parseXml(`
      <scene xmlns='${NS}' number='2' critic='harsh'>
        text <actor>Juliet</actor> <night xmlns='urn:example:feast'/> <prop>not of this namespace</prop> <night/>
      </scene>`))
    const rest = [
      new XmlElement('night', 'urn:example:feast'),
      new XmlElement('prop', NS, {}, ['not of this namespace']),
    ]
    assert.deepEqual(decoded, { ...minimal, lead: { name: 'Juliet' }, actors: [{ name: 'Juliet' }], isNight: true, rest })
  })
  it('takes children in the namespace of the element where it may stand in several', () => {
    const decoded = Scene.decode(parseXml(`<scene xmlns='urn:example:play:draft' number='2'><night/><lines>-3</lines></scene>`))
    assert.deepEqual(decoded, { ...minimal, isNight: true, lines: -3 })
  })
  it('takes the first of children that may stand once', () => {
    const decoded = Scene.decode(parseXml(`<scene xmlns='${NS}' number='2'><lines>1</lines><lines>2</lines></scene>`))
    assert.equal(decoded.lines, 1)
  })

  const wrong: readonly [string, string, string][] = [
    ['a missing attribute', `<scene xmlns='${NS}'/>`, `attribute 'number' is missing`],
    ['a bad attribute', `<scene xmlns='${NS}' number='two'/>`, `attribute 'number': "two" is not a whole number`],
    ['a bad child', `<scene xmlns='${NS}' number='2'><lines/></scene>`, 'child <lines/>: "" is not a whole number'],
    ['a bad word', `<scene xmlns='${NS}' number='2' mood='grey'/>`, `attribute 'mood': "grey" is not one of tragic, comic`],
    ['another name', `<act xmlns='${NS}' number='2'/>`, `found <act xmlns='${NS}'> instead`],
    ['another namespace', `<scene xmlns='urn:example:film' number='2'/>`, `found <scene xmlns='urn:example:film'> instead`],
  ]
  for (const [title, xml, problem] of wrong) {
    it(`refuses ${title}, naming it`, () => {
      const expected = { name: 'CodecError', message: `<scene xmlns='${NS}'>: ${problem}`, element: 'scene', ns: NS }
      assert.throws(() => Scene.decode(parseXml(xml)), expected)
    })
  }
  it('names the inner element when that is wrong', () => {
    const Cast = element(NS, 'cast', { scenes: children(Scene) })
    const xml = parseXml(`<cast xmlns='${NS}'><scene number='1'/><scene/></cast>`)
    assert.throws(() => Cast.decode(xml), { message: `<scene xmlns='${NS}'>: attribute 'number' is missing` })
  })
  it('keeps the cause of a bad address', () => {
    assert.throws(
      () => Scene.decode(parseXml(`<scene xmlns='${NS}' number='2' owner='@globe.example'/>`)),
      (error) => error instanceof CodecError && error.cause instanceof JidError && error.message.includes(`attribute 'owner'`),
    )
  })
})

describe('encoding', () => {
  it('takes a value without what has a default, and writes no defaults', () => {
    assert.equal(Scene.toWire({ number: 2 }), `<scene xmlns='${NS}' number='2'/>`)
    assert.equal(Scene.toWire(minimal), `<scene xmlns='${NS}' number='2'/>`)
  })
  it('writes in the order of the declaration, whatever the order of the value', () => {
    const wire = Scene.toWire({
      rest: [new XmlElement('fin', 'urn:example:end')],
      props: ['dagger'],
      weather: 'storm',
      score: Uint8Array.of(1),
      patron: parseJid('prince@verona.example'),
      isOpen: false,
      lines: -3,
      isMasked: true,
      isNight: true,
      actors: [{ name: 'Romeo' }],
      owner: parseJid('globe.example'),
      seal: Uint8Array.of(255),
      place: `Capulet's "orchard" & wall`,
      mood: 'comic',
      length: -1,
      number: 2,
    })
    assert.equal(wire, [
      `<scene xmlns='${NS}' number='2' length='-1' mood='comic' place='Capulet&apos;s &quot;orchard&quot; &amp; wall' seal='/w=='`,
      ` owner='globe.example'><actor>Romeo</actor><night/><masked xmlns='urn:example:feast'/><lines>-3</lines><open>false</open>`,
      `<patron>prince@verona.example</patron><score>AQ==</score><weather>storm</weather><prop xmlns='urn:example:props'>dagger</prop>`,
      `<fin xmlns='urn:example:end'/></scene>`,
    ].join(''))
  })
  it('writes text outside ASCII as its UTF-8 bytes', () => {
    assert.equal(Actor.toWire({ name: 'Zoë' }), `<actor xmlns='${NS}'>Zo\xC3\xAB</actor>`)
  })
  it('refuses values that cannot be written or are missing, naming them', () => {
    assert.throws(() => Scene.encode({ number: -1 }), { message: `<scene xmlns='${NS}'>: attribute 'number': -1 is not from 0 to 9007199254740991` })
    assert.throws(() => Scene.encode({} as { number: number }), { message: `<scene xmlns='${NS}'>: attribute 'number' is missing` })
  })
  it('lets other errors pass', () => {
    const broken = { ...stringType, parse: () => { throw new RangeError('a defect') } }
    const Broken = element(NS, 'broken', { text: text.of(broken) })
    assert.throws(() => Broken.decode(new XmlElement('broken', NS)), { name: 'RangeError' })
  })
})

describe('text fields', () => {
  it('count empty text as absent only where it may be absent', () => {
    const Optional = element(NS, 'line', { line: text().optional() })
    const Defaulted = element(NS, 'line', { line: text.enum(['exit', 'enter']).default('exit') })
    const empty = new XmlElement('line', NS)
    assert.deepEqual(Actor.decode(new XmlElement('actor', NS)), { name: '' })
    assert.deepEqual(Optional.decode(empty), {})
    assert.deepEqual(Defaulted.decode(empty), { line: 'exit' })
    assert.deepEqual(Defaulted.encode({ line: 'exit' }), empty)
  })
  it('carry every type', () => {
    const at = Date.UTC(1595, 0, 26)
    const numbers = element(NS, 'n', { n: text.int() })
    assert.equal(numbers.toWire({ n: -4 }), `<n xmlns='${NS}'>-4</n>`)
    assert.equal(element(NS, 'n', { n: text.uint() }).toWire({ n: 4 }), `<n xmlns='${NS}'>4</n>`)
    assert.equal(element(NS, 'n', { n: text.jid() }).toWire({ n: parseJid('globe.example') }), `<n xmlns='${NS}'>globe.example</n>`)
    assert.equal(element(NS, 'n', { n: text.dateTime() }).toWire({ n: at }), `<n xmlns='${NS}'>1595-01-26T00:00:00Z</n>`)
  })
})

describe('a child whose name is the value', () => {
  const Verdict = element(NS, 'verdict', { is: childName(['guilty', 'banished']) })
  it('carries name and text', () => {
    assert.deepEqual(Verdict.decode(parseXml(`<verdict xmlns='${NS}'><sealed/><banished>to Mantua</banished></verdict>`)), {
      is: { name: 'banished', text: 'to Mantua' },
    })
    assert.equal(Verdict.toWire({ is: { name: 'guilty' } }), `<verdict xmlns='${NS}'><guilty/></verdict>`)
  })
  it('is missing when no known name is there', () => {
    const xml = parseXml(`<verdict xmlns='${NS}'><pardoned/><guilty xmlns='urn:example:film'/></verdict>`)
    assert.throws(() => Verdict.decode(xml), /child that names the condition is missing/)
  })
})
