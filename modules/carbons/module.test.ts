/** XEP-0280 as wire scripts. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { defineModule, messageUndelivered } from '@rollcall/module-api'
import { parseJid } from '@rollcall/jid'
import { openScene } from '../roster/testing/verona.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import carbons from './module.ts'
import { CopiedMessages } from './answered.ts'

const JULIET = 'juliet@capulet.example'
const ROMEO = 'romeo@montague.example/orchard'
const NS = 'urn:xmpp:carbons:2'

let keptCount = 0
/** Takes what nobody else gets, as a store of messages would. */
const keeper = defineModule({
  name: 'keeper', summary: '', implements: [],
  setup({ on }) {
    keptCount = 0
    on(messageUndelivered, 'normal', () => {
      keptCount++
      return true
    })
  },
})

let host: TestHost
let remote: ScriptedEntity
/** Has carbons, as has `chamber`; `garden` has not. */
let balcony: ScriptedEntity
let chamber: ScriptedEntity
let garden: ScriptedEntity

async function set(entity: ScriptedEntity, name: string): Promise<string | undefined> {
  const reply = await entity.request(`<iq type='set' id='c'><${name} xmlns='${NS}'/></iq>`)
  return reply.attribute('type')
}

beforeEach(async () => {
  host = await openScene({ modules: [keeper, carbons] })
  remote = await host.component('montague.example')
  balcony = await host.login('juliet', 'balcony')
  chamber = await host.login('juliet', 'chamber')
  garden = await host.login('juliet', 'garden')
  for (const entity of [balcony, chamber]) assert.equal(await set(entity, 'enable'), 'result')
  for (const entity of [balcony, chamber, garden]) entity.clear()
})
afterEach(() => host.stop())

const message = (from: string, to: string, type = 'chat', content = '<body>O</body>', id = 'm') =>
  `<message from='${from}' to='${to}'${type === '' ? '' : ` type='${type}'`} id='${id}'>${content}</message>`

function copyOf(direction: 'sent' | 'received', to: ScriptedEntity, original: string, type = 'chat'): string {
  const inner = original.replace('<message', `<message xmlns='jabber:client'`)
  return `<message from='${JULIET}' to='${to.jid.toString()}'${type === '' ? '' : ` type='${type}'`}>
    <${direction} xmlns='${NS}'><forwarded xmlns='urn:xmpp:forward:0'>${inner}</forwarded></${direction}></message>`
}

/** Whether a message that came for the balcony was copied to the chamber. */
async function isCopiedWhenReceived(type: string, content: string, from = ROMEO): Promise<boolean> {
  remote.send(message(from, `${JULIET}/balcony`, type, content))
  const original = await balcony.all()
  assert.equal(original.length, 1)
  assert.equal((await garden.all()).length, 0)
  return (await chamber.all()).length === 1
}

/** Whether a message that the balcony sent was copied to the chamber. */
async function isCopiedWhenSent(type: string, content: string, to = ROMEO): Promise<boolean> {
  balcony.send(`<message to='${to}'${type === '' ? '' : ` type='${type}'`} id='m'>${content}</message>`)
  await host.settle()
  remote.clear()
  await balcony.receivesNothing()
  await garden.receivesNothing()
  return (await chamber.all()).length === 1
}

describe('§4, §5: enabling and disabling', () => {
  it('may be repeated, and lasts until it is disabled', async () => {
    assert.equal(await set(chamber, 'enable'), 'result')
    assert.equal(await isCopiedWhenReceived('chat', '<body>O</body>'), true)
    for (let i = 0; i < 2; i++) assert.equal(await set(chamber, 'disable'), 'result')
    assert.equal(await isCopiedWhenReceived('chat', '<body>O</body>'), false)
    assert.equal(await set(chamber, 'enable'), 'result')
    assert.equal(await isCopiedWhenReceived('chat', '<body>O</body>'), true)
  })

  it('nobody else can', async () => {
    const nurse = await host.login('nurse')
    for (const name of ['enable', 'disable']) {
      const reply = await nurse.request(`<iq type='set' id='c' to='${JULIET}'><${name} xmlns='${NS}'/></iq>`)
      assert.equal(reply.child('error')?.elements()[0]?.name, 'forbidden')
    }
    assert.equal(await isCopiedWhenReceived('chat', '<body>O</body>'), true)
  })

  it('moves with the session', async () => {
    const snapshot = host.core.handOver(parseJid(JULIET))
    assert.ok(snapshot)
    await host.core.takeOver(JSON.parse(JSON.stringify(snapshot)) as typeof snapshot)
    assert.equal(await isCopiedWhenReceived('chat', '<body>O</body>'), true)
  })
})

