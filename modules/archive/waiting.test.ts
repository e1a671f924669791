/** What waits for accounts: XEP-0160 and RFC 6121 §8.5.2.2 as wire scripts. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { AnyModule } from '@rollcall/module-api'
import { parseJid } from '@rollcall/jid'
import { StorageError } from '@rollcall/ports'
import type { StorageBackend } from '@rollcall/ports'
import { buildStanza } from '@rollcall/stanza'
import { XmlElement } from '@rollcall/xml'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import blocking from '../blocking/module.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import archive from './module.ts'
import type { StoredPosition } from './delivery-position.ts'

const JULIET = 'juliet@capulet.example'
const ROMEO = 'romeo@montague.example/orchard'

let host: TestHost
let romeo: ScriptedEntity

async function open(options: Readonly<Record<string, unknown>> = {}, storage: StorageBackend = new MemoryStorage()): Promise<void> {
  const modules: AnyModule[] = [roster, presence, blocking, archive]
  host = await TestHost.start({ accounts: ['juliet', 'nurse'], modules, options: { archive: options }, storage })
  romeo = await host.component('montague.example')
}
beforeEach(() => open())
afterEach(() => host.stop())

async function reopen(options: Readonly<Record<string, unknown>> = {}, storage?: StorageBackend): Promise<void> {
  await host.stop()
  await open(options, storage)
}

function message(id: string, content = `<body>${id}</body>`, attributes = `to='${JULIET}' type='chat'`): string {
  return `<message from='${ROMEO}' ${attributes} id='${id}'>${content}</message>`
}

function delayed(id: string, content = `<body>${id}</body>`, attributes = `to='${JULIET}' type='chat'`): string {
  const delay = `<delay xmlns='urn:xmpp:delay' from='capulet.example' stamp='{any}'>Offline Storage</delay>`
  return message(id, `${content}<stanza-id xmlns='urn:xmpp:sid:0' by='${JULIET}' id='{any}'/>${delay}`, attributes)
}

/** Ids of the messages among what an entity received. */
async function messageIds(entity: ScriptedEntity): Promise<string[]> {
  return (await entity.all()).filter((element) => element.name === 'message').map((element) => element.attribute('id') as string)
}

async function refusalOf(id: string): Promise<string | undefined> {
  const [reply] = await romeo.all()
  assert.equal(reply?.attribute('id'), id)
  return reply?.child('error')?.elements()[0]?.name
}

/** Messages in the log, whatever became of them. */
async function storedCount(): Promise<number> {
  return (await host.storage.archiveCount('archive', JULIET, {})) + (await host.storage.archiveCount('archive_waiting', JULIET, {}))
}

/** Received messages that are not delivered, as storage knows it. */
async function waitingCount(): Promise<number> {
  await host.advance(5000)
  const page = await host.storage.archiveQuery('archive', JULIET, { limit: 1, isBackward: true })
  const waiting = await host.storage.archiveQuery('archive_waiting', JULIET, { limit: 1, isBackward: true })
  const last = [...page.entries, ...waiting.entries].map((entry) => (entry.value as number[])[1] as number)
  const position = (await host.storage.keyvalGet('archive_positions', JULIET)) as unknown as StoredPosition | undefined
  return Math.max(0, ...last) - (position?.number ?? 0) - (position?.ahead ?? []).reduce((sum, [, , , , count = 1]) => sum + count, 0)
}

