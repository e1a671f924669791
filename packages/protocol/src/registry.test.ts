import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { parseElement } from '@rollcall/xml'
import fc from 'fast-check'
import type { AnyCodec } from './declaration.ts'
import * as protocol from './index.ts'
import { codecValue } from './testing/arbitrary.ts'

const codecs = Object.entries(protocol as Readonly<Record<string, unknown>>)
  .filter((entry): entry is [string, AnyCodec] => isCodec(entry[1]))

function isCodec(value: unknown): value is AnyCodec {
  return typeof value === 'object' && value !== null && 'shape' in value && 'decode' in value
}

/** Pairs that describe one element on purpose: by direction or by FORM_TYPE. */
const shared: Readonly<Record<string, readonly string[]>> = {
  '{urn:ietf:params:xml:ns:xmpp-bind}bind': ['Bind', 'BindFeature'],
  '{urn:xmpp:bind:0}bind': ['Bind2Feature', 'Bind2Request'],
  '{jabber:x:data}x': ['ContactAddresses', 'DataForm', 'PushSummary'],
}

describe('every declared element', () => {
  it('is the only one of its name and namespace, unless it is meant', () => {
    const byElement = new Map<string, string[]>()
    for (const [exported, { ns, name }] of codecs) {
      const key = `{${ns}}${name}`
      byElement.set(key, [...(byElement.get(key) ?? []), exported])
    }
    const claimedTwice = [...byElement].filter(([, names]) => names.length > 1).map(([key, names]) => [key, names.toSorted()])
    assert.deepEqual(Object.fromEntries(claimedTwice), shared)
  })

  it('has case pairs', () => {
    const here = import.meta.dirname
    const tests = readdirSync(here).filter((name) => name.endsWith('.test.ts')).map((name) => readFileSync(`${here}/${name}`, 'utf8'))
    const tested = new Set(tests.flatMap((source) => [...source.matchAll(/casePairs(?:<\w+>)?\((\w+),/g)].map((match) => match[1])))
    assert.deepEqual(codecs.map(([name]) => name).filter((name) => !tested.has(name)), [])
  })

  for (const [exported, codec] of codecs) {
    it(`${exported}: decoding what was encoded is identity, over the wire too`, () => {
      const prefixes = new Map([['stream', protocol.NS_STREAMS]])
      fc.assert(fc.property(codecValue(codec), (value) => {
        assert.deepEqual(codec.decode(codec.encode(value as never)), value)
        const wire = codec.toWire(value as never)
        assert.deepEqual(codec.decode(parseElement(wire, 'jabber:client', { prefixes })), value)
      }), { numRuns: 50 })
    })
  }
})
