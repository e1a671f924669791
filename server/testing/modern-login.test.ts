/** SASL2, Bind 2, FAST and what goes with them: a whole member on TLS sockets, and a client written from the specifications. */
import assert from 'node:assert/strict'
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { jidOf } from '@rollcall/jid'
import { recordingLog, recordingMetrics, SeededRandom } from '@rollcall/testing'
import { createLocalBus } from '../../backends/bus-local/index.ts'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import carbons from '../../modules/carbons/module.ts'
import clientAccess from '../../modules/client-access/module.ts'
import csi from '../../modules/csi/module.ts'
import { defaultAuthConfig } from '../core/auth/index.ts'
import { defaultCoreLimits } from '../core/config.ts'
import { tinyPresence } from '../core/testing/tiny-modules.ts'
import { configOf, dialTls, FlushingClock, HOST, within } from '../edge/testing/edge-harness.ts'
import type { RawClient } from '../edge/testing/edge-harness.ts'
import { nodeCrypto } from '../runtime/crypto.ts'
import { nodeHasher } from '../runtime/hasher.ts'
import { createServer } from '../server.ts'
import type { Server } from '../server.ts'

const PASSWORD = 'balcony'
const LUTE = '3c0b6d4e-6a5e-4cf0-9a55-0d0a1f0f7a11'
const REQUEST_TOKEN = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-EXPR'/>"
const FEATURES = /<\/stream:features>/
const NS = "xmlns='urn:xmpp:sasl:2'"
const base64 = (data: string | Uint8Array) => Buffer.from(data as string).toString('base64')

let server: Server
let clock: FlushingClock

before(async () => {
  clock = new FlushingClock()
  const log = recordingLog()
  const hosts = new Set([HOST])
  const storage = new MemoryStorage()
  await storage.open()
  server = await createServer({
    edgeConfig: configOf(['client-tls']),
    coreConfig: { hosts: [HOST], admins: [], contacts: {}, limits: defaultCoreLimits, modules: {} },
    authConfig: { ...defaultAuthConfig, hosts, anonymousHosts: new Set(), iterations: { 'SHA-1': 4096, 'SHA-256': 4096, 'SHA-512': 4096 } },
    software: { name: 'Rollcall', version: '0.0.0-test' }, modules: [carbons, clientAccess, csi, tinyPresence], routes: [],
    bus: createLocalBus({ clock, log }).member('verona-1'), storage, clock, random: new SeededRandom(3),
    crypto: nodeCrypto, hasher: nodeHasher, log, metrics: recordingMetrics(), control: { shutdown: () => {}, reload: () => Promise.resolve() },
  })
  await server.start()
  for (const name of ['juliet', 'nurse', 'romeo']) await server.auth.create(jidOf(name, HOST), PASSWORD)
})
after(async () => {
  // What drains waits on the clock, which nobody but the test moves.
  const stopping = server.stop()
  for (let turn = 0; turn < 200; turn++) {
    clock.advance(100)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await within(stopping, 'stop')
})

const open = (from?: string) =>
  `<?xml version='1.0'?><stream:stream to='${HOST}'${from === undefined ? '' : ` from='${from}@${HOST}'`}`
  + " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
const port = () => server.edge.listeners[0]?.port ?? 0
const agent = (id = LUTE) => `<user-agent id='${id}'><software>Lute</software><device>Balcony</device></user-agent>`

function authenticate(mechanism: string, initial: string | Uint8Array | undefined, inline = ''): string {
  const response = initial === undefined ? '' : `<initial-response>${base64(initial)}</initial-response>`
  return `<authenticate ${NS} mechanism='${mechanism}'>${response}${inline}</authenticate>`
}
const plain = (inline = '', name = 'juliet', password = PASSWORD) => authenticate('PLAIN', `\0${name}\0${password}`, inline)

/** A client that has read the features; the second is them. */
async function connected(from?: string): Promise<readonly [RawClient, string]> {
  const client = await dialTls(port())
  client.send(open(from))
  return [client, await client.read(FEATURES)]
}

const bindingOf = (client: RawClient) => (client.socket as TLSSocket).exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))

