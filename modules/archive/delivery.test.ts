/** What counts as delivered: positions of the log at the edges of sessions, as wire scripts. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { StorageError } from '@rollcall/ports'
import type { StorageBackend } from '@rollcall/ports'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import carbons from '../carbons/module.ts'
import csi from '../csi/module.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import archive from './module.ts'

const NS_SM = 'urn:xmpp:sm:3'
const BALCONY = 'juliet@capulet.example/balcony'

let host: TestHost
let romeo: ScriptedEntity

async function open(storage: StorageBackend = new MemoryStorage()): Promise<void> {
  host = await TestHost.start({ accounts: ['romeo', 'juliet'], modules: [roster, presence, csi, carbons, archive], storage })
  romeo = await host.login('romeo')
}
beforeEach(() => open())
afterEach(() => host.stop())

/** Sends a message, and waits until the server has said that it is safe. */
async function say(id: string, to = BALCONY): Promise<void> {
  romeo.send(`<message to='${to}' type='chat' id='${id}'><body>${id}</body></message>`)
  await host.settle()
}

async function idsOf(entity: ScriptedEntity): Promise<string[]> {
  return (await entity.all()).filter(({ name }) => name === 'message').map((element) => element.attribute('id') as string)
}

async function login(resource = 'balcony'): Promise<ScriptedEntity> {
  const entity = await host.connect('juliet', resource)
  entity.send('<presence/>')
  return entity
}

describe('a message to the full address of a resource', () => {
  it('waits for the next login when the connection is lost between binding and stream management', async () => {
    const lost = await host.connect('juliet', 'balcony')
    await say('m1')
    // Nothing is noted as delivered, however long it takes until anybody notices.
    await host.advance(5000)
    await host.disconnect(lost, 'lost')
    assert.deepEqual(await idsOf(await login()), ['m1'])
  })

  it('waits for it when the server is killed in that moment', async () => {
    const { storage } = host
    await host.connect('juliet', 'balcony')
    await say('m1')
    await host.advance(5000)
    // A killed server does not end its sessions: the next one has the same storage, and nothing else.
    await open(storage)
    assert.deepEqual(await idsOf(await login()), ['m1'])
  })

  it('comes once to a client that goes on to turn stream management on', async () => {
    const juliet = await host.connect('juliet', 'balcony')
    await say('m1')
    juliet.send(`<enable xmlns='${NS_SM}' resume='true'/>`)
    juliet.send('<presence/>')
    assert.deepEqual(await idsOf(juliet), ['m1'])
    juliet.send(`<a xmlns='${NS_SM}' h='1'/>`)
    await host.settle()
    await host.disconnect(juliet, 'closed')
    assert.deepEqual(await idsOf(await login()), [])
  })
})

describe('what a session leaves', () => {
  it('goes to a resource that has long been there, when the one that was to get it is gone before its turn', async () => {
    const balcony = await host.connect('juliet', 'balcony')
    balcony.send(`<enable xmlns='${NS_SM}'/>`)
    balcony.send('<presence><priority>1</priority></presence>')
    const chamber = await login('chamber')
    const garden = await host.connect('juliet', 'garden')
    garden.send('<presence><priority>2</priority></presence>')
    await host.settle()
    await say('m1')
    assert.deepEqual(await idsOf(balcony), ['m1'])
    void host.disconnect(balcony, 'lost')
    await host.disconnect(garden, 'lost')
    assert.deepEqual(await idsOf(chamber), ['m1'])
  })

  it('is nothing that its client, being inactive, did not want: later messages are not held up by it', async () => {
    const { storage } = host
    const juliet = await host.connect('juliet', 'balcony')
    juliet.send(`<enable xmlns='${NS_SM}'/>`)
    juliet.send('<presence/>')
    juliet.send(`<inactive xmlns='urn:xmpp:csi:0'/>`)
    const event = `<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='n'><item id='i'/></items></event>`
    romeo.send(`<message to='${BALCONY}' type='normal' id='news'>${event}</message>`)
    await say('m1')
    // Her own presence, the news that the message takes along, and the message.
    juliet.send(`<a xmlns='${NS_SM}' h='3'/>`)
    await host.advance(5000)
    const position = await storage.keyvalGet('archive_positions', 'juliet@capulet.example') as { number: number; ahead: unknown[] }
    assert.deepEqual([position.number, position.ahead], [2, []])
  })
})

