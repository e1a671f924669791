import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HOST, useServer } from '../harness.ts'
import { scenarioRunner } from './scenario.ts'

const accounts = [
  { localpart: 'romeo', password: 'call me but love', contacts: ['juliet'] },
  { localpart: 'juliet', password: 'balcony' },
]

describe('slixmpp: an app server for push notifications', () => {
  const settings = {
    components: [{ domain: 'push.verona.example', secret: 'nightingale' }],
    modules: { push: { coalesce: '200ms', pause: '1s' } },
  }
  const scenario = scenarioRunner(useServer({ accounts, settings }), accounts)

  it('is told of what comes for a phone that is lost or away, and nothing else, until it refuses (XEP-0357)', async () => {
    assert.deepEqual(await scenario('push.app_server'), {
      isOffered: true, enabled: 'result', isQuietWhileOnline: true,
      lost: { from: HOST, node: 'phone-of-juliet', summary: { 'message-count': '1' }, options: { secret: 'lark' } },
      away: { 'message-count': '3' }, refused: { 'message-count': '4' }, isGivenUp: true,
      waited: ['while away 0', 'while away 1', 'while away 2', 'to a phone that was sold', 'nobody is told'],
    })
  })
})
