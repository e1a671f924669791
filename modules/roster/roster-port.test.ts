/** The `Roster` port as other modules use it. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { defineModule } from '@rollcall/module-api'
import type { Account } from '@rollcall/module-api'
import { parseJid } from '@rollcall/jid'
import type { TestHost } from '../../server/testing/test-host.ts'
import { Roster } from './port.ts'
import { enter, JULIET, NURSE, openScene, push, ROMEO, rowIn, seed, storedRow } from './testing/verona.ts'

const juliet = parseJid(JULIET)
const nurse = parseJid(NURSE)
const romeo = parseJid(ROMEO)
const watched: string[] = []
const found: { roster?: Roster } = {}
const finder = defineModule({
  name: 'finder', summary: 'Hands the roster to the test.', implements: [], needs: { roster: Roster },
  setup({ ports }) {
    found.roster = ports.roster
    ports.roster.onWatcherAdded((account, contact) => watched.push(`+${account.jid.localpart} ${contact.localpart}`))
    ports.roster.onWatcherRemoved((account, contact) => watched.push(`-${account.jid.localpart} ${contact.localpart}`))
  },
})

let host: TestHost
let roster: Roster
beforeEach(async () => {
  watched.length = 0
  host = await openScene({ modules: [finder] })
  assert.ok(found.roster !== undefined)
  roster = found.roster
})
afterEach(() => host.stop())

function warm(): Account {
  const account = host.core.accounts.warm(juliet)
  assert.ok(account !== undefined)
  return account
}

describe('Roster port', () => {
  it('knows who may see presence: at once when the account is warm, else from storage', async () => {
    const removal = { version: 1, removed: true as const }
    await seed(host, JULIET, { [ROMEO]: rowIn('from'), [NURSE]: rowIn('to'), '@': removal, 'gone@a.example': removal })
    const ask = (watcher: string) => roster.maySeePresence(juliet, parseJid(watcher))
    assert.equal(ask(`${JULIET}/x`), true)
    assert.equal(await ask(`${ROMEO}/orchard`), true)
    for (const stranger of [NURSE, 'gone@a.example', 'stranger@a.example']) assert.equal(await ask(stranger), false)
    assert.equal(await roster.maySeePresence(parseJid('nobody@capulet.example'), romeo), false)
    await enter(host, 'juliet')
    assert.equal(ask(`${ROMEO}/orchard`), true)
    assert.equal(ask(NURSE), false)
  })

  it('lists contacts, watchers and watched, each without those who only ask', async () => {
    const rows = { [ROMEO]: rowIn('both'), [NURSE]: rowIn('fromPendingOut'), 'a@a.example': rowIn('toPendingIn'), 'b@a.example': rowIn('none') }
    await seed(host, JULIET, { ...rows, 'c@a.example': rowIn('nonePendingIn', { unlisted: true }) })
    await enter(host, 'juliet')
    const texts = (jids: Iterable<{ toString(): string }>) => [...jids].map((jid) => jid.toString()).sort()
    assert.deepEqual(texts(roster.watchers(warm())), [NURSE, ROMEO])
    assert.deepEqual(texts(roster.watched(warm())), ['a@a.example', ROMEO])
    assert.deepEqual(texts([...roster.items(warm())].map((item) => item.jid)), Object.keys(rows).sort())
    assert.equal(roster.isContact(warm(), parseJid('b@a.example/x')), true)
    assert.equal(roster.isContact(warm(), parseJid('c@a.example')), false)
    assert.equal(roster.item(warm(), parseJid('c@a.example'))?.isPendingIn, true)
    assert.equal(roster.isWatcher(warm(), nurse), true)
    assert.equal(roster.isWatched(warm(), nurse), false)
  })

  it('tells when a contact wins and loses sight of an account', async () => {
    const remote = await host.component('montague.example')
    const client = await enter(host, 'juliet')
    remote.send(`<presence from='${ROMEO}' to='${JULIET}' type='subscribe'/>`)
    await host.settle()
    client.send(`<presence to='${ROMEO}' type='subscribed'/>`)
    await host.settle()
    client.send(`<presence to='${ROMEO}' type='unsubscribed'/>`)
    await host.settle()
    assert.deepEqual(watched, ['+juliet romeo', '-juliet romeo'])
  })

  it('removes a contact as a client would', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('both') })
    const remote = await host.component('montague.example')
    const client = await enter(host, 'juliet')
    remote.clear()
    assert.equal(await roster.remove(warm(), nurse), false)
    assert.equal(await roster.remove(warm(), romeo), true)
    await client.receives(push(`${JULIET}/orchard`, `<item jid='${ROMEO}' subscription='remove'/>`))
    assert.deepEqual((await remote.all()).map((element) => element.attribute('type')), ['unsubscribe', 'unavailable', 'unsubscribed'])
    assert.equal(await storedRow(host, JULIET, ROMEO), undefined)
  })

  it('exports and imports a roster with everything in it, warm or not', async () => {
    const rows = {
      [ROMEO]: rowIn('fromPendingOut', { name: 'Romeo', groups: ['Friends', 'Verona'] }), [NURSE]: rowIn('none', { approved: true }),
      'a@a.example': rowIn('toPendingIn'), 'c@a.example': rowIn('nonePendingIn', { unlisted: true }),
    }
    await seed(host, JULIET, rows)
    const exported = await roster.read(juliet)
    await roster.write(parseJid('tybalt@capulet.example'), exported)
    for (const [contact, row] of Object.entries(rows)) {
      const imported = await storedRow(host, 'tybalt@capulet.example', contact)
      assert.deepEqual({ subscription: 'none', ...imported, version: 0 }, { ...row, version: 0 }, contact)
    }
    await enter(host, 'nurse')
    await roster.write(nurse, exported)
    const sorted = (records: readonly { jid: { toString(): string } }[]) => records.map((record) => `${record.jid.toString()} ${JSON.stringify(record)}`).sort()
    assert.deepEqual(sorted(await roster.read(nurse)), sorted(await roster.read(juliet)))
    assert.deepEqual(sorted(await roster.read(parseJid('tybalt@capulet.example'))), sorted(exported))
  })

  it('moves with the account: roster, waiting requests, directed presence', async () => {
    await seed(host, JULIET, { [ROMEO]: rowIn('nonePendingIn', { unlisted: true }), [NURSE]: rowIn('both') })
    const remote = await host.component('montague.example')
    const client = await enter(host, 'juliet')
    client.send(`<presence to='room@montague.example/jules'/>`)
    await host.settle()
    remote.clear()
    const snapshot = host.core.handOver(juliet)
    assert.ok(snapshot !== undefined)
    await host.core.takeOver(JSON.parse(JSON.stringify(snapshot)))
    assert.equal(roster.isWatcher(warm(), nurse), true)
    client.send(`<presence to='${ROMEO}' type='subscribed'/>`)
    await remote.receives(`<presence from='${JULIET}' to='${ROMEO}' type='subscribed'/>`, `<presence from='${JULIET}/orchard' to='${ROMEO}'/>`)
    await host.disconnect(client)
    await remote.receivesAnyOrder(
      `<presence from='${JULIET}/orchard' to='room@montague.example/jules' type='unavailable'/>`,
      `<presence from='${JULIET}/orchard' to='${ROMEO}' type='unavailable'/>`,
    )
  })
})
