/** XEP-0050 as wire scripts, with a command of three stages and one without any. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { defineModule } from '@rollcall/module-api'
import { form, formField } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { XmlElement } from '@rollcall/xml'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import disco from '../disco/module.ts'
import { answers, refuses } from '../disco/testing/stage.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import commands from './module.ts'
import { Commands } from './port.ts'
import type { CommandCaller, CommandStage, FormStage } from './port.ts'

const NS = 'http://jabber.org/protocol/commands'
const sceneForm = form({ type: 'submit', title: 'Scene' }, 'urn:example:scene', { scene: formField.text('scene') })
const castForm = form({ type: 'submit', title: 'Cast' }, 'urn:example:scene', { size: formField.uint('size') })

let isStageOpen = true
let release: (() => void) | undefined

/** Scene → cast → done; `complete` skips the cast. */
function rehearse(_caller: CommandCaller): FormStage {
  const cast = (scene: string): FormStage => ({
    kind: 'form', form: castForm.blank(), actions: ['complete'],
    async submit(submitted) {
      const { size } = castForm.read(submitted)
      if (size === 0) throw new StanzaError('conflict', 'Nobody plays')
      if (size === 99) await new Promise<void>((resolve) => { release = resolve })
      return { kind: 'final', notes: [{ type: 'info', text: `${scene} with ${size}` }] }
    },
  })
  return {
    kind: 'form', form: sceneForm.blank(), actions: ['next', 'complete'],
    submit(submitted, action): CommandStage {
      const { scene } = sceneForm.read(submitted)
      return action === 'next' ? cast(scene) : { kind: 'final', notes: [{ type: 'warn', text: `${scene} without a cast` }] }
    },
  }
}

/** A command that never ends; its work waits while the curtain is down. */
let curtain: Promise<void> | undefined
const loop: FormStage = {
  kind: 'form', form: sceneForm.blank(), actions: ['next'],
  async submit() {
    await curtain
    return loop
  },
}

const theatre = defineModule({
  name: 'theatre', summary: 'Offers commands.', implements: [], needs: { commands: Commands },
  setup({ ports }) {
    const mayRun = ({ from }: CommandCaller) => isStageOpen && from.localpart !== 'tybalt'
    ports.commands.add({ node: 'rehearse', name: 'Rehearse', scope: 'host', mayRun, start: rehearse })
    ports.commands.add({
      node: 'bill', name: 'Bill', scope: 'host', mayRun: () => true,
      start: () => ({ kind: 'final', form: { type: 'result', fields: [{ var: 'play', values: ['Romeo and Juliet'] }] } }),
    })
    ports.commands.add({ node: 'loop', name: 'Loop', scope: 'host', mayRun: ({ from }) => from.localpart === 'tybalt', start: () => loop })
    ports.commands.add({
      node: 'diary', name: 'Diary', scope: 'account', mayRun: ({ from, to }) => from.bareEquals(to),
      start: ({ account }) => ({ kind: 'final', notes: [{ type: 'info', text: `of ${account?.jid.toString()}` }] }),
    })
    assert.throws(() => ports.commands.add({ node: 'bill', name: 'Again', scope: 'host', mayRun: () => true, start: rehearse }), /Two commands/)
  },
})

let host: TestHost
let juliet: ScriptedEntity

const command = (attributes: string, content = '', to = 'capulet.example') =>
  `<iq type='set' id='c1' to='${to}'><command xmlns='${NS}' ${attributes}>${content}</command></iq>`
const submit = (fields: string) => `<x xmlns='jabber:x:data' type='submit'>${fields}</x>`
const SCENE = submit("<field var='scene'><value>Balcony</value></field>")
const cast = (size: string) => submit(`<field var='size'><value>${size}</value></field>`)

async function run(attributes: string, content?: string): Promise<XmlElement> {
  const answer = await juliet.request(command(attributes, content))
  const result = answer.child('command', NS)
  assert.ok(result !== undefined, `Refused: ${answer.child('error')?.elements()[0]?.name}`)
  return result
}
const begin = async () => (await run("node='rehearse'")).attribute('sessionid') as string
const actionsOf = (result: XmlElement) => {
  const actions = result.child('actions')
  return [actions?.attribute('execute'), ...(actions?.elements() ?? []).map(({ name }) => name)]
}
const titleOf = (result: XmlElement) => result.child('x', 'jabber:x:data')?.childText('title')
const noteOf = (result: XmlElement) => result.childText('note')

async function refusesWith(attributes: string, content: string, condition: string, type: string, application?: string): Promise<void> {
  const error = await refuses(juliet, command(attributes, content), condition, type)
  assert.equal(error.elements().find(({ ns }) => ns === NS)?.name, application)
}

