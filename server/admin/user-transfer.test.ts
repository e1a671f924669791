import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AccountAdmin, Accounts } from '@rollcall/module-api'
import { FakeClock } from '@rollcall/testing'
import { parseText, serialize } from '@rollcall/xml'
import { loadConfig } from '../config/index.ts'
import { modules, openOffline } from '../main.ts'
import type { OfflineServer } from '../cli/index.ts'
import { importUsers } from './user-transfer.ts'

const HOST = 'capulet.example'
const folder = mkdtempSync(join(tmpdir(), 'rc-pie-'))
let server: OfflineServer

before(async () => {
  const env = {
    ROLLCALL_HOSTS: HOST, ROLLCALL_AUTH__ITERATIONS__SHA1: '4096', ROLLCALL_AUTH__ITERATIONS__SHA256: '4096', ROLLCALL_AUTH__ITERATIONS__SHA512: '4096',
  }
  server = await openOffline(loadConfig({ file: undefined, env, modules, dataDir: folder }))
})
after(async () => {
  await server.close()
  rmSync(folder, { recursive: true })
})

/** Keys of the password "pencil", so that no key has to be derived here. */
const keys = `<scram-credentials xmlns='urn:xmpp:pie:0#scram' mechanism='SCRAM-SHA-1'><iter-count>4096</iter-count>` +
  `<salt>QSXCR+Q6sek8bf92</salt><server-key>D+CSWLOshSulAsxiupA+qs2/fTE=</server-key>` +
  `<stored-key>6dlGYMOdZcOPutkcNY8U2g7vK9Y=</stored-key></scram-credentials>`

async function importOne(name: string, content: string, attributes = '') {
  const { results } = await server.operations.importUsers({ users: [{ host: HOST, xml: `<user name='${name}'${attributes}>${content}</user>` }] })
  return results[0]
}

async function exported(name: string): Promise<string> {
  const after = `${name.slice(0, -1)}${String.fromCharCode(name.charCodeAt(name.length - 1) - 1)}@${HOST}`
  const { users } = await server.operations.exportUsers({ host: HOST, after, limit: 1 })
  assert.equal(users[0]?.jid, `${name}@${HOST}`)
  return users[0]?.xml ?? ''
}

/** The children of the user, each as it is in an export. */
function children(xml: string): string[] {
  return parseText(xml, 'urn:xmpp:pie:0').elements().map((child) => serialize(child, 'urn:xmpp:pie:0'))
}

const everyKind: readonly (readonly [title: string, xml: string])[] = [
  ['SCRAM keys (§4.3)', keys],
  ['a roster (§4.4)', `<query xmlns='jabber:iq:roster'>` +
    `<item jid='romeo@montague.example' name='Romeo &amp; co' subscription='both'><group>Friends</group><group>Verona</group></item>` +
    `<item jid='tybalt@capulet.example' subscription='none' ask='subscribe'/>` +
    `<item jid='nurse@capulet.example' subscription='from' approved='true'/></query>`],
  ['a request that waits (§4.9)', `<presence xmlns='jabber:client' from='mercutio@montague.example' to='x@capulet.example' type='subscribe' id='xk3'>` +
    `<nick xmlns='http://jabber.org/protocol/nick'>Mercutio</nick></presence>`],
  ['a vCard (§4.7)', `<vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard>`],
  ['private XML (§4.6)', `<query xmlns='jabber:iq:private'><exodus xmlns='exodus:prefs'><defaultnick>Hamlet ☂</defaultnick></exodus></query>`],
  ['offline messages (§4.5)', `<offline-messages><message xmlns='jabber:client' from='romeo@montague.example/orchard' to='x@capulet.example' ` +
    `type='chat' id='m1'><body>Neither, fair saint</body>` +
    `<delay xmlns='urn:xmpp:delay' from='capulet.example' stamp='2021-07-21T00:32:29Z'>Offline Storage</delay></message></offline-messages>`],
  ['blocked addresses (XEP-0191)', `<blocklist xmlns='urn:xmpp:blocking'><item jid='paris@verona.example'/><item jid='spam.example'/></blocklist>`],
]

