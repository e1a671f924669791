/** XEP-0133 as wire scripts, command by command. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { defineModule, messageUndelivered } from '@rollcall/module-api'
import { jidOf } from '@rollcall/jid'
import type { XmlElement } from '@rollcall/xml'
import { TestHost } from '../../server/testing/test-host.ts'
import type { TestHostOptions } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import commands from '../commands/module.ts'
import disco from '../disco/module.ts'
import { answers, refuses, subscribe } from '../disco/testing/stage.ts'
import lastActivity from '../last-activity/module.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import vcard from '../vcard/module.ts'
import serviceAdmin from './module.ts'

const COMMANDS = 'http://jabber.org/protocol/commands'
const ADMIN = 'http://jabber.org/protocol/admin'
const modules = [roster, presence, disco, commands, lastActivity, vcard, serviceAdmin]

let host: TestHost
let prince: ScriptedEntity

async function start(options: Partial<TestHostOptions> = {}): Promise<void> {
  host = await TestHost.start({
    accounts: ['prince', 'juliet', 'nurse', 'tybalt'], admins: ['prince@capulet.example'], modules,
    options: { commands: { sessionsPerUserMax: 100 } }, ...options,
  })
  prince = await host.login('prince', 'throne')
}

const command = (action: string, attributes = '', content = '') =>
  `<iq type='set' id='a1' to='capulet.example'><command xmlns='${COMMANDS}' node='${ADMIN}#${action}' ${attributes}>${content}</command></iq>`
const form = (fields: Readonly<Record<string, string | readonly string[]>>) => `<x xmlns='jabber:x:data' type='submit'>
  <field var='FORM_TYPE' type='hidden'><value>${ADMIN}</value></field>${Object.entries(fields).map(([name, values]) =>
    `<field var='${name}'>${[values].flat().map((value) => `<value>${value}</value>`).join('')}</field>`).join('')}</x>`

/** Starts a command that must show a form with these fields; returns the session id. */
async function begin(action: string, fields: readonly string[]): Promise<string> {
  const answer = await prince.request(command(action))
  const found = answer.child('command', COMMANDS)
  const shown = found?.child('x', 'jabber:x:data')?.elements('field').map((field) => field.attribute('var'))
  assert.deepEqual([found?.attribute('status'), shown], ['executing', ['FORM_TYPE', ...fields]])
  return found?.attribute('sessionid') as string
}

async function submit(action: string, fields: Readonly<Record<string, string | readonly string[]>>): Promise<XmlElement> {
  const id = await begin(action, Object.keys(fields))
  const answer = await prince.request(command(action, `sessionid='${id}'`, form(fields)))
  const result = answer.child('command', COMMANDS)
  assert.ok(result?.attribute('status') === 'completed', `Refused: ${answer.child('error')?.elements()[0]?.name}`)
  return result
}

async function refusesForm(action: string, fields: Readonly<Record<string, string | readonly string[]>>, condition: string, type: string): Promise<void> {
  const id = await begin(action, Object.keys(fields))
  await refuses(prince, command(action, `sessionid='${id}'`, form(fields)), condition, type)
}

const valuesOf = (result: XmlElement | undefined, name: string) =>
  result?.child('x', 'jabber:x:data')?.elements('field').find((field) => field.attribute('var') === name)?.elements('value').map((value) => value.text())
const notesOf = (result: XmlElement) => result.elements('note').map((note) => [note.attribute('type') ?? 'info', note.text()])

beforeEach(() => start())
afterEach(() => host.stop())

const actions = [
  'add-user', 'delete-user', 'disable-user', 'reenable-user', 'end-user-session', 'change-user-password', 'get-user-roster', 'get-user-lastlogin',
  'user-stats', 'get-registered-users-num', 'get-registered-users-list', 'get-online-users-num', 'get-online-users-list', 'get-active-users-num',
  'get-active-users-list', 'get-idle-users-num', 'get-idle-users-list', 'announce', 'set-motd', 'edit-motd', 'delete-motd', 'set-welcome',
  'delete-welcome', 'shutdown',
]

