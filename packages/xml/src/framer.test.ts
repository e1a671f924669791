/** Streams: phases, restart, pause, limits, errors, and what a framer keeps. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FrameSink, StreamFramer } from './framer.ts'
import { type Frame, defaultLimits, encodeUtf8, parseText, type XmlLimits } from './index.ts'
import { FOOTER, HEADER } from './testing/corpus.ts'
import { chunksOf, record, Recorder } from './testing/recorder.ts'

const conditionOf = (text: string | Uint8Array, limits?: XmlLimits) => {
  const bytes = typeof text === 'string' ? encodeUtf8(text) : text
  const last = record([bytes], limits).events.at(-1) ?? ''
  assert.equal(record(chunksOf(bytes, 1), limits).events.at(-1) ?? '', last, JSON.stringify(text))
  return last.startsWith('error ') ? last.slice(6) : last.split(' ')[0]
}

/** A sink from some of its methods. */
function sinkOf(methods: Partial<FrameSink>): FrameSink {
  return { streamOpen: () => {}, element: () => {}, streamClose: () => {}, ...methods }
}

function opened(limits: XmlLimits = defaultLimits): StreamFramer {
  const framer = new StreamFramer(limits)
  framer.push(encodeUtf8(HEADER), sinkOf({}))
  return framer
}

test('the header is decoded, whatever its prefix (RFC 6120 §4.7, §4.8)', () => {
  const header = record([encodeUtf8(HEADER)]).header
  assert.deepEqual(
    { ...header, attributes: Object.fromEntries(header?.attributes ?? []), prefixes: Object.fromEntries(header?.prefixes ?? []) },
    {
      prefix: 'stream', name: 'stream', ns: 'http://etherx.jabber.org/streams', defaultNs: 'jabber:client',
      attributes: { 'to': 'capulet.example', 'version': '1.0', 'xml:lang': 'en' }, prefixes: { stream: 'http://etherx.jabber.org/streams' },
    },
  )
  const bare = record([encodeUtf8("\ufeff <stream xmlns='http://etherx.jabber.org/streams'><message xmlns='jabber:client'/></stream>")])
  assert.equal(bare.header?.prefix, '')
  assert.deepEqual([bare.elements[0]?.ns, bare.events.at(-1)], ['jabber:client', 'close'])
  assert.deepEqual(record([encodeUtf8('<s/>')]).events.map((event) => event.split(' ')[0]), ['open', 'close'])
})

test('another framer goes on with a stream in the middle of an element, and knows its close tag', () => {
  const odd = "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns:v='urn:verona' xmlns='jabber:client'>"
  const first = new StreamFramer(defaultLimits)
  assert.equal(first.streamContext, undefined)
  const names: string[] = []
  const sink = sinkOf({ element: (frame) => void names.push(`${frame.name} ${frame.ns} ${frame.childNs(0)}`), streamClose: () => void names.push('close') })
  first.push(encodeUtf8(`${odd}<message><v:balcony/></message><pres`), sink)
  const { streamContext } = first
  assert.ok(streamContext)
  const second = new StreamFramer(defaultLimits)
  second.continueStream(structuredClone(streamContext))
  // Both are the one that streams with such a header share.
  assert.equal(second.streamContext, streamContext)
  second.push(first.takeRest(), sink)
  second.push(encodeUtf8('ence><v:orchard/></presence></s:stream>'), sink)
  assert.deepEqual(names, ['message jabber:client urn:verona', 'presence jabber:client urn:verona', 'close'])
})

test('what stands where a header is due decides the error', () => {
  assert.equal(conditionOf('GET / HTTP/1.1\r\n\r\n'), 'not-well-formed')
  assert.equal(conditionOf('<!DOCTYPE a>'), 'restricted-xml')
  assert.equal(conditionOf('<?php'), 'restricted-xml')
  assert.equal(conditionOf(" <?xml version='1.0'?>"), 'restricted-xml')
  assert.equal(conditionOf('</stream:stream>'), 'not-well-formed')
  assert.equal(conditionOf('<stream:stream>'), 'bad-namespace-prefix')
  assert.equal(conditionOf("<?xml version='1.0' encoding='latin1'?>"), 'unsupported-encoding')
  assert.equal(conditionOf(Uint8Array.of(0xff, 0xfe, 0x3c, 0)), 'unsupported-encoding')
  assert.equal(conditionOf(`<a b='${'c'.repeat(100)}`, { ...defaultLimits, elementBytesMax: 100 }), 'policy-violation')
  assert.equal(conditionOf(Uint8Array.of(0x3c, 0x61, 0x20, 0x62, 0x3d, 0x27, 0xff, 0x27, 0x3e)), 'not-well-formed')
})