describe('XEP-0160 §2: process flow', () => {
  it('stores what came meanwhile and delivers it in order, each with the time it came, and only once', async () => {
    romeo.send(message('m1'))
    await host.advance(61_000)
    romeo.send(message('m2', '<body>m2</body><thread>t</thread>', `to='${JULIET}/chamber' type='chat'`))
    romeo.send(message('m3', '<subject>s</subject><body>m3</body>', `to='${JULIET}'`))
    await romeo.receivesNothing()
    const juliet = await host.connect('juliet', 'balcony')
    await juliet.receivesNothing()
    const before = host.clock.now()
    juliet.send('<presence><priority>1</priority></presence>')
    const [echo, first, ...rest] = await juliet.all()
    assert.equal(echo?.name, 'presence')
    assert.equal(first?.attribute('id'), 'm1')
    assert.equal(first?.child('delay', 'urn:xmpp:delay')?.attribute('stamp'), new Date(before - 61_000).toISOString().replace('.000Z', 'Z'))
    assert.deepEqual(rest.map((element) => element.attribute('id')), ['m2', 'm3'])
    const chamber = await host.connect('juliet', 'chamber')
    chamber.send('<presence/>')
    assert.deepEqual(await messageIds(chamber), [])
    assert.equal(await waitingCount(), 0)
  })

  it('delivers the message as it came, with the host as the one that delayed it (XEP-0203)', async () => {
    romeo.send(message('m1', `<body>A &amp; B ü</body><x xmlns='urn:example:x' a='&lt;'/>`, `to='${JULIET}' type='chat' xml:lang='it'`))
    await host.settle()
    const juliet = await host.connect('juliet')
    juliet.send('<presence/>')
    await juliet.receives(
      `<presence from='${JULIET}/orchard' to='${JULIET}'/>`,
      delayed('m1', `<body>A &amp; B ü</body><x xmlns='urn:example:x' a='&lt;'/>`, `to='${JULIET}' type='chat' xml:lang='it'`),
    )
  })

  it('survives a restart', async () => {
    romeo.send(message('m1'))
    await host.settle()
    const { storage } = host
    await reopen({}, storage)
    romeo.send(message('m2'))
    await host.settle()
    const juliet = await host.connect('juliet')
    juliet.send('<presence/>')
    assert.deepEqual(await messageIds(juliet), ['m1', 'm2'])
  })

  it('gives nothing to a resource of negative priority until it raises it', async () => {
    romeo.send(message('m1'))
    const juliet = await host.login('juliet', 'bot', '<presence><priority>-1</priority></presence>')
    romeo.send(message('m2'))
    await juliet.receivesNothing()
    juliet.send('<presence><priority>-2</priority></presence>')
    assert.deepEqual(await messageIds(juliet), [])
    juliet.send('<presence><priority>3</priority></presence>')
    assert.deepEqual(await messageIds(juliet), ['m1', 'm2'])
    assert.equal(await waitingCount(), 0)
  })

  it('a presence that is refused gets no messages', async () => {
    romeo.send(message('m1'))
    const juliet = await host.login('juliet', 'bot', '<presence><priority>-1</priority></presence>')
    juliet.send('<presence><priority>much</priority></presence>')
    assert.deepEqual(await messageIds(juliet), [])
    assert.equal(await storedCount(), 1)
  })
})

describe('XEP-0160 §3: types of messages', () => {
  for (const [title, content, type, isStored] of [
    ['normal', '<body>O</body>', 'normal', true],
    ['a type nobody knows counts as normal', '<body>O</body>', 'soliloquy', true],
    ['chat', '<body>O</body>', 'chat', true],
    ['chat without body but with content', `<received xmlns='urn:xmpp:receipts' id='m'/>`, 'chat', true],
    ['chat state with a body', `<body>O</body><active xmlns='http://jabber.org/protocol/chatstates'/>`, 'chat', true],
    ['only a chat state', `<composing xmlns='http://jabber.org/protocol/chatstates'/><thread>t</thread>`, 'chat', false],
    ['nothing at all', '', 'chat', false],
    ['headline', '<body>O</body>', 'headline', false],
    ['error', '<body>O</body>', 'error', false],
    ['no-store and no body', `<no-store xmlns='urn:xmpp:hints'/><composing xmlns='http://jabber.org/protocol/chatstates'/>`, 'chat', false],
    ['store makes a message worth keeping', `<store xmlns='urn:xmpp:hints'/><active xmlns='http://jabber.org/protocol/chatstates'/>`, 'chat', true],
    ['no-permanent-store is for archives', `<body>O</body><no-permanent-store xmlns='urn:xmpp:hints'/>`, 'chat', true],
  ] as const) {
    it(`${title}: ${isStored ? 'stored' : 'not stored, without an error'}`, async () => {
      romeo.send(message('m', content, `to='${JULIET}' type='${type}'`))
      await romeo.receivesNothing()
      assert.equal(await storedCount(), isStored ? 1 : 0)
    })
  }

  it('groupchat: refused', async () => {
    romeo.send(message('m', '<body>O</body>', `to='${JULIET}' type='groupchat'`))
    assert.equal(await refusalOf('m'), 'service-unavailable')
  })

  it('XEP-0334 §4.2 no-store with a body: refused, even beside store', async () => {
    const hints = `<no-store xmlns='urn:xmpp:hints'/><store xmlns='urn:xmpp:hints'/>`
    romeo.send(message('m', `<body>O</body>${hints}`))
    assert.equal(await refusalOf('m'), 'service-unavailable')
    assert.equal(await waitingCount(), 0)
  })
})

