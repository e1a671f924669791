/** Whatever order messages, logins and logouts come in: nothing is lost, nothing comes twice, nothing is overtaken. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import archive from './module.ts'

type Step =
  | { readonly kind: 'message' }
  | { readonly kind: 'presence'; readonly resource: number; readonly priority: number }
  | { readonly kind: 'unavailable'; readonly resource: number }
  | { readonly kind: 'settle' }

const resource = fc.nat(1)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Step>({ kind: 'message' }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('presence' as const), resource, priority: fc.constantFrom(-1, 0, 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unavailable' as const), resource }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'settle' }) },
)

async function numbers(entity: ScriptedEntity): Promise<number[]> {
  return (await entity.all()).filter((element) => element.name === 'message').map((element) => Number(element.attribute('id')))
}

async function play(steps: readonly Step[]): Promise<void> {
  const host = await TestHost.start({ accounts: ['juliet', 'romeo'], modules: [roster, presence, archive] })
  try {
    const romeo = await host.login('romeo')
    const resources = [await host.connect('juliet', 'balcony'), await host.connect('juliet', 'chamber')]
    let count = 0
    for (const current of steps) {
      if (current.kind === 'settle') await host.settle()
      else if (current.kind === 'message') {
        romeo.send(`<message to='juliet@capulet.example' type='chat' id='${count++}'><body>O</body></message>`)
      } else if (current.kind === 'unavailable') resources[current.resource]?.send(`<presence type='unavailable'/>`)
      else resources[current.resource]?.send(`<presence><priority>${current.priority}</priority></presence>`)
    }
    await host.settle()
    // Whoever is still waiting gets the rest now.
    resources[0]?.send('<presence><priority>1</priority></presence>')
    const received = await Promise.all(resources.map(numbers))
    for (const list of received) {
      assert.equal(new Set(list).size, list.length, `twice: ${list.join(' ')}`)
      assert.deepEqual(list, [...list].sort((a, b) => a - b), 'overtaken')
    }
    assert.equal(new Set(received.flat()).size, count, 'lost')
  } finally {
    await host.stop()
  }
}

const message: Step = { kind: 'message' }

describe('stored messages', () => {
  it('are delivered in order, all of them and once, with any logins and logouts in between', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), play), { numRuns: 60 })
  })

  it('are not overtaken when the resource lowers its priority while they are read (found by the above)', () =>
    play([message, { kind: 'presence', resource: 0, priority: 0 }, message, { kind: 'presence', resource: 0, priority: -1 }]))

  it('do not overtake what came live between two logins of one resource (found by the above)', () => {
    const login: Step = { kind: 'presence', resource: 1, priority: 0 }
    return play([message, login, message, { kind: 'unavailable', resource: 1 }, message, login])
  })

  it('reach a resource that goes and comes again before its first delivery has begun (found by the above)', () => {
    const login: Step = { kind: 'presence', resource: 0, priority: 0 }
    return play([message, login, { kind: 'unavailable', resource: 0 }, message, login])
  })
})