test('what stands between stanzas decides the error (RFC 6120 §4.9.3)', () => {
  assert.equal(conditionOf(`${HEADER} text`), 'bad-format')
  assert.equal(conditionOf(`${HEADER}&lt;`), 'bad-format')
  assert.equal(conditionOf(`${HEADER}\u00e9`), 'bad-format')
  assert.equal(conditionOf(`${HEADER}\0`), 'not-well-formed')
  assert.equal(conditionOf(`${HEADER}<![CDATA[a]]>`), 'not-well-formed')
  assert.equal(conditionOf(`${HEADER}<!-- a -->`), 'restricted-xml')
  assert.equal(conditionOf(`${HEADER}<?a?>`), 'restricted-xml')
  assert.equal(conditionOf(`${HEADER}</stream:strean>`), 'not-well-formed')
  assert.equal(conditionOf(`${HEADER}</stream:stream a>`), 'not-well-formed')
  assert.equal(conditionOf(`${HEADER}</stream:stream${' '.repeat(300)}>`), 'policy-violation')
  assert.equal(conditionOf(`${HEADER}<a></b>`), 'not-well-formed')
  assert.equal(conditionOf(`${HEADER}</stream:stream \n>ignored <`), 'close')
})

test('an error in a tag is told when the tag ends, or at the next < (no wait for more)', () => {
  assert.equal(conditionOf(`${HEADER}<a b=c`), 'open')
  assert.equal(conditionOf(`${HEADER}<a b=c>`), 'not-well-formed')
  assert.equal(conditionOf(`${HEADER}<a b='c><d`), 'not-well-formed')
  assert.equal(conditionOf(`${HEADER}<a b=c d='>' e`), 'open')
})

test('limits hold for each element, and may change', () => {
  const limits = { elementBytesMax: 150, depthMax: 3, attributesMax: 5, childrenMax: 10 }
  const header = "<s:s xmlns='jabber:client' xmlns:s='s'>"
  assert.equal(conditionOf(`${header}<a>${'b'.repeat(143)}</a>`, limits), 'element')
  assert.equal(conditionOf(`${header}<a>${'b'.repeat(144)}</a>`, limits), 'policy-violation')
  assert.equal(conditionOf(`${header}<a>${'b'.repeat(148)}`, limits), 'policy-violation')
  assert.equal(conditionOf(`${header}<a b='${'c'.repeat(200)}`, limits), 'policy-violation')
  assert.equal(conditionOf(`${header}${'<a>'.repeat(4)}`, limits), 'policy-violation')
  assert.equal(conditionOf(`${header}<a>${'<b/>'.repeat(10)}</a>`, limits), 'policy-violation')
  assert.equal(conditionOf(`${header}<a b='' c='' d='' e='' f='' g=''/>`, limits), 'policy-violation')
  const framer = new StreamFramer(limits)
  const recorder = new Recorder()
  framer.push(encodeUtf8(header), recorder)
  framer.setLimits(defaultLimits)
  framer.push(encodeUtf8(`<a>${'b'.repeat(5000)}</a>`), recorder)
  assert.equal(recorder.elements.length, 1)
})

