/** XEP-0313, XEP-0359 and XEP-0441 as wire scripts. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { AnyModule } from '@rollcall/module-api'
import { StorageError } from '@rollcall/ports'
import { parseText } from '@rollcall/xml'
import type { XmlElement } from '@rollcall/xml'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import search from '../archive-search/module.ts'
import carbons from '../carbons/module.ts'
import disco from '../disco/module.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import archive from './module.ts'

const NS = 'urn:xmpp:mam:2'
const SID = 'urn:xmpp:sid:0'
const RSM = 'http://jabber.org/protocol/rsm'
const JULIET = 'juliet@capulet.example'
const ROMEO = 'romeo@montague.example'

let host: TestHost
let remote: ScriptedEntity
let juliet: ScriptedEntity

interface Setup {
  readonly storage?: MemoryStorage
  readonly options?: Readonly<Record<string, unknown>>
  readonly isSearching?: boolean
}

async function open({ storage = new MemoryStorage(), options = {}, isSearching = false }: Setup = {}): Promise<void> {
  const modules: AnyModule[] = [roster, presence, disco, carbons, search, archive]
  host = await TestHost.start({
    accounts: ['juliet', 'nurse', 'tybalt'], modules, storage, options: { archive: options, 'archive-search': { enabled: isSearching } },
  })
  remote = await host.component('montague.example')
  juliet = await host.login('juliet', 'balcony')
}
async function reopen(setup: Setup): Promise<void> {
  await host.stop()
  await open(setup)
}
beforeEach(() => open())
afterEach(() => host.stop())

const message = (id: string, content = `<body>${id}</body>`, from = `${ROMEO}/orchard`, to = JULIET, type = 'chat') =>
  `<message from='${from}' to='${to}' type='${type}' id='${id}'>${content}</message>`

/** Ten messages, a second apart: romeo's m0, m2 … and juliet's answers m1, m3 …; their ids in her archive. */
async function talk(count = 10): Promise<string[]> {
  for (let i = 0; i < count; i++) {
    if (i % 2 === 0) remote.send(message(`m${i}`))
    else juliet.send(`<message to='${ROMEO}/orchard' type='chat' id='m${i}'><body>m${i}</body></message>`)
    await host.advance(1000)
  }
  juliet.clear()
  remote.clear()
  return (await query()).results.map((result) => result.attribute('id') as string)
}

interface Answer {
  readonly results: readonly XmlElement[]
  /** Ids of the messages themselves. */
  readonly messages: readonly string[]
  readonly fin: XmlElement | undefined
  readonly error: string | undefined
}

const form = (fields: Readonly<Record<string, string | readonly string[]>>) =>
  `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>${NS}</value></field>${Object.entries(fields)
    .map(([name, values]) => `<field var='${name}'>${[values].flat().map((value) => `<value>${value}</value>`).join('')}</field>`).join('')}</x>`
const page = (content: string) => `<set xmlns='${RSM}'>${content}</set>`
let queries = 0

/** Asks the archive and takes the results, which must come before the answer. */
async function query(content = '', as = juliet, to = ''): Promise<Answer> {
  const id = `q${++queries}`
  as.send(`<iq type='set' id='${id}'${to === '' ? '' : ` to='${to}'`}><query xmlns='${NS}' queryid='${id}'>${content}</query></iq>`)
  const all = await as.all()
  const answer = all.at(-1)
  assert.equal(answer?.attribute('id'), id)
  const results = all.slice(0, -1).map((element) => element.child('result', NS) as XmlElement)
  for (const result of results) assert.equal(result.attribute('queryid'), id)
  return {
    results, fin: answer.child('fin', NS), error: answer.child('error')?.elements()[0]?.name,
    messages: results.map((result) => result.child('forwarded', 'urn:xmpp:forward:0')?.child('message', 'jabber:client')?.attribute('id') as string),
  }
}
const names = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `m${from + i}`)
const rsmOf = (answer: Answer, name: string) => answer.fin?.child('set', RSM)?.child(name)?.text()