describe('order', () => {
  it('what comes while messages are read from storage waits behind them, of every kind', async () => {
    const juliet = await host.connect('juliet', 'balcony')
    for (let i = 0; i < 120; i++) romeo.send(message(`m${i}`))
    await host.settle()
    juliet.send('<presence/>')
    romeo.send(message('live1'))
    romeo.send(message('live2', '<body>O</body>', `to='${JULIET}/balcony' type='groupchat'`))
    romeo.send(`<presence from='${ROMEO}' to='${JULIET}/balcony' type='unavailable' id='p'/>`)
    const ids = (await juliet.all()).slice(1).map((element) => element.attribute('id'))
    assert.deepEqual(ids, [...Array.from({ length: 120 }, (_, i) => `m${i}`), 'live1', 'live2', 'p'])
    assert.equal(await waitingCount(), 0)
  })

  it('two resources that come at the same time: the first gets every message, and nothing twice', async () => {
    const balcony = await host.connect('juliet', 'balcony')
    const chamber = await host.connect('juliet', 'chamber')
    for (let i = 0; i < 60; i++) romeo.send(message(`m${i}`))
    await host.settle()
    balcony.send('<presence/>')
    chamber.send('<presence/>')
    romeo.send(message('live'))
    assert.deepEqual(await messageIds(balcony), [...Array.from({ length: 60 }, (_, i) => `m${i}`), 'live'])
    assert.deepEqual(await messageIds(chamber), ['live'])
  })

  it('the second of them gets what the first left when it went away', async () => {
    const balcony = await host.connect('juliet', 'balcony')
    const chamber = await host.connect('juliet', 'chamber')
    romeo.send(message('m1'))
    romeo.send(message('m2'))
    await host.settle()
    balcony.send('<presence/>')
    chamber.send('<presence/>')
    await host.disconnect(balcony, 'lost')
    romeo.send(message('live'))
    assert.deepEqual(await messageIds(balcony), [])
    assert.deepEqual(await messageIds(chamber), ['m1', 'm2', 'live'])
  })

  it('a resource that goes unavailable at once gets what was there, not what came after', async () => {
    const juliet = await host.connect('juliet', 'balcony')
    romeo.send(message('m1'))
    await host.settle()
    juliet.send('<presence/>')
    juliet.send(`<presence type='unavailable'/>`)
    romeo.send(message('m2'))
    assert.deepEqual(await messageIds(juliet), ['m1'])
    juliet.send('<presence/>')
    assert.deepEqual(await messageIds(juliet), ['m2'])
  })
})

describe('limits', () => {
  it('XEP-0160 §2: a full queue refuses with service-unavailable, and takes again once it was fetched', async () => {
    await reopen({ waitingMessagesMax: 2 })
    for (const id of ['m1', 'm2', 'm3']) romeo.send(message(id))
    assert.equal(await refusalOf('m3'), 'service-unavailable')
    const juliet = await host.login('juliet')
    juliet.send(`<presence type='unavailable'/>`)
    romeo.send(message('m4'))
    await romeo.receivesNothing()
    assert.equal(await waitingCount(), 1)
  })

  it('counts bytes, also of what a restart found', async () => {
    const body = `<body>${'O'.repeat(400)}</body>`
    await reopen({ waitingBytesMax: 1024 })
    romeo.send(message('m1', body))
    await host.settle()
    await reopen({ waitingBytesMax: 1024 }, host.storage)
    romeo.send(message('m2', body))
    romeo.send(message('m3', body))
    assert.equal(await refusalOf('m3'), 'service-unavailable')
    assert.equal(await storedCount(), 2)
  })

  it('forgets what is older than the days given, at the account’s next use', async () => {
    await reopen({ waitingDays: 1 })
    romeo.send(message('m1'))
    await host.advance(86_400_000)
    romeo.send(message('m2'))
    await host.settle()
    const juliet = await host.connect('juliet')
    juliet.send('<presence/>')
    assert.deepEqual(await messageIds(juliet), ['m2'])
  })

  it('does not deliver what grew too old while the account was in use', async () => {
    await reopen({ waitingDays: 1 })
    const juliet = await host.login('juliet', 'bot', '<presence><priority>-1</priority></presence>')
    romeo.send(message('m1'))
    await host.advance(86_400_000)
    juliet.send('<presence/>')
    assert.deepEqual(await messageIds(juliet), [])
    assert.equal(await waitingCount(), 0)
  })
})

