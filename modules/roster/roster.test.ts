/** RFC 6121 §2 on a whole core: get, set, push, remove, versions, limits, storage. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import { StorageError } from '@rollcall/ports'
import type { StorageBackend, WriteOp } from '@rollcall/ports'
import { enter, JULIET, NURSE, openScene, push, ROMEO, rowIn, seed, storedRow } from './testing/verona.ts'

const NS = `xmlns='jabber:iq:roster'`
const set = (id: string, item: string): string => `<iq type='set' id='${id}'><query ${NS}>${item}</query></iq>`
const get = (id: string, attrs = ''): string => `<iq type='get' id='${id}'><query ${NS}${attrs}/></iq>`

let host: TestHost
beforeEach(async () => {
  host = await openScene()
})
afterEach(() => host.stop())

async function restart(options: Parameters<typeof openScene>[0]): Promise<void> {
  await host.stop()
  host = await openScene(options)
}

async function errorOf(entity: ScriptedEntity, request: string): Promise<string> {
  const reply = await entity.request(request)
  assert.equal(reply.attribute('type'), 'error')
  return reply.child('error')?.elements()[0]?.name ?? ''
}

describe('§2.2 retrieving the roster', () => {
  it('§2.1.4 is an empty query for an empty roster', async () => {
    const juliet = await host.connect('juliet')
    juliet.send(get('g1'))
    await juliet.receives(`<iq type='result' id='g1' to='${JULIET}/orchard'><query ${NS} ver='0'/></iq>`)
  })

  it('lists contacts with everything the user gave, and nothing about requests that wait', async () => {
    await seed(host, JULIET, {
      [ROMEO]: { version: 7, subscription: 'both', name: `Roméo & <"'co>`, groups: ['Friends', 'Löve & co'] },
      [NURSE]: { version: 9, ask: true, approved: true },
      'tybalt@capulet.example': { version: 3, subscription: 'to', request: ` type='subscribe'/>` },
      'paris@verona.example': { version: 0, request: ` type='subscribe'/>`, unlisted: true },
    })
    const juliet = await host.connect('juliet')
    juliet.send(`<iq type='get' id='g1' to='${JULIET}'><query ${NS}/></iq>`)
    await juliet.receives(`<iq type='result' id='g1' from='${JULIET}' to='${JULIET}/orchard'><query ${NS} ver='9'>
      <item jid='${NURSE}' subscription='none' ask='subscribe' approved='true'/>
      <item jid='${ROMEO}' subscription='both' name="Roméo &amp; &lt;&quot;'co>"><group>Friends</group><group>Löve &amp; co</group></item>
      <item jid='tybalt@capulet.example' subscription='to'/>
    </query></iq>`)
  })

  it('refuses a get with items', async () => {
    const juliet = await host.connect('juliet')
    assert.equal(await errorOf(juliet, `<iq type='get' id='g1'><query ${NS}><item jid='${ROMEO}'/></query></iq>`), 'bad-request')
  })

  it('is forbidden to everybody else, whether the account exists or not', async () => {
    const nurse = await host.connect('nurse')
    for (const account of [JULIET, 'nobody@capulet.example']) {
      assert.equal(await errorOf(nurse, `<iq type='get' id='g1' to='${account}'><query ${NS}/></iq>`), 'forbidden')
      assert.equal(await errorOf(nurse, `<iq type='set' id='s1' to='${account}'><query ${NS}><item jid='${ROMEO}'/></query></iq>`), 'forbidden')
    }
    assert.equal(await storedRow(host, JULIET, ROMEO), undefined)
  })
})

describe('§2.3, §2.4 adding and updating', () => {
  it('§2.3.2 answers the sender and pushes to every interested resource', async () => {
    const juliet = await enter(host, 'juliet', 'balcony')
    const chamber = await enter(host, 'juliet', 'chamber')
    const hall = await host.login('juliet', 'hall')
    juliet.clear()
    const reply = await juliet.request(set('s1', `<item jid='${NURSE}' name='Nurse'><group>Servants</group></item>`))
    assert.equal(reply.attribute('type'), 'result')
    assert.equal(reply.elements().length, 0)
    const item = `<item jid='${NURSE}' subscription='none' name='Nurse'><group>Servants</group></item>`
    await juliet.receivesAnyOrder(push(`${JULIET}/balcony`, item))
    await chamber.receivesAnyOrder(push(`${JULIET}/chamber`, item))
    assert.deepEqual((await hall.all()).filter((element) => element.name === 'iq'), [])
  })

  it('§2.4.1 replaces name and groups; without groups the contact is in none', async () => {
    const juliet = await enter(host, 'juliet')
    await juliet.request(set('s1', `<item jid='${NURSE}' name='Nurse'><group>Servants</group></item>`))
    await juliet.request(set('s2', `<item jid='${NURSE}' name=''/>`))
    juliet.clear()
    juliet.send(get('g1'))
    await juliet.receives(`<iq type='result' id='g1' to='${JULIET}/orchard'><query ${NS} ver='{any}'><item jid='${NURSE}' subscription='none'/></query></iq>`)
  })

  it('§2.1.5 ignores what only the server may set', async () => {
    const juliet = await enter(host, 'juliet')
    juliet.send(set('s1', `<item jid='${NURSE}' subscription='both' ask='foo' approved='maybe'/>`))
    juliet.send(set('s2', `<item jid='${ROMEO}' subscription='nonsense'/>`))
    await juliet.receivesAnyOrder(
      push(`${JULIET}/orchard`, `<item jid='${NURSE}' subscription='none'/>`),
      push(`${JULIET}/orchard`, `<item jid='${ROMEO}' subscription='none'/>`),
    )
  })

  it('keeps the subscription of a contact that is renamed', async () => {
    await seed(host, JULIET, { [NURSE]: rowIn('toPendingIn') })
    const juliet = await enter(host, 'juliet')
    juliet.clear()
    juliet.send(set('s1', `<item jid='${NURSE}' name='Angelica'/>`))
    await juliet.receivesAnyOrder(push(`${JULIET}/orchard`, `<item jid='${NURSE}' subscription='to' name='Angelica'/>`))
    assert.equal((await storedRow(host, JULIET, NURSE))?.request, ` type='subscribe' id='asked'/>`)
  })

  it('keeps a contact by its bare, prepared address', async () => {
    const juliet = await enter(host, 'juliet')
    juliet.send(set('s1', `<item jid='NURSE@Capulet.example/kitchen'/>`))
    await juliet.receivesAnyOrder(push(`${JULIET}/orchard`, `<item jid='${NURSE}' subscription='none'/>`))
  })

  it('lists a contact whose request waits once the user adds it', async () => {
    await seed(host, JULIET, { [ROMEO]: { version: 0, request: ` type='subscribe'/>`, unlisted: true } })
    const juliet = await enter(host, 'juliet')
    juliet.send(set('s1', `<item jid='${ROMEO}'/>`))
    await juliet.receivesAnyOrder(push(`${JULIET}/orchard`, `<item jid='${ROMEO}' subscription='none'/>`))
    assert.equal((await storedRow(host, JULIET, ROMEO))?.unlisted, undefined)
  })

  it('survives a restart', async () => {
    const juliet = await enter(host, 'juliet')
    await juliet.request(set('s1', `<item jid='${NURSE}' name='Nurse'><group>Servants</group></item>`))
    const before = await juliet.request(get('g1'))
    const { storage } = host
    await restart({ storage })
    const again = await host.connect('juliet')
    const after = await again.request(get('g1'))
    assert.ok(after.equals(before))
  })
})

describe('§2.3.3 refusals', () => {
  const long = 'x'.repeat(1024)
  const cases: readonly (readonly [string, string, string])[] = [
    ['no item', '', 'bad-request'],
    ['two items', `<item jid='a@b.example'/><item jid='c@d.example'/>`, 'bad-request'],
    ['an item without an address', `<item name='x'/>`, 'bad-request'],
    ['a group named twice', `<item jid='a@b.example'><group>x</group><group>x</group></item>`, 'bad-request'],
    ['an address that is none', `<item jid='@b.example'/>`, 'jid-malformed'],
    ['a group without a name', `<item jid='a@b.example'><group/></item>`, 'not-acceptable'],
    ['a name that is too long', `<item jid='a@b.example' name='${long}'/>`, 'not-acceptable'],
    ['a group name that is too long', `<item jid='a@b.example'><group>${long}</group></item>`, 'not-acceptable'],
    ['too many groups', `<item jid='a@b.example'>${Array.from({ length: 65 }, (_, i) => `<group>${i}</group>`).join('')}</item>`, 'not-acceptable'],
    ['the user\'s own address', `<item jid='${JULIET}'/>`, 'not-allowed'],
    ['removal of nobody', `<item jid='a@b.example' subscription='remove'/>`, 'item-not-found'],
  ]
  for (const [what, item, condition] of cases) {
    it(`${condition} for ${what}`, async () => {
      const juliet = await enter(host, 'juliet')
      assert.equal(await errorOf(juliet, set('s1', item)), condition)
      await juliet.receivesNothing()
    })
  }

  it('resource-constraint for one contact too many, whatever adds it', async () => {
    await restart({ roster: { itemsMax: 2 } })
    const juliet = await enter(host, 'juliet')
    await juliet.request(set('s1', `<item jid='a@b.example'/>`))
    await juliet.request(set('s2', `<item jid='b@b.example'/>`))
    assert.equal(await errorOf(juliet, set('s3', `<item jid='c@b.example'/>`)), 'resource-constraint')
    assert.equal((await juliet.request(set('s4', `<item jid='b@b.example' name='x'/>`))).attribute('type'), 'result')
    juliet.clear()
    juliet.send(`<presence type='subscribe' to='${NURSE}' id='p1'/>`)
    const refusal = await juliet.next()
    assert.equal(refusal.child('error')?.elements()[0]?.name, 'resource-constraint')
    assert.equal((await juliet.request(set('s5', `<item jid='a@b.example' subscription='remove'/>`))).attribute('type'), 'result')
    assert.equal((await juliet.request(set('s6', `<item jid='c@b.example'/>`))).attribute('type'), 'result')
  })
})

describe('§2.5 removing', () => {
  const told: readonly (readonly [Parameters<typeof rowIn>[0], readonly string[]])[] = [
    ['none', []],
    ['nonePendingOut', ['unsubscribe']],
    ['nonePendingIn', ['unsubscribed']],
    ['to', ['unsubscribe']],
    ['from', ['unavailable', 'unsubscribed']],
    ['both', ['unsubscribe', 'unavailable', 'unsubscribed']],
  ]
  for (const [state, types] of told) {
    it(`§2.5.2 tells a contact in ${state}: ${types.join(', ') || 'nothing'}`, async () => {
      await seed(host, JULIET, { [ROMEO]: rowIn(state) })
      const remote = await host.component('montague.example')
      const juliet = await enter(host, 'juliet')
      remote.clear()
      const reply = await juliet.request(set('s1', `<item jid='${ROMEO}' subscription='remove'/>`))
      assert.equal(reply.attribute('type'), 'result')
      await juliet.receives(push(`${JULIET}/orchard`, `<item jid='${ROMEO}' subscription='remove'/>`))
      const seen = await remote.all()
      assert.deepEqual(seen.map((element) => element.attribute('type')), types)
      for (const element of seen) {
        assert.equal(element.attribute('from'), element.attribute('type') === 'unavailable' ? `${JULIET}/orchard` : JULIET)
        assert.equal(element.attribute('to'), ROMEO)
      }
      assert.equal(await storedRow(host, JULIET, ROMEO), undefined)
      juliet.send(get('g1'))
      await juliet.receives(`<iq type='result' id='g1' to='${JULIET}/orchard'><query ${NS} ver='{any}'/></iq>`)
    })
  }

  it('ends a mutual subscription at a contact of the same server too', async () => {
    await seed(host, JULIET, { [NURSE]: rowIn('both') })
    await seed(host, NURSE, { [JULIET]: rowIn('both') })
    const juliet = await enter(host, 'juliet')
    const nurse = await enter(host, 'nurse', 'kitchen')
    juliet.clear()
    juliet.send(set('s1', `<item jid='${NURSE}' subscription='remove'/>`))
    await nurse.receives(
      `<presence type='unsubscribe' from='${JULIET}' to='${NURSE}'/>`,
      push(`${NURSE}/kitchen`, `<item jid='${JULIET}' subscription='to'/>`),
      `<presence type='unavailable' from='${JULIET}/orchard' to='${NURSE}'/>`,
      `<presence type='unsubscribed' from='${JULIET}' to='${NURSE}'/>`,
      push(`${NURSE}/kitchen`, `<item jid='${JULIET}' subscription='none'/>`),
    )
    await nurse.receivesNothing()
    await juliet.receivesAnyOrder(push(`${JULIET}/orchard`, `<item jid='${NURSE}' subscription='remove'/>`))
  })
})

describe('§2.6 versions', () => {
  it('advertises versions and pre-approval as stream features', async () => {
    const features = await host.featuresAfterAuth()
    assert.ok(features.includes(`<ver xmlns='urn:xmpp:features:rosterver'/>`))
    assert.ok(features.includes(`<sub xmlns='urn:xmpp:features:pre-approval'/>`))
  })

  it('§2.6.3 answers empty when nothing changed', async () => {
    await seed(host, JULIET, { [NURSE]: { version: 12, subscription: 'to' } })
    const juliet = await host.connect('juliet')
    juliet.send(get('g1', ` ver='12'`))
    await juliet.receives(`<iq type='result' id='g1' to='${JULIET}/orchard'/>`)
    await juliet.receivesNothing()
    juliet.send(set('s1', `<item jid='${NURSE}' name='x'/>`))
    await juliet.receivesAnyOrder(push(`${JULIET}/orchard`, `<item jid='${NURSE}' subscription='to' name='x'/>`))
  })

  it('§2.6.3 pushes what changed, in order, after an empty result', async () => {
    await seed(host, JULIET, {
      'a@b.example': { version: 5 }, 'b@b.example': { version: 9 }, 'c@b.example': { version: 3 },
      'd@b.example': { version: 7, subscription: 'from' }, 'e@b.example': { version: 2 },
    })
    const juliet = await host.connect('juliet')
    juliet.send(get('g1', ` ver='5'`))
    const to = `${JULIET}/orchard`
    await juliet.receives(
      `<iq type='result' id='g1' to='${to}'/>`,
      `<iq type='set' id='push-7' to='${to}'><query ${NS} ver='7'><item jid='d@b.example' subscription='from'/></query></iq>`,
      `<iq type='set' id='push-9' to='${to}'><query ${NS} ver='9'><item jid='b@b.example' subscription='none'/></query></iq>`,
    )
    await juliet.receivesNothing()
  })

  const unknown = ['', '4', '99', 'ver12', '-1', '12345678901234567890']
  for (const version of unknown) {
    it(`answers in full when it cannot tell what changed since '${version}'`, async () => {
      // Version 6 was a removal, so that nothing can be told about what came before it.
      const removal = { '@': { version: 6, removed: true as const } }
      await seed(host, JULIET, { 'a@b.example': { version: 5 }, 'b@b.example': { version: 8 }, 'c@b.example': { version: 2 }, ...removal })
      const juliet = await host.connect('juliet')
      const reply = await juliet.request(get('g1', ` ver='${version}'`))
      const query = reply.child('query', 'jabber:iq:roster')
      assert.equal(query?.elements().length, 3)
      assert.equal(query?.attribute('ver'), '8')
    })
  }

  it('counts a removal as a change, also after a restart', async () => {
    const juliet = await enter(host, 'juliet')
    for (const name of ['a', 'b', 'c']) await juliet.request(set(name, `<item jid='${name}@b.example'/>`))
    const before = (await juliet.request(get('g1'))).child('query', 'jabber:iq:roster')?.attribute('ver') ?? ''
    await juliet.request(set('s1', `<item jid='b@b.example' subscription='remove'/>`))
    const pushed = (await juliet.all()).at(-1)?.child('query', 'jabber:iq:roster')?.attribute('ver') ?? ''
    assert.ok(Number(pushed) > Number(before))
    await restart({ storage: host.storage })
    const again = await host.connect('juliet')
    const full = await again.request(get('g1', ` ver='${before}'`))
    assert.equal(full.child('query', 'jabber:iq:roster')?.elements().length, 2)
    const same = await again.request(get('g2', ` ver='${pushed}'`))
    assert.equal(same.elements().length, 0)
  })

  it('sweeps a removal that a crash left half done', async () => {
    await seed(host, JULIET, { 'a@b.example': { version: 5 }, 'b@b.example': { version: 7, removed: true } })
    const juliet = await host.connect('juliet')
    const reply = await juliet.request(get('g1', ` ver='5'`))
    const query = reply.child('query', 'jabber:iq:roster')
    assert.equal(query?.attribute('ver'), '7')
    assert.equal(query?.elements().length, 1)
    assert.equal(await storedRow(host, JULIET, 'b@b.example'), undefined)
    assert.deepEqual(await storedRow(host, JULIET, '@'), { version: 7, removed: true })
  })

  it('gives every push a version of its own, always greater', async () => {
    const juliet = await enter(host, 'juliet')
    for (let i = 0; i < 20; i++) juliet.send(set(`s${i}`, `<item jid='a@b.example' name='${i}'/>`))
    const versions = (await juliet.all()).flatMap((element) => element.child('query', 'jabber:iq:roster')?.attribute('ver') ?? []).map(Number)
    assert.equal(versions.length, 20)
    assert.deepEqual(versions, [...new Set(versions)].sort((a, b) => a - b))
  })

  it('changes no version for what clients cannot see', async () => {
    await seed(host, JULIET, { [NURSE]: { version: 12, subscription: 'to' } })
    const juliet = await enter(host, 'juliet')
    const remote = await host.component('montague.example')
    remote.send(`<presence type='subscribe' from='${ROMEO}' to='${JULIET}'/>`)
    await host.settle()
    assert.equal((await juliet.request(get('g1'))).child('query', 'jabber:iq:roster')?.attribute('ver'), '12')
  })
})

describe('storage that fails', () => {
  class FailingStorage extends MemoryStorage {
    isFailing = false
    override write(ops: readonly WriteOp[]): Promise<void> {
      return this.isFailing ? Promise.reject(new StorageError('full', 'no space left')) : super.write(ops)
    }
  }

  it('tells the client, keeps the change, and writes it as soon as it can', async () => {
    const storage = new FailingStorage()
    await restart({ storage: storage satisfies StorageBackend })
    const juliet = await enter(host, 'juliet')
    storage.isFailing = true
    assert.equal(await errorOf(juliet, set('s1', `<item jid='${NURSE}' name='first'/>`)), 'resource-constraint')
    assert.equal(await errorOf(juliet, set('s2', `<item jid='${NURSE}' name='second'/>`)), 'resource-constraint')
    await host.advance(6_000)
    assert.equal(await storedRow(host, JULIET, NURSE), undefined)
    storage.isFailing = false
    await host.advance(6_000)
    assert.equal((await storedRow(host, JULIET, NURSE))?.name, 'second')
    assert.equal(host.log.of('roster-write-failed').length > 0, true)
  })

  it('tells the sender of a subscription stanza, and carries it out all the same', async () => {
    const storage = new FailingStorage()
    await restart({ storage })
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet')
    storage.isFailing = true
    juliet.send(`<presence to='${ROMEO}' type='subscribe' id='s1'/>`)
    await remote.receives(`<presence from='${JULIET}' to='${ROMEO}' type='subscribe' id='s1'/>`)
    const [pushed, error] = await juliet.all()
    assert.equal(pushed?.name, 'iq')
    assert.equal(error?.attribute('id'), 's1')
    assert.equal(error?.child('error')?.elements()[0]?.name, 'resource-constraint')
    storage.isFailing = false
    await host.advance(6_000)
    assert.equal((await storedRow(host, JULIET, ROMEO))?.ask, true)
  })

  it('does not let a late retry undo a newer change', async () => {
    const storage = new FailingStorage()
    await restart({ storage })
    const juliet = await enter(host, 'juliet')
    storage.isFailing = true
    await errorOf(juliet, set('s1', `<item jid='${NURSE}' name='first'/>`))
    storage.isFailing = false
    assert.equal((await juliet.request(set('s2', `<item jid='${NURSE}' name='second'/>`))).attribute('type'), 'result')
    await host.advance(20_000)
    assert.equal((await storedRow(host, JULIET, NURSE))?.name, 'second')
  })
})

describe('account removal', () => {
  it('ends every subscription at the contacts and leaves nothing behind', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('both'), [NURSE]: rowIn('both'), 'paris@montague.example': rowIn('none') })
    await seed(host, NURSE, { [JULIET]: rowIn('both') })
    const remote = await host.component('montague.example')
    const nurse = await enter(host, 'nurse', 'kitchen')
    const juliet = await enter(host, 'juliet')
    remote.clear()
    nurse.clear()
    await host.core.admin.remove(juliet.jid.bare)
    await host.settle()
    await remote.receives(
      `<presence type='unavailable' from='${JULIET}/orchard' to='${ROMEO}'/>`,
      `<presence type='unsubscribe' from='${JULIET}' to='${ROMEO}'/>`,
      `<presence type='unsubscribed' from='${JULIET}' to='${ROMEO}'/>`,
    )
    await remote.receivesNothing()
    assert.deepEqual((await nurse.all()).map((element) => element.attribute('type')), ['unavailable', 'unsubscribe', 'set', 'unsubscribed', 'set'])
    assert.equal((await storedRow(host, NURSE, JULIET))?.subscription, undefined)
    assert.equal((await host.storage.mapAll('roster', JULIET)).size, 0)
  })
})
