import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HOST, useServer } from '../harness.ts'
import { scenarioRunner } from './scenario.ts'

const people = ['romeo', 'juliet', 'tybalt', 'mercutio', 'benvolio', 'nurse']
const accounts = people.map((localpart) => ({ localpart, password: `${localpart}-password`, contacts: localpart === 'romeo' ? ['juliet'] : [] }))

const jid = (localpart: string) => `${localpart}@${HOST}`
const unavailable = 'cancel service-unavailable'

interface Disco {
  readonly identities: readonly string[]
  readonly features: readonly string[]
  readonly account: readonly string[]
}

describe('slixmpp: what hosts and accounts tell', () => {
  const contacts = { abuse: [`mailto:abuse@${HOST}`], admin: [`xmpp:escalus@${HOST}`] }
  const scenario = scenarioRunner(useServer({ accounts, settings: { contacts } }), accounts)

  it('service discovery (XEP-0030)', async () => {
    const { features, identities, account, ...rest } = await scenario('queries.disco') as Disco
    assert.ok(identities.includes('server/im'))
    assert.ok(account.includes('account/registered'))
    const expected = [
      'http://jabber.org/protocol/disco#info', 'http://jabber.org/protocol/disco#items', 'http://jabber.org/protocol/commands', 'jabber:iq:last',
      'jabber:iq:private', 'jabber:iq:version', 'msgoffline', 'urn:xmpp:blocking', 'urn:xmpp:carbons:2', 'urn:xmpp:ping', 'urn:xmpp:time', 'vcard-temp',
    ]
    assert.deepEqual(expected.filter((feature) => !features.includes(feature)), [])
    assert.deepEqual(rest, { items: [], stranger: unavailable, missing: 'cancel item-not-found' })
  })

  it('contact addresses (XEP-0157)', async () => {
    assert.deepEqual(await scenario('queries.contact_addresses'), {
      FORM_TYPE: ['http://jabber.org/network/serverinfo'], 'abuse-addresses': contacts.abuse, 'admin-addresses': contacts.admin,
    })
  })

  it('the hash in the stream features is that of the features (XEP-0115)', async () => {
    assert.deepEqual(await scenario('queries.caps'), { hash: 'sha-1', isVerified: true })
  })

  it('capabilities of clients travel with their presence', async () => {
    assert.deepEqual(await scenario('queries.client_caps'), { hasCaps: true, chatStates: true })
  })

  it('ping, version, time, uptime (XEP-0199, 0092, 0202, 0012)', async () => {
    const { utc, ...rest } = await scenario('queries.small_questions') as { readonly utc: string }
    assert.ok(Math.abs(Date.parse(utc) - Date.now()) < 60_000, utc)
    assert.deepEqual(rest, { pings: [true, true], name: 'Rollcall', hasVersion: true, tzo: '+00:00', uptime: true })
  })

  it('last activity is for contacts only (XEP-0012 §3)', async () => {
    assert.deepEqual(await scenario('queries.last_seen'), { here: 0, gone: true, status: 'Good night, good night', stranger: 'auth forbidden' })
  })

  it('vcard-temp (XEP-0054)', async () => {
    assert.deepEqual(await scenario('queries.vcard'), { name: 'Romeo Montague ♥', empty: unavailable, forged: 'auth forbidden' })
  })

  it('private XML storage (XEP-0049)', async () => {
    assert.deepEqual(await scenario('queries.private_storage'), { kept: 'Queen Mab ♥', other: 0, stranger: 'auth forbidden' })
  })

  it('questions between clients', async () => {
    assert.deepEqual(await scenario('queries.answers_between_clients'), { name: 'Balcony', gone: unavailable })
  })
})

describe('slixmpp: offline messages, carbons, blocking, avatars', () => {
  const scenario = scenarioRunner(useServer({ accounts }), accounts)

  it('messages wait for those who are away, in order, with their time (XEP-0160, XEP-0203)', async () => {
    assert.deepEqual(await scenario('features.offline'), {
      bodies: ['chat 0', 'chat 1', 'chat 2'], delayedBy: HOST, isRecent: true, again: [], errors: [],
    })
  })

  it('and do not come to a resource with negative priority (RFC 6121 §8.5.2.2)', async () => {
    assert.deepEqual(await scenario('features.offline_hidden'), [])
  })

  it('carbons of what is sent and received, from the own account (XEP-0280)', async () => {
    assert.deepEqual(await scenario('features.carbons'), {
      sent: 'sent from the laptop', sentBy: jid('romeo'), received: 'to the laptop', receivedBy: jid('romeo'), left: [],
    })
  })

  it('a carbon forged by a stranger keeps the stranger\'s address', async () => {
    assert.deepEqual(await scenario('features.forged_carbon'), [jid('tybalt')])
  })

  it('blocking hides both from each other until it is undone (XEP-0191)', async () => {
    assert.deepEqual(await scenario('features.blocking'), {
      pushed: [jid('juliet')], listed: [jid('juliet')], toBlocker: unavailable, iqToBlocker: unavailable, fromBlocker: 'cancel not-acceptable',
      hasBlockedElement: true, back: 'dnd', leaked: [], empty: 0,
    })
  })

  it('avatars are the same for new and old clients (XEP-0084, XEP-0153, XEP-0398)', async () => {
    const { name, ...facts } = await scenario('features.avatars') as Readonly<Record<string, string>>
    assert.deepEqual(facts, { inPresence: name, inCard: 'lily', atNode: 'rose' })
  })
})
