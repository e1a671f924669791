/** RFC 6121 §8: where stanzas for accounts go, row by row of its tables, on a whole core without feature modules. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { defineModule, messageUndelivered, outbound } from '@rollcall/module-api'
import { StanzaError } from '@rollcall/stanza'
import { escapeText } from '@rollcall/xml'
import { TestHost } from '../testing/test-host.ts'
import type { ScriptedEntity } from '../testing/scripted-entity.ts'
import { tinyPresence } from './testing/tiny-modules.ts'

const stored: string[] = []
const tinyOffline = defineModule({
  name: 'tiny-offline',
  summary: 'Takes messages that nobody can receive.',
  implements: [],
  setup({ on }) {
    on(messageUndelivered, 'normal', ({ stanza }) => {
      stored.push(stanza.id)
      return true
    })
  },
})

let host: TestHost
let juliet: ScriptedEntity

async function restart(modules = [tinyPresence]): Promise<void> {
  await host.stop()
  host = await TestHost.start({ accounts: ['romeo', 'juliet'], modules })
  juliet = await host.login('juliet', 'balcony')
}

beforeEach(async () => {
  stored.length = 0
  host = await TestHost.start({ accounts: ['romeo', 'juliet'], modules: [tinyPresence] })
  juliet = await host.login('juliet', 'balcony')
})
afterEach(() => host.stop())

/** An error stanza as it must be answered. */
function errorOf(kind: string, id: string, from: string, type: string, condition: string, text = ''): string {
  const ns = "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"
  const words = text === '' ? '' : `<text ${ns} xml:lang='en'>${escapeText(text)}</text>`
  const address = from === '' ? '' : ` from='${from}'`
  return `<${kind} type='error' id='${id}'${address} to='juliet@capulet.example/balcony'>
    <error type='${type}'><${condition} ${ns}/>${words}</error></${kind}>`
}

const types = ['normal', 'chat', 'groupchat', 'headline', 'error'] as const
type Outcome = 'delivered' | 'service-unavailable' | 'ignored'

/** Sends one message of each type to `to` and says what became of it. */
async function outcomes(to: string, recipients: readonly ScriptedEntity[]): Promise<Record<string, Outcome>> {
  const result: Record<string, Outcome> = {}
  for (const type of types) {
    juliet.send(`<message to='${to}' type='${type}' id='${type}-1'><body>Art thou there?</body></message>`)
    const [reply] = await juliet.all()
    let copies = 0
    for (const recipient of recipients) copies += (await recipient.all()).length
    if (reply !== undefined) {
      const error = reply.child('error')
      result[type] = error?.elements()[0]?.name as Outcome
    } else {
      result[type] = copies > 0 ? 'delivered' : 'ignored'
    }
  }
  return result
}

const refused = { normal: 'service-unavailable', chat: 'service-unavailable', groupchat: 'service-unavailable', headline: 'ignored', error: 'ignored' }

describe('RFC 6121 §8.5.1: no such account', () => {
  test('messages to a bare JID are refused or ignored by type', async () => {
    assert.deepEqual(await outcomes('tybalt@capulet.example', []), refused)
  })
  test('messages to a full JID are refused or ignored by type', async () => {
    assert.deepEqual(await outcomes('tybalt@capulet.example/street', []), refused)
  })
  test('an iq is refused, presence of every type is ignored', async () => {
    juliet.send("<iq type='get' id='q1' to='tybalt@capulet.example'><ping xmlns='urn:xmpp:ping'/></iq>")
    await juliet.receives(errorOf('iq', 'q1', 'tybalt@capulet.example', 'cancel', 'service-unavailable'))
    for (const type of ['', 'unavailable', 'subscribe', 'subscribed', 'unsubscribe', 'unsubscribed', 'probe']) {
      juliet.send(`<presence to='tybalt@capulet.example'${type === '' ? '' : ` type='${type}'`}/>`)
    }
    await juliet.receivesNothing()
  })
})

