/** Messages that reach a resource before its client said how it acknowledges: written is not delivered. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { AnyModule } from '@rollcall/module-api'
import { TestHost } from '../testing/test-host.ts'
import type { ScriptedEntity } from '../testing/scripted-entity.ts'
import { EARLY_BYTES_MAX } from './early-messages.ts'
import { tinyPresence, TinyStore, Witness } from './testing/tiny-modules.ts'

const NS = "xmlns='urn:xmpp:sm:3'"
const JULIET = 'juliet@capulet.example/balcony'

let host: TestHost
let store: TinyStore
let witness: Witness
let romeo: ScriptedEntity

beforeEach(async () => {
  store = new TinyStore()
  witness = new Witness()
  const modules: AnyModule[] = [tinyPresence, store.module, witness.module]
  host = await TestHost.start({ accounts: ['romeo', 'juliet'], modules })
  romeo = await host.login('romeo', 'orchard')
})
afterEach(() => host.stop())

const message = (id: string, text = id) => `<message to='${JULIET}' type='chat' id='${id}'><body>${text}</body></message>`

async function say(id: string, text = id): Promise<void> {
  romeo.send(message(id, text))
  await host.settle()
}

async function idsOf(entity: ScriptedEntity): Promise<string[]> {
  return (await entity.all()).filter(({ name }) => name === 'message').map((element) => element.attribute('id') as string)
}

function stored(): string[] {
  return store.stored.map((wire) => / id='([^']*)'/.exec(wire)?.[1] as string)
}

describe('a message for a resource that is bound and neither available nor acknowledging', () => {
  test('goes on when its client is lost in that moment', async () => {
    const juliet = await host.connect('juliet', 'balcony')
    await say('one')
    assert.deepEqual(await idsOf(juliet), ['one'])
    assert.deepEqual(witness.take(), [])
    await host.disconnect(juliet, 'lost')
    assert.deepEqual(stored(), ['one'])
    assert.deepEqual(witness.take(), ['unbound balcony lost'])
  })

  test('goes on when another connection takes the resource, and when the client leaves', async () => {
    await host.connect('juliet', 'balcony')
    await say('one')
    const second = await host.connect('juliet', 'balcony')
    await say('two')
    assert.deepEqual(stored(), ['one'])
    await host.disconnect(second, 'closed')
    assert.deepEqual(stored(), ['one', 'two'])
  })

  test('is with the client once that is available without stream management', async () => {
    const juliet = await host.connect('juliet', 'balcony')
    await say('one')
    juliet.send('<presence/>')
    await host.settle()
    assert.deepEqual(witness.take(), ['acked one balcony'])
    await host.disconnect(juliet, 'lost')
    assert.deepEqual(stored(), [])
  })

  test('is still open when stream management begins, until the client acknowledges what came later', async () => {
    const juliet = await host.connect('juliet', 'balcony')
    await say('one')
    juliet.send(`<enable ${NS} resume='true'/>`)
    juliet.send('<presence/>')
    // Nothing that was counted is acknowledged by this.
    juliet.send(`<a ${NS} h='0'/>`)
    await host.settle()
    assert.deepEqual(witness.take(), [])
    await say('two')
    juliet.send(`<a ${NS} h='1'/>`)
    await host.settle()
    assert.deepEqual(witness.take(), ['acked one balcony', 'acked two balcony'])
    assert.deepEqual(await idsOf(juliet), ['one', 'two'])
  })

  test('goes on before what came later, when stream management began and nothing was acknowledged', async () => {
    const juliet = await host.connect('juliet', 'balcony')
    await say('one')
    juliet.send(`<enable ${NS}/>`)
    await say('two')
    await host.disconnect(juliet, 'lost')
    assert.deepEqual(stored(), ['one', 'two'])
  })

  test('is with a client that resumes, since that has read what came after it', async () => {
    const juliet = await host.connect('juliet', 'balcony')
    await say('one')
    juliet.send(`<enable ${NS} resume='true'/>`)
    const enabled = (await juliet.all()).at(-1)
    await host.disconnect(juliet, 'lost')
    const again = await host.resume('juliet', { previousId: enabled?.attribute('id') ?? '', handled: 0 })
    assert.deepEqual(witness.take(), ['detached balcony', 'acked one balcony', 'resumed balcony'])
    assert.deepEqual(await idsOf(again), [])
  })

  test('moves with its session to another member', async () => {
    const juliet = await host.connect('juliet', 'balcony')
    await say('one')
    const snapshot = host.core.handOver(juliet.jid.bare)
    assert.ok(snapshot !== undefined)
    await host.core.takeOver(snapshot)
    await host.disconnect(juliet, 'lost')
    assert.deepEqual(stored(), ['one'])
  })

  test('counts as delivered when too much of it is written without a word of the client', async () => {
    const juliet = await host.connect('juliet', 'balcony')
    const text = 'O'.repeat(200_000)
    const count = Math.ceil(EARLY_BYTES_MAX / text.length) + 1
    for (let i = 0; i < count; i++) await say(`m${i}`, text)
    const acked = witness.take()
    assert.ok(acked.length > 0 && acked.length < count, acked.join())
    assert.equal(acked[0], 'acked m0 balcony')
    await host.disconnect(juliet, 'lost')
    assert.equal(stored().length, count - acked.length)
  })
})

test('after a client without stream management said goodbye, what still is written to it goes on', async () => {
  const juliet = await host.login('juliet', 'balcony')
  await say('one')
  juliet.send(`<presence type='unavailable'/>`)
  await say('two')
  assert.deepEqual(witness.take(), ['acked one balcony'])
  await host.disconnect(juliet, 'closed')
  assert.deepEqual(stored(), ['two'])
})
