/** XEP-0115 and XEP-0390 as wire scripts: what hosts show, and how the features of clients are found out. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { defineModule } from '@rollcall/module-api'
import type { Session } from '@rollcall/module-api'
import { jidOf } from '@rollcall/jid'
import { Caps2, DiscoInfo } from '@rollcall/protocol'
import { buildStanza } from '@rollcall/stanza'
import { parseText } from '@rollcall/xml'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import disco from '../disco/module.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import { caps2Input, capsInput } from './hash-input.ts'
import caps from './module.ts'
import { Caps } from './port.ts'

const INFO = 'http://jabber.org/protocol/disco#info'

let finder: Caps
const user = defineModule({
  name: 'user', summary: 'Uses the port.', implements: [], needs: { caps: Caps }, setup({ ports }) { finder = ports.caps },
})

let host: TestHost

beforeEach(async () => {
  host = await TestHost.start({
    accounts: ['juliet', 'nurse'], modules: [roster, presence, disco, caps, user],
    options: { caps: { queriesMax: 2, queryTimeoutMs: 10_000, featuresMax: 10, clientsMax: 2 } },
  })
})
afterEach(() => host.stop())

const clientInfo = "<identity category='client' type='phone' name='Balcony'/><feature var='urn:a'/><feature var='urn:b+notify'/>"
const read = (content: string) => DiscoInfo.decode(parseText(`<query xmlns='${INFO}'>${content}</query>`, ''))
const digest = (algorithm: string, input: Uint8Array | undefined) => createHash(algorithm).update(input ?? '').digest('base64')
const VER = digest('sha1', capsInput(read(clientInfo)))
const HASH = digest('sha256', caps2Input(read(clientInfo)))
const capsOld = (ver = VER, hash = "hash='sha-1' ") => `<c xmlns='http://jabber.org/protocol/caps' ${hash}node='https://client.example' ver='${ver}'/>`
const capsNew = (hash = HASH, algo = 'sha-256') => `<c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='${algo}'>${hash}</hash></c>`
const show = (content: string) => `<presence>${content}</presence>`

function sessionOf(entity: ScriptedEntity): Session {
  const session = host.core.accounts.warm(entity.jid.bare)?.sessions.get(entity.jid.resourcepart)
  assert.ok(session !== undefined)
  return session
}

/** Answers the question that the client must have got; `node` is what it must be about. */
async function tells(entity: ScriptedEntity, node: string | undefined, content = clientInfo, lang = ''): Promise<void> {
  const question = await entity.next()
  const query = question.child('query', INFO)
  assert.deepEqual([question.attribute('type'), query?.attribute('node')], ['get', node])
  const from = entity.domain === '' ? '' : ` from='${question.attribute('to')}'`
  const mirrored = node === undefined ? '' : ` node='${node}'`
  entity.send(`<iq type='result' id='${question.attribute('id')}' to='${question.attribute('from')}'${from}${lang}>
    <query xmlns='${INFO}'${mirrored}>${content}</query></iq>`)
  await host.settle()
}

const sorted = (features: ReadonlySet<string> | undefined) => (features === undefined ? undefined : [...features].sort())