describe('XEP-0313 §3.5: ids in messages', () => {
  it('what is received carries the id under which it is archived', async () => {
    remote.send(message('m1'))
    const received = await juliet.next()
    const id = received.child('stanza-id', SID)?.attribute('id')
    assert.equal(received.child('stanza-id', SID)?.attribute('by'), JULIET)
    const { results } = await query()
    assert.deepEqual(results.map((result) => result.attribute('id')), [id])
  })

  it('what is sent carries none to others, and the sender’s other clients see the sender’s', async () => {
    const chamber = await host.login('juliet', 'chamber')
    await chamber.request(`<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>`)
    await host.settle()
    for (const entity of [juliet, remote, chamber]) entity.clear()
    juliet.send(`<message to='${ROMEO}' type='chat' id='m'><body>O</body></message>`)
    await remote.receives(message('m', '<body>O</body>', `${JULIET}/balcony`, ROMEO))
    const carbon = (await chamber.next()).child('sent', 'urn:xmpp:carbons:2')?.child('forwarded', 'urn:xmpp:forward:0')?.elements()[0]
    const { results } = await query()
    assert.deepEqual(results.map((result) => result.attribute('id')), [carbon?.child('stanza-id', SID)?.attribute('id')])
  })

  it('sender and receiver of one host have the message each under an id of their own', async () => {
    const nurse = await host.login('nurse')
    juliet.send(`<message to='nurse@capulet.example' type='chat' id='m'><body>O</body></message>`)
    await host.settle()
    nurse.clear()
    const [own, other] = [await query(), await query('', nurse)]
    assert.deepEqual([own.messages, other.messages], [['m'], ['m']])
    assert.notEqual(own.results[0]?.attribute('id'), other.results[0]?.attribute('id'))
  })

  it('a message to oneself is archived once', async () => {
    juliet.send(`<message type='chat' id='m'><body>O</body></message>`)
    assert.equal((await juliet.next()).attribute('id'), 'm')
    assert.deepEqual((await query(form({ with: JULIET }))).messages, ['m'])
  })

  it('XEP-0359 §3: forged ids go, those of others and origin ids stay', async () => {
    const kept = `<stanza-id xmlns='${SID}' by='room@chat.example' id='2'/><origin-id xmlns='${SID}' id='3'/>`
    const forged = `<stanza-id xmlns='${SID}' by='Juliet@capulet.example' id='1'/>`
    remote.send(message('m', `<body>O</body>${forged}${kept}`))
    await juliet.receives(message('m', `<body>O</body>${kept}<stanza-id xmlns='${SID}' by='${JULIET}' id='{any}'/>`))
    remote.send(message('s', `<composing xmlns='http://jabber.org/protocol/chatstates'/>${forged}${kept}`))
    await juliet.receives(message('s', `<composing xmlns='http://jabber.org/protocol/chatstates'/>${kept}`))
    juliet.send(`<message to='${ROMEO}' type='chat' id='o'><body>O</body>${forged}${kept}</message>`)
    await remote.receives(message('o', `<body>O</body>${kept}`, `${JULIET}/balcony`, ROMEO))
  })
})

