import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HOST, useServer } from '../harness.ts'
import { scenarioRunner } from './scenario.ts'

// Scenarios change rosters, so each has people of its own; those who only meet have none to change.
const contactsOf: Readonly<Record<string, readonly string[]>> = { romeo: ['juliet'], abraham: ['balthasar'], peter: ['nurse'] }
const people = [
  'romeo', 'juliet', 'tybalt', 'mercutio', 'benvolio', 'paris', 'rosaline', 'sampson', 'gregory', 'abraham', 'balthasar', 'peter', 'nurse',
  'escalus', 'laurence', 'montague', 'capulet',
]
const accounts = people.map((localpart) => ({ localpart, password: `${localpart}-password`, contacts: contactsOf[localpart] ?? [] }))

const jid = (localpart: string, resource = '') => `${localpart}@${HOST}${resource === '' ? '' : `/${resource}`}`
const item = (subscription: string, more: Record<string, unknown> = {}) => ({ subscription, ask: '', name: '', groups: [], ...more })
const twice = <T>(value: T) => [value, value]

describe('slixmpp: rosters (RFC 6121 §2)', () => {
  const scenario = scenarioRunner(useServer({ accounts }), accounts)

  it('an imported contact is there, mutual', async () => {
    assert.deepEqual(await scenario('roster.imported'), { [jid('juliet')]: item('both') })
  })

  it('adding, changing and removing a contact is pushed to every resource that asked for the roster', async () => {
    const rosaline = jid('rosaline')
    assert.deepEqual(await scenario('roster.edit'), {
      before: {},
      added: twice(item('none', { name: 'Rosaline', groups: ['Ball', 'Capulets'] })),
      changed: twice(item('none', { name: 'Fair Rosaline ♥', groups: ['Ball'] })),
      stored: { [rosaline]: item('none', { name: 'Fair Rosaline ♥', groups: ['Ball'] }) },
      removed: twice(item('remove')),
      after: {},
      idle: [],
    })
  })

  it('refuses bad requests and leaves the roster as it was (§2.3.3, §2.5.3)', async () => {
    assert.deepEqual(await scenario('roster.refused'), {
      twoItems: 'modify bad-request', sameGroupTwice: 'modify bad-request', emptyGroup: 'modify not-acceptable',
      longName: 'modify not-acceptable', removeUnknown: 'cancel item-not-found', somebodyElses: 'auth forbidden', left: {},
    })
  })

  it('versioning: nothing when nothing changed, else what was missed (§2.6)', async () => {
    assert.deepEqual(await scenario('roster.versioning'), { feature: true, hasVersion: true, items: [1, 0], isPushNewer: true, missed: 'Tybalt' })
  })
})

describe('slixmpp: subscriptions (RFC 6121 §3)', () => {
  const scenario = scenarioRunner(useServer({ accounts }), accounts)

  it('two strangers become contacts of each other', async () => {
    assert.deepEqual(await scenario('subscriptions.both_ways'), {
      asked: item('none', { ask: 'subscribe' }),
      request: { from: jid('paris'), to: jid('rosaline') },
      approvedBySubscriber: item('to'), approvedByContact: item('from'),
      presence: jid('rosaline', 'ball'),
      askedBack: item('from', { ask: 'subscribe' }),
      bothOfContact: item('both'), bothOfSubscriber: item('both'),
      presenceBack: jid('paris', 'county'),
    })
  })

  it('a denied request leaves no subscription, and nothing with the contact', async () => {
    assert.deepEqual(await scenario('subscriptions.denied'), { push: item('none'), rosterOfContact: {}, left: [] })
  })

  it('permission taken back and given up: presence stops each time', async () => {
    assert.deepEqual(await scenario('subscriptions.cancelled'), {
      cancelled: [item('from'), item('to')], unsubscribed: twice(item('none')), left: [],
    })
  })

  it('removing a contact ends both directions (§2.5)', async () => {
    assert.deepEqual(await scenario('subscriptions.removed'), { remover: item('remove'), contact: item('none'), rosterOfRemover: {} })
  })

  it('a request waits for the contact and is repeated until it is answered (§3.1.3)', async () => {
    assert.deepEqual(await scenario('subscriptions.while_offline'), { roster: item('from'), isAskedAgain: false })
  })

  it('permission given in advance (§3.4)', async () => {
    assert.deepEqual(await scenario('subscriptions.approved_before'), { feature: true, subscription: 'from', isAsked: false })
  })
})

describe('slixmpp: presence (RFC 6121 §4)', () => {
  const scenario = scenarioRunner(useServer({ accounts }), accounts)

  it('contacts see each other come, change, go and get lost, with what they say', async () => {
    const from = jid('romeo', 'orchard')
    assert.deepEqual(await scenario('presence.life'), {
      came: { from, show: 'chat', status: 'O, she doth teach ♥', priority: 5 },
      answered: jid('juliet', 'balcony'),
      changed: { from, show: 'dnd', status: 'the torches', priority: -1 },
      went: 'Thus with a kiss', again: from, lost: from,
    })
  })

  it('resources of one account see each other', async () => {
    assert.deepEqual(await scenario('presence.own_resources'), ['phone', 'laptop'])
  })

  it('directed presence reaches a stranger, who is told of the end, not of changes (§4.6)', async () => {
    assert.deepEqual(await scenario('presence.directed'), { status: 'Good Capulet', isChangeSeen: false })
  })

  it('probes are answered to contacts only (§4.3)', async () => {
    assert.deepEqual(await scenario('presence.probe'), { status: 'Ay me', isStrangerTold: false })
  })

  it('a priority out of bounds is refused (§4.7.2.3)', async () => {
    assert.equal(await scenario('presence.bad_priority'), 'modify bad-request')
  })
})