test('a framer between units holds no bytes, and a dead or closed one ignores everything', () => {
  const framer = opened()
  framer.push(encodeUtf8('<message><body>a</body></message> '), sinkOf({}))
  assert.equal(framer.bufferedBytes, 0)
  framer.push(encodeUtf8('<message><bo'), sinkOf({}))
  assert.equal(framer.bufferedBytes, 12)
  assert.throws(() => framer.push(encodeUtf8('dy></message>'), sinkOf({})), { condition: 'not-well-formed' })
  assert.equal(framer.bufferedBytes, 0)
  framer.reset()
  const recorder = new Recorder()
  framer.push(encodeUtf8(HEADER), recorder)
  assert.deepEqual(recorder.events, [])
  const closed = opened()
  closed.push(encodeUtf8(`${FOOTER}<junk`), recorder)
  closed.push(encodeUtf8('<a/>\0'), recorder)
  assert.deepEqual([recorder.events, closed.bufferedBytes], [['close'], 0])
})

test('the caller may reuse the chunk, and a large element arrives in many chunks', () => {
  const body = 'x\u00e9'.repeat(50_000)
  const bytes = encodeUtf8(`${HEADER}<message><body>${body}</body></message>${FOOTER}`)
  const recorder = new Recorder()
  const framer = new StreamFramer(defaultLimits)
  const chunk = new Uint8Array(1371)
  for (let at = 0; at < bytes.length; at += chunk.length) {
    const length = Math.min(chunk.length, bytes.length - at)
    chunk.set(bytes.subarray(at, at + length))
    framer.push(chunk.subarray(0, length), recorder)
    chunk.fill(0x3c)
  }
  assert.equal(recorder.elements[0]?.childText('body'), body)
  assert.equal(recorder.events.at(-1), 'close')
})

test('a long element one byte per chunk is scanned once, not once per byte', () => {
  const long = 'b'.repeat(200_000)
  const spaces = ' '.repeat(200_000)
  const elements = [
    `<a>${long}</a>`, `<a c='${long}'/>`, `<a>${'<b/>'.repeat(15_000)}</a>`, `<a><![CDATA[${long}]]></a>`, `<a${spaces}/>`, `<a></a${spaces}>`,
  ]
  for (const text of elements) {
    const framer = opened()
    const recorder = new Recorder()
    const before = process.cpuUsage()
    for (const chunk of chunksOf(encodeUtf8(text), 1)) framer.push(chunk, recorder)
    const cpuMs = process.cpuUsage(before).user / 1000
    assert.equal(recorder.elements.length, 1)
    // Once takes some 50 ms; once per byte would be 2e10 steps, which no machine does in 5 s.
    assert.ok(cpuMs < 5000, `${text.slice(0, 20)}: ${cpuMs} ms`)
  }
})

test('reset inside element() makes the rest of the chunk a new stream (RFC 6120 §4.3.3)', () => {
  for (const size of [1, 7, 10_000]) {
    const framer = new StreamFramer(defaultLimits)
    const events: string[] = []
    const sink = sinkOf({
      streamOpen: (header) => void events.push(`open ${header.attributes.get('id') ?? ''}`),
      element: (frame) => {
        events.push(frame.name)
        if (frame.name === 'auth') framer.reset()
      },
      streamClose: () => void events.push('close'),
    })
    const stream = `${HEADER}<auth/>\n<?xml version='1.0'?><s:s xmlns:s='http://etherx.jabber.org/streams' id='2'><s:a/></s:s>`
    for (const chunk of chunksOf(encodeUtf8(stream), size)) framer.push(chunk, sink)
    assert.deepEqual(events, ['open ', 'auth', 'open 2', 'a', 'close'])
  }
})

test('reset between pushes rescans what was kept as a new stream', () => {
  const framer = opened()
  const recorder = new Recorder()
  framer.push(encodeUtf8("<?xml version='1.0'?>".slice(0, 1)), recorder)
  framer.reset()
  framer.push(encodeUtf8(`${HEADER.slice(1)}<a/>`), recorder)
  assert.deepEqual(recorder.events.map((event) => event.split(' ')[0]), ['open', 'element'])
})

