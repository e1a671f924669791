/** XEP-0494, and what Bind 2 (XEP-0386) does to sessions, as wire scripts. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { CarbonsEnable, ClientAccessClients } from '@rollcall/protocol'
import { serialize } from '@rollcall/xml'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import carbons from '../carbons/module.ts'
import clientAccess from './module.ts'

const LUTE = { id: '3c0b6d4e-6a5e-4cf0-9a55-0d0a1f0f7a11', software: 'Lute', device: 'Balcony' }
const DRUM = { id: '8f7b1c0a-3f55-4a6e-8a3c-77c3d1f0b2aa' }
const EXPR = 'HT-SHA-256-EXPR'

let host: TestHost
let nurse: ScriptedEntity

beforeEach(async () => {
  host = await TestHost.start({ accounts: ['juliet', 'nurse'], modules: [carbons, clientAccess] })
  nurse = await host.connect('nurse', 'hall')
})
afterEach(() => host.stop())

const ask = async (entity: ScriptedEntity, iq: string): Promise<string> => serialize(await entity.request(iq), 'jabber:client')

async function list(entity: ScriptedEntity): Promise<readonly ClientAccessClients['clients'][number][]> {
  const answer = await entity.request("<iq type='get' id='l1'><list xmlns='urn:xmpp:cam:0'/></iq>")
  const [child] = answer.elements()
  assert.ok(child)
  return ClientAccessClients.decode(child).clients
}
const revoke = (entity: ScriptedEntity, id: string) => ask(entity, `<iq type='set' id='r1'><revoke xmlns='urn:xmpp:cam:0' id='${id}'/></iq>`)

describe('XEP-0494 §3.1: the list', () => {
  test('has clients that named themselves, connected or not, and sessions of those that did not', async () => {
    const [lute] = await host.bind2('juliet', { agent: LUTE, tag: 'Lute', tokenMechanism: EXPR })
    const [drum] = await host.bind2('juliet', { agent: DRUM, method: 'certificate' })
    const old = await host.connect('juliet', 'orchard')
    await host.disconnect(drum)
    await host.disconnect(lute)
    const clients = await list(old)
    const facts = clients.map(({ connected, type, auth, userAgent }) => ({ connected, type, password: auth.password, fast: auth.fast, userAgent }))
    assert.deepEqual(facts.toSorted((one, other) => Number(other.fast) - Number(one.fast) || Number(one.password) - Number(other.password)), [
      { connected: false, type: 'session', password: true, fast: true, userAgent: { software: 'Lute', device: 'Balcony' } },
      { connected: false, type: 'session', password: false, fast: false, userAgent: undefined },
      { connected: true, type: 'session', password: true, fast: false, userAgent: undefined },
    ])
  })

  test('is nobody else’s business', async () => {
    const answer = await ask(nurse, "<iq type='get' id='l1' to='juliet@capulet.example'><list xmlns='urn:xmpp:cam:0'/></iq>")
    assert.match(answer, /<forbidden/)
    const revoked = await ask(nurse, "<iq type='set' id='r1' to='juliet@capulet.example'><revoke xmlns='urn:xmpp:cam:0' id='x'/></iq>")
    assert.match(revoked, /<forbidden/)
  })
})

describe('XEP-0494 §3.2: revocation', () => {
  test('ends the sessions of a client and forgets it', async () => {
    const [lute] = await host.bind2('juliet', { agent: LUTE, method: 'certificate', tokenMechanism: EXPR })
    const [drum] = await host.bind2('juliet', { agent: DRUM, method: 'certificate' })
    const target = (await list(drum)).find(({ userAgent }) => userAgent?.software === 'Lute')
    assert.equal(target?.connected, true)
    assert.match(await revoke(drum, target.id), /type='result'/)
    assert.equal(lute.closed, 'not-authorized')
    assert.equal((await list(drum)).length, 1)
    assert.match(await revoke(drum, target.id), /<item-not-found/)
  })

  test('of who knows the password ends sessions and tokens, and says that a new password is needed', async () => {
    const [lute] = await host.bind2('juliet', { agent: LUTE, tokenMechanism: EXPR })
    const [drum] = await host.bind2('juliet', { agent: DRUM, method: 'certificate' })
    const target = (await list(drum)).find(({ auth }) => auth.fast)
    const answer = await revoke(drum, target?.id ?? '')
    assert.match(answer, /<service-unavailable xmlns=.*<password-reset-required xmlns='urn:xmpp:cam:0'\/>/)
    assert.equal(lute.closed, 'not-authorized')
    assert.deepEqual((await list(drum)).map(({ auth }) => auth.fast), [false, false])
  })

  test('of a session without a name ends it', async () => {
    const old = await host.connect('juliet', 'orchard')
    const [drum] = await host.bind2('juliet', { agent: DRUM, method: 'certificate' })
    const target = (await list(drum)).find(({ id }) => id.startsWith('session.'))
    assert.match(await revoke(drum, target?.id ?? ''), /<password-reset-required/)
    assert.equal(old.closed, 'not-authorized')
    assert.match(await revoke(drum, target?.id ?? ''), /<item-not-found/)
  })
})

describe('XEP-0386: Bind 2', () => {
  test('makes a resource of tag and a stable id that tells nothing about the client’s own (§3.2.1)', async () => {
    const [first] = await host.bind2('juliet', { agent: LUTE, tag: 'Lute' })
    assert.match(first.jid.resourcepart, /^Lute\/[\w-]{12}$/)
    assert.doesNotMatch(first.jid.resourcepart, /3c0b6d4e/)
    const [second] = await host.bind2('juliet', { agent: LUTE, tag: 'Lute' })
    await host.settle()
    assert.equal(second.jid.toString(), first.jid.toString())
    assert.equal(first.closed, 'conflict')
    assert.equal(second.closed, undefined)
  })

  test('ends the earlier session of the same client under another tag (§3.2)', async () => {
    const [first] = await host.bind2('juliet', { agent: LUTE, tag: 'Lute' })
    const [second] = await host.bind2('juliet', { agent: LUTE, tag: 'Lyre' })
    await host.settle()
    assert.notEqual(second.jid.toString(), first.jid.toString())
    assert.equal(first.closed, 'conflict')
  })

  test('gives clients without a name a resource of their own, and drops a tag that cannot be part of one', async () => {
    const [first] = await host.bind2('juliet', { tag: 'Lute' })
    const [second] = await host.bind2('juliet', { tag: 'Lute' })
    const [third] = await host.bind2('juliet', { tag: 'x'.repeat(2000) })
    await host.settle()
    assert.notEqual(second.jid.toString(), first.jid.toString())
    assert.doesNotMatch(third.jid.resourcepart, /x{100}/)
    assert.equal(first.closed, undefined)
  })

  test('turns carbons and stream management on while it binds, and lists both (§3.1)', async () => {
    assert.deepEqual(await host.bind2Features(), ['urn:xmpp:carbons:2', 'urn:xmpp:sm:3'])
    const requests = [CarbonsEnable.toWire({}), "<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "<moon xmlns='urn:example:other'/>"]
    const [lute, results] = await host.bind2('juliet', { agent: LUTE, requests })
    assert.deepEqual(results.map(({ name, ns }) => `${ns} ${name}`), ['urn:xmpp:sm:3 enabled'])
    const drum = await host.connect('juliet', 'drum')
    nurse.send(`<message to='${drum.jid.toString()}' type='chat'><body>Anon!</body></message>`)
    await host.settle()
    assert.match((await lute.all()).map((copy) => serialize(copy, 'jabber:client')).join(''), /<received xmlns='urn:xmpp:carbons:2'>/)
    assert.ok(lute.ackRequests > 0)
  })

  test('leaves what cannot be read unanswered, and binds', async () => {
    const [lute, results] = await host.bind2('juliet', { agent: LUTE, requests: ["<enable xmlns='urn:xmpp:sm:3' max='soon'/>"] })
    assert.deepEqual(results, [])
    assert.equal(lute.closed, undefined)
    assert.equal(host.log.of('bind-inline-failed').length, 1)
  })
})