describe('XEP-0313 §6.1.1: what is archived', () => {
  for (const [title, content, type, isArchived] of [
    ['chat', '<body>O</body>', 'chat', true],
    ['normal', '<body>O</body>', 'normal', true],
    ['a receipt (XEP-0184)', `<received xmlns='urn:xmpp:receipts' id='m'/>`, 'chat', true],
    ['a marker (XEP-0333)', `<displayed xmlns='urn:xmpp:chat-markers:0' id='m'/>`, 'normal', true],
    ['only a chat state', `<active xmlns='http://jabber.org/protocol/chatstates'/>`, 'chat', false],
    ['headline', '<body>O</body>', 'headline', false],
    ['error', `<body>O</body><error type='cancel'/>`, 'error', false],
    ['store (XEP-0334)', `<x xmlns='urn:example:secret'/><store xmlns='urn:xmpp:hints'/>`, 'chat', true],
    ['no-store', `<body>O</body><no-store xmlns='urn:xmpp:hints'/>`, 'chat', false],
    ['no-permanent-store', `<body>O</body><no-permanent-store xmlns='urn:xmpp:hints'/>`, 'chat', false],
    ['no-copy is no obstacle', `<body>O</body><no-copy xmlns='urn:xmpp:hints'/>`, 'chat', true],
    ['news of a node', `<event xmlns='http://jabber.org/protocol/pubsub#event'/>`, 'normal', false],
  ] as const) {
    it(`${title}: ${isArchived ? 'archived' : 'not archived'}, received as sent`, async () => {
      remote.send(message('r', content, `${ROMEO}/orchard`, `${JULIET}/balcony`, type))
      assert.equal((await juliet.next()).attribute('id'), 'r')
      juliet.send(`<message to='${ROMEO}/orchard' type='${type}' id='s'>${content}</message>`)
      assert.equal((await remote.next()).attribute('id'), 's')
      assert.deepEqual((await query()).messages, isArchived ? ['r', 's'] : [])
    })
  }

  it('groupchat is not', async () => {
    remote.send(message('g', '<body>O</body>', 'room@montague.example/nick', `${JULIET}/balcony`, 'groupchat'))
    juliet.send(`<message to='room@montague.example' type='groupchat' id='g'><body>O</body></message>`)
    await host.settle()
    juliet.clear()
    assert.deepEqual((await query()).messages, [])
  })

  it('what the account refuses is not', async () => {
    remote.send(message('m', '<body>O</body>', ROMEO, `${JULIET}/elsewhere`, 'normal'))
    assert.equal((await remote.next()).attribute('type'), 'error')
    assert.deepEqual((await query()).messages, [])
  })

  it('a message that several resources get is archived once', async () => {
    const chamber = await host.login('juliet', 'chamber')
    juliet.clear()
    remote.send(message('m'))
    const ids = [await juliet.next(), await chamber.next()].map((element) => element.child('stanza-id', SID)?.attribute('id'))
    assert.equal(ids[0], ids[1])
    assert.deepEqual((await query()).messages, ['m'])
  })
})