beforeEach(async () => {
  isStageOpen = true
  host = await TestHost.start({
    accounts: ['juliet', 'tybalt'], modules: [roster, presence, disco, commands, theatre],
    options: { commands: { sessionsPerUserMax: 3, sessionsMax: 4, sessionTimeoutMs: 60_000 } },
  })
  juliet = await host.login('juliet', 'balcony')
})
afterEach(() => host.stop())

describe('XEP-0050 §2.1 and §2.2: discovery', () => {
  const get = (ns: string, node: string, to = 'capulet.example') =>
    `<iq type='get' id='d1' to='${to}'><query xmlns='http://jabber.org/protocol/disco#${ns}' node='${node}'/></iq>`
  const result = (from: string, content: string) => `<iq type='result' id='d1' from='${from}' to='juliet@capulet.example/balcony'>${content}</iq>`

  test('a host and an account say that they have commands', async () => {
    for (const to of ['capulet.example', 'juliet@capulet.example']) {
      const answer = await juliet.request(`<iq type='get' id='d1' to='${to}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`)
      assert.ok(answer.elements()[0]?.elements('feature').some((feature) => feature.attribute('var') === NS))
    }
  })
  test('the node of commands lists those that the asker may run', async () => {
    await answers(juliet, get('items', NS), result('capulet.example', `<query xmlns='http://jabber.org/protocol/disco#items' node='${NS}'>
      <item jid='capulet.example' node='rehearse' name='Rehearse'/><item jid='capulet.example' node='bill' name='Bill'/></query>`))
    isStageOpen = false
    await answers(juliet, get('items', NS), result('capulet.example', `<query xmlns='http://jabber.org/protocol/disco#items' node='${NS}'>
      <item jid='capulet.example' node='bill' name='Bill'/></query>`))
    await answers(juliet, get('items', NS, 'juliet@capulet.example'), result('juliet@capulet.example',
      `<query xmlns='http://jabber.org/protocol/disco#items' node='${NS}'><item jid='juliet@capulet.example' node='diary' name='Diary'/></query>`))
  })
  test('the node is a list of commands, and each command a node', async () => {
    await answers(juliet, get('info', NS), result('capulet.example', `<query xmlns='http://jabber.org/protocol/disco#info' node='${NS}'>
      <identity category='automation' type='command-list' name='Commands'/><feature var='${NS}'/></query>`))
    await answers(juliet, get('info', 'rehearse'), result('capulet.example', `<query xmlns='http://jabber.org/protocol/disco#info' node='rehearse'>
      <identity category='automation' type='command-node' name='Rehearse'/><feature var='${NS}'/><feature var='jabber:x:data'/></query>`))
    await answers(juliet, get('items', 'rehearse'), result('capulet.example', "<query xmlns='http://jabber.org/protocol/disco#items' node='rehearse'/>"))
    await refuses(juliet, get('info', 'diary'), 'item-not-found', 'cancel')
  })
  test('a command that the asker may not run is forbidden', async () => {
    const tybalt = await host.login('tybalt', 'street')
    await refuses(tybalt, get('info', 'rehearse'), 'forbidden', 'auth')
  })
})

