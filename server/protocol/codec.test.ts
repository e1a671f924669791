import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Jid, parseJid } from '@rollcall/jid'
import { WireReader } from '@rollcall/ports'
import type { BusDecoder, BusEncoder, Json } from '@rollcall/ports'
import { Stanza } from '@rollcall/stanza'
import type { StanzaChild } from '@rollcall/stanza'
import { XmlElement } from '@rollcall/xml'
import { serverCodec } from './codec.ts'
import type { ServerMessage } from './messages.ts'

// ---------------------------------------------------------------------------------------------- what messages are made of

const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.constantFrom('', '$jid', '__proto__', 'é', '\ud83d\udc94', 'a\0b', '\ud800'))
/** Wire strings: UTF-8 as latin1. */
const wire = fc.string({ unit: fc.nat(255).map(code => String.fromCharCode(code)), maxLength: 400 })
const bytes = fc.uint8Array({ maxLength: 40 })
const flag = fc.boolean()
const count = fc.oneof(fc.nat(20), fc.maxSafeNat())
const conn = count
const jid = fc.constantFrom(
  'montague.example', 'romeo@montague.example', 'juliet@capulet.example/balcony', 'é@capulet.example/\u{1f494}', "nurse@muc.example/a&b <c>'",
).map(parseJid)
const element: fc.Arbitrary<XmlElement> = fc.letrec<{ element: XmlElement }>(tie => ({
  element: fc.tuple(text, text, fc.dictionary(text, text, { maxKeys: 3 }), fc.array(fc.oneof({ maxDepth: 2 }, text, tie('element')), { maxLength: 3 }))
    .map(([name, ns, attributes, children]) => new XmlElement(name, ns, new Map(Object.entries(attributes)), children)),
})).element
const child: fc.Arbitrary<StanzaChild> = fc.record({
  name: fc.oneof(fc.constantFrom('body', 'active', 'request'), text),
  ns: fc.oneof(fc.constantFrom('jabber:client', 'urn:xmpp:receipts'), text, fc.string({ minLength: 300, maxLength: 310 })),
  start: fc.nat(70_000), end: fc.nat(70_000),
}).map(({ name, ns, start, end }) => ({ name, ns, start, end: start + end }))
const stanza = fc.record({
  kind: fc.constantFrom('message', 'presence', 'iq'), from: fc.option(jid, { nil: undefined }), to: fc.option(jid, { nil: undefined }),
  type: fc.oneof(fc.constantFrom('', 'chat', 'groupchat', 'error', 'get', 'unavailable', 'probe'), text),
  id: text, isIdInAttrs: flag, attrs: wire, content: wire, children: fc.array(child, { maxLength: 4 }),
  trace: fc.oneof(fc.constant(''), text), stamp: fc.stringMatching(/^[\w-]{0,40}$/),
}).map(({ kind, from, to, type, id, isIdInAttrs, attrs, content, children, trace, stamp }) => {
  const isPlain = /^[\x00-\xff]*$/.test(id)
  const made = new Stanza(kind, from, to, type, id, isIdInAttrs && isPlain ? `${attrs} id='${id}'` : attrs, content, children)
  made.trace = trace
  made.stamp = stamp
  return made
})
const json = fc.jsonValue() as fc.Arbitrary<Json>
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })
const hash = fc.constantFrom('SHA-1', 'SHA-256', 'SHA-512')
const keys = { salt: bytes, iterations: count, storedKey: bytes, serverKey: bytes }
const method = fc.constantFrom('password', 'token', 'certificate', 'anonymous')
const origin = fc.record({
  transport: fc.constantFrom('tcp', 'tls', 'websocket', 'bosh'), address: text, isSecure: flag, method: maybe(method), clientId: maybe(text),
})
const stream = fc.record({ token: text, resumeMs: count, handled: count, acked: count, unacked: fc.array(wire, { maxLength: 3 }) })
const confirmed = { seq: maybe(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 2 ** 50 }))), isAgain: maybe(fc.constant<true>(true)) }
const member = fc.constantFrom('w1', 'w2')

// ---------------------------------------------------------------------------------------------- every kind, every field

type Kind = ServerMessage['kind']
type Of<K extends Kind> = Extract<ServerMessage, { kind: K }>
/** A kind or a field that is missing here does not compile. */
type Samples = { readonly [K in Kind]: { readonly [F in Exclude<keyof Of<K>, 'kind'>]-?: fc.Arbitrary<Of<K>[F]> } }