/** The message of HT-SHA-256-EXPR. */
function tokenMessage(client: RawClient, token: string, name = 'juliet'): Uint8Array {
  const proof = createHmac('sha256', token).update('Initiator').update(bindingOf(client)).digest()
  return Buffer.concat([Buffer.from(`${name}\0`), proof])
}

const valueOf = (text: string, pattern: RegExp): string => {
  const value = pattern.exec(text)?.[1]
  assert.ok(value !== undefined, `${pattern} in: ${text}`)
  return value
}
const versionOf = (features: string) => valueOf(features, /<config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='([^']+)'/)
const tokenOf = (success: string) => valueOf(success, /<token [^>]*token='([^']+)'/)

async function newToken(name = 'juliet', id = LUTE): Promise<string> {
  const [client] = await connected(`${name}`)
  client.send(plain(`${agent(id)}${REQUEST_TOKEN}`, name))
  const token = tokenOf(await client.read(/<\/success>/))
  client.destroy()
  return token
}

async function reply(name: string, element: (client: RawClient) => string): Promise<string> {
  const [client] = await connected(name)
  client.send(element(client))
  const answer = await client.read(/<\/(?:success|failure|stream:stream)>/)
  client.destroy()
  return answer
}

describe('XEP-0388: features and logins', () => {
  test('the feature lists mechanisms, what can be negotiated inline, and upgrade tasks (§2.1)', async () => {
    const [client, features] = await connected()
    const feature = /<authentication xmlns='urn:xmpp:sasl:2'>.*<\/authentication>/.exec(features)?.[0] ?? ''
    assert.match(feature, /<mechanism>SCRAM-SHA-256-PLUS<\/mechanism>/)
    const inline = ['urn:xmpp:carbons:2', 'urn:xmpp:csi:0', 'urn:xmpp:sm:3'].map((name) => `<feature var='${name}'/>`).join('')
    assert.ok(feature.includes(`<bind xmlns='urn:xmpp:bind:0'><inline>${inline}</inline>`), feature)
    assert.match(feature, /<\/bind><sm xmlns='urn:xmpp:sm:3'\/>/)
    assert.match(feature, /<fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-EXPR<\/mechanism>.*<mechanism>HT-SHA-256-NONE<\/mechanism><\/fast>/)
    assert.match(feature, /<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512<\/upgrade>/)
    assert.doesNotMatch(feature, /tls-0rtt/)
    client.destroy()
  })

  test('without Bind 2 features follow at once on the same stream, and RFC 6120 binds (§2.6.1)', async () => {
    const [client] = await connected('juliet')
    client.send(plain())
    const success = await client.read(FEATURES)
    assert.match(success, /<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>juliet@verona.example<\/authorization-identifier>/)
    assert.match(success, /<\/success><stream:features><bind /)
    client.send("<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>orchard</resource></bind></iq>")
    assert.match(await client.read(/<\/iq>/), /juliet@verona.example\/orchard/)
    client.destroy()
  })

  test('a wrong password is a failure, after which another attempt may follow', async () => {
    const [client] = await connected()
    client.send(plain('', 'juliet', 'wrong'))
    assert.match(await client.read(/<\/failure>/), /<failure xmlns='urn:xmpp:sasl:2'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-sasl'\/>/)
    client.send(plain())
    await client.read(/<\/success>/)
    client.destroy()
  })

  test('what is not base64 is incorrect-encoding, and abort is aborted', async () => {
    const garbled = `<authenticate ${NS} mechanism='PLAIN'><initial-response>?</initial-response></authenticate>`
    assert.match(await reply('juliet', () => garbled), /<incorrect-encoding /)
    const [client] = await connected()
    client.send(`<authenticate ${NS} mechanism='PLAIN'/>`)
    await client.read(/<challenge[^>]*>/)
    client.send(`<abort ${NS}><text>Somebody comes.</text></abort>`)
    assert.match(await client.read(/<\/failure>/), /<aborted /)
    client.destroy()
  })

  test('anything else while an attempt is under way ends the stream (§2.4), and so does a second authenticate', async () => {
    for (const traffic of ['<presence/>', plain(), "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>"]) {
      const [client] = await connected()
      client.send(`<authenticate ${NS} mechanism='PLAIN'/>`)
      await client.read(/<challenge[^>]*>/)
      client.send(traffic)
      assert.match(await client.read(/<\/stream:stream>/), /<policy-violation /)
      client.destroy()
    }
  })

  test('the stream header must not name another account (§2.3) or another host (§2.1)', async () => {
    assert.match(await reply('nurse', () => plain()), /<invalid-authzid /)
    const client = await dialTls(port())
    client.send(open('juliet').replace(`juliet@${HOST}`, 'juliet@capulet.example'))
    assert.match(await client.read(/<\/stream:stream>/), /<invalid-from /)
    client.destroy()
  })
})

describe('XEP-0474, XEP-0515: SCRAM says what was offered', () => {
  test('with the hash of mechanisms and channel bindings, and the version of TLS', async () => {
    const [client, features] = await connected('juliet')
    const listed = (pattern: RegExp) => [...features.replace(/<fast.*<\/fast>/, '').matchAll(pattern)].map(([, name]) => name as string)
    const mechanisms = [...new Set(listed(/<mechanism>([^<]+)</g))].toSorted().join('\x1e')
    const bindings = listed(/<channel-binding type='([^']+)'/g).toSorted().join('\x1e')
    const bare = 'n=juliet,r=fyko'
    client.send(authenticate('SCRAM-SHA-256-PLUS', `p=tls-exporter,,${bare}`))
    const challenge = Buffer.from(valueOf(await client.read(/<\/challenge>/), />([^<]+)<\/challenge>/), 'base64').toString()
    const hash = createHash('sha256').update(`${mechanisms}\x1f${bindings}`).digest('base64')
    assert.ok(challenge.endsWith(`,h=${hash},t=0304`), challenge)
    const [, nonce = '', salt = '', iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)/.exec(challenge) ?? []
    const salted = pbkdf2Sync(PASSWORD, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256')
    const clientKey = createHmac('sha256', salted).update('Client Key').digest()
    const final = `c=${base64(Buffer.concat([Buffer.from('p=tls-exporter,,'), bindingOf(client)]))},r=${nonce}`
    const signature = createHmac('sha256', createHash('sha256').update(clientKey).digest()).update(`${bare},${challenge},${final}`).digest()
    const proof = clientKey.map((byte, at) => byte ^ (signature[at] ?? 0))
    client.send(`<response ${NS}>${base64(`${final},p=${base64(proof)}`)}</response>`)
    const success = await client.read(/<\/success>/)
    const serverKey = createHmac('sha256', salted).update('Server Key').digest()
    const expected = `v=${createHmac('sha256', serverKey).update(`${bare},${challenge},${final}`).digest('base64')}`
    assert.equal(Buffer.from(valueOf(success, /<additional-data>([^<]+)</), 'base64').toString(), expected)
    client.destroy()
  })
})

describe('an account that is removed', () => {
  test('is unknown at once, also to a login that has its challenge', async () => {
    const account = jidOf('rosaline', HOST)
    await server.auth.create(account, PASSWORD)
    const [client] = await connected('rosaline')
    client.send(authenticate('SCRAM-SHA-1', 'n,,n=rosaline,r=fyko'))
    await client.read(/<\/challenge>/)
    await server.core.admin.remove(account)
    assert.equal(await server.auth.exists(account), false)
    const proven = { kind: 'report-auth', account, isSuccess: true, address: '127.0.0.1' } as const
    assert.deepEqual(await server.auth.answer(proven), { waitMs: 0, refusal: 'unknown' })
    client.destroy()
  })
})

describe('XEP-0480: upgrade of keys', () => {
  test('a client brings the keys that its account lacks, and can log in with them', async () => {
    const account = jidOf('romeo', HOST)
    const record = await server.auth.record(account)
    assert.ok(record)
    const { 'SHA-512': _, ...scram } = record.scram
    await server.auth.deleteCredentials(account)
    await server.auth.restore(account, { ...record, scram })
    const [client] = await connected('romeo')
    const upgrade = "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade>"
    // With PLAIN the server would make them itself.
    const bare = 'n=romeo,r=fyko'
    client.send(authenticate('SCRAM-SHA-1', `n,,${bare}`, upgrade))
    const challenge = Buffer.from(valueOf(await client.read(/<\/challenge>/), />([^<]+)<\/challenge>/), 'base64').toString()
    const [, nonce = '', salt = '', iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)/.exec(challenge) ?? []
    const salted = pbkdf2Sync(PASSWORD, Buffer.from(salt, 'base64'), Number(iterations), 20, 'sha1')
    const clientKey = createHmac('sha1', salted).update('Client Key').digest()
    const final = `c=biws,r=${nonce}`
    const signature = createHmac('sha1', createHash('sha1').update(clientKey).digest()).update(`${bare},${challenge},${final}`).digest()
    client.send(`<response ${NS}>${base64(`${final},p=${base64(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0)))}`)}</response>`)
    const task = await client.read(/<\/continue>/)
    assert.match(task, /<additional-data>[^<]+<\/additional-data><tasks><task>UPGR-SCRAM-SHA-512<\/task><\/tasks>/)
    client.send(`<next ${NS} task='UPGR-SCRAM-SHA-512'/>`)
    const data = await client.read(/<\/task-data>/)
    const hash = pbkdf2Sync(PASSWORD, Buffer.from(valueOf(data, />([^<]+)<\/salt>/), 'base64'), Number(valueOf(data, /iterations='(\d+)'/)), 64, 'sha512')
    client.send(`<task-data ${NS}><hash xmlns='urn:xmpp:scram-upgrade:0'>${base64(hash)}</hash></task-data>`)
    await client.read(/<\/success>/)
    client.destroy()
    const after = await server.auth.record(account)
    const stored = createHash('sha512').update(createHmac('sha512', hash).update('Client Key').digest()).digest('base64')
    assert.equal(after?.scram['SHA-512']?.storedKey, stored)
  })
})