describe('hosts', () => {
  test('XEP-0115 §6.3: the stream feature is the hash of what disco#info answers, and its node is known', async () => {
    const reply = await host.core.service.answer('edge', { kind: 'host-info', host: 'capulet.example' }) as { featuresAfterAuth: string }
    const [, ver] = /<c xmlns='http:\/\/jabber.org\/protocol\/caps' hash='sha-1' node='urn:rollcall' ver='([^']+)'\/>/.exec(reply.featuresAfterAuth) ?? []
    const juliet = await host.login('juliet', 'balcony')
    const ask = async (node: string) => {
      const answer = await juliet.request(`<iq type='get' id='d1' to='capulet.example'><query xmlns='${INFO}'${node}/></iq>`)
      return answer.child('query', INFO)
    }
    const plain = await ask('')
    assert.ok(plain !== undefined && ver !== undefined)
    assert.equal(digest('sha1', capsInput(DiscoInfo.decode(plain))), ver)
    const noded = await ask(` node='urn:rollcall#${ver}'`)
    assert.ok(noded?.setAttribute('node', undefined).equals(plain))
    const names = plain.elements('feature').map((feature) => feature.attribute('var'))
    assert.deepEqual(names.filter((name) => name?.includes('caps')), ['http://jabber.org/protocol/caps', 'urn:xmpp:caps'])
    const sha3 = digest('sha3-256', caps2Input(DiscoInfo.decode(plain)))
    assert.ok(reply.featuresAfterAuth.includes(`algo='sha3-256'>${sha3}</hash>`))
    assert.ok(await ask(` node='urn:xmpp:caps#sha3-256.${sha3}'`))
  })
})

describe('XEP-0115 §5.4: verification', () => {
  test('a verified hash is asked about once, whatever client shows it', async () => {
    const juliet = await host.login('juliet', 'balcony', show(capsOld()))
    await juliet.receivesNothing()
    const first = finder.featuresOf(sessionOf(juliet))
    assert.equal(finder.featuresOf(sessionOf(juliet)), first)
    await tells(juliet, `https://client.example#${VER}`)
    assert.deepEqual(sorted(await first), ['urn:a', 'urn:b+notify'])
    const nurse = await host.login('nurse', 'hall', show(capsOld().replace('client', 'other')))
    const known = finder.featuresOf(sessionOf(nurse))
    assert.ok(!(known instanceof Promise))
    assert.deepEqual(sorted(known), ['urn:a', 'urn:b+notify'])
    await nurse.receivesNothing()
  })
  test('a hash that does not match holds for that client only', async () => {
    const juliet = await host.login('juliet', 'balcony', show(capsOld()))
    const poisoned = finder.featuresOf(sessionOf(juliet))
    await tells(juliet, `https://client.example#${VER}`, `${clientInfo}<feature var='urn:evil'/>`)
    assert.deepEqual(sorted(await poisoned), ['urn:a', 'urn:b+notify', 'urn:evil'])
    assert.deepEqual(sorted(await finder.featuresOf(sessionOf(juliet))), ['urn:a', 'urn:b+notify', 'urn:evil'])
    const nurse = await host.login('nurse', 'hall', show(capsOld()))
    const honest = finder.featuresOf(sessionOf(nurse))
    await tells(nurse, `https://client.example#${VER}`)
    assert.deepEqual(sorted(await honest), ['urn:a', 'urn:b+notify'])
  })
  test('ill-formed information is not shared although its hash would match', async () => {
    const twice = `${clientInfo}<feature var='urn:a'/>`
    const ver = digest('sha1', Buffer.from('client/phone//Balcony<urn:a<urn:a<urn:b+notify<'))
    const juliet = await host.login('juliet', 'balcony', show(capsOld(ver)))
    const answer = finder.featuresOf(sessionOf(juliet))
    await tells(juliet, `https://client.example#${ver}`, twice)
    assert.deepEqual(sorted(await answer), ['urn:a', 'urn:b+notify'])
    const nurse = await host.login('nurse', 'hall', show(capsOld(ver)))
    assert.ok(finder.featuresOf(sessionOf(nurse)) instanceof Promise)
    await tells(nurse, `https://client.example#${ver}`)
  })
  test('unknown hash functions, the legacy format and no capabilities at all are asked about per client', async () => {
    const cases = [
      [capsOld('x', "hash='md5' "), 'https://client.example#x'],
      [capsOld('0.1', ''), 'https://client.example#0.1'],
      ['', undefined],
      ["<c xmlns='http://jabber.org/protocol/caps'/>", undefined],
      ["<c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>!</hash></c>", undefined],
    ] as const
    for (const [content, node] of cases) {
      const juliet = await host.login('juliet', 'balcony', show(content))
      const nurse = await host.login('nurse', 'hall', show(content))
      const one = finder.featuresOf(sessionOf(juliet))
      await tells(juliet, node)
      assert.deepEqual(sorted(await one), ['urn:a', 'urn:b+notify'])
      const other = finder.featuresOf(sessionOf(nurse))
      await tells(nurse, node, "<identity category='client' type='pc'/><feature var='urn:c'/>")
      assert.deepEqual(sorted(await other), ['urn:c'])
      assert.ok(!(finder.featuresOf(sessionOf(juliet)) instanceof Promise))
      await host.disconnect(juliet)
      await host.disconnect(nurse)
    }
  })
  test('new capabilities of the same client are asked about anew, and a new session too', async () => {
    const juliet = await host.login('juliet', 'balcony', show(''))
    const first = finder.featuresOf(sessionOf(juliet))
    await tells(juliet, undefined)
    await first
    juliet.send(show(capsOld('0.2', '')))
    await host.settle()
    juliet.clear()
    const second = finder.featuresOf(sessionOf(juliet))
    await tells(juliet, 'https://client.example#0.2', "<identity category='client' type='pc'/><feature var='urn:new'/>")
    assert.deepEqual(sorted(await second), ['urn:new'])
    await host.disconnect(juliet)
    const again = await host.login('juliet', 'balcony', show(capsOld('0.2', '')))
    assert.ok(finder.featuresOf(sessionOf(again)) instanceof Promise)
    await tells(again, 'https://client.example#0.2')
  })
})