describe('XEP-0133 §3 and §6: who may', () => {
  const list = `<iq type='get' id='d1' to='capulet.example'><query xmlns='http://jabber.org/protocol/disco#items' node='${COMMANDS}'/></iq>`
  test('an administrator sees every command', async () => {
    const answer = await prince.request(list)
    assert.deepEqual(answer.elements()[0]?.elements('item').map((item) => item.attribute('node')), actions.map((action) => `${ADMIN}#${action}`))
  })
  test('others see none, and every command is forbidden to them', async () => {
    const juliet = await host.login('juliet', 'balcony')
    await answers(juliet, list, `<iq type='result' id='d1' from='capulet.example' to='juliet@capulet.example/balcony'>
      <query xmlns='http://jabber.org/protocol/disco#items' node='${COMMANDS}'/></iq>`)
    for (const action of actions) await refuses(juliet, command(action), 'forbidden', 'auth')
    const elsewhere = await host.component('montague.example')
    await refuses(elsewhere, command('shutdown').replace('<iq', "<iq from='prince@montague.example/throne'"), 'forbidden', 'auth')
    assert.deepEqual(host.controlCalls, [])
  })
  test('what was done is logged, by whom, without passwords; what was only looked at or refused is not', async () => {
    await begin('change-user-password', ['accountjid', 'password'])
    await refusesForm('change-user-password', { accountjid: 'nobody@capulet.example', password: 'wherefore' }, 'item-not-found', 'cancel')
    assert.deepEqual(host.log.of('admin-command'), [])
    await submit('change-user-password', { accountjid: 'juliet@capulet.example', password: 'wherefore' })
    await prince.request(command('get-online-users-num'))
    assert.deepEqual(host.log.of('admin-command').map(({ fields }) => fields), ['change-user-password', 'get-online-users-num'].map((action) => (
      { action, host: 'capulet.example', by: 'prince@capulet.example/throne' })))
  })
  test('§5: a command that is not supported is not found', async () => {
    await refuses(prince, command('restart'), 'item-not-found', 'cancel')
  })
})