describe('RFC 6121 §8.5.2 and §8.5.3: account exists, no available resource', () => {
  test('nobody stores: the same answers as for no account, so nothing leaks', async () => {
    assert.deepEqual(await outcomes('romeo@capulet.example', []), refused)
    assert.deepEqual(await outcomes('romeo@capulet.example/street', []), refused)
  })
  test('with offline storage normal and chat to the bare JID and chat to a full JID are stored', async () => {
    await restart([tinyPresence, tinyOffline])
    assert.deepEqual(await outcomes('romeo@capulet.example', []), {
      normal: 'ignored', chat: 'ignored', groupchat: 'service-unavailable', headline: 'ignored', error: 'ignored',
    })
    assert.deepEqual(stored, ['normal-1', 'chat-1'])
    stored.length = 0
    assert.deepEqual(await outcomes('romeo@capulet.example/street', []), {
      normal: 'service-unavailable', chat: 'ignored', groupchat: 'service-unavailable', headline: 'ignored', error: 'ignored',
    })
    assert.deepEqual(stored, ['chat-1'])
  })
  test('a connected resource without presence counts only for its full JID', async () => {
    const romeo = await host.connect('romeo', 'street')
    assert.deepEqual(await outcomes('romeo@capulet.example', [romeo]), refused)
    assert.deepEqual(await outcomes('romeo@capulet.example/street', [romeo]), {
      normal: 'delivered', chat: 'delivered', groupchat: 'delivered', headline: 'delivered', error: 'delivered',
    })
  })
})

describe('RFC 6121 §8.5.2.1: one available resource', () => {
  test('bare JID: all but groupchat and error are delivered', async () => {
    const romeo = await host.login('romeo', 'street')
    assert.deepEqual(await outcomes('romeo@capulet.example', [romeo]), {
      normal: 'delivered', chat: 'delivered', groupchat: 'service-unavailable', headline: 'delivered', error: 'ignored',
    })
  })
  test('§8.5.3.2: a full JID that does not match falls back to the bare JID for chat only', async () => {
    const romeo = await host.login('romeo', 'street')
    assert.deepEqual(await outcomes('romeo@capulet.example/elsewhere', [romeo]), {
      normal: 'service-unavailable', chat: 'delivered', groupchat: 'service-unavailable', headline: 'ignored', error: 'ignored',
    })
  })
  test('negative priority: as if there were no resource, except for the full JID', async () => {
    const romeo = await host.login('romeo', 'street', '<presence><priority>-1</priority></presence>')
    assert.deepEqual(await outcomes('romeo@capulet.example', [romeo]), refused)
    assert.equal((await outcomes('romeo@capulet.example/street', [romeo]))['chat'], 'delivered')
  })
})

describe('RFC 6121 §8.5.2.1.1: several resources', () => {
  test('chat goes to the resources of the highest priority, headline to all that are not negative', async () => {
    const phone = await host.login('romeo', 'phone', '<presence><priority>5</priority></presence>')
    const desk = await host.login('romeo', 'desk', '<presence><priority>5</priority></presence>')
    const tablet = await host.login('romeo', 'tablet', '<presence><priority>1</priority></presence>')
    const bot = await host.login('romeo', 'bot', '<presence><priority>-5</priority></presence>')
    const expected = (type: string) =>
      `<message from='juliet@capulet.example/balcony' to='romeo@capulet.example' type='${type}'><body>O</body></message>`
    juliet.send("<message to='romeo@capulet.example' type='chat'><body>O</body></message>")
    await phone.receives(expected('chat'))
    await desk.receives(expected('chat'))
    await tablet.receivesNothing()
    juliet.send("<message to='romeo@capulet.example' type='headline'><body>O</body></message>")
    for (const session of [phone, desk, tablet]) await session.receives(expected('headline'))
    await bot.receivesNothing()
  })
})