test('pause inside element() keeps the rest until resume, however it arrives', () => {
  const framer = opened()
  const names: string[] = []
  const sink = sinkOf({
    element: (frame) => {
      names.push(frame.name)
      if (frame.name !== 'b') framer.pause()
    },
  })
  framer.push(encodeUtf8('<a/><b/><c/><d'), sink)
  assert.deepEqual([names, framer.bufferedBytes], [['a'], 10])
  framer.push(encodeUtf8('/>'), sink)
  assert.deepEqual([names, framer.bufferedBytes], [['a'], 12])
  framer.resume(sink)
  assert.deepEqual(names, ['a', 'b', 'c'])
  framer.resume(sink)
  assert.deepEqual([names, framer.bufferedBytes], [['a', 'b', 'c', 'd'], 0])
  framer.resume(sink)
  framer.push(encodeUtf8('<b/>'), sink)
  assert.equal(names.at(-1), 'b')
})

test('whoever is paused after every element has what follows copied a few times, not once for each', (t) => {
  const framer = opened()
  const ids: string[] = []
  const sink = sinkOf({
    element: (frame) => {
      ids.push(frame.attribute('id') ?? '')
      framer.pause()
    },
  })
  const wireOf = (from: number, to: number) => encodeUtf8(Array.from({ length: to - from }, (_, at) => `<presence id='${from + at}'/>`).join(''))
  const [first, second] = [wireOf(0, 1_500), wireOf(1_500, 2_000)]
  let copiedBytes = 0
  const { set } = Uint8Array.prototype
  t.mock.method(Uint8Array.prototype, 'set', function count(this: Uint8Array, from: Uint8Array, at?: number) {
    copiedBytes += from.length
    set.call(this, from, at)
  })
  framer.push(first, sink)
  for (let at = 0; at < 700; at++) framer.resume(sink)
  framer.push(second.subarray(0, 5_003), sink)
  framer.push(second.subarray(5_003), sink)
  for (let at = 0; at < 1_400; at++) framer.resume(sink)
  assert.deepEqual(ids, Array.from({ length: 2_000 }, (_, at) => String(at)))
  assert.equal(framer.bufferedBytes, 0)
  assert.ok(copiedBytes < 5 * (first.length + second.length), `${copiedBytes} bytes copied`)
})

test('pause in the middle of an element, and resume inside element()', () => {
  const framer = opened()
  const recorder = new Recorder()
  framer.push(encodeUtf8('<a><b'), recorder)
  framer.pause()
  framer.push(encodeUtf8('/></a><c/>'), recorder)
  assert.equal(recorder.elements.length, 0)
  framer.resume(recorder)
  assert.equal(recorder.elements.length, 2)
  const names: string[] = []
  const sink = sinkOf({
    element: (frame) => {
      names.push(frame.name)
      framer.pause()
      framer.resume(sink)
    },
  })
  framer.push(encodeUtf8('<a/><b/>'), sink)
  assert.deepEqual(names, ['a', 'b'])
})

test('what is kept while paused is bounded', () => {
  const framer = opened({ ...defaultLimits, elementBytesMax: 300 })
  framer.pause()
  framer.push(new Uint8Array(0), sinkOf({}))
  assert.equal(framer.bufferedBytes, 0)
  framer.push(new Uint8Array(400).fill(0x20), sinkOf({}))
  assert.equal(framer.bufferedBytes, 400)
  assert.throws(() => framer.push(Uint8Array.of(0x20), sinkOf({})), { condition: 'policy-violation' })
  assert.equal(framer.bufferedBytes, 0)
})

test('takeRest gives what the sink has not seen, inside and outside of a call', () => {
  const framer = opened()
  let rest = ''
  let seen = 0
  const sink = sinkOf({
    element: () => {
      seen++
      assert.equal(framer.bufferedBytes, 6)
      rest = Buffer.from(framer.takeRest()).toString()
      framer.reset()
    },
  })
  framer.push(encodeUtf8('<start'), sink)
  framer.push(encodeUtf8('tls/>\x16\x03\x01 <a'), sink)
  assert.deepEqual([seen, rest, framer.bufferedBytes], [1, '\x16\x03\x01 <a', 0])
  framer.push(encodeUtf8('<str'), sink)
  assert.equal(Buffer.from(framer.takeRest()).toString(), '<str')
  assert.equal(framer.takeRest().length, 0)
  framer.reset()
  framer.push(encodeUtf8(HEADER), sink)
})