describe('XEP-0313 §4: queries', () => {
  it('gives everything in order, as it was, with the time; then the end', async () => {
    const before = host.clock.now()
    const content = `<body xml:lang='it'>ü &amp; &lt;</body><x xmlns='urn:example:x' a='&apos;'/>`
    remote.send(message('m1', content))
    await host.settle()
    juliet.clear()
    juliet.send(`<iq type='set' id='q'><query xmlns='${NS}'/></iq>`)
    const stamp = new Date(before).toISOString().replace('.000Z', 'Z')
    await juliet.receives(
      `<message from='${JULIET}' to='${JULIET}/balcony'><result xmlns='${NS}' id='{any}'><forwarded xmlns='urn:xmpp:forward:0'>
        <delay xmlns='urn:xmpp:delay' stamp='${stamp}'/>
        <message xmlns='jabber:client' from='${ROMEO}/orchard' to='${JULIET}' type='chat' id='m1'>${content}</message>
      </forwarded></result></message>`,
      `<iq type='result' id='q' to='${JULIET}/balcony'><fin xmlns='${NS}' complete='true'>
        <set xmlns='${RSM}'><first>{any}</first><last>{any}</last></set></fin></iq>`,
    )
  })

  it('an empty archive, or nothing that matches, is no error', async () => {
    const answer = await query()
    assert.deepEqual([answer.messages, answer.fin?.attribute('complete'), rsmOf(answer, 'first')], [[], 'true', undefined])
    assert.deepEqual((await query(form({ with: 'nobody@x.example' }))).messages, [])
  })

  it('§4.1.1 with: a bare address means all its resources, a full one itself', async () => {
    await talk(4)
    remote.send(message('home', '<body>O</body>', `${ROMEO}/home`))
    remote.send(message('mercutio', '<body>O</body>', 'mercutio@montague.example/x'))
    await host.settle()
    juliet.clear()
    assert.deepEqual((await query(form({ with: ROMEO }))).messages, [...names(0, 4), 'home'])
    assert.deepEqual((await query(form({ with: `${ROMEO}/home` }))).messages, ['home'])
    assert.deepEqual((await query(form({ with: `${ROMEO}/orchard` }))).messages, names(0, 4))
    const last = await query(form({ with: `${ROMEO}/orchard` }) + page('<max>2</max><before/>'))
    assert.deepEqual([last.messages, last.fin?.attribute('complete')], [names(2, 4), undefined])
    assert.equal(rsmOf(await query(form({ with: `${ROMEO}/orchard` }) + page('<max>0</max>')), 'count'), '4')
    assert.equal((await query(form({ with: '@' }))).error, 'jid-malformed')
  })

  it('§4.1.2 start and end are inclusive', async () => {
    const start = host.clock.now()
    await talk()
    const at = (seconds: number) => new Date(start + seconds * 1000).toISOString()
    assert.deepEqual((await query(form({ start: at(3), end: at(6) }))).messages, names(3, 7))
    assert.deepEqual((await query(form({ start: at(8) }))).messages, names(8, 10))
    assert.equal((await query(form({ start: 'yesterday' }))).error, 'bad-request')
  })

  it('§4.1.3 before-id, after-id and ids; one that is unknown is item-not-found', async () => {
    const ids = await talk()
    const id = (i: number) => ids[i] as string
    assert.deepEqual((await query(form({ 'after-id': id(7) }))).messages, names(8, 10))
    assert.deepEqual((await query(form({ 'after-id': id(1), 'before-id': id(5) }))).messages, names(2, 5))
    assert.deepEqual((await query(form({ ids: [id(6), id(2)] }))).messages, ['m2', 'm6'])
    for (const field of ['after-id', 'before-id', 'ids']) assert.equal((await query(form({ [field]: 'none' }))).error, 'item-not-found')
    assert.equal((await query(form({ ids: [id(1), 'none'] }))).error, 'item-not-found')
    // Both kinds of bounds: the narrower counts, and both must exist.
    assert.deepEqual((await query(form({ 'after-id': id(5) }) + page(`<after>${id(2)}</after>`))).messages, names(6, 10))
    assert.deepEqual((await query(form({ 'before-id': id(5) }) + page(`<max>2</max><before>${id(8)}</before>`))).messages, names(3, 5))
    assert.equal((await query(form({ 'after-id': id(5) }) + page('<after>-none</after>'))).error, 'item-not-found')
  })

  it('§4.3 pages forwards to the end', async () => {
    const ids = await talk()
    const first = await query(page('<max>4</max>'))
    assert.deepEqual([first.messages, first.fin?.attribute('complete')], [names(0, 4), undefined])
    assert.deepEqual([rsmOf(first, 'first'), rsmOf(first, 'last')], [ids[0], ids[3]])
    const second = await query(page(`<max>4</max><after>${ids[3]}</after>`))
    assert.deepEqual(second.messages, names(4, 8))
    const third = await query(page(`<max>4</max><after>${ids[7]}</after>`))
    assert.deepEqual([third.messages, third.fin?.attribute('complete')], [names(8, 10), 'true'])
    assert.equal((await query(page('<after>none</after>'))).error, 'item-not-found')
  })

  it('§4.3.3 pages backwards from the last, each still in order', async () => {
    const ids = await talk()
    const last = await query(page('<max>4</max><before/>'))
    assert.deepEqual([last.messages, last.fin?.attribute('complete')], [names(6, 10), undefined])
    assert.deepEqual((await query(page(`<max>4</max><before>${ids[6]}</before>`))).messages, names(2, 6))
    const first = await query(page(`<max>4</max><before>${ids[2]}</before>`))
    assert.deepEqual([first.messages, first.fin?.attribute('complete')], [names(0, 2), 'true'])
  })

  it('§4.3.4 a flipped page is the same page, latest first', async () => {
    const ids = await talk()
    const flipped = await query(`${page('<max>3</max>')}<flip-page/>`)
    assert.deepEqual(flipped.messages, ['m2', 'm1', 'm0'])
    assert.deepEqual([rsmOf(flipped, 'first'), rsmOf(flipped, 'last')], [ids[0], ids[2]])
  })

  it('XEP-0059: max 0 counts, more than the limit is the limit, numbered pages are not offered', async () => {
    await reopen({ options: { pageMax: 3, pageDefault: 2 } })
    await talk()
    const counted = await query(page('<max>0</max>'))
    assert.deepEqual([counted.messages, rsmOf(counted, 'count'), counted.fin?.attribute('complete')], [[], '10', undefined])
    assert.equal((await query(page('<max>100</max>'))).messages.length, 3)
    assert.equal((await query()).messages.length, 2)
    assert.equal((await query(page('<max>2</max><index>3</index>'))).error, 'feature-not-implemented')
  })

  it('§4.1.5 the form names every field; an unknown field is feature-not-implemented', async () => {
    const answer = await juliet.request(`<iq type='get' id='f'><query xmlns='${NS}'/></iq>`)
    const fields = answer.child('query', NS)?.child('x', 'jabber:x:data')?.elements() ?? []
    const known = ['FORM_TYPE', 'with', 'start', 'end', 'before-id', 'after-id', 'ids', 'include-groupchat']
    assert.deepEqual(fields.map((field) => field.attribute('var')), known)
    assert.notEqual(fields[6]?.child('validate', 'http://jabber.org/protocol/xdata-validate'), undefined)
    assert.equal((await query(form({ mood: 'lonely' }))).error, 'feature-not-implemented')
    assert.equal((await query(form({ '{urn:xmpp:fulltext:0}fulltext': 'O' }))).error, 'feature-not-implemented')
    assert.equal((await query(form({ 'include-groupchat': 'true' }))).error, undefined)
    assert.equal((await query(form({}).replace(NS, 'urn:example:other'))).error, 'bad-request')
    assert.equal((await query(form({}).replace('submit', 'result'))).error, 'bad-request')
    juliet.send(`<iq type='set' id='n'><query xmlns='${NS}' node='x'/></iq>`)
    assert.equal((await juliet.next()).child('error')?.elements()[0]?.name, 'feature-not-implemented')
  })

  it('§5 metadata are both ends, or nothing', async () => {
    const ask = async () => (await juliet.request(`<iq type='get' id='m'><metadata xmlns='${NS}'/></iq>`)).child('metadata', NS)
    assert.equal((await ask())?.elements().length, 0)
    const start = host.clock.now()
    const ids = await talk()
    const [first, last] = (await ask())?.elements() ?? []
    const stamp = new Date(start).toISOString().replace('.000Z', 'Z')
    assert.deepEqual([first?.name, first?.attribute('id'), first?.attribute('timestamp')], ['start', ids[0], stamp])
    assert.deepEqual([last?.name, last?.attribute('id')], ['end', ids[9]])
  })

  it('XEP-0386 §3.2: who binds is told how far the archive reaches', async () => {
    const bound = async () => (await host.bind2('juliet'))[1].map(({ name, ns }) => `${ns} ${name}`)
    const ends = async () => (await host.bind2('juliet'))[1][0]?.elements().map((element) => [element.name, element.attribute('id')])
    assert.deepEqual([await bound(), await ends()], [[`${NS} metadata`], []])
    const ids = await talk()
    assert.deepEqual(await ends(), [['start', ids[0]], ['end', ids[9]]])
  })

  it('§8.1 nobody else may ask', async () => {
    await talk(2)
    const nurse = await host.login('nurse')
    assert.equal((await query('', nurse, JULIET)).error, 'forbidden')
    remote.send(`<iq type='set' id='q' from='${ROMEO}/orchard' to='${JULIET}'><query xmlns='${NS}'/></iq>`)
    assert.equal((await remote.next()).child('error')?.elements()[0]?.name, 'forbidden')
    assert.deepEqual((await query('', juliet, JULIET)).messages, names(0, 2))
  })

  it('§7 accounts say so', async () => {
    const answer = await juliet.request(`<iq type='get' id='d' to='${JULIET}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`)
    const features = answer.elements()[0]?.elements('feature').map((feature) => feature.attribute('var')) ?? []
    for (const feature of [NS, `${NS}#extended`, `${NS}#groupchat-field`, SID]) assert.ok(features.includes(feature), feature)
    assert.equal(features.includes('urn:xmpp:fulltext:0'), false)
  })

  it('refuses too many at a time, and answers the others', async () => {
    for (let i = 0; i < 20; i++) juliet.send(`<iq type='set' id='q${i}'><query xmlns='${NS}'/></iq>`)
    const answers = (await juliet.all()).map((element) => element.child('error')?.elements()[0]?.name)
    assert.deepEqual([answers.filter((name) => name === undefined).length, answers.filter((name) => name === 'resource-constraint').length], [16, 4])
  })
})