describe('XEP-0390 §4.4: verification', () => {
  test('the newer format goes first, and the strongest of its hashes', async () => {
    const sha3 = digest('sha3-256', caps2Input(read(clientInfo)))
    const both = capsNew().replace('</c>', `<hash xmlns='urn:xmpp:hashes:2' algo='sha3-256'>${sha3}</hash></c>`)
    const juliet = await host.login('juliet', 'balcony', show(capsOld() + both))
    const answer = finder.featuresOf(sessionOf(juliet))
    await tells(juliet, `urn:xmpp:caps#sha3-256.${sha3}`)
    assert.deepEqual(sorted(await answer), ['urn:a', 'urn:b+notify'])
    const nurse = await host.login('nurse', 'hall', show(capsNew(sha3, 'sha3-256')))
    assert.deepEqual(sorted(await finder.featuresOf(sessionOf(nurse))), ['urn:a', 'urn:b+notify'])
  })
  test('the language around the answer counts', async () => {
    const hash = digest('sha256', caps2Input(read(clientInfo), 'it'))
    const juliet = await host.login('juliet', 'balcony', show(capsNew(hash)))
    const answer = finder.featuresOf(sessionOf(juliet))
    await tells(juliet, `urn:xmpp:caps#sha-256.${hash}`, clientInfo, " xml:lang='it'")
    await answer
    const nurse = await host.login('nurse', 'hall', show(capsNew(hash)))
    assert.ok(!(finder.featuresOf(sessionOf(nurse)) instanceof Promise))
  })
  test('an answer with anything else in it, or with another hash, is not shared', async () => {
    for (const extra of ["<x xmlns='urn:other'/>", "<feature var='urn:c'/>"]) {
      const juliet = await host.login('juliet', 'balcony', show(capsNew()))
      const answer = finder.featuresOf(sessionOf(juliet))
      await tells(juliet, `urn:xmpp:caps#sha-256.${HASH}`, clientInfo + extra)
      await answer
      const nurse = await host.login('nurse', 'hall', show(capsNew()))
      const asked = finder.featuresOf(sessionOf(nurse))
      assert.ok(asked instanceof Promise)
      await tells(nurse, `urn:xmpp:caps#sha-256.${HASH}`, `${clientInfo}<feature var='urn:d'/>`)
      await asked
      await host.disconnect(juliet)
      await host.disconnect(nurse)
    }
  })
})