describe('§7: receiving', () => {
  it('a message to one resource is copied to the others that asked', async () => {
    const original = message(ROMEO, `${JULIET}/balcony`, 'chat', `<body>A &lt; Ü</body><thread>t</thread><x xmlns='urn:example:x' a="'"/>`)
    remote.send(original)
    await balcony.receives(original)
    await chamber.receives(copyOf('received', chamber, original))
    for (const entity of [balcony, chamber, garden, remote]) await entity.receivesNothing()
  })

  it('also when that resource has not asked', async () => {
    const original = message(ROMEO, `${JULIET}/garden`)
    remote.send(original)
    await garden.receives(original)
    for (const entity of [balcony, chamber]) {
      await entity.receives(copyOf('received', entity, original))
      await entity.receivesNothing()
    }
  })

  it('whoever got the message itself gets no copy', async () => {
    const original = message(ROMEO, JULIET)
    remote.send(original)
    for (const entity of [balcony, chamber, garden]) {
      await entity.receives(original)
      await entity.receivesNothing()
    }
    chamber.send('<presence><priority>5</priority></presence>')
    await host.settle()
    for (const entity of [balcony, chamber, garden]) entity.clear()
    remote.send(original)
    await chamber.receives(original)
    await balcony.receives(copyOf('received', balcony, original))
    for (const entity of [balcony, chamber, garden]) await entity.receivesNothing()
  })

  it('resources with negative priority and without presence get copies, of stored messages too', async () => {
    for (const entity of [balcony, garden]) await host.disconnect(entity)
    chamber.send('<presence><priority>-1</priority></presence>')
    const cellar = await host.connect('juliet', 'cellar')
    await set(cellar, 'enable')
    await host.settle()
    for (const entity of [chamber, cellar]) entity.clear()
    const original = message(ROMEO, JULIET)
    remote.send(original)
    for (const entity of [chamber, cellar]) {
      await entity.receives(copyOf('received', entity, original))
      await entity.receivesNothing()
    }
    assert.equal(keptCount, 1)
  })

  it('a message that is refused is not copied', async () => {
    remote.send(message(ROMEO, `${JULIET}/attic`, 'normal'))
    assert.equal((await remote.next()).attribute('type'), 'error')
    for (const entity of [balcony, chamber]) await entity.receivesNothing()
  })
})

describe('§8: sending', () => {
  it('a message is copied to the other resources that asked, whoever sent it', async () => {
    for (const [sender, others] of [[balcony, [chamber]], [garden, [balcony, chamber]]] as const) {
      sender.send(`<message to='${ROMEO}' type='chat' id='m'><body>O</body></message>`)
      const original = message(sender.jid.toString(), ROMEO)
      await remote.receives(original)
      for (const entity of others) await entity.receives(copyOf('sent', entity, original))
      for (const entity of [balcony, chamber, garden]) await entity.receivesNothing()
    }
  })

  it('between two accounts of one server both sides have their copies', async () => {
    const nurse = await host.login('nurse', 'kitchen')
    const hall = await host.login('nurse', 'hall', '<presence><priority>-1</priority></presence>')
    nurse.clear()
    await set(hall, 'enable')
    balcony.send(`<message to='nurse@capulet.example' id='m'><body>O</body></message>`)
    const original = message(`${JULIET}/balcony`, 'nurse@capulet.example', '')
    await nurse.receives(original)
    await chamber.receives(copyOf('sent', chamber, original, ''))
    await hall.receives(copyOf('received', hall, original, '').replace(JULIET, 'nurse@capulet.example'))
  })

  it('a message to the own account is seen once by every resource', async () => {
    const toOne = message(`${JULIET}/balcony`, `${JULIET}/garden`)
    balcony.send(`<message to='${JULIET}/garden' type='chat' id='m'><body>O</body></message>`)
    await garden.receives(toOne)
    await chamber.receives(copyOf('received', chamber, toOne))
    const toAll = message(`${JULIET}/balcony`, JULIET)
    balcony.send(`<message type='chat' id='m'><body>O</body></message>`)
    for (const entity of [balcony, chamber, garden]) {
      await entity.receives(toAll)
      await entity.receivesNothing()
    }
  })
})