test('white space between stanzas is noticed when asked for', () => {
  const framer = opened()
  let runs = 0
  const sink = sinkOf({ whitespace: () => void runs++ })
  framer.push(encodeUtf8(' '), sink)
  framer.push(encodeUtf8('<a/> \r\n\t<b/>\n'), sink)
  assert.equal(runs, 3)
})

test('a frame used after its call throws', () => {
  const frames: Frame[] = []
  const framer = opened()
  const sink = sinkOf({ element: (frame) => void frames.push(frame) })
  framer.push(encodeUtf8('<a/><b'), sink)
  framer.push(encodeUtf8('/>'), sink)
  for (const frame of frames) {
    for (const use of [() => frame.name, () => frame.childCount, () => frame.elementWire(), () => frame.attribute('to'), () => frame.toElement()]) {
      assert.throws(use, /after the call/)
    }
  }
})

test('a sink may parse, and may feed another framer, while it holds a frame', () => {
  const outer = opened()
  const inner = opened()
  const names: string[] = []
  const sink = sinkOf({
    element: (frame) => {
      inner.push(encodeUtf8('<x><y/><z/></x>'), sinkOf({ element: (other) => void names.push(other.childName(1)) }))
      parseText('<p><q/><r/></p>', '')
      names.push(frame.childName(0), frame.childElement(0).name)
    },
  })
  outer.push(encodeUtf8('<a><b/></a><a><c/></a>'), sink)
  assert.deepEqual(names, ['z', 'b', 'b', 'z', 'c', 'c'])
})

test('a sink that throws kills its framer only, and a sink may not push to its own', () => {
  const framer = opened()
  const bad = sinkOf({
    element: () => {
      throw new Error('no')
    },
  })
  assert.throws(() => framer.push(encodeUtf8('<a/>'), bad), /no/)
  const recorder = new Recorder()
  framer.push(encodeUtf8('<a/>'), recorder)
  opened().push(encodeUtf8('<a/>'), recorder)
  assert.equal(recorder.elements.length, 1)
  const again = opened()
  assert.throws(() => again.push(encodeUtf8('<a/>'), sinkOf({ element: () => again.push(encodeUtf8(' '), recorder) })), /same framer/)
})

test('invalid UTF-8 in one stanza lets those before it pass', () => {
  const bytes = [encodeUtf8(`${HEADER}<a>\u00e9</a>`), Uint8Array.of(0x3c, 0x62, 0x3e, 0xc3, 0x3c, 0x2f, 0x62, 0x3e)]
  for (const chunks of [[Buffer.concat(bytes)], bytes]) {
    const { events, elements } = record(chunks)
    assert.deepEqual([elements.map(({ name }) => name), events.at(-1)], [['a'], 'error not-well-formed'])
  }
})

test('prefixes of the header may be used in stanzas and are declared when spliced', () => {
  const framer = opened()
  const seen: string[] = []
  const sink = sinkOf({
    element: (frame) => void seen.push(frame.ns, frame.attributesWire([]), frame.childNs(0)),
  })
  framer.push(encodeUtf8("<stream:error a='1'><text stream:b='2'/></stream:error><message><x/></message>"), sink)
  assert.deepEqual(seen, [
    'http://etherx.jabber.org/streams', " a='1' xmlns:stream='http://etherx.jabber.org/streams'", 'jabber:client', 'jabber:client', '', 'jabber:client',
  ])
})

test('streams with the same header share its context, however many odd headers there are in between', () => {
  const contextOf = (framer: StreamFramer): unknown => Reflect.get(framer, 'context')
  const first = opened()
  assert.equal(contextOf(opened()), contextOf(first))
  for (let index = 0; index < 200; index++) new StreamFramer(defaultLimits).push(encodeUtf8(`<s xmlns='urn:${index}'>`), sinkOf({}))
  new StreamFramer(defaultLimits).push(encodeUtf8(`<s xmlns='${'u'.repeat(600)}'>`), sinkOf({}))
  const later = opened()
  assert.deepEqual(contextOf(later), contextOf(first))
  assert.equal(contextOf(opened()), contextOf(later))
})
