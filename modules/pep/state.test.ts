/** What nodes of accounts cost those who have none, and what moves with an account. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { openStore } from '@rollcall/ports'
import type { Json, StorageBackend } from '@rollcall/ports'
import { jidOf, parseJid } from '@rollcall/jid'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import { subscribe } from '../disco/testing/stage.ts'
import { AccountNodes } from './account-nodes.ts'
import { displaced, PubsubNode } from './pubsub/node.ts'
import { PepRepository, pepItemStore, pepNodeStore } from './repository.ts'
import { Resource, wantsOf } from './resource.ts'
import { loginWanting, MOOD, mood, presenceWanting, publish, startPep } from './testing/stage.ts'

/** Counts what is read of personal eventing. */
class CountingStorage extends MemoryStorage {
  reads = 0

  override mapAll(store: string, owner: string): Promise<Map<string, Json>> {
    if (store === 'pep_nodes') this.reads++
    return super.mapAll(store, owner)
  }

  override archiveQuery(...query: Parameters<StorageBackend['archiveQuery']>): ReturnType<StorageBackend['archiveQuery']> {
    if (query[0] === 'pep_items') this.reads++
    return super.archiveQuery(...query)
  }
}

describe('the cost', () => {
  let storage: CountingStorage
  let host: TestHost
  let juliet: ScriptedEntity
  beforeEach(async () => {
    storage = new CountingStorage()
    host = await startPep({ storage, accounts: ['juliet', 'nurse', ...Array.from({ length: 20 }, (_, i) => `servant${i}`)] })
    juliet = await host.login('juliet', 'balcony')
  })
  afterEach(() => host.stop())

  test('nothing is read for clients that want to hear of nothing, whatever presence they send and get', async () => {
    const nurse = await host.login('nurse', 'hall')
    await subscribe(host, nurse, juliet)
    for (const show of ['away', 'xa', 'dnd']) juliet.send(`<presence><show>${show}</show></presence>`)
    await host.settle()
    await host.login('juliet', 'chamber')
    assert.equal(storage.reads, 0)
  })
  test('contacts without nodes are read once, whoever comes online how often', async () => {
    for (let i = 0; i < 20; i++) await subscribe(host, juliet, await host.login(`servant${i}`))
    storage.reads = 0
    await loginWanting(host, 'juliet', 'chamber', [MOOD])
    const first = storage.reads
    assert.ok(first <= 21, `${first} reads for 20 contacts and the account itself`)
    for (const resource of ['a', 'b', 'c']) {
      const entity = await host.connect('juliet', resource)
      entity.send(presenceWanting([MOOD]))
    }
    await host.settle()
    assert.equal(storage.reads, first)
  })
  test('an account carries one empty holder until it is asked for nodes, and last items move with it', async () => {
    const nurse = jidOf('nurse', 'capulet.example')
    await host.login('nurse', 'hall')
    assert.deepEqual(host.core.handOver(nurse)?.slots['pep'], { version: 1, state: null })
    await juliet.request(publish(MOOD, `<item id='1'>${mood('x')}</item>`, { persist_items: '0' }))
    const snapshot = host.core.handOver(juliet.jid.bare)
    assert.ok(snapshot !== undefined)
    await host.core.takeOver(snapshot)
    const chamber = await loginWanting(host, 'juliet', 'chamber', [MOOD])
    const received = await chamber.all()
    assert.ok(received.some((stanza) => stanza.child('event', 'http://jabber.org/protocol/pubsub#event') !== undefined))
  })
})

describe('what moves with an account', () => {
  const item = { id: '1', at: 5, publisher: '', payload: mood('x') }
  const open = (storage: StorageBackend) => new PepRepository(openStore(storage, pepNodeStore), openStore(storage, pepItemStore))

  test('is the last item of a node that keeps none, and who is there elsewhere', async () => {
    const storage = new MemoryStorage()
    await storage.open()
    const old = new AccountNodes('juliet@capulet.example', open(storage), 10)
    const record = { config: { persistItems: false }, affiliations: {}, subscribers: [], createdAt: 1 }
    await open(storage).saveNode('juliet@capulet.example', MOOD, record)
    await old.load()
    old.passItem(old.known?.get(MOOD) as PubsubNode, item)
    old.remote.set(new Resource(parseJid('romeo@montague.example/orchard'), new Set([`${MOOD}+notify`])))
    const moved = new AccountNodes('juliet@capulet.example', open(storage), 10)
    moved.importState(JSON.parse(JSON.stringify(old.exportState())) as Json)
    assert.deepEqual((await moved.load()).get(MOOD)?.last, item)
    assert.deepEqual(moved.remote.all().map((resource) => [resource.jid.toString(), [...resource.wants ?? []]]), [['romeo@montague.example/orchard', [MOOD]]])
  })
  test('leftovers of a crash between the writes of a republication are the older one, and go', async () => {
    const storage = new MemoryStorage()
    await storage.open()
    const repository = open(storage)
    const record = { config: { maxItems: 'max' as const }, affiliations: {}, subscribers: [], createdAt: 1 }
    await repository.saveNode('j@c.example', MOOD, record)
    await repository.addItem('j@c.example', MOOD, 'e1', item, [])
    await repository.addItem('j@c.example', MOOD, 'e2', { ...item, at: 6 }, [])
    await repository.addItem('j@c.example', 'urn:gone', 'e3', item, [])
    const nodes = new AccountNodes('j@c.example', repository, 10)
    await nodes.loadItems()
    assert.deepEqual([...nodes.known?.get(MOOD)?.items.values() ?? []].map((ref) => ref.entryId), ['e2'])
    assert.equal(nodes.bytes, item.payload.length)
    const left = await storage.archiveQuery('pep_items', 'j@c.example', { limit: 9 })
    assert.deepEqual(left.entries.map(({ id }) => id), ['e2'])
  })
})

describe('small parts', () => {
  test('the oldest resources of elsewhere make room', async () => {
    const storage = new MemoryStorage()
    const repository = new PepRepository(openStore(storage, pepNodeStore), openStore(storage, pepItemStore))
    const nodes = new AccountNodes('j@c.example', repository, 2)
    for (const name of ['a', 'b', 'c']) nodes.remote.set(Resource.wanting(parseJid(`${name}@x.example/r`), []))
    assert.deepEqual(nodes.remote.all().map(({ jid }) => jid.localpart), ['b', 'c'])
  })
  test('features are read once for all clients that have the same', () => {
    const features = new Set(['a', 'b+notify'])
    assert.deepEqual([...wantsOf(features)], ['b'])
    assert.equal(wantsOf(features), wantsOf(features))
    assert.equal(wantsOf(undefined).size, 0)
  })
  test('what makes room are expired items and then the oldest, never the one that is replaced', () => {
    const node = new PubsubNode(MOOD, { config: { itemExpire: 10 }, affiliations: {}, subscribers: [], createdAt: 0 }, null)
    for (const [id, at] of [['a', 0], ['b', 20_000], ['c', 21_000]] as const) node.items.set(id, { id, entryId: id, at, bytes: 1, publisher: '' })
    const ids = (found: ReturnType<typeof displaced>) => [found.expired.map((ref) => ref.id), found.oldest.map((ref) => ref.id)]
    assert.deepEqual(ids(displaced(node, 'c', 2, 22_000)), [['a'], []])
    assert.deepEqual(ids(displaced(node, 'd', 2, 22_000)), [['a'], ['b']])
  })
})
