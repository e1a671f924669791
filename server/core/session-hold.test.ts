/** Held sessions: what is sent meanwhile waits, in order and bounded; and ports that modules want but do not need. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { definePort, defineModule, sessionBound } from '@rollcall/module-api'
import type { Session } from '@rollcall/module-api'
import { parseJid } from '@rollcall/jid'
import { buildStanza } from '@rollcall/stanza'
import { TestHost } from '../testing/test-host.ts'
import type { ScriptedEntity } from '../testing/scripted-entity.ts'
import { HELD_BYTES_MAX } from './held-queue.ts'

let host: TestHost
let romeo: ScriptedEntity
let session: Session

const catcher = defineModule({
  name: 'catcher', summary: 'Keeps the session.', implements: [],
  setup({ on }) {
    on(sessionBound, 'normal', (event) => {
      session = event.session
    })
  },
})

beforeEach(async () => {
  host = await TestHost.start({ accounts: ['romeo'], modules: [catcher] })
  romeo = await host.connect('romeo', 'street')
})
afterEach(() => host.stop())

const message = (id: string) => buildStanza('message', { to: session.jid, id })
const received = async () => (await romeo.all()).map((element) => element.attribute('id'))

describe('Session.hold', () => {
  test('keeps back what is sent, lets its own through, and releases in order', async () => {
    session.send(message('before'))
    const hold = session.hold()
    session.send(message('live1'))
    session.sendWire(message('live2').toWire())
    hold.send(message('stored'))
    assert.deepEqual(await received(), ['before', 'stored'])
    hold.release()
    session.send(message('after'))
    assert.deepEqual(await received(), ['live1', 'live2', 'after'])
  })

  test('two holds: each stands where it began, whichever is released first', async () => {
    for (const isInOrder of [true, false]) {
      const one = session.hold()
      session.send(message('live1'))
      const other = session.hold()
      session.send(message('live2'))
      one.send(message('one'))
      other.send(message('other'))
      assert.deepEqual(await received(), ['one'])
      for (const hold of isInOrder ? [one, one] : [other, other]) hold.release()
      assert.deepEqual(await received(), isInOrder ? ['live1', 'other'] : [])
      other.send(message('another'))
      for (const hold of [one, other]) hold.release()
      session.send(message('after'))
      assert.deepEqual(await received(), isInOrder ? ['another', 'live2', 'after'] : ['live1', 'other', 'another', 'live2', 'after'])
    }
  })

  test('a client for which too much is kept back is disconnected, once', async () => {
    session.hold()
    const wire = message('big').toWire().padEnd(HELD_BYTES_MAX / 4, ' ')
    for (let i = 0; i < 4; i++) session.sendWire(wire)
    await host.settle()
    assert.equal(romeo.closed, undefined)
    session.send(message('too much'))
    session.send(message('more'))
    await host.settle()
    assert.equal(romeo.closed, 'resource-constraint')
    assert.deepEqual(await received(), [])
  })

  test('after the session has ended nothing is sent', async () => {
    const hold = session.hold()
    session.send(message('live'))
    await host.disconnect(romeo)
    hold.send(message('stored'))
    hold.release()
    assert.deepEqual(await received(), [])
  })

  test('a hand-off takes nothing kept back with it', async () => {
    const hold = session.hold()
    session.send(message('live'))
    assert.ok(host.core.handOver(parseJid('romeo@capulet.example')))
    assert.deepEqual(await received(), ['live'])
    hold.release()
    assert.deepEqual(await received(), [])
  })
})

describe('ports that are wanted', () => {
  const Lantern = definePort<{ readonly isLit: boolean }>('lantern')
  const seen: unknown[] = []
  const watchman = defineModule({
    name: 'a-watchman', summary: 'Looks.', implements: [], wants: { lantern: Lantern },
    setup({ ports }) {
      seen.push(ports.lantern?.isLit)
    },
  })
  const lamplighter = defineModule({
    name: 'lamplighter', summary: 'Lights.', implements: [], provides: [Lantern],
    setup({ provide }) {
      provide(Lantern, { isLit: true })
    },
  })

  test('are there when a module provides them, which is then set up first; else undefined', async () => {
    for (const modules of [[watchman, lamplighter], [watchman]]) {
      const other = await TestHost.start({ modules })
      await other.stop()
    }
    assert.deepEqual(seen, [true, undefined])
  })
})
