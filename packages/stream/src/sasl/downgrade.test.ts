import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { contextOf } from '../testing/fake-credentials.ts'
import { scramClient, testCrypto } from '../testing/scram-client.ts'
import { offerText } from './downgrade.ts'
import { channelBindingTypesFor, mechanismsFor } from './mechanisms.ts'
import { saslSession } from './session.ts'

const text = (payload: string) => Buffer.from(payload, 'base64').toString()

describe('XEP-0474: downgrade protection', () => {
  it('hashes sorted mechanisms and channel bindings, as in the example of §5.3', () => {
    const offer = offerText(['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'], ['tls-server-end-point', 'tls-exporter'])
    assert.equal(offer, 'SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point')
    assert.equal(Buffer.from(testCrypto.hash('SHA-1', Buffer.from(offer))).toString('base64'), 'G6k/rBLDqgOhRRaCuuatSDFkJ08=')
  })

  it('has no second list where no channel bindings are advertised (§5.1)', () => {
    assert.equal(offerText(['SCRAM-SHA-1', 'PLAIN'], []), 'PLAIN\x1eSCRAM-SHA-1')
  })

  it('tells hash and TLS version (XEP-0515 §4.1) with the hash of the mechanism, and the login still succeeds', async () => {
    const context = contextOf({ tlsVersion: '0304' })
    const session = saslSession(context)
    const client = scramClient({ hash: 'SHA-256', username: 'juliet', password: 'R0m30' })
    const challenge = await session.auth('SCRAM-SHA-256', Buffer.from(client.first).toString('base64'))
    assert.equal(challenge?.kind, 'challenge')
    const offer = offerText(mechanismsFor(context), channelBindingTypesFor(context))
    const hash = Buffer.from(testCrypto.hash('SHA-256', Buffer.from(offer))).toString('base64')
    assert.ok(text(challenge.payload).endsWith(`,h=${hash},t=0304`), text(challenge.payload))
    const success = await session.response(Buffer.from(client.final(text(challenge.payload))).toString('base64'))
    assert.equal(success?.kind, 'success')
    assert.ok(client.isServer(text(success.payload)))
  })

  it('refuses who was shown another offer: the attributes are signed', async () => {
    const session = saslSession(contextOf())
    const client = scramClient({ hash: 'SHA-256', username: 'juliet', password: 'R0m30' })
    const challenge = await session.auth('SCRAM-SHA-256', Buffer.from(client.first).toString('base64'))
    assert.equal(challenge?.kind, 'challenge')
    const forged = text(challenge.payload).replace(/,h=[^,]+/, `,h=${Buffer.alloc(32).toString('base64')}`)
    const reply = await session.response(Buffer.from(client.final(forged)).toString('base64'))
    assert.deepEqual(reply, { kind: 'failure', condition: 'not-authorized' })
  })

  it('says no TLS version where TLS ends elsewhere', async () => {
    const client = scramClient({ hash: 'SHA-1', username: 'juliet', password: 'R0m30' })
    const challenge = await saslSession(contextOf()).auth('SCRAM-SHA-1', Buffer.from(client.first).toString('base64'))
    assert.equal(challenge?.kind, 'challenge')
    assert.doesNotMatch(text(challenge.payload), /,t=/)
  })
})