const samples: Samples = {
  'client-stanza': { conn, stanza, ...confirmed },
  'client-nonza': { conn, element, ...confirmed },
  'client-answered': { conn, wire, ...confirmed },
  'client-closed': { conn, reason: fc.constantFrom('closed', 'lost'), ...confirmed },
  'component-stanza': { conn, stanza },
  'component-closed': { conn },
  'host-info': { host: text },
  'scram-keys': { account: jid, hash },
  'verify-password': { account: jid, password: text },
  'report-auth': { account: jid, isSuccess: flag, address: text },
  'check-lockout': { account: jid },
  'upgrade-keys': { account: jid, hash, ...keys },
  'create-anonymous': { host: text },
  bind: {
    account: jid, resourcepart: text, conn, origin, isAnonymous: flag,
    bind2: maybe(fc.record({ tag: text, requests: fc.array(element, { maxLength: 2 }) })),
  },
  resume: { account: jid, previousId: text, handled: count, conn, origin },
  'pre-auth-iq': { host: text, address: text, stanza },
  'register-component': { domain: text, conn },
  'check-token': { account: jid, mechanism: text, bindingData: bytes, proof: bytes, agentId: text, count: maybe(count), isInvalidating: flag },
  'upgrade-parameters': { account: jid, hash },
  'finish-login': {
    account: jid, method, tokenMechanism: maybe(text),
    agent: maybe(fc.record({ id: text, software: maybe(text), device: maybe(text) })),
  },
  deliver: { conn, wire },
  'deliver-presence': { conn, wire },
  'deliver-echo': { conn, wire },
  'deliver-broadcast': { head: wire, tail: wire, conns: fc.array(conn, { maxLength: 60 }), addresses: fc.array(wire, { maxLength: 60 }) },
  'close-stream': { conn, condition: text, text: maybe(text), detail: maybe(wire) },
  'host-info-changed': {},
  route: { stanza, ...confirmed },
  'presence-states': { to: jid, probe: text, states: fc.array(stanza, { maxLength: 3 }), contactCount: count, ...confirmed },
  broadcast: { stanza, targets: fc.array(jid, { maxLength: 60 }), ...confirmed },
  safe: { seq: count, also: fc.array(count, { maxLength: 8 }) },
  'map-change': { epoch: count, members: fc.array(member), owners: fc.array(fc.nat(3)), gone: fc.array(member), deaths: fc.array(count) },
  'map-mark': { epoch: count, step: fc.constantFrom('flushed', 'moved', 'sent') },
  'map-ready': { epoch: count },
  'map-active': { epoch: count },
  'member-gone': { member },
  'take-over': { snapshot: json },
  'session-state': { conn, record: text, stream: maybe(stream), isMoved: maybe(fc.constant<true>(true)) },
  restore: { conn, account: text, record: text, stream: maybe(stream), recent: fc.array(wire, { maxLength: 3 }) },
  ledger: { key: text, record: text, stream: maybe(fc.record({ handled: count, since: count })), heir: maybe(member) },
  'ledger-counts': { counts: fc.array(fc.record({ key: text, handled: count, since: count }), { maxLength: 3 }) },
  adopt: { sessions: fc.array(fc.record({ key: text, record: text, handled: count, since: count }), { maxLength: 3 }) },
  bury: { sessions: fc.array(fc.record({ key: text, record: text }), { maxLength: 3 }) },
  'component-up': { domain: text, edge: member, conn },
  'stanzas-safe': { session: text },
  'component-down': { edge: member, conn },
  'iq-answer': { stanza },
  'address-failed': { address: text },
  'account-admin': {
    operation: fc.constantFrom('create', 'remove', 'setPassword', 'setDisabled'), account: text, password: maybe(text), isDisabled: maybe(flag),
  },
  'module-question': { name: text, asked: json },
  operate: { name: text, request: json },
  metrics: {},
  'bosh-request': { sid: text, body: wire },
}

const messages: fc.Arbitrary<ServerMessage>[] = Object.entries(samples).map(
  ([kind, fields]) => fc.record({ kind: fc.constant(kind), ...fields }) as unknown as fc.Arbitrary<ServerMessage>,
)

/** A connection's two ends. */
function pair(): { cross(message: ServerMessage): ServerMessage | undefined; value(value: unknown): unknown } {
  const encoder: BusEncoder<ServerMessage> = serverCodec.encoder()
  const decoder: BusDecoder<ServerMessage> = serverCodec.decoder()
  const reader = new WireReader()
  const load = (body: string): WireReader => {
    assert.match(body, /^[\x00-\xff]*$/, 'wire text is latin1')
    // Inside a chunk, as it arrives.
    return reader.load(`before${body}after`, 6, 6 + body.length)
  }
  return {
    cross: message => decoder.message(load(encoder.message(message))),
    value: value => decoder.value(load(encoder.value(value))),
  }
}

/** Without the fields that are undefined, at any depth; JIDs as their text, which is what makes them equal. */
function tidy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tidy)
  if (value instanceof Uint8Array) return ['bytes', ...value]
  if (value instanceof XmlElement) return ['element', value.name, value.ns, [...value.attributes], tidy(value.children)]
  if (value instanceof Stanza) return ['stanza', Object.entries(value).map(([key, item]) => [key, tidy(item)])]
  if (value instanceof Jid) return `jid ${value.toString()}`
  // JSON has no negative zero.
  if (typeof value === 'number') return value + 0
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return entries.map(([key, item]): [string, unknown] => [key, tidy(item)]).toSorted(([one], [other]) => (one < other ? -1 : 1))
}

