/** The hosts' own capabilities: what is shown, and which nodes are known for it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { jidOf } from '@rollcall/jid'
import { DiscoInfo } from '@rollcall/protocol'
import { FakeClock } from '@rollcall/testing'
import { parseText, scanFragment } from '@rollcall/xml'
import { nodeHasher } from '../../server/runtime/hasher.ts'
import type { Disco } from '../disco/port.ts'
import { HostCaps } from './host-caps.ts'

const host = jidOf('', 'capulet.example')

/** A host whose features change; nothing else of the port is asked for. */
function world() {
  const clock = new FakeClock()
  const features = ['urn:a']
  const extra: string[] = []
  const content = () => [...features.map((name) => `<feature var='${name}'/>`), ...extra].join('')
  const hostInfo: Disco['hostInfo'] = () => DiscoInfo.decode(parseText(
    `<query xmlns='http://jabber.org/protocol/disco#info'><identity category='server' type='im'/>${content()}</query>`, ''))
  const unused = () => { throw new Error('Not asked for') }
  const disco: Disco = { hostInfo, addIdentity: unused, addForm: unused, addItems: unused, addNode: unused }
  const caps = new HostCaps({ disco, clock, hasher: nodeHasher }, 'urn:rollcall')
  /** Nodes that stand for what the stream features show now. */
  const shown = () => {
    const elements = [...caps.streamFeature('capulet.example').matchAll(/<c [^>]*?(?:\/>|>.*?<\/c>)/g)].map(([wire]) => parseText(wire, ''))
    const [old, recent] = elements
    return [
      `${old?.attribute('node')}#${old?.attribute('ver')}`,
      ...(recent?.elements() ?? []).map((hash) => `urn:xmpp:caps#${hash.attribute('algo')}.${hash.text()}`),
    ]
  }
  return { clock, features, extra, caps, shown }
}

describe('XEP-0115 §6.3 and XEP-0390 §5.2', () => {
  test('stream features carry both formats, with the hash functions that everybody has', () => {
    const { caps, shown } = world()
    assert.equal(scanFragment(`<features>${caps.streamFeature('capulet.example')}</features>`, 'jabber:client').childCount, 2)
    const nodes = shown()
    assert.match(nodes[0] as string, /^urn:rollcall#[A-Za-z0-9+/]{27}=$/)
    assert.match(nodes[1] as string, /^urn:xmpp:caps#sha-256\./)
    assert.match(nodes[2] as string, /^urn:xmpp:caps#sha3-256\./)
  })
  test('every hash that is shown is a node with the information of the host', () => {
    const { caps, shown } = world()
    for (const node of shown()) assert.deepEqual(caps.findNode(node, host)?.info().features, [{ var: 'urn:a' }])
    assert.deepEqual(caps.findNode(shown()[0] as string, host)?.items(), [])
    assert.equal(caps.findNode('urn:rollcall#made-up', host), undefined)
    assert.equal(caps.findNode('urn:xmpp:caps#sha-256.AAAA', host), undefined)
    assert.equal(caps.findNode('plays', host), undefined)
  })
  test('hashes follow changes after a minute, and stay while nothing changes', () => {
    const { clock, features, shown } = world()
    const before = shown()
    features.push('urn:b')
    assert.deepEqual(shown(), before)
    clock.advance(60_000)
    assert.notDeepEqual(shown(), before)
    const after = shown()
    clock.advance(60_000)
    assert.deepEqual(shown(), after)
  })
  test('XEP-0390 §6.1: the nodes of the last three sets stay known, with what they stood for', () => {
    const { clock, features, caps, shown } = world()
    const sets = ['b', 'c', 'd'].map((name) => {
      const nodes = shown()
      features.push(`urn:${name}`)
      clock.advance(60_000)
      return nodes
    })
    sets.push(shown())
    const known = sets.map(([, node]) => caps.findNode(node as string, host)?.info().features.length)
    assert.deepEqual(known, [undefined, 2, 3, 4])
  })
  test('information that cannot be hashed in one format is shown in the other', () => {
    const { extra, caps } = world()
    extra.push("<x xmlns='jabber:x:data' type='result'><field var='a'/></x>")
    assert.equal(scanFragment(`<features>${caps.streamFeature('capulet.example')}</features>`, 'jabber:client').childCount, 1)
  })
})