describe('XEP-0050 §2.4: execution', () => {
  test('§2.4.1: without interaction', async () => {
    await answers(juliet, command("node='bill' action='execute'"), `<iq type='result' id='c1' from='capulet.example' to='juliet@capulet.example/balcony'>
      <command xmlns='${NS}' node='bill' sessionid='{any}' status='completed' xml:lang='en'>
        <x xmlns='jabber:x:data' type='result'><field var='play'><value>Romeo and Juliet</value></field></x></command></iq>`)
  })
  test('§2.4.2: in stages, each of which says what can be done next', async () => {
    const first = await run("node='rehearse'")
    const id = first.attribute('sessionid') as string
    assert.deepEqual([first.attribute('status'), titleOf(first), actionsOf(first)], ['executing', 'Scene', ['next', 'next', 'complete']])
    const second = await run(`node='rehearse' sessionid='${id}'`, SCENE)
    assert.deepEqual([second.attribute('sessionid'), titleOf(second), actionsOf(second)], [id, 'Cast', ['complete', 'prev', 'complete']])
    const last = await run(`node='rehearse' sessionid='${id}' action='complete'`, cast('2'))
    assert.deepEqual([last.attribute('sessionid'), last.attribute('status'), noteOf(last)], [id, 'completed', 'Balcony with 2'])
    assert.equal(last.child('actions'), undefined)
  })
  test('`complete` and `next` are told apart where both are possible', async () => {
    const id = await begin()
    assert.equal(noteOf(await run(`node='rehearse' sessionid='${id}' action='complete'`, SCENE)), 'Balcony without a cast')
  })
  test('§2.4.2: back to the stage before, and on with other values', async () => {
    const id = await begin()
    await run(`node='rehearse' sessionid='${id}' action='next'`, SCENE)
    const back = await run(`node='rehearse' sessionid='${id}' action='prev'`)
    assert.deepEqual([titleOf(back), actionsOf(back)], ['Scene', ['next', 'next', 'complete']])
    await run(`node='rehearse' sessionid='${id}'`, submit("<field var='scene'><value>Tomb</value></field>"))
    assert.equal(noteOf(await run(`node='rehearse' sessionid='${id}'`, cast('3'))), 'Tomb with 3')
  })
  test('§2.4.3: cancelled, at any stage', async () => {
    const id = await begin()
    await answers(juliet, command(`node='rehearse' sessionid='${id}' action='cancel'`),
      `<iq type='result' id='c1' from='capulet.example' to='juliet@capulet.example/balcony'>
        <command xmlns='${NS}' node='rehearse' sessionid='${id}' status='canceled' xml:lang='en'/></iq>`)
    await refusesWith(`node='rehearse' sessionid='${id}'`, SCENE, 'not-allowed', 'cancel', 'session-expired')
  })
  test('§3.5.1: a form of type cancel counts as submitted', async () => {
    const id = await begin()
    const second = await run(`node='rehearse' sessionid='${id}'`, SCENE.replace("'submit'", "'cancel'"))
    assert.equal(titleOf(second), 'Cast')
  })
  test('§4.1: a status in a request is ignored', async () => {
    assert.equal((await run("node='bill' status='canceled'")).attribute('status'), 'completed')
  })
  test('at an account, by its owner', async () => {
    await answers(juliet, command("node='diary'", '', 'juliet@capulet.example'), `
      <iq type='result' id='c1' from='juliet@capulet.example' to='juliet@capulet.example/balcony'>
      <command xmlns='${NS}' node='diary' sessionid='{any}' status='completed' xml:lang='en'><note>of juliet@capulet.example</note></command></iq>`)
    await refuses(juliet, command("node='rehearse'", '', 'juliet@capulet.example'), 'item-not-found', 'cancel')
  })
  test('at an account of somebody else: the answer for no account', async () => {
    const tybalt = await host.login('tybalt', 'street')
    await refuses(tybalt, command("node='diary'", '', 'juliet@capulet.example'), 'service-unavailable', 'cancel')
    await refuses(tybalt, command("node='secret'", '', 'juliet@capulet.example'), 'service-unavailable', 'cancel')
    await refuses(tybalt, command("node='diary'", '', 'nobody@capulet.example'), 'service-unavailable', 'cancel')
  })
})