describe('iq and others', () => {
  test('§8.5.3: an iq to a full JID is the resource’s, its answer comes back', async () => {
    const romeo = await host.connect('romeo', 'street')
    juliet.send("<iq type='get' id='v' to='romeo@capulet.example/street'><query xmlns='jabber:iq:version'/></iq>")
    await romeo.receives(`<iq type='get' id='v' from='juliet@capulet.example/balcony' to='romeo@capulet.example/street'>
      <query xmlns='jabber:iq:version'/></iq>`)
    romeo.send("<iq type='result' id='v' to='juliet@capulet.example/balcony'/>")
    await juliet.receives("<iq type='result' id='v' from='romeo@capulet.example/street' to='juliet@capulet.example/balcony'/>")
  })
  test('RFC 6120 §8.4: an unknown payload is refused; without `to` the answer has no `from`', async () => {
    juliet.send("<iq type='get' id='u'><x xmlns='urn:example:unknown'/></iq>")
    await juliet.receives(errorOf('iq', 'u', '', 'cancel', 'service-unavailable'))
  })
  test('RFC 6120 §8.2.3: an iq request with two payloads or none is bad', async () => {
    for (const payload of ['', '<a xmlns="urn:example:a"/><b xmlns="urn:example:b"/>']) {
      const reply = await juliet.request(`<iq type='get' id='two' to='capulet.example'>${payload}</iq>`)
      assert.equal(reply.child('error')?.elements()[0]?.name, 'bad-request')
    }
  })
  test('a domain that is not served is remote-server-not-found; errors about it end there', async () => {
    juliet.send("<message to='romeo@montague.example' id='m' type='chat'><body>O</body></message>")
    await juliet.receives(errorOf('message', 'm', 'romeo@montague.example', 'cancel', 'remote-server-not-found'))
    juliet.send("<message to='romeo@montague.example' id='m' type='error'><body>O</body></message>")
    await juliet.receivesNothing()
  })
  test('RFC 6120 §10.1: a thousand messages keep their order while the account is still loading', async () => {
    await restart([tinyPresence, tinyOffline])
    for (let i = 0; i < 900; i++) juliet.send(`<message to='romeo@capulet.example' type='chat' id='${i}'><body>O</body></message>`)
    await host.settle()
    assert.deepEqual(stored, Array.from({ length: 900 }, (_, i) => String(i)))
  })
  test('a component gets what its domain is sent, and may answer', async () => {
    const friar = await host.component('cell.example')
    juliet.send("<message to='lawrence@cell.example' type='chat'><body>Father</body></message>")
    await friar.receives("<message from='juliet@capulet.example/balcony' to='lawrence@cell.example' type='chat'><body>Father</body></message>")
    friar.send("<message from='lawrence@cell.example' to='juliet@capulet.example/balcony'><body>Child</body></message>")
    await juliet.receives("<message from='lawrence@cell.example' to='juliet@capulet.example/balcony'><body>Child</body></message>")
    await host.disconnect(friar)
    juliet.send("<message to='lawrence@cell.example' type='headline' id='h'><body>Father</body></message>")
    assert.equal((await juliet.next()).child('error')?.elements()[0]?.name, 'remote-server-not-found')
  })
})

describe('filters fail closed', () => {
  test('a filter that throws rejects the stanza with internal-server-error and a log entry', async () => {
    const broken = defineModule({
      name: 'broken', summary: 'Throws.', implements: [],
      setup({ on }) {
        on(outbound, 'normal', () => {
          throw new TypeError('defect')
        })
      },
    })
    await restart([tinyPresence])
    const romeo = await host.login('romeo', 'street')
    await romeo.receivesNothing()
    await host.stop()
    host = await TestHost.start({ accounts: ['romeo', 'juliet'], modules: [tinyPresence, broken] })
    juliet = await host.connect('juliet', 'balcony')
    const reply = await juliet.request("<iq type='get' id='x' to='capulet.example'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert.equal(reply.child('error')?.elements()[0]?.name, 'internal-server-error')
    assert.equal(host.log.of('hook-failed').length, 1)
  })
  test('a filter may refuse with its own condition and text', async () => {
    const strict = defineModule({
      name: 'strict', summary: 'Refuses.', implements: [],
      setup({ on }) {
        on(outbound, 'early', ({ stanza }) => {
          if (stanza.kind === 'message') throw new StanzaError('policy-violation', 'Not <now>')
        })
      },
    })
    await restart([tinyPresence, strict])
    juliet.send("<message to='romeo@capulet.example' id='m'><body>O</body></message>")
    await juliet.receives(errorOf('message', 'm', 'romeo@capulet.example', 'modify', 'policy-violation', 'Not <now>'))
  })
})