describe('XEP-0133 §4: accounts', () => {
  const fields = (jid: string, password = 'R0m30', again = password) => ({ accountjid: jid, password, 'password-verify': again })

  test('add a user, who exists from then on', async () => {
    await submit('add-user', fields('paris@capulet.example'))
    assert.equal(await host.core.admin.verifyPassword((await host.login('paris', 'garden')).jid.bare, 'R0m30'), true)
  })
  test('add a user: what is wrong is refused', async () => {
    await refusesForm('add-user', fields('paris@capulet.example', 'a', 'b'), 'not-acceptable', 'modify')
    await refusesForm('add-user', fields('paris@montague.example'), 'not-acceptable', 'modify')
    await refusesForm('add-user', fields('capulet.example'), 'not-acceptable', 'modify')
    await refusesForm('add-user', fields('@'), 'bad-request', 'modify')
    await refusesForm('add-user', fields('paris@capulet.example/garden'), 'not-acceptable', 'modify')
  })
  test('delete users: their data and sessions go', async () => {
    const tybalt = await host.login('tybalt', 'street')
    await tybalt.request("<iq type='set' id='v1'><vCard xmlns='vcard-temp'><FN>Tybalt</FN></vCard></iq>")
    const result = await submit('delete-user', { accountjids: ['tybalt@capulet.example', 'nurse@capulet.example'] })
    assert.deepEqual(notesOf(result), [['info', 'Deleted: tybalt@capulet.example, nurse@capulet.example']])
    assert.equal(tybalt.closed, 'not-authorized')
    await refuses(prince, "<iq type='get' id='v2' to='tybalt@capulet.example'><vCard xmlns='vcard-temp'/></iq>", 'service-unavailable', 'cancel')
  })
  test('XEP-0050 §3.6: what could not be done is told, and the rest is done', async () => {
    const tybalt = await host.login('tybalt', 'street')
    const result = await submit('delete-user', { accountjids: ['nobody@capulet.example', 'prince@capulet.example', 'tybalt@capulet.example'] })
    assert.deepEqual(notesOf(result), [
      ['error', 'nobody@capulet.example: There is no account nobody@capulet.example'], ['error', 'prince@capulet.example: This is your own account'],
    ])
    assert.equal(tybalt.closed, 'not-authorized')
    assert.equal(prince.closed, undefined)
  })
  test('no address, or one of another host, is refused before anything is done', async () => {
    const tybalt = await host.login('tybalt', 'street')
    for (const action of ['delete-user', 'disable-user', 'reenable-user', 'end-user-session']) {
      await refusesForm(action, { accountjids: [] }, 'bad-request', 'modify')
      await refusesForm(action, { accountjids: ['tybalt@capulet.example', 'romeo@montague.example'] }, 'not-acceptable', 'modify')
    }
    assert.equal(tybalt.closed, undefined)
  })
  test('disable a user: the sessions end, nothing is lost; enable again', async () => {
    const tybalt = await host.login('tybalt', 'street')
    await tybalt.request("<iq type='set' id='v1'><vCard xmlns='vcard-temp'><FN>Tybalt</FN></vCard></iq>")
    await submit('disable-user', { accountjids: 'tybalt@capulet.example' })
    assert.equal(tybalt.closed, 'not-authorized')
    assert.deepEqual(notesOf(await submit('disable-user', { accountjids: 'prince@capulet.example' })),
      [['error', 'prince@capulet.example: This is your own account']])
    const card = await prince.request("<iq type='get' id='v2' to='tybalt@capulet.example'><vCard xmlns='vcard-temp'/></iq>")
    assert.equal(card.attribute('type'), 'result')
    assert.deepEqual(notesOf(await submit('reenable-user', { accountjids: 'tybalt@capulet.example' })), [['info', 'Enabled: tybalt@capulet.example']])
    assert.deepEqual(notesOf(await submit('reenable-user', { accountjids: 'nobody@capulet.example' })),
      [['error', 'nobody@capulet.example: There is no account nobody@capulet.example']])
  })
  test('end sessions: one of a full JID, all of a bare one', async () => {
    const [hall, street, yard] = await Promise.all(['hall', 'street', 'yard'].map((resource) => host.login('tybalt', resource)))
    await submit('end-user-session', { accountjids: 'tybalt@capulet.example/street' })
    assert.deepEqual([hall?.closed, street?.closed, yard?.closed], [undefined, 'policy-violation', undefined])
    await submit('end-user-session', { accountjids: 'tybalt@capulet.example' })
    assert.deepEqual([hall?.closed, yard?.closed], ['policy-violation', 'policy-violation'])
    assert.deepEqual(notesOf(await submit('end-user-session', { accountjids: ['nurse@capulet.example', 'nobody@capulet.example'] })),
      [['error', 'nurse@capulet.example: is not connected'], ['error', 'nobody@capulet.example: is not connected']])
  })
  test('change a password', async () => {
    await submit('change-user-password', { accountjid: 'juliet@capulet.example', password: 'wherefore' })
    const { jid } = await host.connect('juliet')
    assert.equal(await host.core.admin.verifyPassword(jid.bare, 'wherefore'), true)
    await refusesForm('change-user-password', { accountjid: 'nobody@capulet.example', password: 'x' }, 'item-not-found', 'cancel')
    await refusesForm('change-user-password', { accountjid: 'romeo@montague.example', password: 'x' }, 'not-acceptable', 'modify')
  })
})

