import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HOST, useServer } from '../harness.ts'
import { scenarioRunner } from './scenario.ts'

const contactsOf: Readonly<Record<string, readonly string[]>> = { abraham: ['balthasar'] }
const people = ['romeo', 'juliet', 'tybalt', 'mercutio', 'abraham', 'balthasar', 'escalus']
const accounts = people.map((localpart) => ({ localpart, password: `${localpart}-password`, contacts: contactsOf[localpart] ?? [] }))

const refused = 'sasl not-authorized'
const service = 'friar.verona.example'

describe('slixmpp: accounts', () => {
  const settings = { admins: [`escalus@${HOST}`], modules: { registration: { isOpen: true } } }
  const scenario = scenarioRunner(useServer({ accounts, settings }), accounts)

  it('registration, then login on the same stream; a name that is taken is a conflict (XEP-0077 §3.1)', async () => {
    const fields = ['password', 'username']
    assert.deepEqual(await scenario('accounts.register'), {
      fields, answer: 'registered', ended: 'session', taken: { fields, answer: 'cancel conflict', ended: 'sasl' },
    })
  })

  it('change of the password (XEP-0077 §3.3)', async () => {
    assert.deepEqual(await scenario('accounts.change_password'), { old: refused, new: 'session' })
  })

  it('removal ends sessions and subscriptions, and leaves nothing (XEP-0077 §3.2)', async () => {
    assert.deepEqual(await scenario('accounts.remove'), {
      answer: 'result', streamErrors: ['not-authorized'], login: refused, message: 'cancel service-unavailable', subscription: 'none',
    })
  })

  it('an administrator makes, ends, disables, changes and deletes by ad-hoc commands (XEP-0050, XEP-0133)', async () => {
    assert.deepEqual(await scenario('accounts.admin_commands'), {
      hasCommands: true,
      add: { started: 'executing', fields: ['FORM_TYPE', 'accountjid', 'password', 'password-verify'], ended: 'completed' },
      login: 'session', online: '2', endedBy: ['policy-violation'], disabled: 'sasl account-disabled', changed: 'session', deleted: refused,
    })
  })

  it('an announcement reaches everybody online (XEP-0133 §4.23)', async () => {
    assert.deepEqual(await scenario('accounts.announcement'), { from: HOST, body: 'Rebellious subjects,\nenemies to peace' })
  })

  it('others neither see the commands nor may run them', async () => {
    assert.deepEqual(await scenario('accounts.not_an_admin'), { listed: [], error: 'auth forbidden' })
  })
})

describe('slixmpp: services, and what is off unless asked for', () => {
  const settings = { components: [{ domain: service, secret: 'potion' }] }
  const scenario = scenarioRunner(useServer({ accounts, settings }), accounts)

  it('a component and people talk to each other (XEP-0114)', async () => {
    assert.deepEqual(await scenario('components.service'), {
      ended: 'session',
      answer: { from: `laurence@${service}/cell`, body: 'laurence heard: Good morrow, father' },
      identities: ['gateway/potion'], isListed: true, ping: true, toAccount: `laurence@${service}`,
      gone: 'cancel remote-server-not-found',
    })
  })

  it('a wrong secret and an unknown domain are refused (XEP-0114 §3)', async () => {
    assert.deepEqual(await scenario('components.refused'), { secret: 'not-authorized', domain: 'not-authorized' })
  })

  it('registration is not offered while it is closed', async () => {
    assert.deepEqual(await scenario('accounts.registration_closed'), { ended: 'sasl' })
  })
})