describe('XEP-0050 §4.4: errors', () => {
  test('malformed-action: there is no such action', async () => {
    await refusesWith("node='bill' action='applaud'", '', 'bad-request', 'modify', 'malformed-action')
  })
  test('bad-action: not possible at this stage', async () => {
    for (const action of ['prev', 'next', 'cancel']) await refusesWith(`node='rehearse' action='${action}'`, '', 'bad-request', 'modify', 'bad-action')
    const id = await begin()
    await refusesWith(`node='rehearse' sessionid='${id}' action='prev'`, '', 'bad-request', 'modify', 'bad-action')
    await run(`node='rehearse' sessionid='${id}'`, SCENE)
    await refusesWith(`node='rehearse' sessionid='${id}' action='next'`, cast('2'), 'bad-request', 'modify', 'bad-action')
  })
  test('bad-payload: no form, a bad one, or one of another kind; the stage stays', async () => {
    const id = await begin()
    const session = `node='rehearse' sessionid='${id}'`
    await refusesWith(session, '', 'bad-request', 'modify', 'bad-payload')
    await refusesWith(session, submit(''), 'bad-request', 'modify', 'bad-payload')
    await refusesWith(session, SCENE.replace("'submit'", "'result'"), 'bad-request', 'modify', 'bad-payload')
    const otherType = "<field var='FORM_TYPE' type='hidden'><value>urn:example:other</value></field>"
    await refusesWith(session, submit(`${otherType}<field var='scene'><value>Tomb</value></field>`),
      'bad-request', 'modify', 'bad-payload')
    await run(session, SCENE)
    await refusesWith(session, cast('many'), 'bad-request', 'modify', 'bad-payload')
    await refusesWith(session, cast('0'), 'conflict', 'cancel')
    assert.equal(noteOf(await run(session, cast('2'))), 'Balcony with 2')
  })
  test('bad-sessionid: unknown, of another command, of somebody else, of another resource', async () => {
    const id = await begin()
    await refusesWith("node='rehearse' sessionid='made-up'", SCENE, 'bad-request', 'modify', 'bad-sessionid')
    await refusesWith(`node='bill' sessionid='${id}'`, '', 'bad-request', 'modify', 'bad-sessionid')
    const owner = juliet
    juliet = await host.login('juliet', 'chamber')
    await refusesWith(`node='rehearse' sessionid='${id}'`, SCENE, 'bad-request', 'modify', 'bad-sessionid')
    juliet = owner
    assert.equal(titleOf(await run(`node='rehearse' sessionid='${id}'`, SCENE)), 'Cast')
  })
  test('session-expired: completed, cancelled or timed out', async () => {
    const completed = await begin()
    await run(`node='rehearse' sessionid='${completed}' action='complete'`, SCENE)
    await refusesWith(`node='rehearse' sessionid='${completed}'`, SCENE, 'not-allowed', 'cancel', 'session-expired')
    const slow = await begin()
    await host.advance(59_000)
    await run(`node='rehearse' sessionid='${slow}'`, SCENE)
    await host.advance(59_000)
    await run(`node='rehearse' sessionid='${slow}' action='prev'`)
    await host.advance(60_000)
    await refusesWith(`node='rehearse' sessionid='${slow}'`, SCENE, 'not-allowed', 'cancel', 'session-expired')
  })
  test('forbidden: may not run it, or may not any more', async () => {
    const tybalt = await host.login('tybalt', 'street')
    await refuses(tybalt, command("node='rehearse'"), 'forbidden', 'auth')
    const id = await begin()
    isStageOpen = false
    await refusesWith(`node='rehearse' sessionid='${id}'`, SCENE, 'forbidden', 'auth')
  })
  test('item-not-found: no such command', async () => {
    await refusesWith("node='sing'", '', 'item-not-found', 'cancel')
  })
  test('bad-request: no node', async () => {
    await refusesWith('', '', 'bad-request', 'modify')
  })
})

describe('limits', () => {
  test('§3.3: so many sessions of one user, and so many in all', async () => {
    const ids = [await begin(), await begin(), await begin()]
    await refusesWith("node='rehearse'", '', 'not-allowed', 'cancel')
    const nurse = await host.component('montague.example')
    const foreign = (name: string) => command("node='rehearse'").replace('<iq', `<iq from='${name}@montague.example/x'`)
    await nurse.request(foreign('romeo'))
    await refuses(nurse, foreign('benvolio'), 'resource-constraint', 'wait')
    await run(`node='rehearse' sessionid='${ids[0]}' action='cancel'`)
    await nurse.request(foreign('benvolio'))
    await host.advance(60_000)
    assert.equal(typeof await begin(), 'string')
  })
  test('so many stages of one session', async () => {
    juliet = await host.login('tybalt', 'street')
    const id = (await run("node='loop'")).attribute('sessionid') as string
    for (let stage = 2; stage <= 50; stage++) await run(`node='loop' sessionid='${id}'`, SCENE)
    await refusesWith(`node='loop' sessionid='${id}'`, SCENE, 'resource-constraint', 'wait')
    await run(`node='loop' sessionid='${id}' action='prev'`)
    await run(`node='loop' sessionid='${id}'`, SCENE)
  })
  test('a stage that is reached after the session was cancelled is refused', async () => {
    juliet = await host.login('tybalt', 'street')
    const id = (await run("node='loop'")).attribute('sessionid') as string
    let raise: (() => void) | undefined
    curtain = new Promise((resolve) => { raise = resolve })
    juliet.send(command(`node='loop' sessionid='${id}'`, SCENE).replace("'c1'", "'slow'"))
    await run(`node='loop' sessionid='${id}' action='cancel'`)
    raise?.()
    curtain = undefined
    const late = await juliet.next()
    assert.deepEqual(late.child('error')?.elements().map(({ name }) => name), ['not-allowed', 'session-expired'])
  })
  test('a second request while the first is at work is refused; cancelling ends the session but not the work', async () => {
    const id = await begin()
    await run(`node='rehearse' sessionid='${id}'`, SCENE)
    juliet.send(command(`node='rehearse' sessionid='${id}'`, cast('99')).replace("'c1'", "'slow'"))
    await refusesWith(`node='rehearse' sessionid='${id}'`, cast('2'), 'unexpected-request', 'wait')
    await run(`node='rehearse' sessionid='${id}' action='cancel'`)
    release?.()
    const late = await juliet.next()
    assert.deepEqual([late.attribute('id'), late.child('command', NS)?.attribute('status')], ['slow', 'completed'])
  })
})
