/** XEP-0191 as wire scripts. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { defineModule, Accounts } from '@rollcall/module-api'
import { parseJid } from '@rollcall/jid'
import { StorageError } from '@rollcall/ports'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import type { SceneOptions } from '../roster/testing/verona.ts'
import { enter, JULIET, NURSE, openScene, ROMEO, rowIn, seed } from '../roster/testing/verona.ts'
import blocking from './module.ts'
import { Blocking } from './port.ts'

let host: TestHost
let remote: ScriptedEntity

async function open(options: SceneOptions & { readonly blocking?: Readonly<Record<string, unknown>> } = {}): Promise<void> {
  host = await openScene({ ...options, modules: [blocking, ...(options.modules ?? [])] })
  remote = await host.component('montague.example')
}
beforeEach(() => open())
afterEach(() => host.stop())

const items = (...jids: readonly string[]) => jids.map((jid) => `<item jid='${jid}'/>`).join('')
const block = (...jids: readonly string[]) => `<block xmlns='urn:xmpp:blocking'>${items(...jids)}</block>`
const unblock = (...jids: readonly string[]) => `<unblock xmlns='urn:xmpp:blocking'>${items(...jids)}</unblock>`

let requests = 0
async function set(entity: ScriptedEntity, payload: string): Promise<string> {
  const reply = await entity.request(`<iq type='set' id='s${++requests}'>${payload}</iq>`)
  return reply.attribute('type') === 'result' ? 'result' : (reply.child('error')?.elements()[0]?.name as string)
}
async function listOf(entity: ScriptedEntity): Promise<(string | undefined)[]> {
  const reply = await entity.request(`<iq type='get' id='l${++requests}'><blocklist xmlns='urn:xmpp:blocking'/></iq>`)
  return reply.child('blocklist', 'urn:xmpp:blocking')?.elements().map((item) => item.attribute('jid')) ?? ['no list']
}
const from = (jid: string, to = JULIET) => `from='${jid}' to='${to}'`
const condition = (element: { child(name: string): { elements(): { name: string }[] } | undefined } | undefined) =>
  element?.child('error')?.elements()[0]?.name

describe('§3.2: the list', () => {
  it('is empty at first, holds what was blocked, and is there after a restart', async () => {
    const juliet = await host.connect('juliet')
    assert.deepEqual(await listOf(juliet), [])
    assert.equal(await set(juliet, block('romeo@montague.example', 'Iago@Venice.example/Beard')), 'result')
    assert.equal(await set(juliet, block('verona.example')), 'result')
    const expected = ['romeo@montague.example', 'iago@venice.example/Beard', 'verona.example']
    assert.deepEqual(await listOf(juliet), expected)
    const { storage } = host
    await host.stop()
    await open({ storage })
    assert.deepEqual(await listOf(await host.connect('juliet')), expected)
  })

  it('is nobody else’s business', async () => {
    const nurse = await host.connect('nurse')
    const reply = await nurse.request(`<iq type='get' id='x' to='${JULIET}'><blocklist xmlns='urn:xmpp:blocking'/></iq>`)
    assert.equal(condition(reply), 'forbidden')
  })
})

describe('§3.3, §3.4: requests and pushes', () => {
  it('pushes go to every resource that asked for the list, and to no other', async () => {
    const balcony = await host.connect('juliet', 'balcony')
    const chamber = await host.connect('juliet', 'chamber')
    const garden = await host.connect('juliet', 'garden')
    await listOf(balcony)
    await listOf(chamber)
    for (const payload of [block(ROMEO, 'paris@verona.example'), unblock(ROMEO), unblock()]) {
      assert.equal(await set(balcony, payload), 'result')
      for (const entity of [balcony, chamber]) await entity.receives(`<iq type='set' id='{any}' to='${entity.jid.toString()}'>${payload}</iq>`)
      await garden.receivesNothing()
    }
    balcony.send(`<iq type='result' id='push'/>`)
    await balcony.receivesNothing()
  })

  it('a block without items is a bad request; an address that is none is said to be', async () => {
    const juliet = await host.connect('juliet')
    assert.equal(await set(juliet, block()), 'bad-request')
    assert.equal(await set(juliet, `<block xmlns='urn:xmpp:blocking'><item/></block>`), 'bad-request')
    assert.equal(await set(juliet, block(ROMEO, 'a@b@c')), 'jid-malformed')
    assert.equal(await set(juliet, unblock('@')), 'jid-malformed')
    assert.deepEqual(await listOf(juliet), [])
  })

  it('blocking twice and unblocking what is not blocked are no errors', async () => {
    const juliet = await host.connect('juliet')
    assert.equal(await set(juliet, block(ROMEO)), 'result')
    assert.equal(await set(juliet, block(ROMEO)), 'result')
    assert.equal(await set(juliet, unblock('paris@verona.example')), 'result')
    assert.deepEqual(await listOf(juliet), [ROMEO])
    assert.equal(await set(juliet, unblock()), 'result')
    assert.deepEqual(await listOf(juliet), [])
  })

  it('changes sent at once all count', async () => {
    const juliet = await host.connect('juliet')
    for (let i = 0; i < 10; i++) juliet.send(`<iq type='set' id='c${i}'>${block(`servant${i}@montague.example`)}</iq>`)
    juliet.send(`<iq type='set' id='u'>${unblock('servant3@montague.example')}</iq>`)
    assert.ok((await juliet.all()).every((element) => element.attribute('type') === 'result'))
    assert.equal((await listOf(juliet)).length, 9)
  })

  it('more changes at once than may wait are refused', async () => {
    const juliet = await host.connect('juliet')
    for (let i = 0; i < 25; i++) juliet.send(`<iq type='set' id='c${i}'>${block(`servant${i}@montague.example`)}</iq>`)
    const refused = (await juliet.all()).filter((element) => element.attribute('type') === 'error')
    assert.deepEqual(refused.map(condition), Array.from({ length: 5 }, () => 'resource-constraint'))
    assert.equal((await listOf(juliet)).length, 20)
  })

  it('what cannot be stored does not count', async () => {
    class FailingStorage extends MemoryStorage {
      isFailing = false
      override write(ops: Parameters<MemoryStorage['write']>[0]): Promise<void> {
        return this.isFailing ? Promise.reject(new StorageError('io', 'the disk is gone')) : super.write(ops)
      }
    }
    await host.stop()
    const storage = new FailingStorage()
    await open({ storage })
    const juliet = await host.login('juliet')
    storage.isFailing = true
    assert.equal(await set(juliet, block(ROMEO)), 'internal-server-error')
    storage.isFailing = false
    remote.send(`<message ${from(ROMEO)} id='m' type='chat'><body>O</body></message>`)
    assert.equal((await juliet.next()).attribute('id'), 'm')
    assert.equal(await set(juliet, block(ROMEO)), 'result')
  })
})

describe('§3.3: stanzas from a blocked address', () => {
  let juliet: ScriptedEntity
  beforeEach(async () => {
    juliet = await host.login('juliet', 'balcony')
    await set(juliet, block(ROMEO))
  })

  for (const type of ['chat', 'normal', 'headline', 'groupchat']) {
    it(`a message of type ${type} is answered service-unavailable`, async () => {
      remote.send(`<message ${from(`${ROMEO}/orchard`)} type='${type}' id='m'><body>O</body></message>`)
      assert.equal(condition(await remote.next()), 'service-unavailable')
      await juliet.receivesNothing()
    })
  }

  it('iq requests to bare and full JID are answered service-unavailable', async () => {
    for (const to of [JULIET, `${JULIET}/balcony`]) {
      for (const type of ['get', 'set']) {
        remote.send(`<iq ${from(`${ROMEO}/orchard`, to)} type='${type}' id='q'><x xmlns='urn:example:x'/></iq>`)
        await remote.receives(`<iq ${from(to, `${ROMEO}/orchard`)} type='error' id='q'><error type='cancel'>
          <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`)
      }
    }
    await juliet.receivesNothing()
  })

  it('answers, errors and presence of every type disappear', async () => {
    for (const type of ['result', 'error']) remote.send(`<iq ${from(ROMEO, `${JULIET}/balcony`)} type='${type}' id='q'/>`)
    remote.send(`<message ${from(ROMEO, `${JULIET}/balcony`)} type='error' id='m'/>`)
    for (const type of ['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed', 'probe', 'unavailable', 'error']) {
      remote.send(`<presence ${from(ROMEO)} type='${type}'/>`)
    }
    remote.send(`<presence ${from(`${ROMEO}/orchard`, `${JULIET}/balcony`)}/>`)
    await remote.receivesNothing()
    await juliet.receivesNothing()
  })

  it('others are not affected, and after the unblock nor is the address', async () => {
    remote.send(`<message ${from('paris@montague.example')} type='chat' id='m1'><body>O</body></message>`)
    remote.send(`<message ${from(ROMEO)} type='chat' id='m2'><body>O</body></message>`)
    await set(juliet, unblock(ROMEO))
    remote.send(`<message ${from(ROMEO)} type='chat' id='m3'><body>O</body></message>`)
    assert.deepEqual((await juliet.all()).map((element) => element.attribute('id')), ['m1', 'm3'])
  })
})

describe('§3.3: stanzas to a blocked address', () => {
  it('are refused with not-acceptable and <blocked/>', async () => {
    const juliet = await host.login('juliet', 'balcony')
    await set(juliet, block(ROMEO))
    for (const [kind, attributes] of [['message', `type='chat'`], ['presence', ''], ['presence', `type='subscribe'`], ['iq', `type='get'`]]) {
      juliet.send(`<${kind} to='${ROMEO}' id='o' ${attributes}><x xmlns='urn:example:x'/></${kind}>`)
      await juliet.receives(`<${kind} type='error' id='o' from='${ROMEO}' to='${JULIET}/balcony'><error type='cancel'>
        <not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><blocked xmlns='urn:xmpp:blocking:errors'/></error></${kind}>`)
    }
    juliet.send(`<iq to='${ROMEO}' id='o' type='result'/>`)
    await remote.receivesNothing()
    await juliet.receivesNothing()
  })
})

describe('§6: matching', () => {
  const senders = [
    'romeo@montague.example/orchard', 'romeo@montague.example/street', 'romeo@montague.example', 'paris@montague.example/orchard',
    'montague.example/gate', 'montague.example',
  ]
  for (const [item, blocked] of [
    ['romeo@montague.example/orchard', [0]],
    ['romeo@montague.example', [0, 1, 2]],
    ['montague.example/gate', [4]],
    ['montague.example', [0, 1, 2, 3, 4, 5]],
  ] as const) {
    it(`${item} stands for ${blocked.length} of the addresses`, async () => {
      const juliet = await host.login('juliet')
      await set(juliet, block(item))
      for (const sender of senders) remote.send(`<message ${from(sender)} type='chat' id='${senders.indexOf(sender)}'><body>O</body></message>`)
      const passed = (await juliet.all()).map((element) => Number(element.attribute('id')))
      const refused = (await remote.all()).map((element) => Number(element.attribute('id')))
      assert.deepEqual(refused, blocked)
      assert.deepEqual(new Set([...passed, ...refused]), new Set([0, 1, 2, 3, 4, 5]))
      for (const sender of senders) juliet.send(`<message to='${sender}' type='chat' id='${senders.indexOf(sender)}'><body>O</body></message>`)
      assert.deepEqual((await juliet.all()).map((element) => Number(element.attribute('id'))), blocked)
    })
  }

  it('§5: own resources and the own server are never blocked', async () => {
    const balcony = await host.login('juliet', 'balcony')
    const chamber = await host.login('juliet', 'chamber')
    balcony.clear()
    assert.equal(await set(balcony, block(JULIET, `${JULIET}/chamber`, 'capulet.example')), 'result')
    chamber.send(`<message to='${JULIET}/balcony' type='chat' id='m'><body>O</body></message>`)
    assert.equal((await balcony.next()).attribute('id'), 'm')
    const reply = await balcony.request(`<iq type='get' id='h' to='capulet.example'><x xmlns='urn:example:x'/></iq>`)
    assert.equal(condition(reply), 'service-unavailable')
    assert.equal(await set(balcony, unblock(JULIET)), 'result')
    const nurse = await host.login('nurse')
    nurse.send(`<message to='${JULIET}' type='chat' id='n'><body>O</body></message>`)
    assert.equal(condition(await nurse.next()), 'service-unavailable')
    await balcony.receivesNothing()
  })
})

describe('presence', () => {
  it('§3.3 on block, a contact that may see the account sees every resource go; nothing later reaches it', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('from'), 'paris@montague.example': rowIn('both'), 'mercutio@montague.example': rowIn('to') })
    const balcony = await enter(host, 'juliet', 'balcony')
    const chamber = await enter(host, 'juliet', 'chamber')
    await host.settle()
    remote.clear()
    assert.equal(await set(balcony, block(ROMEO, 'mercutio@montague.example', 'stranger@montague.example')), 'result')
    await remote.receivesAnyOrder(
      `<presence type='unavailable' from='${JULIET}/balcony' to='${ROMEO}'/>`,
      `<presence type='unavailable' from='${JULIET}/chamber' to='${ROMEO}'/>`,
    )
    await remote.receivesNothing()
    assert.equal(await set(balcony, block(ROMEO)), 'result')
    await remote.receivesNothing()
    balcony.send('<presence><show>away</show></presence>')
    await remote.receives(`<presence from='${JULIET}/balcony' to='paris@montague.example'><show>away</show></presence>`)
    await host.disconnect(chamber)
    await remote.receives(`<presence type='unavailable' from='${JULIET}/chamber' to='paris@montague.example'/>`)
    await remote.receivesNothing()
  })

  it('§3.4 on unblock it sees them again, and is asked how it is', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('both'), 'mercutio@montague.example': rowIn('to') })
    const juliet = await enter(host, 'juliet', 'balcony')
    await set(juliet, block('montague.example'))
    await host.settle()
    remote.clear()
    await set(juliet, unblock(ROMEO))
    await remote.receivesNothing()
    await set(juliet, unblock('montague.example'))
    await remote.receivesAnyOrder(
      `<presence from='${JULIET}/balcony' to='${ROMEO}'/>`,
      `<presence type='probe' id='{any}' from='${JULIET}' to='${ROMEO}'/>`,
      `<presence type='probe' id='{any}' from='${JULIET}' to='mercutio@montague.example'/>`,
    )
    await remote.receivesNothing()
    remote.send(`<presence ${from(`${ROMEO}/orchard`)}><show>chat</show></presence>`)
    await juliet.receives(`<presence ${from(`${ROMEO}/orchard`)}><show>chat</show></presence>`)
  })

  it('unblocking everybody shows presence to everybody again', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('from'), 'paris@montague.example': rowIn('from') })
    const juliet = await enter(host, 'juliet', 'balcony')
    await set(juliet, block(ROMEO, 'paris@montague.example'))
    await host.settle()
    remote.clear()
    await set(juliet, unblock())
    await remote.receivesAnyOrder(
      `<presence from='${JULIET}/balcony' to='${ROMEO}'/>`,
      `<presence from='${JULIET}/balcony' to='paris@montague.example'/>`,
    )
    await remote.receivesNothing()
  })

  it('who got directed presence sees its sender go', async () => {
    const juliet = await enter(host, 'juliet', 'balcony')
    juliet.send(`<presence to='stage@montague.example/juliet'/>`)
    await host.settle()
    remote.clear()
    await set(juliet, block('stage@montague.example'))
    await remote.receives(`<presence type='unavailable' from='${JULIET}/balcony' to='stage@montague.example/juliet'/>`)
    await host.disconnect(juliet)
    await remote.receivesNothing()
  })

  it('one resource of a contact can be blocked alone', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('both') })
    const juliet = await enter(host, 'juliet', 'balcony')
    await host.settle()
    remote.clear()
    await set(juliet, block(`${ROMEO}/street`))
    await remote.receives(`<presence type='unavailable' from='${JULIET}/balcony' to='${ROMEO}/street'/>`)
    remote.send(`<presence ${from(`${ROMEO}/street`)}/>`)
    remote.send(`<presence ${from(`${ROMEO}/orchard`)}/>`)
    await juliet.receives(`<presence ${from(`${ROMEO}/orchard`)}/>`)
    await juliet.receivesNothing()
    await set(juliet, unblock(`${ROMEO}/street`))
    await remote.receives(`<presence from='${JULIET}/balcony' to='${ROMEO}/street'/>`)
  })

  it('between accounts of one server: broadcasts, probes and logins pass neither way', async () => {
    await seed(host, JULIET, { [NURSE]: rowIn('both') })
    await seed(host, NURSE, { [JULIET]: rowIn('both') })
    const juliet = await enter(host, 'juliet', 'balcony')
    const nurse = await enter(host, 'nurse', 'kitchen')
    juliet.clear()
    assert.equal(await set(juliet, block(NURSE)), 'result')
    await nurse.receives(`<presence type='unavailable' from='${JULIET}/balcony' to='${NURSE}'/>`)
    nurse.send('<presence><show>away</show></presence>')
    await nurse.receives(`<presence from='${NURSE}/kitchen' to='${NURSE}'><show>away</show></presence>`)
    await juliet.receivesNothing()
    nurse.send(`<presence type='probe' to='${JULIET}'/>`)
    await nurse.receivesNothing()
    const hall = await enter(host, 'nurse', 'hall')
    await hall.receivesNothing()
    const again = await host.connect('juliet', 'chamber')
    again.send('<presence/>')
    assert.deepEqual((await again.all()).map((element) => element.attribute('from')?.split('/')[0]), [JULIET, JULIET])
    nurse.clear()
    juliet.clear()
    again.clear()
    await set(juliet, unblock(NURSE))
    await nurse.receivesAnyOrder(
      `<presence from='${JULIET}/balcony' to='${NURSE}'/>`,
      `<presence from='${JULIET}/chamber' to='${NURSE}'/>`,
    )
    await again.receivesAnyOrder(
      `<presence from='${NURSE}/kitchen' to='${JULIET}'><show>away</show></presence>`,
      `<presence from='${NURSE}/hall' to='${JULIET}'/>`,
    )
  })
})

describe('limits and port', () => {
  it('a list has its limit; unblocking works beyond it', async () => {
    await host.stop()
    host = await TestHost.start({ accounts: ['juliet'], modules: [roster, presence, blocking], options: { blocking: { itemsMax: 2 } } })
    await host.storage.write([{ op: 'keyval-set', store: 'block_list', owner: JULIET, value: ['a.example', 'b.example', 'c.example', 'd.example'] }])
    const juliet = await host.connect('juliet')
    assert.equal(await set(juliet, block('e.example')), 'policy-violation')
    assert.equal(await set(juliet, unblock('a.example')), 'result')
    assert.equal(await set(juliet, unblock('b.example', 'c.example')), 'result')
    assert.equal(await set(juliet, block('e.example')), 'result')
    assert.deepEqual(await listOf(juliet), ['d.example', 'e.example'])
  })

  it('tells other modules who is blocked', async () => {
    await host.stop()
    const seen: unknown[] = []
    let look: () => void = () => {}
    await open({ modules: [defineModule({
      name: 'watcher', summary: 'Asks.', implements: [], needs: { blocking: Blocking, accounts: Accounts },
      setup({ ports }) {
        look = () => {
          const account = ports.accounts.warm(parseJid(JULIET))
          assert.ok(account)
          seen.push(ports.blocking.isBlocked(account, parseJid(`${ROMEO}/street`)), ports.blocking.list(account).map(String))
        }
      },
    })] })
    const juliet = await host.connect('juliet')
    look()
    await set(juliet, block(ROMEO))
    look()
    assert.deepEqual(seen, [false, [], true, [ROMEO]])
  })

  it('the list moves with the account', async () => {
    const juliet = await host.login('juliet')
    await listOf(juliet)
    await set(juliet, block(ROMEO))
    juliet.clear()
    const snapshot = host.core.handOver(parseJid(JULIET))
    assert.ok(snapshot)
    await host.core.takeOver(JSON.parse(JSON.stringify(snapshot)) as typeof snapshot)
    remote.send(`<message ${from(ROMEO)} type='chat' id='m'><body>O</body></message>`)
    assert.equal(condition(await remote.next()), 'service-unavailable')
    assert.equal(await set(juliet, unblock()), 'result')
    await juliet.receives(`<iq type='set' id='{any}' to='${JULIET}/orchard'>${unblock()}</iq>`)
  })
})