describe('XEP-0227 users: what is imported is exported again', () => {
  for (const [index, [title, xml]] of everyKind.entries()) {
    it(title, async () => {
      const name = `user${String.fromCharCode(98 + index)}`
      const own = xml.replaceAll('x@capulet.example', `${name}@${HOST}`)
      const result = await importOne(name, index === 0 ? own : keys + own)
      assert.deepEqual(result, { jid: `${name}@${HOST}`, outcome: 'created', problems: [] })
      const text = children(await exported(name)).join('')
      const expected = children(`<user>${own}</user>`)
      // Items have no order; a second import of what was exported must be the same to the letter.
      const sorted = (part: string) => part.split(/(?=<item |<\/query>)/).sort().join('')
      for (const part of expected) assert.ok(sorted(text).includes(sorted(part)) || sortedItems(text) === sortedItems(part), `${text}\nhas no\n${part}`)
    })
  }

  function sortedItems(text: string): string {
    return (text.match(/<item [^>]*?(?:\/>|>.*?<\/item>)/g) ?? []).sort().join('')
  }

  it('an export is imported without loss, and exported the same', async () => {
    const all = everyKind.map(([, xml]) => xml).join('').replaceAll('x@capulet.example', `whole@${HOST}`)
    assert.equal((await importOne('whole', all))?.outcome, 'created')
    const first = await exported('whole')
    await server.operations.removeAccount({ jid: `whole@${HOST}` })
    const { results } = await server.operations.importUsers({ users: [{ host: HOST, xml: first }] })
    assert.deepEqual(results, [{ jid: `whole@${HOST}`, outcome: 'created', problems: [] }])
    const canonical = (text: string) => children(text).map((part) => part.split(/(?=<)/).sort().join('')).sort()
    assert.deepEqual(canonical(await exported('whole')), canonical(first))
    assert.equal(children(first).length, everyKind.length)
  })
})

describe('XEP-0227 imports into a server that runs', () => {
  const rosterOf = (jid: string) => `<query xmlns='jabber:iq:roster'><item jid='${jid}' subscription='both'/></query>`

  it('of two imports of one user at a time one makes the account, and the data is that one\u2019s alone', async () => {
    const outcomes = await Promise.all(['romeo@montague.example', 'tybalt@capulet.example'].map((jid) => importOne('twice', keys + rosterOf(jid))))
    assert.deepEqual(outcomes.map((result) => String(result?.outcome)).toSorted((a, b) => (a < b ? -1 : 1)), ['created', 'exists'])
    const [made, other] = outcomes[0]?.outcome === 'created' ? ['romeo@', 'tybalt@'] : ['tybalt@', 'romeo@']
    const xml = await exported('twice')
    assert.ok(xml.includes(made) && !xml.includes(other))
  })

  it('an account that somebody registers at the same moment keeps its own data', async () => {
    const [registered, imported] = await Promise.all([
      server.operations.addAccount({ jid: `racer@${HOST}`, password: 'pencil' }).then(() => 'created', () => 'failed'),
      importOne('racer', keys + rosterOf('tybalt@capulet.example')),
    ])
    const isImported = imported?.outcome === 'created'
    assert.equal(registered, isImported ? 'failed' : 'created')
    assert.equal((await exported('racer')).includes('tybalt@'), isImported)
  })

  /** Ports whose steps are noted; `inMemory` answers the questions for the account, one after the other. */
  function noted(inMemory: readonly (true | undefined)[]) {
    const steps: string[] = []
    let asked = 0
    const ports = {
      accounts: {} as AccountAdmin,
      live: { use: async () => { steps.push('use'); return inMemory[asked++] } } as unknown as Pick<Accounts, 'use'>,
      auth: {
        record: async () => undefined,
        create: async (_jid: unknown, _password: string, prepare?: () => Promise<void>) => { await prepare?.(); steps.push('keys') },
        restore: async () => {},
      },
      clock: new FakeClock(),
      sections: [{ name: 'all', takes: () => true, read: async () => [], write: async () => { steps.push('data'); return [] } }],
    }
    return { steps, run: () => importUsers(ports, [{ host: HOST, xml: `<user name='paris' password='pencil'><a xmlns='b'/></user>` }], () => true) }
  }

  it('the keys come when the data is there and nobody loads the account any more', async () => {
    const { steps, run } = noted([undefined, undefined])
    assert.equal((await run())[0]?.outcome, 'created')
    assert.deepEqual(steps, ['use', 'data', 'use', 'keys'])
  })

  for (const [title, inMemory, expected] of [
    ['before', [true], ['use']], ['after its data was written', [undefined, true], ['use', 'data', 'use']],
  ] as const) {
    it(`what the server has in memory ${title} does not become an account underneath it`, async () => {
      const { steps, run } = noted(inMemory)
      const [result] = await run()
      assert.equal(result?.outcome, 'failed')
      assert.match(result?.problems[0] ?? '', /paris@capulet\.example is in use .* stop the server first/)
      assert.deepEqual(steps, expected)
    })
  }
})