describe('XEP-0386, XEP-0198: bound and resumed inline', () => {
  const bind = (tag: string, requests = '') => `<bind xmlns='urn:xmpp:bind:0'><tag>${tag}</tag>${requests}</bind>`
  const enable = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"

  test('one answer brings a resource, stream management, a token; features without binding follow', async () => {
    const [client] = await connected('juliet')
    client.send(plain(agent() + bind('Lute', `<enable xmlns='urn:xmpp:carbons:2'/>${enable}`) + REQUEST_TOKEN))
    const success = await client.read(FEATURES)
    assert.match(success, /<authorization-identifier>juliet@verona.example\/Lute\/[\w-]{12}<\/authorization-identifier>/)
    assert.match(success, /<bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:xmpp:sm:3' id='[^']+' resume='true'[^>]*\/><\/bound>/)
    assert.match(success, /<token xmlns='urn:xmpp:fast:0' expiry='[^']+Z' token='[\w-]{44}'\/>/)
    assert.doesNotMatch(success, /urn:ietf:params:xml:ns:xmpp-bind/)
    assert.doesNotMatch(success, /<sm xmlns/, 'what is enabled is not offered again')
    client.send("<iq type='get' id='l1'><list xmlns='urn:xmpp:cam:0'/></iq>")
    const list = await client.read(/<\/iq>/)
    assert.match(list, /connected='true'.*<password\/><fast\/>.*<software>Lute<\/software><device>Balcony<\/device>/)
    client.destroy()
  })

  test('a lost client is back online with everything it missed after one round trip: header, token, resumption at once', async () => {
    const [client, features] = await connected('juliet')
    client.send(plain(`${agent()}${bind('Lute', enable)}${REQUEST_TOKEN}`))
    const success = await client.read(FEATURES)
    const jid = valueOf(success, /<authorization-identifier>([^<]+)</)
    const previousId = valueOf(success, /<enabled [^>]*id='([^']+)'/)
    client.destroy()
    const [nurse] = await connected('nurse')
    nurse.send(plain(bind('Fan'), 'nurse'))
    await nurse.read(FEATURES)
    nurse.send(`<message to='${jid}' type='chat'><body>Anon, good nurse!</body></message>`)
    nurse.send("<iq type='get' id='p1' to='verona.example'><ping xmlns='urn:xmpp:ping'/></iq>")
    await nurse.read(/<\/iq>|<iq [^>]*\/>/)
    const again = await dialTls(port())
    again.send(open('juliet') + authenticate('HT-SHA-256-EXPR', tokenMessage(again, tokenOf(success)),
      `${agent()}<fast xmlns='urn:xmpp:fast:0' count='1'/><config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='${versionOf(features)}'/>`
      + `<resume xmlns='urn:xmpp:sm:3' previd='${previousId}' h='0'/>${bind('Lute', enable)}`))
    await again.read(FEATURES)
    const back = await again.read(/<\/message>/)
    assert.match(back, new RegExp(`<authorization-identifier>${jid}</authorization-identifier><resumed xmlns='urn:xmpp:sm:3' previd='${previousId}' h='0'/>`))
    assert.match(back, /Anon, good nurse!/)
    // XEP-0386 §3.2: no binding; XEP-0198 §2.2: no features.
    assert.doesNotMatch(back, /<bound|<stream:features/)
    const expected = createHmac('sha256', tokenOf(success)).update('Responder').update(bindingOf(again)).digest('base64')
    assert.equal(valueOf(back, /<additional-data>([^<]+)</), expected)
    again.destroy()
    nurse.destroy()
  })

  test('a resumption that fails is told, and binding goes on (XEP-0386 §3.2)', async () => {
    const [client] = await connected('juliet')
    client.send(plain(`${agent()}<resume xmlns='urn:xmpp:sm:3' previd='moon' h='3'/>${bind('Lute', enable)}`))
    const success = await client.read(FEATURES)
    assert.match(success, /<failed xmlns='urn:xmpp:sm:3'[^>]*><item-not-found [^>]*\/><\/failed><bound /)
    client.destroy()
  })

  test('the same client gets the same address, and its earlier stream ends', async () => {
    const [first] = await connected('juliet')
    first.send(plain(`${agent()}${bind('Lute')}`))
    const jid = valueOf(await first.read(FEATURES), /<authorization-identifier>([^<]+)</)
    const [second] = await connected('juliet')
    second.send(plain(`${agent()}${bind('Lute')}`))
    assert.equal(valueOf(await second.read(FEATURES), /<authorization-identifier>([^<]+)</), jid)
    assert.match(await first.read(/<\/stream:stream>/), /<conflict /)
    second.destroy()
  })
})