describe('clients that do not tell', () => {
  test('an error means no features, until the capabilities change', async () => {
    const juliet = await host.login('juliet', 'balcony', show(''))
    const answer = finder.featuresOf(sessionOf(juliet))
    const question = await juliet.next()
    juliet.send(`<iq type='error' id='${question.attribute('id')}' to='capulet.example'>
      <error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`)
    assert.deepEqual(sorted(await answer), [])
    assert.deepEqual(sorted(await finder.featuresOf(sessionOf(juliet))), [])
    await juliet.receivesNothing()
  })
  test('so does an answer that is not disco#info', async () => {
    for (const content of ['', `<query xmlns='${INFO}'><feature/></query>`]) {
      const juliet = await host.login('juliet', 'balcony', show(''))
      const answer = finder.featuresOf(sessionOf(juliet))
      const question = await juliet.next()
      juliet.send(`<iq type='result' id='${question.attribute('id')}' to='capulet.example'>${content}</iq>`)
      assert.deepEqual(sorted(await answer), [])
      await host.disconnect(juliet)
    }
  })
  test('silence is no knowledge: the next caller asks again', async () => {
    const juliet = await host.login('juliet', 'balcony', show(''))
    const answer = finder.featuresOf(sessionOf(juliet))
    await juliet.next()
    await host.advance(10_000)
    assert.equal(await answer, undefined)
    const again = finder.featuresOf(sessionOf(juliet))
    await tells(juliet, undefined)
    assert.deepEqual(sorted(await again), ['urn:a', 'urn:b+notify'])
  })
  test('a client that is not available is not asked', async () => {
    const juliet = await host.connect('juliet', 'balcony')
    assert.equal(finder.featuresOf(sessionOf(juliet)), undefined)
    await juliet.receivesNothing()
  })
})

describe('limits', () => {
  test('so many are asked at a time', async () => {
    const entities = await Promise.all(['a', 'b', 'c'].map((name) => host.login('juliet', name, show(''))))
    for (const entity of entities) entity.clear()
    const [one, two, three] = entities.map((entity) => finder.featuresOf(sessionOf(entity)))
    assert.ok(one instanceof Promise && two instanceof Promise)
    assert.equal(three, undefined)
    await host.advance(10_000)
    assert.deepEqual(await Promise.all([one, two]), [undefined, undefined])
  })
  test('so many features are looked at, and what has more is not shared', async () => {
    const many = Array.from({ length: 20 }, (_, i) => `<feature var='urn:f${String(i).padStart(2, '0')}'/>`).join('')
    const juliet = await host.login('juliet', 'balcony', show(''))
    const answer = finder.featuresOf(sessionOf(juliet))
    await tells(juliet, undefined, many)
    assert.equal((await answer)?.size, 10)
  })
  test('so many clients without a verified hash are remembered', async () => {
    const entities = []
    for (const name of ['a', 'b', 'c']) {
      const entity = await host.login('juliet', name, show(''))
      const answer = finder.featuresOf(sessionOf(entity))
      await tells(entity, undefined)
      await answer
      entities.push(entity)
    }
    const known = entities.map((entity) => !(finder.featuresOf(sessionOf(entity)) instanceof Promise))
    assert.deepEqual(known, [false, true, true])
  })
})

test('clients elsewhere are known by the presence that they sent', async () => {
  const montague = await host.component('montague.example')
  const from = jidOf('romeo', 'montague.example', 'orchard')
  const sent = buildStanza('presence', { from, children: [Caps2.encode({ hashes: [{ algo: 'sha-256', hash: Buffer.from(HASH, 'base64') }] })] })
  const asker = jidOf('juliet', 'capulet.example')
  const answer = finder.featuresIn(sent, asker)
  await tells(montague, `urn:xmpp:caps#sha-256.${HASH}`)
  assert.deepEqual(sorted(await answer), ['urn:a', 'urn:b+notify'])
  assert.equal(finder.featuresIn(buildStanza('presence', { from, type: 'unavailable' }), asker), undefined)
})