describe('XEP-0133 §4: what is known of an account', () => {
  test('its roster', async () => {
    const juliet = await host.login('juliet', 'balcony')
    const nurse = await host.login('nurse', 'hall')
    await subscribe(host, juliet, nurse)
    const item = "<item jid='nurse@capulet.example' name='Nurse'><group>Home</group></item>"
    await juliet.request(`<iq type='set' id='r1'><query xmlns='jabber:iq:roster'>${item}</query></iq>`)
    juliet.send("<presence type='subscribe' to='romeo@montague.example'/>")
    const result = await submit('get-user-roster', { accountjids: 'juliet@capulet.example' })
    assert.deepEqual(valuesOf(result, 'accountjids'), ['juliet@capulet.example'])
    const items = result.child('x', 'jabber:x:data')?.child('query', 'jabber:iq:roster')?.elements('item') ?? []
    assert.deepEqual(items.map((item) => [[...item.attributes.values()], item.childText('group')]), [
      [['nurse@capulet.example', 'Nurse', 'to'], 'Home'], [['romeo@montague.example', 'none', 'subscribe'], undefined],
    ])
    await refusesForm('get-user-roster', { accountjids: ['juliet@capulet.example', 'nurse@capulet.example'] }, 'bad-request', 'modify')
    await refusesForm('get-user-roster', { accountjids: 'nobody@capulet.example' }, 'item-not-found', 'cancel')
  })
  test('its last login, or when it was last seen', async () => {
    await host.advance(60_000)
    const juliet = await host.login('juliet', 'balcony')
    await host.advance(60_000)
    const ask = async (name: string) => valuesOf(await submit('get-user-lastlogin', { accountjids: `${name}@capulet.example` }), 'lastlogin')
    assert.deepEqual(await ask('juliet'), ['2024-01-01T00:01:00Z'])
    await host.disconnect(juliet)
    await host.advance(60_000)
    assert.deepEqual(await ask('juliet'), ['2024-01-01T00:02:00Z'])
    assert.deepEqual(await ask('tybalt'), [])
    await refusesForm('get-user-lastlogin', { accountjids: 'nobody@capulet.example' }, 'item-not-found', 'cancel')
  })
  test('its statistics', async () => {
    const juliet = await host.login('juliet', 'balcony')
    await host.login('juliet', 'chamber')
    await juliet.request("<iq type='set' id='r1'><query xmlns='jabber:iq:roster'><item jid='romeo@montague.example'/></query></iq>")
    const result = await submit('user-stats', { accountjid: 'juliet@capulet.example' })
    assert.deepEqual(['ipaddresses', 'rostersize', 'onlineresources'].map((name) => valuesOf(result, name)), [['127.0.0.1'], ['1'], ['balcony', 'chamber']])
    const offline = await submit('user-stats', { accountjid: 'tybalt@capulet.example' })
    assert.deepEqual(['ipaddresses', 'rostersize', 'onlineresources'].map((name) => valuesOf(offline, name)), [[], ['0'], []])
    await refusesForm('user-stats', { accountjid: 'nobody@capulet.example' }, 'item-not-found', 'cancel')
  })
})

describe('XEP-0133 §4: numbers and lists of users', () => {
  const num = async (word: string) => valuesOf((await prince.request(command(`get-${word}-users-num`))).child('command', COMMANDS), `${word}usersnum`)
  const list = async (word: string, name: string, max: string) => valuesOf(await submit(`get-${word}-users-list`, { max_items: max }), name)

  test('registered users, of this host only', async () => {
    await host.stop()
    await start({ hosts: ['capulet.example', 'montague.example'] })
    await host.core.admin.create(jidOf('romeo', 'montague.example'), 'x')
    assert.deepEqual(await num('registered'), ['4'])
    assert.deepEqual(await list('registered', 'registereduserjids', '25'),
      ['juliet', 'nurse', 'prince', 'tybalt'].map((name) => `${name}@capulet.example`))
  })
  test('lists end where the administrator wants', async () => {
    await host.stop()
    await start({ accounts: ['prince', ...Array.from({ length: 30 }, (_, i) => `user${i}`)] })
    assert.equal((await list('registered', 'registereduserjids', '25'))?.length, 25)
    assert.equal((await list('registered', 'registereduserjids', '50'))?.length, 31)
    await refusesForm('get-registered-users-list', { max_items: '1000000' }, 'bad-request', 'modify')
  })
  test('online, active and idle users', async () => {
    await host.connect('tybalt', 'street')
    await host.login('juliet', 'balcony', '<presence><show>away</show></presence>')
    await host.login('nurse', 'hall', '<presence><show>xa</show></presence>')
    await host.login('nurse', 'kitchen', '<presence><show>chat</show></presence>')
    assert.deepEqual([await num('online'), await num('active'), await num('idle')], [['4'], ['2'], ['2']])
    const sorted = async (word: string, name: string) => (await list(word, name, '25'))?.sort()
    assert.deepEqual(await sorted('online', 'onlineuserjids'), ['juliet', 'nurse', 'prince', 'tybalt'].map((name) => `${name}@capulet.example`))
    assert.deepEqual(await sorted('active', 'activeuserjids'), ['nurse@capulet.example', 'prince@capulet.example'])
    assert.deepEqual(await sorted('idle', 'activeuserjids'), ['juliet@capulet.example', 'tybalt@capulet.example'])
  })
})