describe('§6.1: which messages', () => {
  const muc = (content = '') => `<x xmlns='http://jabber.org/protocol/muc#user'>${content}</x>`
  for (const [title, type, content, isCopied] of [
    ['chat', 'chat', '<body>O</body>', true],
    ['chat without body', 'chat', `<x xmlns='urn:example:x'/>`, true],
    ['normal with body', '', '<body>O</body>', true],
    ['normal without body', 'normal', `<x xmlns='urn:example:x'/>`, false],
    ['a body of another namespace', '', `<body xmlns='urn:example:x'>O</body>`, false],
    ['a receipt', '', `<received xmlns='urn:xmpp:receipts' id='m'/>`, true],
    ['a chat state', '', `<composing xmlns='http://jabber.org/protocol/chatstates'/>`, true],
    ['a chat marker', 'normal', `<displayed xmlns='urn:xmpp:chat-markers:0' id='m'/>`, true],
    ['a headline', 'headline', '<body>O</body>', false],
    ['groupchat', 'groupchat', '<body>O</body>', false],
    ['groupchat with a marker', 'groupchat', `<displayed xmlns='urn:xmpp:chat-markers:0' id='m'/>`, false],
    ['an error that answers nothing', 'error', `<body>O</body><error type='cancel'/>`, false],
    ['a direct invitation', '', `<x xmlns='jabber:x:conference' jid='r@c.example'/>`, true],
    ['a mediated invitation', '', muc(`<invite from='a@b.example'/>`), true],
    ['a private message', 'chat', `<body>O</body><private xmlns='${NS}'/><no-copy xmlns='urn:xmpp:hints'/>`, false],
    ['only <private/>', 'chat', `<body>O</body><private xmlns='${NS}'/>`, false],
    ['only <no-copy/>', 'chat', `<body>O</body><no-copy xmlns='urn:xmpp:hints'/>`, false],
    ['§11 a forged copy', 'chat', `<received xmlns='${NS}'><forwarded xmlns='urn:xmpp:forward:0'/></received>`, false],
    ['§11 a forged copy of what was sent', 'chat', `<body>O</body><sent xmlns='${NS}'/>`, false],
  ] as const) {
    it(`${title}: ${isCopied ? 'copied' : 'not copied'}`, async () => {
      assert.equal(await isCopiedWhenReceived(type, content), isCopied)
      assert.equal(await isCopiedWhenSent(type, content), isCopied)
    })
  }

  it('private messages of rooms: what was sent is copied, what was received is not', async () => {
    assert.equal(await isCopiedWhenReceived('chat', `<body>O</body>${muc()}`, 'room@montague.example/paris'), false)
    assert.equal(await isCopiedWhenSent('chat', `<body>O</body>${muc()}`, 'room@montague.example/paris'), true)
    assert.equal(await isCopiedWhenSent('normal', muc(), 'room@montague.example/paris'), true)
    assert.equal(await isCopiedWhenReceived('chat', `<body>O</body>${muc()}`, 'room@montague.example'), true)
  })

  it('§9 <private/> stays in the message', async () => {
    const original = message(`${JULIET}/balcony`, ROMEO, 'chat', `<body>O</body><private xmlns='${NS}'/>`)
    balcony.send(`<message to='${ROMEO}' type='chat' id='m'><body>O</body><private xmlns='${NS}'/></message>`)
    await remote.receives(original)
  })
})

describe('§6.1: errors', () => {
  const gone = `<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`
  const error = (from: string, to: string, id = 'm') => message(from, to, 'error', gone, id)

  it('an error that answers a copied message is copied', async () => {
    balcony.send(`<message to='${ROMEO}' type='chat' id='m'><body>O</body></message>`)
    await host.settle()
    chamber.clear()
    const answer = error('romeo@montague.example', `${JULIET}/balcony`)
    remote.send(answer)
    await balcony.receives(answer)
    await chamber.receives(copyOf('received', chamber, answer, 'error'))
    await garden.receivesNothing()
  })

  it('so is one that a client answers with', async () => {
    remote.send(message(ROMEO, JULIET))
    await host.settle()
    for (const entity of [balcony, chamber, garden]) entity.clear()
    garden.send(`<message to='${ROMEO}' type='error' id='m'><error type='cancel'/></message>`)
    const answer = message(`${JULIET}/garden`, ROMEO, 'error', `<error type='cancel'/>`)
    await chamber.receives(copyOf('sent', chamber, answer, 'error'))
  })

  it('not one about another message, another address, or a private message', async () => {
    balcony.send(`<message to='${ROMEO}' type='chat' id='m'><body>O</body></message>`)
    balcony.send(`<message to='${ROMEO}' type='chat' id='p'><body>O</body><private xmlns='${NS}'/></message>`)
    await host.settle()
    chamber.clear()
    for (const [from, id] of [[ROMEO, 'other'], ['paris@montague.example', 'm'], [ROMEO, 'p'], [ROMEO, '']] as const) {
      remote.send(error(from, `${JULIET}/balcony`, id))
    }
    assert.equal((await balcony.all()).length, 4)
    await chamber.receivesNothing()
  })

  it('remembers a limited number of messages, the latest', () => {
    const messages = new CopiedMessages()
    const romeo = parseJid(ROMEO)
    for (let i = 0; i < 65; i++) messages.note(romeo, `m${i}`)
    assert.deepEqual([messages.has(romeo, 'm0'), messages.has(romeo.bare, 'm1'), messages.has(romeo, 'm64')], [false, true, true])
    messages.note(romeo, '')
    assert.equal(messages.has(romeo, ''), false)
  })
})

describe('§11: security', () => {
  it('a forged copy is delivered as the stranger’s message that it is', async () => {
    const inner = message(ROMEO, JULIET).replace('<message', `<message xmlns='jabber:client'`)
    const wrapper = `<received xmlns='${NS}'><forwarded xmlns='urn:xmpp:forward:0'>${inner}</forwarded></received>`
    const forged = message('tybalt@montague.example/home', JULIET, 'chat', wrapper)
    remote.send(forged)
    for (const entity of [balcony, chamber, garden]) {
      await entity.receives(forged)
      await entity.receivesNothing()
    }
  })
})
