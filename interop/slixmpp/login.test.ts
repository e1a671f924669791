import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HOST, useServer } from '../harness.ts'
import { scenarioRunner } from './scenario.ts'

const accounts = [
  { localpart: 'romeo', password: 'call me but love' },
  { localpart: 'juliet', password: 'balcony' },
  { localpart: 'zoë', password: 'ünïcode' },
]

const session = (mechanism: string, hasServerProof = true) => ({ bound: `romeo@${HOST}/orchard`, mechanism, hasServerProof, tls: 'TLSv1.3' })

describe('slixmpp: logging in', () => {
  const scenario = scenarioRunner(useServer({ accounts, settings: { limits: { stanzaBytesMax: '256KiB' } } }), accounts)

  it('STARTTLS, then every SCRAM mechanism with and without channel binding, and PLAIN (RFC 6120 §6)', async () => {
    const scram = ['SHA-1', 'SHA-256', 'SHA-512'].flatMap((hash) => [`SCRAM-${hash}`, `SCRAM-${hash}-PLUS`])
    assert.deepEqual(await scenario('login.mechanisms'), {
      ...Object.fromEntries(scram.map((name) => [name, session(name)])),
      PLAIN: session('PLAIN', false),
    })
  })

  it('offers the mechanisms, of which slixmpp takes the strongest', async () => {
    assert.deepEqual(await scenario('login.offered_mechanisms'), [
      'PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS', 'SCRAM-SHA-512', 'SCRAM-SHA-512-PLUS',
    ])
    assert.deepEqual(await scenario('login.best_mechanism'), session('SCRAM-SHA-512-PLUS'))
  })

  it('tls-unique on TLS 1.2 (RFC 5929 §3)', async () => {
    assert.deepEqual(await scenario('login.tls_1_2'), { ended: 'session', tls: 'TLSv1.2' })
  })

  it('direct TLS (XEP-0368)', async () => {
    assert.deepEqual(await scenario('login.direct_tls'), session('SCRAM-SHA-512-PLUS'))
  })

  it('refuses a client that was told that there is no channel binding (RFC 5802 §6)', async () => {
    assert.deepEqual(await scenario('login.downgrade'), { ended: 'sasl', detail: 'not-authorized' })
  })

  it('a wrong password and an unknown account are not-authorized alike (RFC 6120 §6.5.10)', async () => {
    const refused = 'sasl not-authorized'
    assert.deepEqual(await scenario('login.wrong_password'), { 'SCRAM-SHA-1': refused, 'SCRAM-SHA-256': refused, PLAIN: refused })
    assert.deepEqual(await scenario('login.unknown_account'), { 'SCRAM-SHA-256': refused, PLAIN: refused })
  })

  it('a client that does not trust the certificate goes away', async () => {
    assert.equal(await scenario('login.tls_refused'), 'untrusted')
  })

  it('without TLS there is nothing but STARTTLS', async () => {
    assert.deepEqual(await scenario('login.no_tls'), ['starttls'])
  })

  it('chooses resources for those who ask for none (RFC 6120 §7.6)', async () => {
    assert.deepEqual(await scenario('login.server_resource'), { isBare: true, resourceLengths: [true, true], differ: true })
  })

  it('a second stream with the same resource ends the first with conflict (RFC 6120 §7.7.2.2)', async () => {
    assert.deepEqual(await scenario('login.conflict'), { first: ['conflict'], second: `romeo@${HOST}/orchard` })
  })

  it('addresses outside ASCII (RFC 7622)', async () => {
    assert.deepEqual(await scenario('login.unicode_resource'), { bound: 'Balkon ♥ 日本', to: 'Balkon ♥ 日本' })
    assert.deepEqual(await scenario('login.unicode_account'), { ended: 'session', detail: '', bound: `zoë@${HOST}/nunnery` })
  })

  it('malformed XML ends its own stream only (RFC 6120 §4.9.3)', async () => {
    assert.deepEqual(await scenario('login.malformed_stream'), { entity: ['restricted-xml'], tags: ['not-well-formed'] })
  })

  it('a large stanza arrives whole, one over the limit is a policy-violation', async () => {
    assert.deepEqual(await scenario('login.large_stanza'), { isWhole: true, errors: ['policy-violation'] })
  })

  it('requests that nobody handles (RFC 6120 §8.4, RFC 6121 §8.5)', async () => {
    const unavailable = 'cancel service-unavailable'
    assert.deepEqual(await scenario('login.unhandled_iq'), {
      account: unavailable, server: unavailable, set: unavailable, stranger: unavailable, unknownHost: 'cancel remote-server-not-found',
    })
  })
})