describe('XEP-0227 users with mistakes', () => {
  it('a password in clear is taken, and gives keys of every kind', async () => {
    assert.deepEqual(await importOne('plain', '', ` password='pencil'`), { jid: `plain@${HOST}`, outcome: 'created', problems: [] })
    assert.equal((await exported('plain')).match(/<scram-credentials /g)?.length, 3)
  })

  it('an account that exists is left alone, data included', async () => {
    await importOne('here', keys)
    const roster = `<query xmlns='jabber:iq:roster'><item jid='romeo@montague.example' subscription='both'/></query>`
    assert.deepEqual(await importOne('here', keys + roster), { jid: `here@${HOST}`, outcome: 'exists', problems: [] })
    assert.equal((await exported('here')).includes('romeo'), false)
  })

  const failures: [title: string, xml: string, host: string, problem: RegExp][] = [
    ['no keys at all', `<user name='a'/>`, HOST, /neither a password nor valid SCRAM keys/],
    ['keys of no sense', `<user name='a'>${keys.replace('QSXCR', '????')}</user>`, HOST, /valid SCRAM keys/],
    ['iterations of no sense', `<user name='a'>${keys.replace('4096', 'many')}</user>`, HOST, /valid SCRAM keys/],
    ['a name that is no localpart', `<user name='a b'>${keys}</user>`, HOST, /'a b' is no localpart/],
    ['no name', `<user>${keys}</user>`, HOST, /'' is no localpart/],
    ['a host that is not served', `<user name='a'>${keys}</user>`, 'verona.example', /verona\.example is not served here: add it to hosts/],
    ['a host that is none', `<user name='a'>${keys}</user>`, 'a b', /./],
    ['XML that is none', `<user name='a'>`, HOST, /not well-formed/],
  ]
  for (const [title, xml, host, problem] of failures) {
    it(`fails alone, without an account: ${title}`, async () => {
      const good = { host: HOST, xml: `<user name='good'>${keys}</user>` }
      const { results } = await server.operations.importUsers({ users: [{ host, xml }, good] })
      assert.equal(results[0]?.outcome, 'failed')
      assert.match(results[0]?.problems[0] ?? '', problem)
      assert.notEqual(results[1]?.outcome, 'failed')
      await server.operations.removeAccount({ jid: `good@${HOST}` })
    })
  }

  it('what is not supported or not right is left out and told, the rest is kept', async () => {
    const result = await importOne('partly', `${keys}${keys.replace('SCRAM-SHA-1', 'SCRAM-MD5')}` +
      `<query xmlns='jabber:iq:roster'><item jid='@' subscription='both'/><item jid='a@b.example' subscription='sideways'/>` +
      `<item jid='ok@b.example' subscription='to'/></query>` +
      `<query xmlns='jabber:iq:privacy'/><vCard xmlns='vcard-temp'/><vCard xmlns='vcard-temp'/>` +
      `<blocklist xmlns='urn:xmpp:blocking'><item jid='@'/></blocklist>`)
    assert.equal(result?.outcome, 'created')
    assert.deepEqual([...(result?.problems ?? [])].sort(), [
      `<query xmlns='jabber:iq:privacy'/>: not supported, left out`,
      `blocked address '@': not an address`,
      `contact '@': not an address`,
      `contact 'a@b.example': unknown subscription 'sideways'`,
      `keys of 'SCRAM-MD5': not supported`,
      'more than one vCard: only the first was taken',
    ])
    assert.match(await exported('partly'), /<item jid='ok@b\.example' subscription='to'\/>/)
  })
})
