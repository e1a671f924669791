/** Stanzas: from scanned elements, spliced, changed by copies, decoded on demand, and as records. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseJid } from '@rollcall/jid'
import { defaultLimits, latin1ToBytes, scanDocument, StreamFramer, toWire, XmlElement } from '@rollcall/xml'
import type { Frame } from '@rollcall/xml'
import fc from 'fast-check'
import type { Stanza } from './index.ts'
import {
  buildStanza, decodeStanza, encodeStanza, errorElement, errorReply, iqResult, messageType, NS_CLIENT, presence, StanzaError,
  stanzaFromFrame, stanzaKind,
} from './index.ts'

const romeo = parseJid('romeo@montague.example/orchard')
const juliet = parseJid('juliet@capulet.example')

function scan(xml: string): Frame {
  return scanDocument(latin1ToBytes(toWire(xml)), defaultLimits)
}

function stanzaOf(xml: string): Stanza {
  return stanzaFromFrame(scan(xml), romeo, juliet)
}

/** The first element of a stream with that header, made a stanza while the frame lives. */
function inStream(header: string, xml: string): Stanza {
  const found: Stanza[] = []
  const sink = {
    streamOpen: () => {}, streamClose: () => {},
    element: (frame: Frame) => void found.push(stanzaFromFrame(frame, romeo, juliet)),
  }
  new StreamFramer(defaultLimits).push(latin1ToBytes(toWire(`<stream:stream xmlns:stream='http://etherx.jabber.org/streams' ${header}>${xml}`)), sink)
  return found[0] as Stanza
}

describe('a stanza from a scanned element', () => {
  it('keeps everything but the addresses as it came, and writes its own', () => {
    const stanza = stanzaOf("<message xmlns='jabber:client' to='x@y' type='chat' id='a&amp;b' from='z@y'><body>Ay me ♥</body></message>")
    assert.deepEqual([stanza.kind, stanza.type, stanza.id], ['message', 'chat', 'a&b'])
    const expected = "<message from='romeo@montague.example/orchard' to='juliet@capulet.example' type='chat' id='a&amp;b'><body>Ay me ♥</body></message>"
    assert.equal(stanza.toWire(), toWire(expected))
  })

  it('finds children by name and namespace, and decodes one only when asked', () => {
    const stanza = stanzaOf("<message xmlns='jabber:client'><body>Hi</body><x xmlns='urn:example:x' a='1'/></message>")
    assert.ok(stanza.has('body', NS_CLIENT))
    assert.equal(stanza.has('body', 'urn:example:x'), false)
    assert.equal(stanza.findNs('urn:example:x')?.name, 'x')
    assert.equal(stanza.findNs('urn:example:y'), undefined)
    const codec = { ns: 'urn:example:x', name: 'x', decode: (element: XmlElement) => element.attribute('a') }
    assert.equal(stanza.decode(codec), '1')
    assert.equal(stanza.decode({ ...codec, name: 'y' }), undefined)
  })

  it('takes payloads of other content namespaces as jabber:client', () => {
    const stanza = inStream("xmlns='jabber:component:accept'", '<message><body>Hi</body></message>')
    assert.equal(stanza.children[0]?.ns, NS_CLIENT)
    assert.ok(stanza.toWire().endsWith('><body>Hi</body></message>'))
  })

  it('decodes a prefixed element whose default namespace is another, so that a splice means the same', () => {
    const stanza = inStream("xmlns='urn:example:d' xmlns:c='jabber:client'", "<c:message type='chat'><c:body>Hi</c:body><x/></c:message>")
    assert.deepEqual(stanza.children.map(({ name, ns }) => [name, ns]), [['body', NS_CLIENT], ['x', 'urn:example:d']])
    assert.equal(stanza.element(stanza.children[0]!).text(), 'Hi')
  })

  it('reads a child that relies on a prefix declared on the stanza', () => {
    const stanza = stanzaOf("<message xmlns='jabber:client' xmlns:p='urn:example:p'><p:x/></message>")
    assert.equal(stanza.element(stanza.children[0]!).ns, 'urn:example:p')
  })

  it('is one of three kinds', () => {
    assert.equal(stanzaKind(scan("<presence xmlns='jabber:client'/>")), 'presence')
    assert.equal(stanzaKind(scan("<foo xmlns='jabber:client'/>")), undefined)
  })
})