describe('round trips from TLS to a session that is online, counted', () => {
  const session = `<bind xmlns='urn:xmpp:bind:0'><tag>Lute</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/>`
    + "<enable xmlns='urn:xmpp:carbons:2'/><inactive xmlns='urn:xmpp:csi:0'/></bind>"

  /** Counts how often the client had to wait for the server before it could go on. */
  class Traveller {
    readonly client: RawClient
    trips = 0
    #hasSent = false

    constructor(client: RawClient) {
      this.client = client
    }

    say(text: string): this {
      this.client.send(text)
      this.#hasSent = true
      return this
    }

    async hear(pattern: RegExp): Promise<string> {
      const text = await this.client.read(pattern)
      if (this.#hasSent) this.trips++
      this.#hasSent = false
      return text
    }
  }
  const arrive = async () => new Traveller(await dialTls(port()))

  /** Header and login in one go, as a client that was here before does. */
  function pipelined(traveller: Traveller, token: string, version: string, inline: string): Traveller {
    const known = `${agent()}<fast xmlns='urn:xmpp:fast:0'/><config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='${version}'/>`
    return traveller.say(open('juliet') + authenticate('HT-SHA-256-EXPR', tokenMessage(traveller.client, token), known + inline))
  }

  test('five as RFC 6120 and XEP-0198 have it', async () => {
    const old = await arrive()
    await old.say(open()).hear(FEATURES)
    await old.say(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${base64(`\0juliet\0${PASSWORD}`)}</auth>`).hear(/<success[^>]*>/)
    await old.say(open()).hear(FEATURES)
    await old.say("<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>").hear(/<\/iq>/)
    await old.say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>").hear(/<enabled [^>]*>/)
    assert.equal(old.trips, 5)
    old.client.destroy()
  })

  test('two the first time, with SASL2 and Bind 2; after that one, resumed or bound anew with everything turned on', async () => {
    const first = await arrive()
    const version = versionOf(await first.say(open('juliet')).hear(FEATURES))
    const success = await first.say(plain(`${agent()}${REQUEST_TOKEN}${session}`)).hear(FEATURES)
    assert.equal(first.trips, 2)
    const previousId = valueOf(success, /<enabled [^>]*id='([^']+)'/)
    const token = tokenOf(success)
    first.client.destroy()

    const resumed = pipelined(await arrive(), token, version, `<resume xmlns='urn:xmpp:sm:3' previd='${previousId}' h='0'/>${session}`)
    assert.match(await resumed.hear(/<\/success>/), /<resumed /)
    assert.equal(resumed.trips, 1)
    resumed.client.destroy()

    const anew = pipelined(await arrive(), token, version, `<resume xmlns='urn:xmpp:sm:3' previd='gone' h='0'/>${session}`)
    assert.match(await anew.hear(/<\/success>/), /<failed .*<bound .*<enabled .*<\/bound>/)
    assert.equal(anew.trips, 1)
    anew.client.destroy()
  })
})

describe('XEP-0484: tokens over the wire', () => {
  const fast = (attributes = '') => `${agent()}<fast xmlns='urn:xmpp:fast:0'${attributes}/>`
  const use = (token: string, inline = fast()) => reply('juliet', (client) => authenticate('HT-SHA-256-EXPR', tokenMessage(client, token), inline))

  test('a token needs <fast/>, its installation and its channel', async () => {
    const token = await newToken()
    assert.match(await use(token, agent()), /<invalid-mechanism /)
    assert.match(await use(token, `${agent('8f7b1c0a-3f55-4a6e-8a3c-77c3d1f0b2aa')}<fast xmlns='urn:xmpp:fast:0'/>`), /<not-authorized /)
    const unbound = Buffer.concat([Buffer.from('juliet\0'), createHmac('sha256', token).update('Initiator').digest()])
    assert.match(await reply('juliet', () => authenticate('HT-SHA-256-NONE', unbound, fast())), /<not-authorized /)
    assert.match(await use(token), /<success /)
  })

  test('a count is accepted once, and a token that is invalidated no more (§3.4, §3.6)', async () => {
    const token = await newToken()
    assert.match(await use(token, fast(" count='7'")), /<success /)
    assert.match(await use(token, fast(" count='7'")), /<not-authorized /)
    const last = await use(token, fast(" count='8' invalidate='true'"))
    assert.match(last, /<success /)
    assert.doesNotMatch(last, /<token /)
    assert.match(await use(token, fast(" count='9'")), /<not-authorized /)
  })

  test('a token dies with the password', async () => {
    const id = '8f7b1c0a-3f55-4a6e-8a3c-77c3d1f0b2aa'
    const token = await newToken('nurse', id)
    const fast = `${agent(id)}<fast xmlns='urn:xmpp:fast:0'/>`
    const login = () => reply('nurse', (client) => authenticate('HT-SHA-256-EXPR', tokenMessage(client, token, 'nurse'), fast))
    assert.match(await login(), /<success /)
    await server.auth.setPassword(jidOf('nurse', HOST), PASSWORD)
    assert.match(await login(), /<not-authorized /)
  })
})

describe('XEP-0509: features that have changed', () => {
  test('the attempt is refused without prejudice, and the right version goes through', async () => {
    const [client, features] = await connected('juliet')
    const version = (value: string) => `<config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='${value}'/>`
    for (let attempt = 0; attempt < 6; attempt++) {
      client.send(plain(version('old')))
      assert.match(await client.read(/<\/failure>/), /<aborted [^>]*\/>.*<config-version-mismatch xmlns='urn:xmpp:iap:0'\/>/)
    }
    client.send(plain(version(versionOf(features))))
    await client.read(/<\/success>/)
    client.destroy()
  })

  test('the version is the same for connections of the same kind', async () => {
    const [one, first] = await connected('juliet')
    const [other, second] = await connected('nurse')
    assert.equal(versionOf(first), versionOf(second))
    one.destroy()
    other.destroy()
  })
})
