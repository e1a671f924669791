import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineModule } from '@rollcall/module-api'
import type { AnyModule } from '@rollcall/module-api'
import { TestHost } from '../testing/test-host.ts'
import { STOP_MESSAGES_MS, STOP_MODULES_MS } from './stop.ts'
import { tinyPresence, TinyStore } from './testing/tiny-modules.ts'

const hanging: AnyModule = defineModule({
  name: 'hanging', summary: 'Never done.', implements: [],
  setup: ({ onStop }) => onStop(() => new Promise<void>(() => {})),
})

const errorsOf = (host: TestHost) => host.log.lines.filter(({ level }) => level === 'error').map(({ event }) => event)

/** A host that is being stopped; the second tells whether it has stopped. */
async function stopping(modules: readonly AnyModule[], before: (host: TestHost) => Promise<void>): Promise<readonly [TestHost, () => boolean]> {
  const host = await TestHost.start({ accounts: ['romeo', 'juliet'], modules })
  await before(host)
  let isStopped = false
  const stop = async () => {
    await host.core.stop()
    isStopped = true
  }
  void stop()
  await host.settle()
  return [host, () => isStopped]
}

test('a storage that hangs holds stopping up for a bounded time, and the log says so', async () => {
  const store = new TinyStore()
  const [host, isStopped] = await stopping([tinyPresence, store.module], async (started) => {
    const romeo = await started.login('romeo')
    const juliet = await started.login('juliet')
    juliet.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    await started.settle()
    store.isQuick = false
    romeo.send("<message to='juliet@capulet.example' type='chat' id='m'><body>O</body></message>")
    await started.settle()
  })
  await host.advance(STOP_MESSAGES_MS - 1)
  assert.equal(isStopped(), false)
  assert.deepEqual(errorsOf(host), [])
  await host.advance(1)
  assert.equal(isStopped(), true)
  assert.deepEqual(errorsOf(host), ['stop-timed-out'])
})

test('so does a module that does not stop', async () => {
  const [host, isStopped] = await stopping([hanging], async () => {})
  await host.advance(STOP_MODULES_MS - 1)
  assert.equal(isStopped(), false)
  await host.advance(1)
  assert.equal(isStopped(), true)
})

test('nothing is waited for or said when everything is stored', async () => {
  const [host, isStopped] = await stopping([tinyPresence, new TinyStore().module], async (started) => void await started.login('juliet'))
  assert.equal(isStopped(), true)
  await host.advance(2 * STOP_MESSAGES_MS)
  assert.deepEqual(errorsOf(host), [])
})