for (const [at, kind] of Object.keys(samples).entries()) {
  test(`a message of kind ${kind} comes out as it went in`, () => {
    fc.assert(fc.property(messages[at]!, (message) => {
      assert.deepEqual(tidy(pair().cross(message)), tidy(message))
    }), { numRuns: 60 })
  })
}

test('messages of all kinds share one connection, whatever was sent before', () => {
  fc.assert(fc.property(fc.array(fc.oneof(...messages), { maxLength: 40 }), (list) => {
    const { cross } = pair()
    for (const message of list) assert.deepEqual(tidy(cross(message)), tidy(message))
  }), { numRuns: 60 })
})

test('what a request is answered with comes out as it went in', () => {
  const value: fc.Arbitrary<unknown> = fc.letrec(tie => ({
    value: fc.oneof(
      { maxDepth: 3 }, text, json, bytes, jid, element, stanza, fc.constant(undefined),
      fc.array(tie('value'), { maxLength: 3 }), fc.dictionary(fc.oneof(text, fc.constantFrom('$b', 'a')), tie('value'), { maxKeys: 3 }),
    ),
  })).value
  fc.assert(fc.property(value, (reply) => {
    assert.deepEqual(tidy(pair().value(reply)), tidy(reply))
  }))
})

test('what is no data is refused where it is sent', () => {
  const { value } = pair()
  for (const reply of [() => {}, new Map(), Symbol('s'), 1n, Number.NaN, [new Date()]]) assert.throws(() => value(reply), TypeError)
  assert.throws(() => pair().cross({ kind: 'deliver', conn: -1, wire: '' }), RangeError)
})

test('many deliveries of one wire string carry it once', () => {
  const encoder = serverCodec.encoder()
  const first = encoder.message({ kind: 'deliver-presence', conn: 1, wire: '<presence/>'.repeat(20) })
  const second = encoder.message({ kind: 'deliver-presence', conn: 2, wire: '<presence/>'.repeat(20) })
  assert.ok(first.length > 200)
  assert.equal(second.length, 2)
})

test('when a change came about crosses with it', () => {
  const { cross } = pair()
  for (const changedAt of [0, 1, Date.UTC(2026, 10, 21)]) {
    const stanza = new Stanza('presence', parseJid('romeo@montague.example/orchard'), undefined, '', '', '', '')
    stanza.changedAt = changedAt
    const crossed = cross({ kind: 'broadcast', stanza, targets: [parseJid('juliet@capulet.example')], seq: 7 })
    assert.deepEqual([crossed?.kind === 'broadcast' && crossed.stanza.changedAt, crossed?.kind === 'broadcast' && crossed.seq], [changedAt, 7])
  }
})

test('names of elements are spelt out once, and the table starts anew when it is full', () => {
  const { cross } = pair()
  const encoder = serverCodec.encoder()
  const message = (ns: string): ServerMessage =>
    ({ kind: 'route', stanza: new Stanza('message', undefined, undefined, '', '', '', '<x/>', [{ name: 'x', ns, start: 0, end: 4 }]) })
  assert.ok(encoder.message(message('urn:example:names')).includes('urn:example:names'))
  assert.ok(!encoder.message(message('urn:example:names')).includes('urn:example:names'))
  for (let round = 0; round < 2; round++) {
    for (let at = 0; at < 1500; at++) {
      // The one before has just been used, and where the table starts anew it has to be spelt out again.
      for (const number of [at, at, Math.max(0, at - 1)]) {
        assert.deepEqual(tidy(cross(message(`urn:example:${number}`))), tidy(message(`urn:example:${number}`)))
      }
    }
  }
})

test('a letter that this version does not know is no message, and fields that it does not know are kept out of its way', () => {
  const decoder = serverCodec.decoder()
  const read = (body: string): ServerMessage | undefined => decoder.message(new WireReader().load(body, 0, body.length))
  assert.equal(read('~of a later version'), undefined)
  assert.deepEqual(read('J{"kind":"client-closed","conn":1,"reason":"lost","mood":"sad"}'), { kind: 'client-closed', conn: 1, reason: 'lost', mood: 'sad' })
})

test('text that no encoder made throws, however it is cut', () => {
  fc.assert(fc.property(fc.oneof(...messages.slice(0, 5), messages.at(-1)!), fc.nat(), (message, cut) => {
    const whole = serverCodec.encoder().message(message)
    const body = whole.slice(0, cut % whole.length)
    try {
      serverCodec.decoder().message(new WireReader().load(body, 0, body.length))
    } catch (error) {
      assert.ok(error instanceof Error)
    }
  }))
})