const headline = (to: string, text: string) => `<message from='capulet.example' to='${to}' type='headline'><body>${text}</body></message>`

describe('XEP-0133 §4: announcements', () => {
  test('go to every connected resource, and to nobody else', async () => {
    const juliet = await host.login('juliet', 'balcony')
    const chamber = await host.connect('juliet', 'chamber')
    const result = await submit('announce', { announcement: ['Three civil brawls', 'have thrice disturb&apos;d'] })
    assert.deepEqual(notesOf(result), [['info', 'Sent to 3 connected resources']])
    const text = "Three civil brawls\nhave thrice disturb'd"
    await juliet.receives(headline('juliet@capulet.example/balcony', text))
    await chamber.receives(headline('juliet@capulet.example/chamber', text))
    const nurse = await host.login('nurse', 'hall')
    await nurse.receivesNothing()
  })
  test('without a text are refused', async () => {
    for (const [action, name] of [['announce', 'announcement'], ['set-motd', 'motd'], ['set-welcome', 'welcome']] as const) {
      await refusesForm(action, { [name]: [' ', ''] }, 'bad-request', 'modify')
    }
  })
})

describe('XEP-0133 §4: message of the day', () => {
  /** Logs in without forgetting what came. */
  async function come(name: string, resource: string): Promise<ScriptedEntity> {
    const entity = await host.connect(name, resource)
    entity.send('<presence/>')
    await host.settle()
    return entity
  }
  const bodies = async (entity: ScriptedEntity) => (await entity.all()).filter(({ name }) => name === 'message').map((message) => message.childText('body'))

  test('goes to everybody who is online, and once to everybody else who comes', async () => {
    const juliet = await host.login('juliet', 'balcony')
    await submit('set-motd', { motd: 'A feast tonight' })
    assert.deepEqual(await bodies(juliet), ['A feast tonight'])
    const nurse = await come('nurse', 'hall')
    assert.deepEqual(await bodies(nurse), ['A feast tonight'])
    await host.disconnect(nurse)
    assert.deepEqual(await bodies(await come('nurse', 'hall')), [])
    assert.deepEqual(await bodies(await come('juliet', 'chamber')), [])
  })
  test('goes once also to two resources that come at the same time', async () => {
    await submit('set-motd', { motd: 'A feast tonight' })
    const [hall, kitchen] = await Promise.all(['hall', 'kitchen'].map((resource) => host.connect('nurse', resource)))
    hall?.send('<presence/>')
    kitchen?.send('<presence/>')
    const received = [...await bodies(hall as ScriptedEntity), ...await bodies(kitchen as ScriptedEntity)]
    assert.deepEqual(received, ['A feast tonight'])
  })
  test('survives a restart; who had it is remembered', async () => {
    await host.login('juliet', 'balcony')
    await submit('set-motd', { motd: 'A feast tonight' })
    const { storage } = host
    await host.stop()
    await start({ storage })
    assert.deepEqual(await bodies(await come('juliet', 'balcony')), [])
    assert.deepEqual(await bodies(await come('nurse', 'hall')), ['A feast tonight'])
  })
  test('edited: the present text is shown, and only who has not had it gets the new one', async () => {
    await refuses(prince, command('edit-motd'), 'item-not-found', 'cancel')
    const juliet = await host.login('juliet', 'balcony')
    await submit('set-motd', { motd: ['A feast', 'tonite'] })
    juliet.clear()
    const form = await prince.request(command('edit-motd'))
    assert.deepEqual(valuesOf(form.child('command', COMMANDS), 'motd'), ['A feast', 'tonite'])
    await submit('edit-motd', { motd: 'A feast tonight' })
    assert.deepEqual(await bodies(juliet), [])
    assert.deepEqual(await bodies(await come('nurse', 'hall')), ['A feast tonight'])
  })
  test('deleted: nobody gets it any more', async () => {
    await refuses(prince, command('delete-motd'), 'item-not-found', 'cancel')
    await submit('set-motd', { motd: 'A feast tonight' })
    const id = await begin('edit-motd', ['motd'])
    await prince.request(command('delete-motd'))
    assert.deepEqual(await bodies(await come('nurse', 'hall')), [])
    await refuses(prince, command('edit-motd', `sessionid='${id}'`, form({ motd: 'Late' })), 'item-not-found', 'cancel')
  })
})