describe('XEP-0431: search', () => {
  it('finds messages by words, with every other filter', async () => {
    await reopen({ isSearching: true })
    remote.send(message('m1', '<body>Lady, by yonder blessed moon I swear</body>'))
    juliet.send(`<message to='${ROMEO}' type='chat' id='m2'><body>O, swear not by the moon</body></message>`)
    remote.send(message('m3', '<body>What shall I swear by?</body>'))
    await host.settle()
    juliet.clear()
    const find = async (text: string, rest = '') => (await query(form({ '{urn:xmpp:fulltext:0}fulltext': text }) + rest)).messages
    assert.deepEqual(await find('Swear'), ['m1', 'm2', 'm3'])
    assert.deepEqual(await find('moon swear'), ['m1', 'm2'])
    assert.deepEqual(await find('swear', page('<max>1</max><before/>')), ['m3'])
    assert.deepEqual(await find('sun'), [])
    const answer = await juliet.request(`<iq type='get' id='d' to='${JULIET}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`)
    assert.ok(answer.elements()[0]?.elements('feature').some((feature) => feature.attribute('var') === 'urn:xmpp:fulltext:0'))
  })
})

describe('XEP-0441: preferences', () => {
  const set = (prefs: string) => juliet.request(`<iq type='set' id='p'>${prefs}</iq>`)
  const prefs = (kind: string, always: readonly string[] = [], never: readonly string[] = []) => {
    const list = (name: string, jids: readonly string[]) => `<${name}>${jids.map((jid) => `<jid>${jid}</jid>`).join('')}</${name}>`
    return `<prefs xmlns='${NS}' default='${kind}'>${list('always', always)}${list('never', never)}</prefs>`
  }
  /** Who of romeo, tybalt and a resource of mercutio is archived. */
  async function archived(): Promise<readonly string[]> {
    for (const from of [`${ROMEO}/orchard`, 'tybalt@montague.example/x', 'mercutio@montague.example/home', 'mercutio@montague.example/work']) {
      remote.send(message(from.slice(0, 6), '<body>O</body>', from))
      juliet.send(`<message to='${from}' type='chat' id='to'><body>O</body></message>`)
    }
    await host.settle()
    juliet.clear()
    return (await query()).messages
  }

  it('are what the configuration says until the account says something else, also after a restart', async () => {
    const get = () => juliet.request(`<iq type='get' id='g'><prefs xmlns='${NS}'/></iq>`)
    assert.deepEqual((await get()).elements()[0], parseText(prefs('always'), 'jabber:client'))
    const wish = (await set(prefs('roster', [ROMEO], ['Tybalt@montague.example']))).elements()[0]
    assert.deepEqual(wish, parseText(prefs('roster', [ROMEO], ['tybalt@montague.example']), 'jabber:client'))
    await reopen({ storage: host.storage as MemoryStorage })
    assert.deepEqual((await get()).elements()[0], wish)
  })

  it('never, but some', async () => {
    await set(prefs('never', [ROMEO, 'mercutio@montague.example/home']))
    assert.deepEqual(await archived(), ['romeo@', 'to', 'mercut', 'to'])
  })

  it('always, but some; an address with resource counts more', async () => {
    await set(prefs('always', ['mercutio@montague.example/home'], ['mercutio@montague.example', 'tybalt@montague.example']))
    assert.deepEqual(await archived(), ['romeo@', 'to', 'mercut', 'to'])
  })

  it('contacts only', async () => {
    await juliet.request(`<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='tybalt@montague.example'/></query></iq>`)
    juliet.clear()
    await set(prefs('roster'))
    assert.deepEqual(await archived(), ['tybalt', 'to'])
  })

  it('what is not archived still waits for the account, in order with the rest, and goes once it is delivered', async () => {
    await set(prefs('always', [], ['tybalt@montague.example']))
    juliet.send(`<presence type='unavailable'/>`)
    for (let i = 0; i < 6; i++) remote.send(message(`m${i}`, '<body>O</body>', i % 2 === 0 ? ROMEO : 'tybalt@montague.example'))
    await host.settle()
    const { storage } = host
    assert.equal(await storage.archiveCount('archive_waiting', JULIET, {}), 3)
    juliet.clear()
    juliet.send('<presence/>')
    const received = (await juliet.all()).slice(1)
    assert.deepEqual(received.map((element) => element.attribute('id')), names(0, 6))
    // Only what can be asked for has an id to ask for.
    assert.deepEqual(received.map((element) => element.child('stanza-id', SID) !== undefined), [true, false, true, false, true, false])
    await host.advance(5000)
    assert.equal(await storage.archiveCount('archive_waiting', JULIET, {}), 0)
    assert.deepEqual((await query()).messages, ['m0', 'm2', 'm4'])
  })

  it('what waits and is not archived survives a restart', async () => {
    await set(prefs('never'))
    juliet.send(`<presence type='unavailable'/>`)
    for (let i = 0; i < 3; i++) remote.send(message(`m${i}`))
    await host.settle()
    const storage = host.storage as MemoryStorage
    await reopen({ storage })
    await host.advance(5000)
    assert.equal(await storage.archiveCount('archive_waiting', JULIET, {}), 0)
    remote.send(message('live'))
    assert.equal((await juliet.next()).attribute('id'), 'live')
    await host.advance(5000)
    assert.equal(await storage.archiveCount('archive_waiting', JULIET, {}), 0)
  })

  it('refuses what makes no sense', async () => {
    const condition = async (xml: string) => (await set(xml)).child('error')?.elements()[0]?.name
    assert.equal(await condition(prefs('sometimes')), 'bad-request')
    assert.equal(await condition(`<prefs xmlns='${NS}'/>`), 'bad-request')
    assert.equal(await condition(prefs('always', ['@'])), 'jid-malformed')
    assert.equal(await condition(prefs('always', Array.from({ length: 1001 }, (_, i) => `a${i}@x.example`))), 'not-acceptable')
  })
})