describe('messages that a client got as results of a query', () => {
  const query = `<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>`

  async function catchUp(): Promise<ScriptedEntity> {
    const entity = await host.connect('juliet', 'balcony')
    entity.send(`<enable xmlns='${NS_SM}'/>`)
    entity.send(query)
    await host.settle()
    entity.send('<presence/>')
    const results = (await entity.all()).filter((element) => element.child('result', 'urn:xmpp:mam:2') !== undefined)
    assert.equal(results.length, 1)
    return entity
  }

  it('wait for the next login when the connection was lost before it acknowledged them', async () => {
    await say('m1')
    await host.disconnect(await catchUp(), 'lost')
    assert.deepEqual(await idsOf(await login()), ['m1'])
  })

  it('are delivered once it acknowledged them', async () => {
    await say('m1')
    const juliet = await catchUp()
    juliet.send(`<a xmlns='${NS_SM}' h='2'/>`)
    await host.settle()
    await host.disconnect(juliet, 'lost')
    assert.deepEqual(await idsOf(await login()), [])
  })
})

describe('a message that nobody is available for, copied to a resource that is not available yet', () => {
  const BARE = 'juliet@capulet.example'

  async function bind(isManaged: boolean): Promise<ScriptedEntity> {
    const requests = [`<enable xmlns='urn:xmpp:carbons:2'/>`, ...(isManaged ? [`<enable xmlns='${NS_SM}'/>`] : [])]
    const [entity] = await host.bind2('juliet', { requests })
    return entity
  }
  const isCopy = (element: Awaited<ReturnType<ScriptedEntity['next']>>) => element.child('received', 'urn:xmpp:carbons:2') !== undefined

  for (const isManaged of [true, false]) {
    describe(isManaged ? 'with stream management' : 'without', () => {
      it('does not come again when that becomes available', async () => {
        const juliet = await bind(isManaged)
        await say('m1', BARE)
        juliet.send('<presence/>')
        const messages = (await juliet.all()).filter(({ name }) => name === 'message')
        assert.deepEqual(messages.map(isCopy), [true])
        // Her presence and the copy.
        if (isManaged) juliet.send(`<a xmlns='${NS_SM}' h='2'/>`)
        await host.settle()
        await host.disconnect(juliet, 'lost')
        assert.deepEqual(await idsOf(await login()), [])
      })

      it('waits for the next one when its connection is lost before that', async () => {
        const juliet = await bind(isManaged)
        await say('m1', BARE)
        await host.disconnect(juliet, 'lost')
        assert.deepEqual(await idsOf(await login()), ['m1'])
      })
    })
  }

  it('waits for the next one when it became available and acknowledged nothing', async () => {
    const juliet = await bind(true)
    await say('m1', BARE)
    juliet.send('<presence/>')
    await host.disconnect(juliet, 'lost')
    assert.deepEqual(await idsOf(await login()), ['m1'])
  })
})

describe('a message that cannot be stored', () => {
  class FailingStorage extends MemoryStorage {
    /** Owners for whom nothing can be written. */
    readonly failing = new Set<string>()
    override logAppend(...[store, owner, entry]: Parameters<MemoryStorage['logAppend']>): ReturnType<MemoryStorage['logAppend']> {
      return this.failing.has(owner) ? Promise.reject(new StorageError('full', 'no space left')) : super.logAppend(store, owner, entry)
    }
  }

  for (const [title, failing] of [
    ['for neither side', ['juliet', 'romeo']], ['for its recipient', ['juliet']], ['for its sender', ['romeo']],
  ] as const) {
    it(`${title}: its sender gets one error`, async () => {
      await host.stop()
      const storage = new FailingStorage()
      await open(storage)
      for (const name of failing) storage.failing.add(`${name}@capulet.example`)
      await say('m1')
      const errors = await romeo.all()
      assert.deepEqual(errors.map((error) => [error.attribute('type'), error.attribute('id')]), [['error', 'm1']])
    })
  }
})