describe('XEP-0133 §4: welcome message', () => {
  const kept: string[] = []
  const keeper = defineModule({
    name: 'keeper', summary: 'Keeps messages for those who are away.', implements: [],
    setup({ on }) {
      on(messageUndelivered, 'normal', ({ stanza }) => {
        const body = stanza.find('body', 'jabber:client')
        kept.push(`${stanza.from?.toString()} → ${stanza.to?.toString()}: ${body === undefined ? '' : stanza.element(body).text()}`)
        return true
      })
    },
  })
  const addUser = (name: string) => submit('add-user', { accountjid: `${name}@capulet.example`, password: 'x', 'password-verify': 'x' })

  test('waits for every new user, until it is deleted; it survives a restart', async () => {
    kept.length = 0
    await host.stop()
    await start({ modules: [...modules, keeper] })
    await refuses(prince, command('delete-welcome'), 'item-not-found', 'cancel')
    await submit('set-welcome', { welcome: ['Welcome', 'to Verona'] })
    await addUser('paris')
    assert.deepEqual(kept, ['capulet.example → paris@capulet.example: Welcome\nto Verona'])
    const { storage } = host
    await host.stop()
    await start({ modules: [...modules, keeper], storage })
    const form = await prince.request(command('set-welcome'))
    assert.deepEqual(valuesOf(form.child('command', COMMANDS), 'welcome'), ['Welcome', 'to Verona'])
    await prince.request(command('delete-welcome'))
    await addUser('peter')
    assert.equal(kept.length, 1)
  })
})

describe('XEP-0133 §4: shutdown', () => {
  test('after the delay that was chosen, with an announcement', async () => {
    const juliet = await host.login('juliet', 'balcony')
    await submit('shutdown', { delay: '120', announcement: 'Good night' })
    await juliet.receives(headline('juliet@capulet.example/balcony', 'Good night'))
    assert.deepEqual(host.controlCalls, ['shutdown 120000'])
  })
  test('without an announcement nobody is told by us', async () => {
    const juliet = await host.login('juliet', 'balcony')
    await submit('shutdown', { delay: '30', announcement: [] })
    await juliet.receivesNothing()
    assert.deepEqual(host.controlCalls, ['shutdown 30000'])
  })
  test('a delay that is not offered is refused', async () => {
    await refusesForm('shutdown', { delay: '1', announcement: [] }, 'bad-request', 'modify')
    assert.deepEqual(host.controlCalls, [])
  })
})
