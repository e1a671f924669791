/** The small parts of presence that need no server. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseJid } from '@rollcall/jid'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import { keyvalStore, openStore, StorageError } from '@rollcall/ports'
import type { WriteOp } from '@rollcall/ports'
import { Stanza } from '@rollcall/stanza'
import { FakeClock, recordingLog } from '@rollcall/testing'
import { isSamePresence } from './content.ts'
import { LastPresences } from './last-presences.ts'
import type { LastPresence } from './port.ts'
import { headOf, tailOf } from './presence-wire.ts'

const juliet = parseJid('juliet@capulet.example/balcony')
const make = (attrs: string, content: string, type = ''): Stanza => new Stanza('presence', juliet, undefined, type, '', attrs, content)

describe('isSamePresence', () => {
  it('looks at everything but the id', () => {
    const one = make(` id='a' xml:lang='it'`, '<show>away</show>')
    assert.equal(isSamePresence(one, make(` id='a' xml:lang='it'`, '<show>away</show>')), true)
    assert.equal(isSamePresence(one, make(` id="b" xml:lang='it'`, '<show>away</show>')), true)
    assert.equal(isSamePresence(one, make(` xml:lang='it'`, '<show>away</show>')), true)
    assert.equal(isSamePresence(one, make(` id='a' xml:lang='en'`, '<show>away</show>')), false)
    assert.equal(isSamePresence(one, make(` id='a' xml:lang='it'`, '<show>xa</show>')), false)
    assert.equal(isSamePresence(one, make(` id='a' xml:lang='it'`, '<show>away</show>', 'unavailable')), false)
  })
})

describe('presence as wire pieces', () => {
  it('gives the same text as the addressed stanza', () => {
    const to = parseJid(`romeo@montague.example/o'hara`)
    for (const stanza of [make('', ''), make(` id='1'`, '<show>dnd</show>')]) {
      assert.equal(headOf(stanza) + to.wire + tailOf(stanza), stanza.addressed(juliet, to).toWire())
    }
  })
})

describe('LastPresences', () => {
  class CountingStorage extends MemoryStorage {
    writes = 0
    isFailing = false
    override write(ops: readonly WriteOp[]): Promise<void> {
      this.writes++
      return this.isFailing ? Promise.reject(new StorageError('io', 'broken')) : super.write(ops)
    }
  }

  async function open() {
    const storage = new CountingStorage()
    await storage.open()
    const clock = new FakeClock()
    const log = recordingLog()
    const store = openStore(storage, keyvalStore<LastPresence>('last_presence'))
    return { storage, clock, log, store, lasts: new LastPresences(store, clock, log) }
  }

  it('writes only the newest of an account, after a while; reads see it at once', async () => {
    const { storage, clock, store, lasts } = await open()
    for (let at = 1; at <= 5; at++) lasts.note('juliet@capulet.example', { at, content: '' })
    lasts.note('nurse@capulet.example', { at: 9, content: '' })
    assert.equal(storage.writes, 0)
    assert.equal((await lasts.read('juliet@capulet.example'))?.at, 5)
    clock.advance(2_000)
    await lasts.flush()
    assert.equal(storage.writes, 2)
    assert.equal((await store.get('juliet@capulet.example'))?.at, 5)
  })

  it('never shows an older one while the newest is being written', async () => {
    const { lasts } = await open()
    lasts.note('juliet@capulet.example', { at: 1, content: '' })
    const flushed = lasts.flush()
    assert.equal((await lasts.read('juliet@capulet.example'))?.at, 1)
    lasts.note('juliet@capulet.example', { at: 2, content: '' })
    assert.equal((await lasts.read('juliet@capulet.example'))?.at, 2)
    await flushed
    await lasts.flush()
    assert.equal((await lasts.read('juliet@capulet.example'))?.at, 2)
  })

  it('forgets an account that is deleted', async () => {
    const { storage, lasts } = await open()
    lasts.note('juliet@capulet.example', { at: 1, content: '' })
    lasts.forget('juliet@capulet.example')
    await lasts.flush()
    assert.equal(storage.writes, 0)
    assert.equal(await lasts.read('juliet@capulet.example'), undefined)
  })

  it('goes on when storage fails', async () => {
    const { storage, log, lasts } = await open()
    storage.isFailing = true
    lasts.note('juliet@capulet.example', { at: 1, content: '' })
    await lasts.flush()
    assert.equal(log.of('last-presence-lost').length, 1)
    storage.isFailing = false
    lasts.note('juliet@capulet.example', { at: 2, content: '' })
    await lasts.flush()
    assert.equal((await lasts.read('juliet@capulet.example'))?.at, 2)
  })
})