describe('faults', () => {
  /** Memory storage whose writes and archive reads fail on demand. */
  class FailingStorage extends MemoryStorage {
    isFailing = false
    override write(ops: Parameters<MemoryStorage['write']>[0]): Promise<void> {
      return this.isFailing ? Promise.reject(new StorageError('full', 'no space left')) : super.write(ops)
    }
  }

  it('a message that cannot be stored is refused with resource-constraint and is not counted', async () => {
    const storage = new FailingStorage()
    await reopen({ waitingMessagesMax: 1 }, storage)
    storage.isFailing = true
    romeo.send(message('m1'))
    assert.equal(await refusalOf('m1'), 'resource-constraint')
    storage.isFailing = false
    romeo.send(message('m2'))
    await romeo.receivesNothing()
    assert.equal(await storedCount(), 1)
  })

  it('what was delivered and not noted comes again after a crash, under the same id', async () => {
    const storage = new FailingStorage()
    await reopen({}, storage)
    romeo.send(message('m1'))
    const juliet = await host.connect('juliet')
    await host.settle()
    storage.isFailing = true
    juliet.send('<presence/>')
    const [, first] = await juliet.all()
    await host.advance(5000)
    assert.equal(host.log.of('archive-position-failed').length, 1)
    await reopen({}, storage)
    storage.isFailing = false
    const again = await host.connect('juliet')
    again.send('<presence/>')
    const [, second] = await again.all()
    const idOf = (element: typeof first) => element?.child('stanza-id', 'urn:xmpp:sid:0')?.attribute('id')
    assert.notEqual(idOf(first), undefined)
    assert.equal(idOf(first), idOf(second))
  })

  it('storage that cannot be read keeps nothing from being delivered live', async () => {
    class Unreadable extends MemoryStorage {
      isFailing = false
      override archiveQuery(...query: Parameters<MemoryStorage['archiveQuery']>): ReturnType<MemoryStorage['archiveQuery']> {
        return this.isFailing ? Promise.reject(new StorageError('io', 'read error')) : super.archiveQuery(...query)
      }
    }
    const storage = new Unreadable()
    await reopen({}, storage)
    romeo.send(message('m1'))
    const juliet = await host.connect('juliet')
    await host.settle()
    storage.isFailing = true
    juliet.send('<presence/>')
    romeo.send(message('live'))
    assert.deepEqual(await messageIds(juliet), ['live'])
    assert.equal(host.log.of('offline-delivery-failed').length, 1)
    storage.isFailing = false
    const chamber = await host.connect('juliet', 'chamber')
    chamber.send('<presence/>')
    assert.deepEqual(await messageIds(chamber), ['m1'])
  })

  it('the promise of a stored message settles when it is stored', async () => {
    const children = [new XmlElement('body', 'jabber:client', {}, ['O'])]
    const stanza = buildStanza('message', { from: parseJid(ROMEO), to: parseJid(JULIET), type: 'chat', children })
    const work = host.core.router.route(stanza)
    assert.ok(work instanceof Promise)
    assert.equal(await storedCount(), 0)
    await work
    assert.equal(await storedCount(), 1)
  })
})

describe('XEP-0191 §3.3', () => {
  it('messages of an address that was blocked since are not delivered', async () => {
    romeo.send(message('m1'))
    romeo.send(`<message from='paris@montague.example' to='${JULIET}' type='chat' id='m2'><body>O</body></message>`)
    const juliet = await host.connect('juliet')
    await juliet.request(`<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='romeo@montague.example'/></block></iq>`)
    juliet.send('<presence/>')
    assert.deepEqual(await messageIds(juliet), ['m2'])
  })
})