describe('changes', () => {
  it('are copies: children added and taken out, addresses changed, the original as it was', () => {
    const original = stanzaOf("<message xmlns='jabber:client'><a/>text<b/><a/></message>")
    const more = original.withChild('c', 'urn:example:c', "<c xmlns='urn:example:c'/>")
    assert.equal(more.childWire(more.find('c', 'urn:example:c')!), "<c xmlns='urn:example:c'/>")
    const less = more.withoutChildren(({ name }) => name === 'a')
    assert.equal(less.content, "text<b/><c xmlns='urn:example:c'/>")
    assert.equal(less.childWire(less.children[0]!), '<b/>')
    assert.equal(less.withoutChildren(() => false), less)
    assert.equal(original.content, '<a/>text<b/><a/>')
    assert.equal(original.addressed(undefined, undefined).toWire(), '<message><a/>text<b/><a/></message>')
  })
})

describe('building', () => {
  it('escapes what is text', () => {
    const child = new XmlElement('body', NS_CLIENT, {}, ['<&>'])
    const stanza = buildStanza('message', { to: juliet, type: 'chat', id: "o'clock", lang: 'it', children: [child] })
    const expected = "<message to='juliet@capulet.example' type='chat' id='o&apos;clock' xml:lang='it'><body>&lt;&amp;&gt;</body></message>"
    assert.equal(stanza.toWire(), expected)
    assert.equal(buildStanza('presence', {}).toWire(), '<presence/>')
  })

  it('answers an iq with addresses swapped and the same id', () => {
    const request = buildStanza('iq', { from: romeo, to: juliet, type: 'get', id: 'q' })
    const payload = new XmlElement('x', 'urn:example:x')
    const expected = "<iq from='juliet@capulet.example' to='romeo@montague.example/orchard' type='result' id='q'><x xmlns='urn:example:x'/></iq>"
    assert.equal(iqResult(request, payload).toWire(), expected)
    assert.equal(iqResult(request).content, '')
  })

  it('makes presence with and without status', () => {
    assert.equal(presence(romeo, undefined, 'unavailable', 'a < b').content, '<status>a &lt; b</status>')
    assert.equal(presence(undefined, juliet, '').toWire(), "<presence to='juliet@capulet.example'/>")
  })

  it('counts an absent or unknown message type as normal (RFC 6121 §5.2.2)', () => {
    const types = ['', 'joke', 'normal', 'chat', 'headline', 'groupchat', 'error'].map((type) => messageType(buildStanza('message', { type })))
    assert.deepEqual(types, ['normal', 'normal', 'normal', 'chat', 'headline', 'groupchat', 'error'])
  })
})

describe('errors (RFC 6120 §8.3)', () => {
  it('answer with the condition, its type, text, application condition and address', () => {
    const error = new StanzaError('gone', 'moved <away>', { application: new XmlElement('a', 'urn:example:a'), address: 'xmpp:r@m.example' })
    const ns = "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"
    assert.equal(errorElement(error), [
      `<error type='cancel'><gone ${ns}>xmpp:r@m.example</gone>`,
      `<text ${ns} xml:lang='en'>moved &lt;away&gt;</text><a xmlns='urn:example:a'/></error>`,
    ].join(''))
    assert.equal(new StanzaError('conflict', undefined, { type: 'wait' }).type, 'wait')
  })

  it('are never answers to errors or iq results', () => {
    const refused = new StanzaError('forbidden')
    const reply = errorReply(buildStanza('message', { from: romeo, to: juliet, id: "i'd" }), refused)
    assert.deepEqual([reply?.from, reply?.to, reply?.type, reply?.id], [juliet, romeo, 'error', "i'd"])
    assert.equal(reply?.find('error', NS_CLIENT)?.start, 0)
    assert.equal(errorReply(buildStanza('iq', { type: 'result', id: 'q' }), refused), undefined)
    assert.equal(errorReply(buildStanza('message', { type: 'error' }), refused), undefined)
    assert.ok(errorReply(buildStanza('presence', {}), refused)?.toWire().startsWith("<presence type='error'><error"))
  })
})

describe('records', () => {
  it('decoding what was encoded is identity', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((value) => !/[^\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u.test(value))
    fc.assert(fc.property(
      fc.constantFrom('message', 'presence', 'iq'), fc.option(fc.constantFrom(romeo, juliet)), fc.option(fc.constantFrom(romeo, juliet)), text, text,
      fc.array(text, { maxLength: 3 }),
      (kind, from, to, type, id, bodies) => {
        const children = bodies.map((body) => new XmlElement('body', NS_CLIENT, {}, [body]))
        const stanza = buildStanza(kind, { from: from ?? undefined, to: to ?? undefined, type, id, children })
        const copy = decodeStanza(JSON.parse(JSON.stringify(encodeStanza(stanza))) as ReturnType<typeof encodeStanza>)
        assert.equal(copy.toWire(), stanza.toWire())
        assert.deepEqual([copy.type, copy.id, copy.children], [type, id, stanza.children])
      },
    ))
  })
})
