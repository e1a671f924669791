import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HOST, useServer } from '../harness.ts'
import { scenarioRunner } from './scenario.ts'

const people = ['romeo', 'juliet', 'tybalt', 'mercutio', 'benvolio', 'nurse', 'peter', 'paris']
const accounts = people.map((localpart) => ({ localpart, password: `${localpart}-password`, contacts: localpart === 'romeo' ? ['juliet'] : [] }))

const jid = (localpart: string, resource = '') => `${localpart}@${HOST}${resource === '' ? '' : `/${resource}`}`
const unavailable = 'cancel service-unavailable'

describe('slixmpp: messages (RFC 6121 §8)', () => {
  const scenario = scenarioRunner(useServer({ accounts }), accounts)

  it('a chat between full addresses', async () => {
    assert.deepEqual(await scenario('messages.full_address'), {
      body: '<&>"\' ♥ 日本\n\ttwo lines', subject: 'Balcony & garden', from: jid('romeo', 'orchard'), to: jid('juliet', 'balcony'),
      back: 'Art thou not Romeo?', backFrom: jid('juliet', 'balcony'), lang: 'en',
    })
  })

  it('to an account: by type and priority (§8.5.2)', async () => {
    assert.deepEqual(await scenario('messages.bare_address'), {
      high: ['chat', 'normal', 'headline'], low: ['headline'], hidden: [], groupchat: unavailable,
    })
  })

  it('to a resource that is gone: chat goes to the account, headline is dropped, groupchat is refused (§8.5.3.2)', async () => {
    assert.deepEqual(await scenario('messages.missing_resource'), { chat: jid('juliet', 'gone'), groupchat: unavailable, left: [] })
  })

  it('to nobody: an error from the address (§8.5.1)', async () => {
    assert.deepEqual(await scenario('messages.nobody'), {
      account: { error: unavailable, from: jid('rosencrantz') },
      domain: { error: 'cancel remote-server-not-found', from: 'hamlet@elsinore.invalid' },
    })
  })

  it('to oneself, with and without an address (RFC 6120 §10.3)', async () => {
    assert.deepEqual(await scenario('messages.to_self'), { from: jid('romeo', 'laptop'), plainFrom: jid('romeo', 'laptop') })
  })

  it('a forged sender ends the stream, and the message goes nowhere (RFC 6120 §8.1.2.1)', async () => {
    assert.deepEqual(await scenario('messages.forged_sender'), { errors: ['invalid-from'], left: [] })
  })

  it('a thousand messages arrive in order (RFC 6120 §10.1)', async () => {
    assert.equal(await scenario('messages.order'), true)
  })
})