describe('faults', () => {
  class FullStorage extends MemoryStorage {
    isFull = false
    override write(ops: Parameters<MemoryStorage['write']>[0]): Promise<void> {
      return this.isFull ? Promise.reject(new StorageError('full', 'no space left')) : super.write(ops)
    }
  }

  it('a message that cannot be kept is an error to its sender, though it may have arrived', async () => {
    const storage = new FullStorage()
    await reopen({ storage })
    storage.isFull = true
    remote.send(message('m'))
    assert.equal((await juliet.next()).attribute('id'), 'm')
    const refusal = await remote.next()
    const error = refusal.child('error')
    assert.deepEqual([refusal.attribute('id'), error?.attribute('type'), error?.elements()[0]?.name], ['m', 'wait', 'resource-constraint'])
    juliet.send(`<message to='${ROMEO}' type='chat' id='o'><body>O</body></message>`)
    assert.equal((await juliet.next()).child('error')?.elements()[0]?.name, 'resource-constraint')
    const answer = await juliet.request(`<iq type='set' id='p'><prefs xmlns='${NS}' default='never'/></iq>`)
    assert.equal(answer.child('error')?.elements()[0]?.name, 'resource-constraint')
    storage.isFull = false
    remote.clear()
    remote.send(message('m2'))
    await remote.receivesNothing()
    assert.equal((await juliet.next()).attribute('id'), 'm2')
    assert.deepEqual((await query()).messages, ['m2'])
  })
})

describe('XEP-0313 §6.1.1: archive and waiting messages', () => {
  it('a session that got a waiting message as a result does not get it again, another one does', async () => {
    juliet.send(`<presence type='unavailable'/>`)
    for (let i = 0; i < 4; i++) remote.send(message(`m${i}`))
    await host.settle()
    juliet.clear()
    assert.deepEqual((await query(page('<max>2</max><before/>'))).messages, ['m2', 'm3'])
    juliet.send('<presence/>')
    assert.deepEqual((await juliet.all()).slice(1).map((element) => element.attribute('id')), ['m0', 'm1'])
    const chamber = await host.connect('juliet', 'chamber')
    chamber.send('<presence/>')
    assert.deepEqual((await chamber.all()).filter((element) => element.name === 'message'), [])
  })

  it('a query alone delivers nothing', async () => {
    juliet.send(`<presence type='unavailable'/>`)
    remote.send(message('m'))
    await host.settle()
    juliet.clear()
    await query()
    const chamber = await host.connect('juliet', 'chamber')
    chamber.send('<presence/>')
    assert.deepEqual((await chamber.all()).filter((element) => element.name === 'message').map((element) => element.attribute('id')), ['m'])
  })
})

describe('limits', () => {
  it('deletes what is older than the days given, oldest first and slice by slice, and what waits there is forgotten', async () => {
    await reopen({ options: { retentionDays: 1, purgeHours: 1 } })
    juliet.send(`<presence type='unavailable'/>`)
    for (let i = 0; i < 250; i++) remote.send(message(`m${i}`))
    await host.advance(43_200_000)
    for (let i = 250; i < 260; i++) remote.send(message(`m${i}`))
    await host.advance(46_800_000)
    for (let i = 0; i < 20; i++) await host.advance(100)
    juliet.clear()
    assert.deepEqual((await query()).messages, names(250, 260))
    juliet.send('<presence/>')
    assert.deepEqual((await juliet.all()).slice(1).map((element) => element.attribute('id')), [])
    const later = await query()
    assert.deepEqual(later.messages, names(250, 260))
  })

  it('what waits is delivered although older messages were purged, position and all', async () => {
    await reopen({ options: { retentionDays: 1, purgeHours: 1 } })
    remote.send(message('old'))
    await host.advance(10_000)
    juliet.send(`<presence type='unavailable'/>`)
    remote.send(message('forgotten'))
    await host.advance(86_400_000)
    remote.send(message('new'))
    await host.advance(3_600_000)
    await host.advance(100)
    juliet.clear()
    juliet.send('<presence/>')
    assert.deepEqual((await juliet.all()).slice(1).map((element) => element.attribute('id')), ['new'])
    remote.send(message('live'))
    assert.equal((await juliet.next()).attribute('id'), 'live')
  })

  it('keeps the latest messages', async () => {
    await reopen({ options: { messagesMax: 4, purgeHours: 1 } })
    await talk()
    await host.advance(3_600_000)
    assert.deepEqual((await query()).messages, names(6, 10))
  })
})

describe('hand-over', () => {
  it('takes the log along: nothing is lost, nothing comes twice', async () => {
    await reopen({})
    juliet.send(`<presence><priority>-1</priority></presence>`)
    for (const id of ['m1', 'm2']) remote.send(message(id))
    await host.settle()
    remote.send(message('direct', '<body>O</body>', ROMEO, `${JULIET}/balcony`))
    await host.settle()
    const snapshot = host.core.handOver(juliet.jid.bare)
    assert.notEqual(snapshot, undefined)
    if (snapshot !== undefined) await host.core.takeOver(JSON.parse(JSON.stringify(snapshot)))
    remote.send(message('m3'))
    await host.settle()
    juliet.clear()
    juliet.send(`<presence><priority>1</priority></presence>`)
    assert.deepEqual((await juliet.all()).filter((element) => element.name === 'message').map((element) => element.attribute('id')), ['m1', 'm2', 'm3'])
  })
})
